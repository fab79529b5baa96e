"""How much of the last day and week each camera showed a picture. Pure; event loop only.

Counted, not computed from incidents, which leave short interruptions out. Only the time the gateway watched counts: while it
does not run nobody knows. Seconds per hour in two bytes each: a week of a camera is 700 bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HOUR_S = 3600
HOURS = 7 * 24
DAY_HOURS = 24
MAX_STEP_S = 5.0
"""A longer time between two looks was no looking: the process was stopped, or the box slept."""


@dataclass(frozen=True, slots=True)
class HourRow:
    """One camera in one hour since the epoch."""

    camera: str
    hour: int
    seen_s: int
    live_s: int


class _Week:
    __slots__ = ("hour", "live", "part_live", "part_seen", "seen")

    def __init__(self, hour: int) -> None:
        self.hour = hour
        self.seen = array("H", bytes(2 * HOURS))
        self.live = array("H", bytes(2 * HOURS))
        self.part_seen = self.part_live = 0.0

    def go_to(self, hour: int) -> None:
        """Forget the hours that lie a week back. A clock that was set back overwrites, one set far ahead forgets."""
        for passed in range(max(self.hour + 1, hour - HOURS + 1), hour + 1):
            self.seen[passed % HOURS] = self.live[passed % HOURS] = 0
        self.hour = max(self.hour, hour) if hour > self.hour - HOURS else hour


class Availability:
    """All cameras."""

    def __init__(self) -> None:
        self._weeks: dict[str, _Week] = {}
        self._changed: set[str] = set()

    def observe(self, camera: str, live: bool, passed_s: float, wall: float) -> None:
        """The camera was looked at, `passed_s` after the last look."""
        hour = int(wall) // HOUR_S
        week = self._week(camera, hour)
        passed_s = min(passed_s, MAX_STEP_S)
        week.part_seen += passed_s
        if live:
            week.part_live += passed_s
        if week.part_seen >= 1.0:
            self._add(week, hour, int(week.part_seen), min(int(week.part_live), int(week.part_seen)))
            week.part_live -= min(int(week.part_live), int(week.part_seen))
            week.part_seen -= int(week.part_seen)
            self._changed.add(camera)

    def share(self, camera: str, hours: int, wall: float) -> float | None:
        """Share of the watched time of the last `hours` in which there was a picture; None if it was not watched."""
        week = self._weeks.get(camera)
        if week is None:
            return None
        hour = int(wall) // HOUR_S
        places = [at % HOURS for at in range(hour - hours + 1, hour + 1) if week.hour - HOURS < at <= week.hour]
        seen = sum(week.seen[place] for place in places)
        return min(1.0, sum(week.live[place] for place in places) / seen) if seen else None

    def restore(self, rows: Iterable[HourRow], wall: float) -> None:
        """Add what earlier runs have seen."""
        hour = int(wall) // HOUR_S
        for row in rows:
            if hour - HOURS < row.hour <= hour:
                self._add(self._week(row.camera, hour), row.hour, row.seen_s, row.live_s)

    def take_changes(self, wall: float) -> Iterator[HourRow]:
        """This hour and the last of every camera whose numbers have changed since the last call."""
        hour = int(wall) // HOUR_S
        changed, self._changed = self._changed, set()
        for camera in sorted(changed):
            week = self._weeks.get(camera)
            for at in (hour - 1, hour):
                if week is not None and week.seen[at % HOURS]:
                    yield HourRow(camera, at, week.seen[at % HOURS], week.live[at % HOURS])

    def forget(self, camera: str) -> None:
        """It is no longer configured."""
        self._weeks.pop(camera, None)
        self._changed.discard(camera)

    def _week(self, camera: str, hour: int) -> _Week:
        week = self._weeks.get(camera)
        if week is None:
            week = self._weeks[camera] = _Week(hour)
        if week.hour != hour:
            week.go_to(hour)
        return week

    @staticmethod
    def _add(week: _Week, hour: int, seen_s: int, live_s: int) -> None:
        place = hour % HOURS
        week.seen[place] = min(HOUR_S, week.seen[place] + seen_s)
        week.live[place] = min(HOUR_S, week.live[place] + live_s)
