"""What depacketisers make of RTP packets, and what they have in common. Pure; reader threads."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class AccessUnit(NamedTuple):
    """One picture as NAL units, or one frame of sound."""

    timestamp: int
    """RTP's, 32 bits."""
    units: list[bytes]
    """NAL units without start codes; of sound exactly one element."""
    duration: int = 0
    """Ticks of the RTP clock; 0: unknown."""


NOTHING: tuple[AccessUnit, ...] = ()


class Depacketiser(Protocol):
    """Of one track in one session."""

    dropped: int
    """Access units that were thrown away because a part of them was lost."""
    middle: bytes
    """How the next payload begins if it only goes on with the unit under way, being neither its first nor its last; empty
    where none is under way. Most packets of a camera are of that kind."""

    def go_on(self, parts: list[bytes]) -> None:
        """Take such payloads, without what is in `middle`."""

    @property
    def partial(self) -> bool:
        """An access unit has begun and is not complete: more is on its way just now."""

    def push(self, payload: bytes, timestamp: int, marker: bool, gap: bool) -> tuple[AccessUnit, ...] | list[AccessUnit]:
        """Take the payload of the next packet; `gap`: packets in front of it were lost. What is complete now."""
