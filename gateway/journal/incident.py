"""An incident: something that was not as it should be, with its beginning, its end and how often it came. Immutable."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gateway.journal.kinds import IncidentKind


@dataclass(frozen=True, slots=True)
class Incident:
    """One row. Times are Unix seconds."""

    id: int
    camera: str
    """Id of the camera; empty for the gateway's own."""
    kind: IncidentKind
    code: str
    """Stable word for machines: `SourceError.code` for a camera."""
    reason: str
    """One sentence for people, free of credentials."""
    began: float
    ended: float | None = None
    """None while it goes on."""
    count: int = 1
    """Interruptions it is made of."""


class Step(enum.Enum):
    """What has just become of an incident."""

    BEGAN = "began"
    CHANGED = "changed"
    """It is of another kind now: late has become offline."""
    COUNTED = "counted"
    """It has happened once more, or for another reason. Nobody is told."""
    ENDED = "ended"
    NOTED = "noted"
    """It has no duration: a start, a step of the clock."""


@dataclass(frozen=True, slots=True)
class Change:
    """A step and the incident as it is after it."""

    step: Step
    incident: Incident


class Ids:
    """Numbers for incidents: milliseconds since the epoch, made to grow whatever the clock does."""

    def __init__(self) -> None:
        self._last = 0

    def after(self, taken: int) -> None:
        """Numbers up to `taken` belong to earlier runs."""
        self._last = max(self._last, taken)

    def next(self, wall: float) -> int:
        """A number that nobody has."""
        self._last = max(self._last + 1, int(wall * 1000))
        return self._last
