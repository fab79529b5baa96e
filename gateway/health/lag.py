"""Measures how late the event loop is: everything the gateway serves waits as long. Event loop only. The one such measure.

A timer that should ring four times a second tells by how much it rang late. One wake-up costs some 20 µs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway.metrics.histogram import Histogram

PERIOD_S = 0.25
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag:
    """Samples between `start` and `stop`."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.histogram = Histogram(BOUNDS_S)
        self._monotonic = monotonic
        self._worst = self._last = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin. Needs a running loop."""
        self._due = self._monotonic() + PERIOD_S
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._ring)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take_worst(self) -> float:
        """The longest lag since this was last asked, in seconds; one that is going on now counts."""
        worst = max(self._worst, self._going_on())
        self._worst = 0.0
        return worst

    def last(self) -> float:
        """By how much the loop was late last time, in seconds, or is now."""
        return max(self._last, self._going_on())

    def _going_on(self) -> float:
        return self._monotonic() - self._due if self._timer is not None else 0.0

    def _ring(self) -> None:
        now = self._monotonic()
        late = max(0.0, now - self._due)
        self.histogram.observe(late)
        self._last, self._worst = late, max(self._worst, late)
        self._due = now + PERIOD_S
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._ring)
