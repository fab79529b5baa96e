"""A stream with an RTSP path: who plays it, how many may, and the faults a simulated camera shows. Event loop only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.media.stream import Stream
from gateway.rtsp.payload import Payloader


class Seat(Protocol):
    """A connection with a session on a mount."""

    def abort(self) -> None:
        """Cut the connection without a word."""


class Mount:
    """What a path resolves to. Make one per stream and return the same one every time."""

    def __init__(self, stream: Stream, *, max_sessions: int | None = None) -> None:
        """`max_sessions` may be changed at any time; who is in stays in."""
        self.stream = stream
        self.max_sessions = max_sessions
        self.payloader = Payloader()
        self._seats: list[Seat] = []

    @property
    def sessions(self) -> int:
        """Sessions set up or playing."""
        return len(self._seats)

    def take(self, seat: Seat) -> bool:
        """Take a place; False if all are taken."""
        if self.max_sessions is not None and len(self._seats) >= self.max_sessions:
            return False
        self._seats.append(seat)
        return True

    def leave(self, seat: Seat) -> None:
        """Give a place back; harmless for one who has none."""
        self._seats = [other for other in self._seats if other is not seat]

    def drop_newest(self, count: int) -> int:
        """Cut the connections of those who came last. How many there were."""
        seats = tuple(self._seats[max(0, len(self._seats) - count) :])
        for seat in seats:
            seat.abort()
        return len(seats)

    def drop_sessions(self) -> int:
        """Cut every session's connection, as a rebooting camera does. How many there were."""
        seats = tuple(self._seats)
        for seat in seats:
            seat.abort()
        return len(seats)


Resolve = Callable[[str, str], Mount | Awaitable[Mount | None] | None]
"""Finds the mount of a path (decoded, `/x/y`) and a query (as sent). Plain or async; None is answered with 404."""
