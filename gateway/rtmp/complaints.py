"""Keeps port scanners and broken devices from filling the log: a line per address, complaint and while, then a count.

Event loop only; the clock is passed in.
"""

from __future__ import annotations

import logging

QUIET_S = 60.0
"""The same complaint about the same address once a minute says all there is to say."""
MAX_REMEMBERED = 256


class Complaints:
    """Logs warnings about peers, rarely."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._heard: dict[tuple[str, str], tuple[float, int]] = {}

    def add(self, address: str, now: float, text: str) -> None:
        """Complain about `address`. `text` holds no credentials and nothing a peer sent that could forge a line."""
        key = (address, text)
        since, repeated = self._heard.get(key, (now - QUIET_S, 0))
        if now - since < QUIET_S:
            self._heard[key] = (since, repeated + 1)
            return
        if key not in self._heard and len(self._heard) >= MAX_REMEMBERED:
            self._heard.clear()
        self._heard[key] = (now, 0)
        more = f" (and {repeated} times more before)" if repeated else ""
        self._log.warning("rtmp %s: %s%s", address, text, more)
