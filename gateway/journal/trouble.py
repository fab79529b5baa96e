"""Decides what of a camera's ups and downs is an incident. Pure: status and clocks are passed in, twice a second.

- A picture that is away for less than `GRACE_S` is no incident. The third interruption within `SPAN_S`, short or not,
  begins the one incident "unstable", which ends when there was none for `SPAN_S`. While it lasts, an outage is an
  incident of its own from `LONG_S` on only: a camera that blinks off for 2 s every minute is one row, not 500.
- An outage ends with `SETTLE_S` of picture. A picture that comes for less and goes again does not end it.
- Late turns to stalled and offline within one incident; its kind is the worst it came to.
- A camera that is switched off, or has never had a publisher yet, is in no trouble.

Durations are measured on the monotonic clock, times are told on the wall clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from gateway.journal.incident import Change, Ids, Incident, Step
from gateway.journal.kinds import IncidentKind
from gateway.media.state import State, Status

GRACE_S = 5.0
"""A reader opens a lost session again within 1 to 3 s; staff would not notice."""
LONG_S = 60.0
SETTLE_S = 10.0
SPAN_S = 600.0
UNSTABLE_FROM = 3

_KINDS = {State.LATE: IncidentKind.LATE, State.STALLED: IncidentKind.STALLED, State.OFFLINE: IncidentKind.OFFLINE}
_WORSE = [IncidentKind.LATE, IncidentKind.STALLED, IncidentKind.OFFLINE]
_NEVER_CAME = frozenset({"waiting", "idle"})
"""Codes of a source that is not expected to give a picture before it first has."""


@dataclass(slots=True)
class _Down:
    since: float
    began: float
    """The same moment as Unix time."""
    noted: bool = False
    """It has made, or belongs to, an outage."""


class CameraTrouble:
    """One camera, for as long as it is configured."""

    def __init__(self, camera: str, ids: Ids) -> None:
        self._camera = camera
        self._ids = ids
        self._down: _Down | None = None
        self._outage: Incident | None = None
        self._unstable: Incident | None = None
        self._live_since: float | None = None
        self._recovered = 0.0
        self._interruptions: deque[tuple[float, float]] = deque()
        """Monotonic and wall time of each beginning."""
        self._calm_since = 0.0
        self._was_live = False

    @property
    def open(self) -> tuple[Incident, ...]:
        """What goes on now."""
        return tuple(one for one in (self._unstable, self._outage) if one is not None)

    def observe(self, status: Status, now: float, wall: float) -> list[Change]:
        """Look at the camera at `now` (monotonic) and `wall` (Unix seconds)."""
        kind = _KINDS.get(status.state)
        if status.state is State.DISABLED:
            return self.end(wall)
        if kind is not None and (self._was_live or status.code not in _NEVER_CAME):
            return self._bad(kind, status, now, wall)
        if status.state is State.LIVE:
            self._was_live = True
            return self._good(now, wall)
        return []  # connecting: neither here nor gone

    def end(self, wall: float) -> list[Change]:
        """The camera is watched no longer: whatever goes on ends now."""
        ended = [Change(Step.ENDED, replace(one, ended=wall)) for one in self.open]
        self._down = self._outage = self._unstable = self._live_since = None
        self._interruptions.clear()
        self._was_live = False
        return ended

    def _bad(self, kind: IncidentKind, status: Status, now: float, wall: float) -> list[Change]:
        changes: list[Change] = []
        self._live_since = None
        if self._down is None:
            # since may lie before the last picture: a source that fails again keeps the beginning of its state
            began = status.since if wall - GRACE_S <= status.since <= wall else wall
            self._down = _Down(now, began)
            if self._was_live:
                changes += self._interrupted(now, began)
        down = self._down
        if self._outage is not None:
            if not down.noted:
                down.noted = True
                self._outage = replace(self._outage, count=self._outage.count + 1)
                changes.append(Change(Step.COUNTED, self._outage))
            return changes + self._worsened(kind, status)
        if now - down.since >= (LONG_S if self._unstable is not None else GRACE_S):
            down.noted = True
            self._outage = Incident(self._ids.next(wall), self._camera, kind, status.code, status.reason, down.began)
            changes.append(Change(Step.BEGAN, self._outage))
        return changes

    def _worsened(self, kind: IncidentKind, status: Status) -> list[Change]:
        outage = self._outage
        assert outage is not None
        if _WORSE.index(kind) > _WORSE.index(outage.kind):
            self._outage = replace(outage, kind=kind, code=status.code, reason=status.reason)
            return [Change(Step.CHANGED, self._outage)]
        if kind is outage.kind and status.code != outage.code:
            self._outage = replace(outage, code=status.code, reason=status.reason)
            return [Change(Step.COUNTED, self._outage)]
        return []

    def _good(self, now: float, wall: float) -> list[Change]:
        if self._down is not None:
            self._down = None
            self._recovered = wall
            self._calm_since = now
        if self._live_since is None:
            self._live_since = now
        changes: list[Change] = []
        if self._outage is not None and now - self._live_since >= SETTLE_S:
            changes.append(Change(Step.ENDED, replace(self._outage, ended=self._recovered)))
            self._outage = None
        if self._unstable is not None and now - self._calm_since >= SPAN_S:
            changes.append(Change(Step.ENDED, replace(self._unstable, ended=self._recovered)))
            self._unstable = None
            self._interruptions.clear()
        return changes

    def _interrupted(self, now: float, began: float) -> list[Change]:
        self._interruptions.append((now, began))
        while now - self._interruptions[0][0] > SPAN_S:
            self._interruptions.popleft()
        if self._unstable is not None:
            self._unstable = replace(self._unstable, count=self._unstable.count + 1)
            return [Change(Step.COUNTED, self._unstable)]
        count = len(self._interruptions)
        if count < UNSTABLE_FROM:
            return []
        reason = f"the picture was interrupted {count} times within {SPAN_S / 60:.0f} minutes"
        first = self._interruptions[0][1]
        self._unstable = Incident(
            self._ids.next(began), self._camera, IncidentKind.UNSTABLE, "unstable", reason, first, count=count
        )
        return [Change(Step.BEGAN, self._unstable)]
