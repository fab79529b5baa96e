"""A time budget shared by several blocking steps. Worker threads; the clock is injected."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """`seconds` from now. Steps ask how much is left instead of each having a full timeout of its own."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining_s(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - self._clock())

    def expired(self) -> bool:
        return self.remaining_s() <= 0.0

    def within(self, seconds: float) -> Deadline:
        """A deadline `seconds` from now, but never later than this one."""
        return Deadline(min(seconds, self.remaining_s()), self._clock)
