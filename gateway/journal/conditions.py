"""Decides when something about the box or the gateway is an incident: it must last to begin, and be over to end. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.box.facts import Box
from gateway.journal.incident import Change, Ids, Incident, Step
from gateway.journal.kinds import IncidentKind

DISK_LOW_BYTES, DISK_FINE_BYTES = 200 * 10**6, 300 * 10**6
"""What the gateway writes is small; below this the system's own log and updates begin to fail."""
DISK_LOW_SHARE, DISK_FINE_SHARE = 0.03, 0.05
HOT_CELSIUS, COOL_CELSIUS = 80.0, 75.0
"""A Raspberry Pi slows down from 80 °C on."""
LAG_S = 0.5
"""Players stutter; cameras' sessions are kept by threads of their own and are not lost."""


@dataclass(slots=True)
class Condition:
    """One thing that can be wrong."""

    kind: IncidentKind
    begins_after_s: float
    ends_after_s: float
    incident: Incident | None = None
    _bad_since: float | None = None
    _good_since: float | None = None
    _began: float = 0.0

    def observe(self, bad: bool, reason: str, ids: Ids, now: float, wall: float) -> list[Change]:
        """What follows from how it is at `now` (monotonic) and `wall` (Unix seconds)."""
        if bad:
            self._good_since = None
            if self._bad_since is None:
                self._bad_since, self._began = now, wall
            if self.incident is None and now - self._bad_since >= self.begins_after_s:
                self.incident = Incident(ids.next(wall), "", self.kind, self.kind.value, reason, self._began)
                return [Change(Step.BEGAN, self.incident)]
            return []
        if self._good_since is None:
            self._good_since = now
        if self.incident is None:
            self._bad_since = None
            return []
        if now - self._good_since < self.ends_after_s:
            return []
        ended = replace(self.incident, ended=wall - (now - self._good_since))
        self.incident = self._bad_since = None
        return [Change(Step.ENDED, ended)]


class BoxConditions:
    """All of them. Feed `observe` every few seconds."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._disk = Condition(IncidentKind.DISK_LOW, 30, 60)
        self._heat = Condition(IncidentKind.OVERHEATING, 10, 60)
        self._power = Condition(IncidentKind.UNDERVOLTAGE, 0, 60)
        self._lag = Condition(IncidentKind.LOOP_LAG, 15, 60)
        self._clock = Condition(IncidentKind.CLOCK_UNSYNCHRONISED, 900, 60)

    @property
    def open(self) -> tuple[Incident, ...]:
        """What goes on now."""
        every = (self._disk, self._heat, self._power, self._lag, self._clock)
        return tuple(one.incident for one in every if one.incident is not None)

    def observe(self, box: Box, lag_s: float, now: float, wall: float) -> list[Change]:
        """`lag_s` is the event loop's worst since the last call."""
        changes: list[Change] = []
        steps = (
            (self._disk, *self._disk_state(box)),
            (self._heat, *self._heat_state(box)),
            (
                self._power,
                bool(box.undervolted),
                "the power supply gives too little voltage: use a stronger one, or a better cable",
            ),
            (self._lag, lag_s >= LAG_S, f"the gateway was too busy to serve in time ({lag_s:.1f} s late)"),
            (
                self._clock,
                box.clock is not None and not box.clock.synchronised,
                "nobody sets the clock of this machine: let it use an NTP server",
            ),
        )
        for condition, bad, reason in steps:
            changes += condition.observe(bad, reason, self._ids, now, wall)
        return changes

    def _disk_state(self, box: Box) -> tuple[bool, str]:
        free, size = box.disk_free, box.disk_size
        if free is None or not size:
            return False, ""
        low = self._disk.incident is not None
        least, share = (DISK_FINE_BYTES, DISK_FINE_SHARE) if low else (DISK_LOW_BYTES, DISK_LOW_SHARE)
        # a large disk with 3 % free has room for years
        bad = free < least or (free < share * size and free < 10 * least)
        return bad, f"the disk is nearly full: {free / 1e6:.0f} MB are free"

    def _heat_state(self, box: Box) -> tuple[bool, str]:
        hottest = box.hottest
        if hottest is None:
            return False, ""
        limit = COOL_CELSIUS if self._heat.incident is not None else HOT_CELSIUS
        return hottest.celsius >= limit, f"the machine is too hot: {hottest.celsius:.0f} °C ({hottest.zone})"
