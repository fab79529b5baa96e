"""A slow viewer loses whole frames up to a keyframe, and never anything in between."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.rtsp.frame_queue import FrameQueue

VIDEO = TrackConfig(Codec.H264, 90_000, b"", "")
AUDIO = TrackConfig(Codec.AAC, 48_000, b"", "")


def picture(number: int, *, key: bool = False, size: int = 10) -> Frame:
    return Frame(VIDEO, number, number, 1, key, False, 0.0, bytes(size))


def sound(number: int) -> Frame:
    return Frame(AUDIO, number, number, 1, True, False, 0.0, bytes(2))


def test_frames_come_out_in_order() -> None:
    queue = FrameQueue(Kind.VIDEO)
    frames = [picture(0, key=True), sound(0), picture(1)]
    for frame in frames:
        queue.put(frame, 0.0)
    assert queue.size == 22
    assert [queue.get() for _ in range(4)] == [*frames, None]
    assert (queue.size, queue.dropped) == (0, 0)


def test_too_many_bytes_drop_to_the_newest_keyframe() -> None:
    queue = FrameQueue(Kind.VIDEO, max_bytes=45)
    for frame in (picture(0, key=True), picture(1), picture(2, key=True), sound(3), picture(4), picture(5)):
        queue.put(frame, 0.0)
    assert [frame.dts for frame in queue.frames] == [2, 3, 4, 5]
    assert queue.dropped == 2


def test_without_a_newer_keyframe_everything_goes_until_one_comes() -> None:
    queue = FrameQueue(Kind.VIDEO, max_bytes=25)
    for frame in (picture(0, key=True), picture(1), picture(2), sound(3), picture(4)):
        queue.put(frame, 0.0)
    assert queue.frames == []
    queue.put(picture(5, key=True), 0.0)
    queue.put(sound(6), 0.0)
    assert [frame.dts for frame in queue.frames] == [5, 6]
    assert queue.dropped == 5


def test_a_picture_that_waited_too_long_is_dropped_even_if_small() -> None:
    queue = FrameQueue(Kind.VIDEO, max_wait_s=5.0)
    queue.put(picture(0, key=True), 0.0)
    queue.put(picture(1, key=True), 5.5)
    assert [frame.dts for frame in queue.frames] == [1]


def test_the_past_a_new_viewer_starts_with_does_not_count_against_it() -> None:
    queue = FrameQueue(Kind.VIDEO, max_bytes=25)
    queue.put(picture(0, key=True, size=20), 0.0)
    queue.forgive()
    queue.put(picture(1, size=20), 0.0)
    assert len(queue.frames) == 2


def test_a_viewer_of_sound_alone_is_not_made_to_wait_for_pictures() -> None:
    queue = FrameQueue(Kind.AUDIO, max_bytes=5)
    for number in range(4):
        queue.put(sound(number), 0.0)
    assert [frame.dts for frame in queue.frames] == [2, 3]


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.booleans()), max_size=80))
def test_after_a_loss_the_next_picture_is_a_keyframe(steps: list[tuple[bool, int, bool]]) -> None:
    queue, taken = FrameQueue(Kind.VIDEO, max_bytes=60), []
    queue.put(picture(0, key=True), 0.0)
    for number, (key, size, take) in enumerate(steps, 1):
        queue.put(picture(number, key=key, size=size), 0.0)
        assert queue.size == sum(len(frame.payload) for frame in queue.frames) <= 60
        if take and (frame := queue.get()) is not None:
            taken.append(frame)
    taken += queue.frames
    for before, after in itertools.pairwise(taken):
        assert after.dts == before.dts + 1 or after.keyframe
