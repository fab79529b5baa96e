"""Sound that goes away, and the players that know the stream with it."""

from dataclasses import replace

import av
import pytest
from synthetic import AUDIO, VIDEO, camera, trafs, video

from gateway.hls.cutter import Pace
from gateway.hls.silence import MAX_GAP_S, KeptSound
from gateway.hls.window import Window
from gateway.media import aac
from gateway.media.track import Codec, Kind

MONO = aac.track_config(aac.audio_specific_config(2, 16_000, 1))


@pytest.mark.parametrize("config", [AUDIO, MONO])
def test_what_stands_for_the_sound_is_silence_in_its_format(config):
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = config.extradata
    unit = aac.silent_unit(config.channels)
    heard = [frame for _ in range(10) for frame in decoder.decode(av.Packet(unit))]
    assert len(heard) >= 9
    assert {frame.samples for frame in heard} == {1024}
    assert {frame.layout.nb_channels for frame in heard} == {config.channels}
    assert max(abs(frame.to_ndarray()).max() for frame in heard) == 0


def test_silence_has_no_hole_and_keeps_up_with_the_picture():
    kept = KeptSound()
    assert kept.tracks((VIDEO, AUDIO), keep=True) == (VIDEO, AUDIO)
    assert kept.tracks((VIDEO,), keep=True) == (VIDEO, AUDIO)
    frames = [one for number in range(100) for one in kept.frames(video(90_000 + number * 3600))]
    silence = [one for one in frames if one.kind is Kind.AUDIO]
    assert [one.dts for one in silence] == [48_000 + 1024 * number for number in range(len(silence))]
    assert silence[-1].seconds == pytest.approx(frames[-1].seconds, abs=0.05)
    after = kept.frames(video(90_000 * 60))
    assert len(after) == 1, f"an outage of more than {MAX_GAP_S} s is not filled"
    assert kept.tracks((VIDEO, AUDIO), keep=True) == (VIDEO, AUDIO)
    assert len(kept.frames(video(90_000 * 61))) == 1


@pytest.mark.parametrize(
    ("heard", "keep"),
    [(AUDIO, False), (replace(AUDIO, codec=Codec.OPUS, codec_string="opus"), True), (replace(AUDIO, channels=6), True)],
)
def test_sound_that_nobody_knows_or_that_has_no_silence_ends(heard, keep):
    kept = KeptSound()
    kept.tracks((VIDEO, heard), keep=True)
    assert kept.tracks((VIDEO,), keep=keep) == (VIDEO,)
    assert kept.tracks((VIDEO,), keep=True) == (VIDEO,), "and does not come back as silence"


def test_playlist_that_was_seen_with_sound_keeps_it_over_a_reconnect_without():
    """hls.js stopped for good: append to the audiovideo SourceBuffer, but it does not exist."""
    window = Window(Pace(), 12.0, first_number=1000, changed=lambda: None)
    window.on_tracks((VIDEO, AUDIO))
    for frame in camera(6, with_audio=True):
        window.on_frame(frame)
    window.seen()
    window.on_tracks((VIDEO,))
    for frame in camera(6, start_s=8):
        window.on_frame(frame)
    assert window.tracks == (VIDEO, AUDIO)
    parts = [part for segment in window.segments for part in segment.parts]
    assert [len(trafs(part.payload)) for part in parts[-20:]] == [2] * 20
    window.on_tracks((VIDEO, AUDIO))
    for frame in camera(6, start_s=16, with_audio=True):
        window.on_frame(frame)
    assert window.map(window.newest_map) == window.map(window.newest_map - 1)


def test_silence_of_a_broken_session_ends_with_its_pictures():
    kept = KeptSound()
    kept.tracks((VIDEO, AUDIO), keep=True)
    kept.tracks((VIDEO,), keep=True)
    for number in range(10):
        kept.frames(video(number * 3600))
    assert len(kept.frames(video(9 * 3600 + 90_000, key=True, broken=True))) == 1
