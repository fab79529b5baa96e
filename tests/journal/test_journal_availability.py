"""Uptime is what was seen, over hours, restarts and clocks that are set."""

from __future__ import annotations

import pytest

from gateway.journal.availability import DAY_HOURS, HOURS, Availability, HourRow

T0 = 1_700_000_000 // 3600 * 3600.0


def watch(book: Availability, live: bool, seconds: float, wall: float) -> float:
    for _ in range(round(seconds / 0.5)):
        book.observe("door", live, 0.5, wall)
        wall += 0.5
    return wall


def test_a_quarter_of_the_time_away_is_three_quarters_up():
    book = Availability()
    wall = watch(book, True, 5400, T0)
    wall = watch(book, False, 1800, wall)
    assert book.share("door", DAY_HOURS, wall) == pytest.approx(0.75, abs=0.001)
    assert book.share("other", DAY_HOURS, wall) is None


def test_yesterday_counts_for_the_week_and_not_for_the_day():
    book = Availability()
    watch(book, False, 1800, T0)
    wall = watch(book, True, 1800, T0 + 30 * 3600)
    assert book.share("door", DAY_HOURS, wall) == 1.0
    assert book.share("door", HOURS, wall) == pytest.approx(0.5, abs=0.001)
    wall = watch(book, True, 60, T0 + 8 * 86400)
    assert book.share("door", HOURS, wall) == 1.0


def test_what_earlier_runs_saw_is_added_and_written_back_whole():
    book = Availability()
    hour = int(T0) // 3600
    wall = watch(book, True, 60, T0)
    book.restore([HourRow("door", hour, 600, 300), HourRow("door", hour - 500, 3600, 0)], wall)
    assert book.share("door", DAY_HOURS, wall) == pytest.approx(360 / 660, abs=0.01)
    rows = list(book.take_changes(wall))
    assert rows == [HourRow("door", hour, 660, 360)]
    assert list(book.take_changes(wall)) == []


def test_a_sleeping_box_is_not_watching():
    book = Availability()
    book.observe("door", False, 8 * 3600.0, T0)
    wall = watch(book, True, 95, T0)
    assert book.share("door", DAY_HOURS, wall) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("step_s", [-40 * 86400.0, -7200.0, 7200.0, 400 * 86400.0])
def test_a_clock_that_is_set_breaks_nothing(step_s):
    book = Availability()
    watch(book, True, 600, T0)
    wall = watch(book, True, 600, T0 + step_s)
    assert book.share("door", DAY_HOURS, wall) == 1.0
    assert all(row.seen_s <= 3600 for row in book.take_changes(wall))
