"""When a picture was taken, while somebody sets our clock."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.capture_clock import LONGEST_S, SLEW, STEP_S, CaptureClock


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


def dates(clock: CaptureClock, seconds: float, lag: float, start: float = 0.0, transit: float = 0.0) -> list[float]:
    """Of how long before its arrival each picture was taken, if the camera says `lag`; every tenth arrives `transit` late."""
    ages = []
    for number in range(round(seconds * 25)):
        at = start + number / 25
        arrival = 1_700_000_000 + at + (transit if number % 10 else 0.0)
        ages.append(arrival - clock.wall(at, arrival, 1_700_000_000 - lag))
    return ages


def test_a_camera_whose_clock_is_kept_dates_its_pictures_itself() -> None:
    clock = CaptureClock()
    ages = dates(clock, 40, 0.12)
    assert max(ages[: 25 * 19]) == pytest.approx(0.0, abs=1e-6), "not before it has been watched for a while"
    assert ages[-1] == pytest.approx(0.12, abs=1e-6)
    steps = [after - before for before, after in itertools.pairwise(ages)]
    assert max(steps) <= SLEW / 25 + 1e-6, "dates in a playlist fit its durations"


def test_jitter_does_not_hide_what_the_camera_says() -> None:
    ages = dates(CaptureClock(), 40, 0.12, transit=0.08)
    assert min(ages[-10:]) == pytest.approx(0.12, abs=1e-6)
    assert max(ages[-10:]) == pytest.approx(0.20, abs=1e-6)


@pytest.mark.parametrize("lag", [-3600.0, -0.2, 0.7, 86_400.0 * 365])
def test_a_camera_whose_clock_is_wrong_is_not_believed(lag: float) -> None:
    assert max(map(abs, dates(CaptureClock(), 60, lag))) == pytest.approx(0.0, abs=1e-6)


def test_a_clock_that_is_set_wrong_is_believed_no_longer() -> None:
    clock = CaptureClock()
    dates(clock, 40, 0.12)
    ages = dates(clock, 20, 500.0, start=40)
    assert ages[0] == pytest.approx(0.12, abs=0.01)
    assert ages[-1] == pytest.approx(0.0, abs=1e-6)


def test_sound_is_dated_as_its_picture_is() -> None:
    clock = CaptureClock()
    dates(clock, 40, 0.12)
    assert 1_700_000_040 - clock.wall(40.0, 1_700_000_040) == pytest.approx(0.12, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(-2, 5), st.none() | st.floats(-1e9, 1e9)), max_size=60))
def test_whatever_a_camera_says_dates_stay_near_the_arrival(steps: list[tuple[float, float, float | None]]) -> None:
    clock, at = CaptureClock(), 0.0
    for forward, jitter, said in steps:
        at += forward
        arrival = 1_700_000_000 + at + jitter
        age = arrival - clock.wall(at, arrival, said)
        assert -1e-6 <= age <= STEP_S + LONGEST_S
