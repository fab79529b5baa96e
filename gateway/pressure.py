"""When the box runs short: who has to go, so that the cameras stay. Pure; the event loop calls it twice a second.

Memory, file descriptors or the processor's time can run out. Whatever it is, viewers pay and cameras do not: a camera that is
lost is lost for everybody and for the record, a viewer comes back when there is room. Three levels:

    normal     everybody is welcome
    tight      no new viewers (503 with the reason), windows of HLS as short as the standard allows, free heap given back
    critical   besides, viewers are sent away, the newest first, a tenth of them at a time, until it is tight

A level is entered at once and left only after `CALM_S` on the other side of a wider mark: a box on the edge does not flutter.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

CALM_S = 15.0
EASE = 1.25
"""To leave a level, this much more must be free than when it was entered."""


class Level(enum.IntEnum):
    """How short the box is. The names are part of the API."""

    NORMAL = 0
    TIGHT = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """What the box has left."""

    memory_free: int
    """Bytes that can still be had: of the machine, or up to the limit of our control group, whichever is less."""
    memory_total: int
    stalled_share: float
    """Share of the last 10 s in which everything waited for memory (PSI `full`), 0 to 1."""
    files_used: int
    files_limit: int
    lag_s: float
    """By how much the event loop was late last time."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Where a level begins. Shares are of what there is in all."""

    memory_share: float
    memory_bytes: int
    """Never earlier than with this much left: a tenth of 64 GB is no shortage."""
    stalled_share: float
    files_share: float
    """Of the descriptors, in use."""
    lag_s: float


TIGHT = Marks(memory_share=0.10, memory_bytes=128 << 20, stalled_share=0.10, files_share=0.85, lag_s=1.0)
CRITICAL = Marks(memory_share=0.04, memory_bytes=48 << 20, stalled_share=0.40, files_share=0.94, lag_s=4.0)
LAG_TURNS = 3
"""So many turns in a row the loop must be late: one long step of garbage collection or a swapped page is no shortage."""


@dataclass(frozen=True, slots=True)
class State:
    """What holds now."""

    level: Level = Level.NORMAL
    reason: str = ""
    """In words for people; empty while normal."""


class Pressure:
    """Decides the level. `observe` returns the new state when it changed."""

    def __init__(self, tight: Marks = TIGHT, critical: Marks = CRITICAL) -> None:
        self.state = State()
        self._marks = ((Level.CRITICAL, critical), (Level.TIGHT, tight))
        self._late = 0
        self._calm_since: float | None = None

    def observe(self, figures: Figures, now: float) -> State | None:
        """Judge figures taken at `now` (monotonic seconds)."""
        self._late = self._late + 1 if figures.lag_s >= self._marks[-1][1].lag_s else 0
        wanted = self._judge(figures, 1.0)
        if wanted.level > self.state.level:
            self._calm_since = None
            self.state = wanted
            return wanted
        eased = self._judge(figures, EASE)
        if eased.level >= self.state.level:
            self._calm_since = None
            return None
        if self._calm_since is None:
            self._calm_since = now
        if now - self._calm_since < CALM_S:
            return None
        self._calm_since = None
        self.state = eased
        return eased

    def _judge(self, figures: Figures, ease: float) -> State:
        for level, marks in self._marks:
            reason = _short_of(figures, marks, ease, late=self._late >= LAG_TURNS)
            if reason:
                return State(level, reason)
        return State()


def shed(viewers: int) -> int:
    """How many of so many viewers go at a time while it is critical."""
    return -(-viewers // 10)


def _short_of(figures: Figures, marks: Marks, ease: float, *, late: bool) -> str:
    enough = min(int(figures.memory_total * marks.memory_share), marks.memory_bytes) * ease
    if figures.memory_free < enough:
        return f"{figures.memory_free >> 20} MB of memory left"
    if figures.stalled_share * ease >= marks.stalled_share:
        return f"waiting for memory {figures.stalled_share:.0%} of the time"
    if figures.files_used * ease >= figures.files_limit * marks.files_share:
        return f"{figures.files_used} of {figures.files_limit} file descriptors in use"
    if late and figures.lag_s * ease >= marks.lag_s:
        return f"the processor is {figures.lag_s:.1f} s behind"
    return ""
