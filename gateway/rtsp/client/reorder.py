"""Puts UDP's packets in order again, within bounds (RFC 3550 section 6.4.1's sequence numbers). Pure; reader threads.

On a LAN packets are swapped by access points and switches with several queues, by a few places and milliseconds. Whatever
is not here by then is lost.
"""

from __future__ import annotations

MAX_HELD = 64
"""Packets: 90 kB, some milliseconds of a keyframe's burst."""
MAX_WAIT_S = 0.05
MAX_DROPOUT = 3000
"""Further ahead is no loss but another count (RFC 3550 appendix A.1)."""
RESTART_AFTER = 8
"""Packets in a row from the past, or from far ahead: the camera counts anew."""

Ordered = tuple[int, bytes]
"""Packets lost in front of it, and the packet."""


class ReorderBuffer:
    """Of one track."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._held: dict[int, bytes] = {}
        self._since = 0.0
        self._past = 0

    def restart(self) -> None:
        """Another source: whatever comes next is the first packet."""
        self._next = None
        self._held.clear()

    @property
    def waiting(self) -> bool:
        """Packets are held back for one that is missing."""
        return bool(self._held)

    def push(self, sequence: int, packet: bytes, now: float) -> list[Ordered]:
        """Take a packet; what is in order now. Duplicates and packets that come too late vanish."""
        if self._next is None:
            self._next = sequence
        ahead = (sequence - self._next) & 0xFFFF
        if ahead == 0 and not self._held:
            self._next = (sequence + 1) & 0xFFFF
            self._past = 0
            return [(0, packet)]
        if ahead > MAX_DROPOUT:
            self._past += 1
            if self._past < RESTART_AFTER:
                return []
            self.restart()
            self._past = 0
            self._next = (sequence + 1) & 0xFFFF
            return [(0, packet)]
        self._past = 0
        if not self._held:
            self._since = now
        self._held[sequence] = packet
        return self.release(now)

    def release(self, now: float) -> list[Ordered]:
        """What is in order now, or has waited long enough. To be called again while `waiting`."""
        ready: list[Ordered] = []
        lost = 0
        while self._held and self._next is not None:
            packet = self._held.pop(self._next, None)
            if packet is not None:
                ready.append((lost, packet))
                lost = 0
                self._next = (self._next + 1) & 0xFFFF
                self._since = now
                continue
            if len(self._held) < MAX_HELD and now - self._since < MAX_WAIT_S:
                break
            first = min(self._held, key=lambda sequence: (sequence - (self._next or 0)) & 0xFFFF)
            lost += (first - self._next) & 0xFFFF
            self._next = first
        return ready
