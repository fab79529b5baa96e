"""What outputs may rely on."""

import asyncio

import pytest

from gateway.media.frame import Frame
from gateway.media.gop import FRUGAL_BYTES, GopCache
from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind, TrackConfig

VIDEO = TrackConfig(Codec.H264, 90_000, b"\x01", "avc1.42C01E", width=640, height=360)
VIDEO_HD = TrackConfig(Codec.H264, 90_000, b"\x02", "avc1.42C01F", width=1280, height=720)
AUDIO = TrackConfig(Codec.AAC, 48_000, b"\x11\x90", "mp4a.40.2", sample_rate=48_000, channels=2)
BOTH = frozenset({Kind.VIDEO, Kind.AUDIO})
ALONE = frozenset({Kind.VIDEO})


def picture(number, *, key=False, config=VIDEO, size=100):
    return Frame(config, number * 3600, number * 3600, 3600, key, False, number / 25, b"x" * size)


def sound(number, config=AUDIO):
    return Frame(config, number * 1024, number * 1024, 1024, True, False, 0.0, b"a")


class Recorder:
    def __init__(self):
        self.tracks = []
        self.frames = []

    def on_tracks(self, tracks):
        self.tracks.append(tracks)
        self.frames.append("tracks")

    def on_frame(self, frame):
        self.frames.append(frame)


class Failing(Recorder):
    def on_frame(self, frame):
        raise RuntimeError("a defect of this output")


@pytest.fixture
def clock():
    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def stream(clock):
    return Stream("cam", monotonic=clock, wall=clock)


def test_late_viewer_starts_with_the_gop(stream):
    stream.begin(ALONE)
    stream.push([picture(n, key=n in (0, 5)) for n in range(8)])
    viewer = Recorder()
    stream.subscribe(viewer)
    assert [f if f == "tracks" else f.dts // 3600 for f in viewer.frames] == ["tracks", 5, 6, 7]


def test_viewer_before_the_source_starts_with_its_first_keyframe(stream):
    viewer = Recorder()
    stream.subscribe(viewer)
    stream.begin(ALONE)
    stream.push([picture(0, key=True), picture(1)])
    assert viewer.frames == ["tracks", picture(0, key=True), picture(1)]


def test_declared_audio_is_waited_for_then_everything_is_delivered(stream):
    viewer = Recorder()
    stream.subscribe(viewer)
    stream.begin(BOTH)
    stream.push([picture(0, key=True), picture(1)])
    assert viewer.frames == []
    stream.push([sound(0)])
    assert viewer.tracks == [(VIDEO, AUDIO)]
    assert viewer.frames[1:] == [picture(0, key=True), picture(1), sound(0)]


def test_silent_microphone_does_not_hold_up_the_picture(stream, clock):
    viewer = Recorder()
    stream.subscribe(viewer)
    stream.begin(BOTH)
    for number in range(30):
        stream.push([picture(number, key=number == 0)])
        clock.now += 0.04
    assert viewer.tracks == [(VIDEO,)]
    assert len(viewer.frames) == 1 + 30


def test_audio_that_falls_silent_is_dropped_at_a_keyframe_and_taken_up_when_it_lasts(stream, clock):
    viewer = Recorder()
    stream.subscribe(viewer)
    stream.begin(BOTH)
    number = 0

    def play(seconds, *, with_audio):
        nonlocal number
        for _ in range(int(seconds * 25)):
            frames = [picture(number, key=number % 25 == 0)]
            if with_audio:
                frames.append(sound(number * 2))
            stream.push(frames)
            number += 1
            clock.now += 0.04

    play(3, with_audio=True)
    play(6, with_audio=False)
    play(6, with_audio=True)
    assert viewer.tracks == [(VIDEO, AUDIO), (VIDEO,), (VIDEO, AUDIO)]
    for index, entry in enumerate(viewer.frames):
        if entry == "tracks":
            assert viewer.frames[index + 1].keyframe
            assert viewer.frames[index + 1].kind is Kind.VIDEO


def test_sound_that_is_not_taken_up_yet_is_known_to_those_who_can_wait_for_it(stream, clock):
    """A recorder that was told of a picture only had its session ended when the sound joined it a second later."""
    stream.begin(BOTH)
    assert stream.coming == ()
    for number in range(40):
        stream.push([picture(number, key=number == 0)] + ([sound(number)] if number >= 35 else []))
        clock.now += 0.04
    assert (stream.tracks, stream.coming) == ((VIDEO,), (AUDIO,))
    for number in range(40, 140):
        stream.push([picture(number, key=number == 100)] + ([sound(number)] if number < 101 else []))
        clock.now += 0.04
    assert (stream.tracks, stream.coming) == ((VIDEO, AUDIO), ())
    for number in range(140, 200):
        stream.push([picture(number, key=number == 199)])
        clock.now += 0.04
    assert (stream.tracks, stream.coming) == ((VIDEO,), ()), "it has been away too long"


def test_stream_that_stalls_as_a_whole_keeps_its_sound(stream, clock):
    """Wi-Fi held everything up for four seconds, and the burst after it began with a keyframe."""
    viewer = Recorder()
    stream.subscribe(viewer)
    stream.begin(BOTH)
    for number in range(50):
        stream.push([sound(number * 2), picture(number, key=number == 0)])
        clock.now += 0.04
    for stall in range(3):
        clock.now += 4
        stream.push([picture(50 + stall, key=True), picture(60 + stall), sound(200 + stall)])
    assert viewer.tracks == [(VIDEO, AUDIO)]


def test_dead_microphone_of_a_camera_with_a_picture_every_few_seconds_is_dropped(stream, clock):
    viewer = Recorder()
    stream.subscribe(viewer)
    stream.begin(BOTH)
    stream.push([sound(0), picture(0, key=True)])
    for number in range(1, 6):
        clock.now += 4
        stream.push([picture(number * 100, key=True)])
    assert viewer.tracks == [(VIDEO, AUDIO), (VIDEO,)]


def test_resolution_change_is_announced_before_its_keyframe(stream):
    viewer = Recorder()
    stream.subscribe(viewer)
    stream.begin(ALONE)
    stream.push([picture(0, key=True), picture(1), picture(2, key=True, config=VIDEO_HD), picture(3, config=VIDEO_HD)])
    assert viewer.tracks == [(VIDEO,), (VIDEO_HD,)]
    assert viewer.frames[3] == "tracks"
    assert viewer.frames[4].config is VIDEO_HD


def test_reconnect_with_the_same_tracks_does_not_restart_outputs(stream):
    viewer = Recorder()
    stream.subscribe(viewer)
    for start in (0, 100):
        stream.begin(ALONE)
        stream.push([picture(start, key=True), picture(start + 1)])
        stream.end()
    assert viewer.tracks == [(VIDEO,)]
    assert [f.dts // 3600 for f in viewer.frames[1:]] == [0, 1, 100, 101]


def test_a_past_session_is_never_replayed_as_live(stream):
    stream.begin(ALONE)
    stream.push([picture(0, key=True)])
    stream.end()
    viewer = Recorder()
    stream.subscribe(viewer)
    assert viewer.frames == []
    assert stream.last_keyframe is not None


def test_failing_output_is_removed_and_nobody_else_notices(stream):
    good = Recorder()
    stream.subscribe(Failing())
    stream.subscribe(good)
    stream.begin(ALONE)
    stream.push([picture(0, key=True), picture(1)])
    assert len(good.frames) == 3


def test_wait_live_returns_when_frames_flow_and_gives_up_in_time(stream):
    async def scenario():
        assert not await stream.wait_live(0.01)
        waiting = asyncio.create_task(stream.wait_live(5))
        await asyncio.sleep(0)
        stream.begin(ALONE)
        stream.push([picture(0, key=True)])
        assert await waiting

    asyncio.run(scenario())


def test_endless_gop_does_not_eat_the_memory():
    cache = GopCache(max_bytes=1000)
    cache.append(picture(0, key=True))
    for number in range(1, 20):
        cache.append(picture(number))
    assert cache.size <= 1000
    cache.append(picture(20, key=True))
    assert len(cache.frames) == 1


def test_less_of_the_past_is_kept_while_memory_is_short(stream):
    big = FRUGAL_BYTES // 2
    stream.begin(frozenset({Kind.VIDEO}))
    stream.push([picture(0, key=True, size=big), picture(1, size=big), picture(2, size=big)])
    assert stream.gop_bytes == 3 * big
    stream.be_frugal(True)
    assert stream.gop_bytes == 0
    stream.push([picture(3, key=True, size=big), picture(4, size=big)])
    assert stream.gop_bytes == 2 * big, "what fits is there for the next viewer"
    stream.push([picture(5, size=big)])
    assert stream.gop_bytes == 0
    stream.be_frugal(False)
    stream.push([picture(6, key=True, size=big), picture(7, size=big), picture(8, size=big)])
    assert stream.gop_bytes == 3 * big


def test_meter_measures_rate_and_keyframe_interval(stream, clock):
    stream.begin(ALONE)
    for number in range(200):
        stream.push([picture(number, key=number % 50 == 0, size=1000)])
        clock.now += 0.04
    fps, bits = stream.meter.rates(clock.now)
    assert fps == pytest.approx(25, abs=1)
    assert bits == pytest.approx(200_000, rel=0.05)
    assert stream.meter.keyframe_interval == pytest.approx(2.0)


def test_demand_tells_first_and_last_viewer(stream):
    told = []
    stream.demand.on_change(told.append)
    one, two = stream.demand.hold("hls"), stream.demand.hold("rtmp")
    assert (stream.demand.count("hls"), stream.demand.count("rtmp")) == (1, 1)
    one.release()
    one.release()
    two.release()
    assert told == [True, False]
