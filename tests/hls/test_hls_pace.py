"""PART-TARGET and TARGETDURATION as chosen for cameras of all speeds."""

import pytest

from gateway.hls import pace


@pytest.mark.parametrize(
    ("fps", "wanted_s", "frames"),
    [(25, 0.2, 5), (30, 0.2, 6), (15, 0.2, 3), (8, 0.2, 2), (5, 0.2, 1), (1, 0.2, 1), (60, 0.2, 12), (25, 1, 25)],
)
def test_part_target_holds_whole_frames_with_room_for_jitter(fps: float, wanted_s: float, frames: int) -> None:
    target_s = pace.part_target_ms(1 / fps, wanted_s) / 1000
    assert frames / fps < target_s
    assert frames / fps >= 0.85 * target_s
    assert target_s <= 1.06 * frames / fps + 0.001


def test_one_lost_frame_does_not_change_the_measured_interval() -> None:
    times = [0, 3600, 7200, 14_400, 18_000, 21_600]
    assert pace.frame_interval(times) == 3600


def test_millisecond_rounding_averages_out() -> None:
    times = [round(index * 1000 / 30) * 90 for index in range(13)]
    assert pace.frame_interval(times) == pytest.approx(3000, rel=0.01)


@pytest.mark.parametrize(
    ("gop_s", "length_s"), [(0.04, 2.0), (0.5, 2.0), (1.0, 2.0), (2.0, 2.0), (4.0, 4.0), (1.5, 1.5), (1.2, 2.4), (4 / 3, 4 / 3)]
)
def test_segments_are_the_number_of_gops_nearest_to_the_wish(gop_s: float, length_s: float) -> None:
    assert pace.segment_length(gop_s, 2.0) == pytest.approx(length_s)
    count = 1
    while not pace.cut_here(count * gop_s, gop_s, 2.0):
        count += 1
    assert count * gop_s <= length_s + 1e-9


@pytest.mark.parametrize(
    ("segment_s", "part_s", "target"),
    [(2, 0.21, 2), (2.2, 0.21, 2), (2.3, 0.21, 3), (4, 1.05, 5), (60, 0.21, 10)],
)
def test_target_duration_admits_the_segment_with_a_part_to_spare(segment_s: float, part_s: float, target: int) -> None:
    assert pace.target_duration(segment_s, part_s) == target
