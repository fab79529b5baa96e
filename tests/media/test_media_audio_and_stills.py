"""Transcoded audio keeps its time; keyframes become pictures; capture times follow arrival."""

import itertools
import math
from itertools import pairwise

import av
import pytest

from gateway.media import canonical, snapshot
from gateway.media.bits import BitstreamError
from gateway.media.capture_clock import CaptureClock
from gateway.media.frame import Frame
from gateway.media.transcode import RATE_HZ, AacTranscoder


def mulaw_packets(seconds):
    """20 ms packets of a tone, as a camera sends them."""
    encoder = av.CodecContext.create("pcm_mulaw", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    packets = []
    for number in range(int(seconds * 50)):
        frame = av.AudioFrame(format="s16", layout="mono", samples=160)
        samples = (int(8000 * math.sin(2 * math.pi * 440 * (number * 160 + i) / 8000)) for i in range(160))
        frame.planes[0].update(b"".join(value.to_bytes(2, "little", signed=True) for value in samples))
        frame.sample_rate = 8000
        frame.pts = number * 160
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def mulaw_decoder():
    """As libavformat opens it: the channel layout is unspecified."""
    decoder = av.CodecContext.create("pcm_mulaw", "r")
    decoder.sample_rate = 8000
    return decoder


def test_g711_becomes_aac_of_the_same_length_and_decodes():
    transcoder = AacTranscoder(mulaw_decoder())
    out = [aac for n, data in enumerate(mulaw_packets(2.0)) for aac in transcoder.feed(data, 5.0 + n * 0.02)]
    times = [at for _, at in out]
    assert times[1] == pytest.approx(5.0, abs=0.001)
    assert times[-1] == pytest.approx(7.0, abs=0.3)  # up to three frames wait inside the encoder
    steps = {round(b - a, 6) for a, b in itertools.pairwise(times)}
    assert steps == {round(1024 / RATE_HZ, 6)}
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = transcoder.config.extradata
    frames = [frame for data, _ in out for frame in decoder.decode(av.Packet(data))]
    assert frames[0].sample_rate == RATE_HZ
    loudest = max(abs(v) for v in memoryview(bytes(frames[-1].planes[0])).cast("f"))
    assert loudest > 0.1


def test_audio_gap_moves_the_clock_instead_of_sliding_against_the_picture():
    transcoder = AacTranscoder(mulaw_decoder())
    packets = mulaw_packets(1.0)
    times = [at for n, data in enumerate(packets[:25]) for _, at in transcoder.feed(data, n * 0.02)]
    later = [at for n, data in enumerate(packets[25:]) for _, at in transcoder.feed(data, 3.5 + n * 0.02)]
    assert later[-1] - times[-1] > 2.9


@pytest.mark.parametrize("speed", [1.005, 0.995, 1.0005])
def test_microphone_whose_clock_runs_off_never_repeats_a_time(speed):
    transcoder = AacTranscoder(mulaw_decoder())
    packets = mulaw_packets(1.0)
    times = [at for n in range(3000) for _, at in transcoder.feed(packets[n % 50], n * 0.02 / speed)]
    assert min(b - a for a, b in pairwise(times)) > 0.9 * 1024 / RATE_HZ
    assert times[-1] == pytest.approx(3000 * 0.02 / speed, abs=0.45)


def test_damaged_sound_raises_and_the_next_packet_is_fine():
    decoder = av.CodecContext.create("mp3", "r")
    decoder.sample_rate = 44100
    transcoder = AacTranscoder(decoder)
    with pytest.raises(BitstreamError):
        list(transcoder.feed(b"\x00" * 400, 0.0))


@pytest.mark.parametrize("codec", ["h264_packets", "h265_packets"])
def test_keyframe_becomes_a_jpeg_of_the_wanted_width(codec, request):
    packets = request.getfixturevalue(codec)
    converter = canonical.H264() if codec == "h264_packets" else canonical.H265()
    unit = converter.take(bytes(packets[0]), True)
    frame = Frame(unit.config, 0, 0, 3600, True, False, 0.0, unit.payload)
    for width, expected in ((None, 320), (160, 160), (1000, 320)):
        picture = snapshot.jpeg(frame, width)
        assert picture[:2] == b"\xff\xd8"
        decoded = av.CodecContext.create("mjpeg", "r").decode(av.Packet(picture))[0]
        assert decoded.width == expected


def test_damaged_keyframe_is_an_error_not_a_crash(h264_packets):
    unit = canonical.H264().take(bytes(h264_packets[0]), True)
    frame = Frame(unit.config, 0, 0, 3600, True, False, 0.0, b"\0\0\0\5garbage")
    with pytest.raises(snapshot.SnapshotError):
        snapshot.jpeg(frame)


def test_capture_time_is_the_earliest_arrival_not_the_jittered_one():
    clock = CaptureClock()
    for number, jitter in enumerate([0.3, 0.1, 0.0, 0.2, 0.4]):
        wall = clock.wall(number * 0.04, 1000 + number * 0.04 + jitter)
    assert wall == pytest.approx(1000 + 4 * 0.04)


def test_capture_time_follows_a_step_of_the_box_clock():
    clock = CaptureClock()
    for number in range(100):
        clock.wall(number, 1000.0 + number)
    for number in range(100, 200):
        wall = clock.wall(number, 500_000.0 + number)
    assert wall == pytest.approx(500_199.0)
