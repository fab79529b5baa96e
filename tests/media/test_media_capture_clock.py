"""When a picture was taken, while somebody sets our clock."""

from __future__ import annotations

import pytest

from gateway.media.capture_clock import CaptureClock


@pytest.mark.parametrize("step", [3600.0, -3600.0, 12.0, 1e8])
def test_a_clock_that_was_set_dates_the_next_picture_right(step):
    """Else the wall calls a live picture an hour old."""
    clock = CaptureClock()
    for number in range(50):
        clock.wall(number / 25, 1_700_000_000 + number / 25)
    for number in range(50, 100):
        arrival = 1_700_000_000 + number / 25 + step
        assert clock.wall(number / 25, arrival) == pytest.approx(arrival)


def test_late_arrivals_do_not_make_a_picture_younger():
    clock = CaptureClock()
    clock.wall(0.0, 1000.0)
    assert clock.wall(1.0, 1004.0) == 1001.0
