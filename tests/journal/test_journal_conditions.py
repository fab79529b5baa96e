"""The box's own troubles: they must last to begin, and be over to end."""

from __future__ import annotations

import pytest

from gateway.box.clock_sync import ClockSync
from gateway.box.facts import Box, Temperature
from gateway.journal.conditions import BoxConditions
from gateway.journal.incident import Change, Ids

T0 = 1_700_000_000.0
FINE = Box(disk_free=10**10, disk_size=10**11, clock=ClockSync(True, 0.01), undervolted=False)


class Machine:
    def __init__(self) -> None:
        self.conditions = BoxConditions(Ids())
        self.now = 0.0
        self.wall = T0
        self.changes: list[Change] = []

    def is_(self, box: Box, seconds: float, lag_s: float = 0.0) -> Machine:
        for _ in range(round(seconds / 5)):
            self.changes += self.conditions.observe(box, lag_s, self.now, self.wall)
            self.now += 5
            self.wall += 5
        return self

    def told(self) -> list[tuple[str, str]]:
        return [(one.step.value, one.incident.kind.value) for one in self.changes]


def changed(**more) -> Box:
    from dataclasses import replace

    return replace(FINE, **more)


@pytest.mark.parametrize(
    ("box", "lag_s", "kind"),
    [
        (changed(disk_free=10**8), 0.0, "disk-low"),
        (changed(temperatures=(Temperature("cpu", 81.0), Temperature("gpu", 60.0))), 0.0, "overheating"),
        (changed(undervolted=True), 0.0, "undervoltage"),
        (FINE, 0.7, "loop-lag"),
        (changed(clock=ClockSync(False, 16.0)), 0.0, "clock-unsynchronised"),
    ],
)
def test_each_trouble_begins_once_and_ends_once(box, lag_s, kind):
    machine = Machine().is_(FINE, 60).is_(box, 1200, lag_s).is_(FINE, 300)
    assert machine.told() == [("began", kind), ("ended", kind)]
    row = machine.changes[-1].incident
    assert (row.began, row.ended) == (T0 + 60, T0 + 1260)
    assert row.reason


def test_a_moment_of_heat_or_lag_is_no_incident():
    hot = changed(temperatures=(Temperature("cpu", 90.0),))
    assert Machine().is_(FINE, 60).is_(hot, 5, 2.0).is_(FINE, 60).changes == []


def test_cooling_by_a_degree_does_not_end_it():
    hot, warm = (changed(temperatures=(Temperature("cpu", celsius),)) for celsius in (81.0, 78.0))
    machine = Machine()
    for _ in range(20):
        machine.is_(hot, 60).is_(warm, 120)
    assert machine.told() == [("began", "overheating")]


def test_a_large_disk_that_is_97_percent_full_has_room_for_years():
    assert Machine().is_(changed(disk_free=3 * 10**10, disk_size=2 * 10**12), 600).changes == []


def test_a_machine_that_tells_nothing_is_in_no_trouble():
    assert Machine().is_(Box(), 3600).changes == []
