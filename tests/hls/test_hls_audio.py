"""Audio on its way into parts."""

from fractions import Fraction

import pytest
from synthetic import AUDIO, audio

from gateway.hls.audio import MAX_PENDING_FRAMES, AudioQueue


def queue() -> AudioQueue:
    return AudioQueue(2, 10, AUDIO.clock_rate)


def test_only_what_begins_before_the_cut_is_taken() -> None:
    waiting = queue()
    for index in range(4):
        waiting.add(audio(index * 1024))
    run = waiting.take(2048 / 48_000)
    assert run is not None
    assert (run.track_id, run.decode_time, [s.duration for s in run.samples]) == (2, 480_000, [1024, 1024])
    rest = waiting.take(None)
    assert rest is not None
    assert rest.decode_time == 480_000 + 2048
    assert waiting.size == 0


def test_nothing_to_take() -> None:
    assert queue().take(None) is None


def test_millisecond_times_of_a_publisher_leave_no_holes() -> None:
    waiting = queue()
    end = None
    for start in range(0, 30, 3):
        for index in range(start, start + 3):
            waiting.add(audio(round(index * 1024 / 48) * 48))
        run = waiting.take(None)
        assert run is not None
        assert end is None or run.decode_time == end
        end = run.decode_time + sum(sample.duration for sample in run.samples)


@pytest.mark.parametrize("lost", [1, 2, 10, 400])
def test_lost_sound_leaves_no_hole_that_stops_the_picture(lost: int) -> None:
    """Two frames lost stopped the picture of a browser until the next keyframe, here and after each reconnect."""
    waiting = queue()
    waiting.add(audio(0))
    assert waiting.take(None) is not None
    waiting.add(audio(1024 * (lost + 1)))
    run = waiting.take(None)
    assert run is not None
    assert run.decode_time == 480_000 + 1024

    waiting.add(audio(1024 * (lost + 2)))
    following = waiting.take(None)
    assert following is not None
    assert following.decode_time == run.decode_time + run.samples[0].duration
    assert following.decode_time == 480_000 + 1024 * (lost + 2), "what follows is heard at its time again"


def test_a_microphone_that_was_away_for_long_is_no_lost_packet() -> None:
    waiting = queue()
    waiting.add(audio(0))
    assert waiting.take(None) is not None
    waiting.add(audio(11 * 48_000))
    run = waiting.take(None)
    assert run is not None
    assert run.decode_time == 480_000 + 11 * 48_000


def test_sound_fills_an_epoch_from_its_first_picture_to_its_last() -> None:
    waiting = queue()
    waiting.add(audio(2400))
    waiting.begin(480_000, Fraction(0))
    run = waiting.take(None, 480_000 + 4800)
    assert run is not None
    assert (run.decode_time, [sample.duration for sample in run.samples]) == (480_000, [4800])
    waiting.add(audio(4800 + 1024))
    waiting.begin(480_000, Fraction(0))
    assert waiting.take(None, 480_000 + 200_000) is not None, "and is not stretched over seconds"
    late = queue()
    late.add(audio(60_000))
    late.begin(480_000, Fraction(0))
    run = late.take(None, 480_000 + 500_000)
    assert run is not None
    assert (run.decode_time, run.samples[0].duration) == (540_000, 1024)


def test_zero_durations_still_advance() -> None:
    waiting = queue()
    waiting.add(audio(0, duration=0))
    run = waiting.take(None)
    assert run is not None
    assert run.samples[0].duration == 1


def test_audio_without_video_does_not_grow_for_ever() -> None:
    waiting = queue()
    for index in range(MAX_PENDING_FRAMES + 10):
        waiting.add(audio(index * 1024))
    run = waiting.take(None)
    assert run is not None
    assert len(run.samples) == MAX_PENDING_FRAMES
    assert waiting.size == 0
