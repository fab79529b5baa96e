"""What an RTMP server asks before anybody plays or publishes, and how it is answered. Pure."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Action(enum.Enum):
    """What a client wants to do with a stream."""

    PLAY = "play"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who wants to do what: all there is to decide by."""

    client: str
    """Its address, without port."""
    params: Mapping[str, str] = field(repr=False)
    """Query parameters, decoded: `token`, `user` and `pass`, or a publisher's `key`."""
    stream: str
    action: Action


class Permit(Protocol):
    """Somebody may, for now."""

    def withdrawn(self) -> str:
        """Why not any more; empty as long as he may. Asked every second."""


Answer = bool | Permit
"""True is a permit for good."""
Authorise = Callable[[Credentials], Answer | Awaitable[Answer]]
"""Answers at once where it can: an encoder that does not wait for its answer is then spared a moment in between."""
