"""One request at a time per camera, whoever asks: small web servers in cameras lose answers when they are asked twice at once.

Streams, steering and snapshots have sessions of their own; what they share is the camera's host and port. Worker threads.
"""

from __future__ import annotations

import threading
import weakref

LONG_POLLS = ("PullMessages",)
"""Operations that wait at the camera for something to happen. They would keep all others waiting, so they take no turn."""


class _Turn:
    """A lock that can be kept in a weak dictionary."""

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()


_turns: weakref.WeakValueDictionary[tuple[str, int], _Turn] = weakref.WeakValueDictionary()
_guard = threading.Lock()


def turn_at(host: str, port: int) -> _Turn:
    """The one turn of that device, for as long as anybody holds it."""
    with _guard:
        return _turns.setdefault((host.lower(), port), _Turn())


def takes_turn(action: str) -> bool:
    """Whether a request of that SOAP action waits for others."""
    return not any(poll in action for poll in LONG_POLLS)
