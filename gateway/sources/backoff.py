"""How long to wait before the next attempt. Pure apart from the injected randomness; one per reader thread."""

from __future__ import annotations

import random
from collections.abc import Callable

from gateway.errors import Retry

FIRST_S = 0.5
LARGEST_S = 30.0
SLOW_FIRST_S = 60.0
"""Somebody has to change the camera's settings first. A refused login waits longer still: see `account`."""
SLOW_LARGEST_S = 600.0
HEALTHY_S = 10.0
"""A session that gave pictures for this long was a success: the next failure starts from the first delay."""
JITTER = 0.2
"""16 cameras on one switch that lost power come back together; their readers should not."""


class Backoff:
    """Doubling delays with jitter."""

    def __init__(self, rand: Callable[[], float] = random.random, *, healthy_s: float = HEALTHY_S) -> None:
        self._rand = rand
        self._healthy_s = healthy_s
        self._fast_s = FIRST_S
        self._slow_s = SLOW_FIRST_S

    def next_delay(self, retry: Retry, healthy_s: float = 0.0) -> float:
        """Seconds to wait after a failure; `healthy_s` is how long the session had given pictures before."""
        if healthy_s >= self._healthy_s:
            self.reset()
        if retry is Retry.SLOW:
            delay, self._slow_s = self._slow_s, min(self._slow_s * 2, SLOW_LARGEST_S)
        else:
            delay, self._fast_s = self._fast_s, min(self._fast_s * 2, LARGEST_S)
        return delay * (1 - JITTER + 2 * JITTER * self._rand())

    def reset(self) -> None:
        """Start over from the first delays."""
        self._fast_s = FIRST_S
        self._slow_s = SLOW_FIRST_S
