"""G.711 and MP3 of publishers: what comes out is AAC in time, whatever is sent."""

from __future__ import annotations

import itertools
import subprocess
import sys

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media import mp3
from gateway.media.timestamps import Timeline
from gateway.media.track import Codec, Kind
from gateway.rtmp import chunk, flv
from gateway.rtmp.ingest import Ingest
from gateway.rtmp.transcoded_sound import BURST_S, MAX_MESSAGE_BYTES, SPEED, TranscodedSound

FRAME_S = 1024 / 16_000


def tone(codec: str, rate: int, layout: str, size: int, seconds: float) -> list[bytes]:
    """Packets of a 440 Hz tone that begins after a second of silence."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout = rate, layout
    encoder.format = "fltp" if codec == "libmp3lame" else "s16"
    encoder.open()
    packets = []
    for start in range(0, round(seconds * rate), size):
        at = np.arange(start, start + size)
        wave = np.sin(at * (2 * np.pi * 440 / rate)) * 0.3 * (at >= rate)
        if codec == "libmp3lame":
            samples = np.repeat(wave.astype(np.float32).reshape(1, -1), 2 if layout == "stereo" else 1, axis=0)
        else:
            samples = (wave * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format=encoder.format.name, layout=layout)
        frame.sample_rate, frame.pts = rate, start
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


@pytest.mark.parametrize(
    ("fourcc", "codec", "rate", "layout", "size", "first"),
    [
        ("alaw", "pcm_alaw", 8000, "mono", 160, b"\x72"),
        ("ulaw", "pcm_mulaw", 8000, "mono", 320, b"\x82"),
        (".mp3", "libmp3lame", 44_100, "stereo", 1152, b"\x2f"),
        (".mp3", "libmp3lame", 22_050, "mono", 576, b"\x91.mp3"),
    ],
)
def test_sound_beside_a_picture_becomes_aac_in_time(media, fourcc, codec, rate, layout, size, first):
    ingest, out = Ingest(Timeline()), []
    picture = media(audio=None).video[0]
    out += ingest.take(chunk.VIDEO, 0, flv.sequence_header(picture.config), 100.0, 0.0)
    packets = tone(codec, rate, layout, size, 2.0)
    sounds = [(index * size / rate, chunk.AUDIO, first + data) for index, data in enumerate(packets)]
    pictures = [(f.seconds, chunk.VIDEO, flv.frame_prefix(f, 0) + f.payload) for f in media(audio=None).video]
    for at_s, kind, body in sorted(sounds + pictures, key=lambda one: one[0]):
        out += ingest.take(kind, round(at_s * 1000), body, 100 + at_s, 0.0)
    assert ingest.expected == set(Kind)
    assert "transcoded to AAC" in ingest.note and not ingest.unsupported
    heard = [frame for frame in out if frame.kind is Kind.AUDIO]
    assert {frame.config.codec for frame in heard} == {Codec.AAC}
    assert len(heard) >= 2.0 / FRAME_S - 5
    steps = [later.seconds - earlier.seconds for earlier, later in itertools.pairwise(heard)]
    assert all(abs(step - FRAME_S) < 0.002 for step in steps)
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = heard[0].config.extradata
    wave = np.concatenate([f.to_ndarray()[0] for one in heard for f in decoder.decode(av.Packet(one.payload))])
    loud = np.nonzero(np.abs(wave) > 0.1)[0]
    began = next(frame for frame in out if frame.kind is Kind.VIDEO).seconds
    # an MP3 encoder and decoder delay the sound by some 50 ms, which nobody can see from outside
    assert heard[0].seconds + loud[0] / 16_000 - began == pytest.approx(1.0, abs=0.06 if fourcc == ".mp3" else 0.02)
    spectrum = np.abs(np.fft.rfft(wave[loud[0] :]))
    assert np.argmax(spectrum) * 16_000 / (len(wave) - loud[0]) == pytest.approx(440, abs=3)


def test_a_publisher_cannot_buy_more_than_twice_its_time():
    sound, made_s, now = TranscodedSound(), 0.0, 100.0
    for number in range(3000):
        now += 0.001
        if sound.take("alaw", bytes(800), 1, number * 0.1, now)[0] is not None:
            made_s += 0.1
    assert made_s <= BURST_S + 3.0 * SPEED + 0.1
    assert sound.take("alaw", bytes(MAX_MESSAGE_BYTES + 1), 1, 0.0, now + 100) == (None, [])


def test_forms_that_alternate_do_not_open_an_encoder_for_every_message():
    sound = TranscodedSound()
    assert sound.take("alaw", bytes(160), 1, 0.0, 100.0)[0] is not None
    assert sound.take("ulaw", bytes(160), 1, 0.02, 100.02)[0] is None
    assert sound.take("ulaw", bytes(160), 1, 2.0, 102.0)[0] is not None


def test_mp3_headers():
    assert mp3.header(b"\xff\xfb\x90\x00") == mp3.Mp3Header(44_100, 2, 1152)
    assert mp3.header(b"\xff\xf3\x40\xc0") == mp3.Mp3Header(22_050, 1, 576)
    assert mp3.header(b"\xff\xe3\x18\xc4") == mp3.Mp3Header(8000, 1, 576)
    for broken in (b"", b"\xff\xfb\x90", b"ID3\4", b"\xff\xfd\x90\x00", b"\xff\xfb\x9c\x00", b"\xff\xeb\x90\x00"):
        assert mp3.header(broken) is None


@given(st.lists(st.tuples(st.sampled_from(["alaw", "ulaw", ".mp3"]), st.binary(max_size=60)), max_size=8))
def test_random_sound_raises_nothing(messages):
    sound = TranscodedSound()
    for number, (fourcc, data) in enumerate(messages):
        data = b"\xff\xfb\x90\x00" + data if fourcc == ".mp3" else data
        sound.take(fourcc, data, 1, number * 0.02, 100.0 + number * 2)


def test_the_first_g711_publisher_does_not_hold_up_the_viewers_while_libavcodec_is_loaded():
    code = """if True:
        import sys
        from gateway.rtmp import transcoded_sound
        sound = transcoded_sound.TranscodedSound()
        assert "av" not in sys.modules
        assert sound.take("alaw", bytes(160), 1, 0.0, 0.0) == (None, [])
        transcoded_sound._loading.result(30)
        assert sound.take("alaw", bytes(160), 1, 0.02, 0.02)[0] is not None
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
