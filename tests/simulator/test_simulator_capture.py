"""One run of the encoder's thread, without the thread: frames of pictures and sound with true times."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable

from av.video.frame import VideoFrame

from gateway.media.frame import Frame
from gateway.media.track import Codec
from gateway.simulator.capture import MAX_LATE_SOUND_S, Pictures, Sounds
from gateway.simulator.clock_code import MODULUS_MS, read_clock
from gateway.simulator.picture import Painter
from gateway.simulator.video_codec import VideoEncoder, VideoSpec

SPEC = VideoSpec(Codec.H264, 320, 180, 25, 50, 400_000)


def painter(encoder: VideoEncoder) -> Painter:
    return Painter(encoder.layout, "Test", encoder.spec.caption)


def test_the_clock_in_the_picture_is_the_frames_wall_time(decode: Callable[[Iterable[Frame]], list[VideoFrame]]):
    pictures = Pictures(painter, SPEC, time.time())
    pictures.begin(1.0)
    frames = [frame for _ in range(5) for frame in pictures.take(pictures.due, keyframe=False)]
    shown = [read_clock(memoryview(p.planes[0]), 320, 180, p.planes[0].line_size) for p in decode(frames)]
    assert shown == [int(frame.wall * 1000) % MODULUS_MS for frame in frames]
    assert all(abs(frame.wall - time.time()) < 5 for frame in frames)
    assert [frame.dts for frame in frames] == [number * 3600 for number in range(26, 31)]
    assert [frame.keyframe for frame in frames] == [True, False, False, False, False]


def test_late_pictures_are_skipped_not_caught_up():
    pictures = Pictures(painter, SPEC, 0.0)
    pictures.begin(1.0)
    first = pictures.take(pictures.due, keyframe=False)[0]
    late = pictures.take(pictures.due + 1.0, keyframe=False)[0]
    assert late.pts - first.pts == 26 * 3600
    assert pictures.due > late.pts / 90_000


def test_a_new_size_starts_with_a_keyframe_and_a_new_configuration():
    for bframes in (0, 2):
        spec = VideoSpec(Codec.H264, 320, 180, 25, 50, 400_000, bframes)
        pictures = Pictures(painter, spec, 0.0)
        pictures.begin(1.0)
        frames = [frame for _ in range(10) for frame in pictures.take(pictures.due, keyframe=False)]
        frames += pictures.reopen(VideoSpec(Codec.H264, 256, 144, 25, 50, 400_000, bframes))
        assert len(frames) == 10
        later = [frame for _ in range(10) for frame in pictures.take(pictures.due, keyframe=False)]
        assert later[0].keyframe
        assert (later[0].config.width, later[0].config.height) == (256, 144)
        times = [frame.dts for frame in frames + later]
        assert times == sorted(set(times))
        assert all(frame.pts >= frame.dts for frame in frames + later)


def test_sound_frames_leave_when_they_are_complete():
    sounds = Sounds(Codec.PCMU, 1_790_000_000.0, 1.0)
    assert sounds.take(sounds.due - 0.001) == []
    frames = sounds.take(sounds.due + 0.081)
    assert [frame.duration for frame in frames] == [320, 320, 320]
    assert [later.dts - frame.dts for frame, later in itertools.pairwise(frames)] == [320, 320]
    assert frames[0].wall == 1_790_000_000.0 + frames[0].seconds


def test_sound_missed_in_a_long_hiccup_is_left_out():
    sounds = Sounds(Codec.AAC, 1_790_000_000.0, 1.0)
    late = sounds.due + MAX_LATE_SOUND_S + 5.0
    assert len(sounds.take(late)) <= 1
    assert late < sounds.due < late + 0.1


def test_without_sound_nothing_is_ever_due():
    sounds = Sounds(None, 0.0, 0.0)
    assert sounds.due == float("inf")
    assert sounds.take(1e9) == []
