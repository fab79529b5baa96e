"""What has happened to one stream id since the gateway started: plain integers, read by the metrics and the health page.

Each number is counted where the thing happens and by one thread only: the reader counts repairs, the event loop all else.
They belong to the `Stream`, which outlives sessions, and a camera that is configured anew keeps its own.
"""

from __future__ import annotations

from collections import Counter

from gateway.media.state import State, Status

_AWAY = frozenset({State.OFFLINE, State.STALLED})
_THERE = frozenset({State.LIVE, State.LATE})
IDLE = "idle"
"""Code of a stream that is not pulled because nobody watches it."""


class Counts:
    """Counters of one stream. They only grow."""

    __slots__ = (
        "dropped",
        "failures",
        "frames",
        "interruptions",
        "joined",
        "jumps",
        "lost",
        "received",
        "sent",
        "sessions",
        "silenced",
        "spoiled",
        "squeezed",
    )

    def __init__(self) -> None:
        self.frames = 0
        """Pictures that arrived."""
        self.received = 0
        """Bytes of all tracks that arrived."""
        self.sessions = 0
        """Times that the picture came, or came back after the source had failed."""
        self.interruptions = 0
        """Times that the picture went, for whatever reason but that nobody wanted it."""
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
        """RTP packets that never came; None where whoever receives does not say: libavformat does not."""
        self.spoiled = 0
        """Pictures that were left out because a packet of theirs was lost."""
        self.sent: Counter[str] = Counter()
        """Bytes to viewers that have left or are not counted one by one, by output."""
        self.dropped: Counter[str] = Counter()
        """Writes and frames left out for viewers too slow for them, by output; `Demand.dropped` is this."""

    def observe(self, before: Status, after: Status) -> None:
        """Count what a change of the source's status means."""
        if after.state is State.LIVE and before.state not in _THERE:
            self.sessions += 1
        elif after.state in _AWAY and after.code != IDLE:
            gone = before.state in _THERE
            self.interruptions += int(gone)
            # without a next try it is the same failure, told again because the try has begun
            if gone or after.next_retry is not None:
                self.failures[after.code or "unknown"] += 1
