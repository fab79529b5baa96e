"""Pictures belong to a grid in real time: no drift, and no burst after a hiccup."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.media.track import Codec
from gateway.simulator.pacing import AudioGrid, VideoGrid
from gateway.simulator.tone import tone


@given(st.integers(1, 60), st.integers(-1, 10_000_000), st.floats(0, 1_000_000))
def test_the_following_picture_is_later_and_never_long_overdue(fps: int, number: int, now: float):
    grid = VideoGrid(fps, 90_000)
    following = grid.following(number, now)
    assert following > number
    assert following == number + 1 or now - grid.due(following) < 1 / fps + 1e-6


def test_a_hiccup_skips_pictures_and_keeps_to_the_grid():
    grid = VideoGrid(25, 90_000)
    assert grid.following(10, grid.due(11) + 0.001) == 11
    assert grid.following(10, grid.due(11) + 0.5) == 23
    assert grid.ticks(23) == 23 * 3600


@given(st.integers(1, 60))
def test_ticks_do_not_drift_at_rates_that_divide_badly(fps: int):
    assert VideoGrid(fps, 90_000).ticks(fps * 86_400) == 86_400 * 90_000


@given(st.floats(0, 4e9), st.sampled_from([Codec.AAC, Codec.PCMU]))
def test_sound_frames_follow_each_other_and_start_with_the_loop_at_full_seconds(zero_wall: float, codec: Codec):
    sound = tone(codec)
    grid = AudioGrid(sound, zero_wall)
    first = grid.first_after(5.0)
    assert abs(grid.due(first) - 5.0) <= sound.frame_ticks / sound.config.clock_rate + 1e-6
    assert grid.due(first) >= 5.0 - 1e-6
    assert grid.ticks(first + 1) - grid.ticks(first) == sound.frame_ticks
    start_of_loop = (first // len(sound.frames) + 1) * len(sound.frames)
    wall = zero_wall + grid.ticks(start_of_loop) / sound.config.clock_rate
    assert abs(wall - round(wall)) < 0.001
    assert grid.payload(start_of_loop) is sound.frames[0]
