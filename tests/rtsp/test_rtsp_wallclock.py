"""The wall clock of sender reports: steady under jitter, quick after a step."""

from __future__ import annotations

import pytest

from gateway.rtsp.wallclock import CREEP_S, WallClock


def test_late_frames_do_not_move_the_clock() -> None:
    clock = WallClock()
    for index in range(100):
        clock.observe(index * 0.04, 1000 + index * 0.04 + (0.3 if index % 7 == 3 else 0.0))
        assert clock.at(index * 0.04) == pytest.approx(1000 + index * 0.04)
    clock.settle()
    assert clock.at(0) == pytest.approx(1000)


def test_an_estimate_that_began_late_creeps_so_that_players_never_see_time_go_back() -> None:
    clock = WallClock()
    clock.observe(0, 1000.1)
    for period in range(1, 40):
        clock.observe(period * 5.0, 1000 + period * 5.0)
        before = clock.at(0)
        clock.settle()
        assert -CREEP_S - 1e-9 <= clock.at(0) - before <= 0
    assert clock.at(0) == pytest.approx(1000)


def test_a_set_clock_is_followed_at_once() -> None:
    clock = WallClock()
    clock.observe(0, 1000)
    clock.observe(1, 4601)
    assert clock.at(1) == 4601


def test_a_clock_without_frames_knows_nothing() -> None:
    with pytest.raises(ValueError, match="no frame"):
        WallClock().at(0)
