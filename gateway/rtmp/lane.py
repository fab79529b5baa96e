"""The players of a stream that keep up: nearly all of them, nearly always. Each write goes to every one of them as it is.

With hundreds of players the work per player and write decides what the gateway costs, so in the lane it is one call of the
transport's `write` and nothing else. No queue, no clock, no count: what a player was sent is the difference of two totals.
A viewer moves itself out when its transport is full, it pauses or wants one track only, and back in when that has passed;
outside it pays for the bookkeeping it needs.

Event loop only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.rtmp.viewer import Viewer


class Lane:
    """Who is in step, and who is not."""

    __slots__ = ("others", "takers", "total_bytes")

    def __init__(self) -> None:
        self.takers: dict[Viewer, Callable[[bytes], None]] = {}
        self.others: dict[Viewer, None] = {}
        """Viewers that look at each batch themselves."""
        self.total_bytes = 0
        """Sent to each player that was in the lane all the time."""

    def send(self, data: bytes) -> None:
        """Write `data` to everybody in step. A transport that fills up calls back at once, and its viewer leaves the lane."""
        self.total_bytes += len(data)
        for take in tuple(self.takers.values()):
            take(data)
