"""Judges whether the gateway makes progress. Pure: promises and the time go in, a verdict comes out.

Whoever works in a loop promises when it will be heard of next: a reader that waits in its back-off until that is over, one
inside libavformat until its time limit and a margin. Who is beyond its promise is stuck. What that means depends on the
role, see `judge` and design/lifecycle.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

FOREVER = float("inf")
"""The promise of who has nothing to do until somebody asks."""
MANY_READERS = 2
"""From this number on, readers that are stuck all together mean that the process is ill, not a camera."""


class Role(enum.Enum):
    """What hangs on somebody's progress."""

    VITAL = "vital"
    """Everything: nobody notices a frozen picture, or no memory is freed. Only a new process helps."""
    READER = "reader"
    """One stream."""
    COMPANION = "companion"
    """Less than a picture: a camera's events, the search for new ones."""


@dataclass(frozen=True, slots=True)
class Promise:
    """`due` is the monotonic time by which `name` is heard of again."""

    name: str
    role: Role
    due: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who is stuck, and whether the process as a whole is alive."""

    alive: bool
    stuck: tuple[Promise, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names of who is stuck."""
        return frozenset(one.name for one in self.stuck)


def judge(promises: Iterable[Promise], now: float) -> Verdict:
    """A process is dead when something vital is stuck, or when every one of several readers is.

    One stuck reader takes its stream down and is reported; ending the process for it would take all others down too.
    """
    made = tuple(promises)
    stuck = tuple(one for one in made if now > one.due)
    readers = sum(one.role is Role.READER for one in made)
    stuck_readers = sum(one.role is Role.READER for one in stuck)
    vital = any(one.role is Role.VITAL for one in stuck)
    all_readers = readers >= MANY_READERS and stuck_readers == readers
    return Verdict(not vital and not all_readers, stuck)
