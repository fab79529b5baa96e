"""A release on probation stays when it is healthy and goes when it is not, whatever kind of not it is."""

from __future__ import annotations

import pytest

from gateway.systemd.unit import Opinion, Probation, UnitState, parse

GOOD = UnitState("active", "running", "success", "16 cameras, 15 live", 0, 100)


def watch(*looks, live=0, within=60.0, stable=10.0):
    """The opinions on (time, unit, ready) and the last reason."""
    probation = Probation(within, stable, live, 0.0)
    return [probation.look(unit, ready, now) for now, unit, ready in looks], probation


def test_what_systemctl_shows_is_read():
    shown = "ActiveState=active\nSubState=running\nResult=success\nStatusText=16 cameras, 15 live; a=b\nNRestarts=2\nMainPID=7"
    assert parse(shown) == UnitState("active", "running", "success", "16 cameras, 15 live; a=b", 2, 7)
    assert parse(shown).live == 15
    assert parse("") == UnitState()
    assert UnitState().live is None


def test_it_is_good_once_it_has_been_healthy_for_long_enough():
    opinions, _ = watch((1, GOOD, ""), (10, GOOD, ""), (11, GOOD, ""))
    assert opinions == [Opinion.WAIT, Opinion.WAIT, Opinion.GOOD]


def test_another_process_begins_anew():
    other = UnitState("active", status="16 cameras, 15 live", pid=101)
    opinions, _ = watch((1, GOOD, ""), (10, other, ""), (12, other, ""), (20, other, ""))
    assert opinions == [Opinion.WAIT, Opinion.WAIT, Opinion.WAIT, Opinion.GOOD]


@pytest.mark.parametrize(
    ("unit", "ready", "live", "reason"),
    [
        (UnitState("activating"), "", 0, "after 60 s it is activating and not ready"),
        (GOOD, "/readyz says 503", 0, "after 60 s /readyz says 503"),
        (GOOD, "", 16, "after 60 s 15 cameras are live, before it were 16"),
    ],
)
def test_it_is_bad_when_its_time_is_over(unit, ready, live, reason):
    opinions, probation = watch((1, unit, ready), (59, unit, ready), (60, unit, ready), live=live)
    assert opinions == [Opinion.WAIT, Opinion.WAIT, Opinion.BAD]
    assert probation.reason == reason


def test_what_has_failed_is_not_waited_for():
    opinions, probation = watch((1, UnitState("failed", result="exit-code"), ""))
    assert opinions == [Opinion.BAD]
    assert probation.reason == "it has failed (exit-code)"


def test_what_falls_over_again_and_again_is_not_waited_for():
    def fallen(times):
        return UnitState("activating", "auto-restart", "exit-code", restarts=times)

    opinions, probation = watch((1, fallen(4), ""), (3, fallen(5), ""), (5, fallen(6), ""), (7, fallen(7), ""))
    assert opinions == [Opinion.WAIT, Opinion.WAIT, Opinion.WAIT, Opinion.BAD]
    assert probation.reason == "it has fallen over 3 times"


def test_falling_over_once_while_healthy_is_no_health():
    once = UnitState("active", "running", "success", "16 cameras, 15 live", 1, 101)
    opinions, probation = watch((1, GOOD, ""), (5, once, ""), (60, once, ""))
    assert opinions == [Opinion.WAIT, Opinion.WAIT, Opinion.BAD]
    assert probation.reason == "after 60 s it has fallen over 1 times"
