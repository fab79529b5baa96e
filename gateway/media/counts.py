"""What has happened to one stream id since the gateway started: plain integers, read by the metrics and the health page.

Each number is counted where the thing happens and by one thread only: the reader counts repairs, the event loop all else.
They outlive sessions, and `carry` takes them over where a camera that was configured anew gets a new `Stream`.
"""

from __future__ import annotations

from collections import Counter

from gateway.media.state import State, Status

_AWAY = frozenset({State.OFFLINE, State.STALLED})
_THERE = frozenset({State.LIVE, State.LATE})


class Counts:
    """Counters of one stream. They only grow."""

    __slots__ = (
        "dropped",
        "failures",
        "frames",
        "joined",
        "jumps",
        "lost",
        "received",
        "sent",
        "sessions",
        "silenced",
        "squeezed",
    )

    def __init__(self) -> None:
        self.frames = 0
        """Pictures that arrived."""
        self.received = 0
        """Bytes of all tracks that arrived."""
        self.sessions = 0
        """Times that the picture came, or came back after the source had failed."""
        self.failures: Counter[str] = Counter()
        """Attempts and sessions that ended without being asked to, by `SourceError.code`."""
        self.jumps = 0
        """Frames whose time stamp could not be and was made up for."""
        self.squeezed = 0
        """Pictures that lay in the past and were moved on."""
        self.silenced = 0
        """Sound frames that lay in the past and were left out."""
        self.joined = 0
        """Packets that were only a part of a picture, and were put together."""
        self.lost: int | None = None
        """RTP packets that never came; None where whoever receives does not say."""
        self.sent: Counter[str] = Counter()
        """Bytes to viewers that have left or are not counted one by one, by output."""
        self.dropped: Counter[str] = Counter()
        """Frames left out for viewers too slow for them, of the outputs that do not use `Demand.dropped`."""

    def observe(self, before: Status, after: Status) -> None:
        """Count what a change of the source's status means."""
        if after.state is State.LIVE and before.state not in _THERE:
            self.sessions += 1
        elif after.state in _AWAY and (after.next_retry is not None or before.state in _THERE):
            # without a next try it is the same failure, told again because the try has begun
            self.failures[after.code or "unknown"] += 1

    def carry(self, earlier: Counts) -> None:
        """Go on where the counters of the same id, configured otherwise, have stopped."""
        self.frames += earlier.frames
        self.received += earlier.received
        self.sessions += earlier.sessions
        self.failures += earlier.failures
        self.jumps += earlier.jumps
        self.squeezed += earlier.squeezed
        self.silenced += earlier.silenced
        self.joined += earlier.joined
        if earlier.lost is not None:
            self.lost = (self.lost or 0) + earlier.lost
        self.sent += earlier.sent
        self.dropped += earlier.dropped
