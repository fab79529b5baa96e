"""Which native handler answers a path; everything that has none goes to Flask. Pure, filled at start, event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from gateway.http.calls import Lane
from gateway.http.messages import Handler, Request


class WebSocketMessage(Protocol):
    """What arrived. `kind` is 0 for close, 1 for bytes, 2 for text."""

    kind: int
    data: bytes | str


class WebSocketTransport(Protocol):
    """An accepted WebSocket. Sending waits while the viewer does not read."""

    async def receive(self) -> WebSocketMessage:
        """Wait for the next message."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""

    async def send_str(self, data: str) -> None:
        """Send a text message."""


class WebSocket(Protocol):
    """A WebSocket that asks to be opened."""

    async def accept(self) -> WebSocketTransport:
        """Open it."""

    def close(self, status: int | None = None) -> object:
        """Before `accept`: refuse with this HTTP status. After it: close."""


WebSocketHandler = Callable[[Request, WebSocket], Awaitable[None]]
"""A native WebSocket route. Cancelled when the gateway stops; `receive` tells that the viewer has gone."""


class Router:
    """Longest prefix wins. A prefix ending in `/` covers all below it, any other covers itself and all below it."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._websockets: dict[str, WebSocketHandler] = {}
        self._lanes: dict[str, Lane] = {}

    def add(self, prefix: str, handler: Handler) -> None:
        """Route `prefix` to `handler`. Raises ValueError if it is taken or does not begin with a slash."""
        _claim(self._handlers, prefix)
        self._handlers[prefix] = handler

    def add_websocket(self, prefix: str, handler: WebSocketHandler) -> None:
        """Route WebSockets under `prefix`. Raises ValueError as `add` does."""
        _claim(self._websockets, prefix)
        self._websockets[prefix] = handler

    def add_lane(self, prefix: str, lane: Lane) -> None:
        """Put an express lane beside the handler of `prefix`, which ends with a slash. Raises ValueError as `add` does."""
        _claim(self._lanes, prefix)
        self._lanes[prefix] = lane

    def find(self, path: str) -> Handler | None:
        """The handler for a path, None if it is Flask's."""
        return self._handlers.get(_longest(self._handlers, path))

    def find_websocket(self, path: str) -> WebSocketHandler | None:
        """The WebSocket handler for a path."""
        return self._websockets.get(_longest(self._websockets, path))

    def find_lane(self, path: str) -> Lane | None:
        """The express lane for a path. Asked for every request, so it only compares."""
        for prefix, lane in self._lanes.items():
            if path.startswith(prefix):
                return lane
        return None

    def release(self) -> None:
        """The gateway stops: nothing waits in an express lane any more."""
        for lane in self._lanes.values():
            lane.release()


def _claim(routes: Mapping[str, object], prefix: str) -> None:
    if not prefix.startswith("/"):
        raise ValueError(f"prefix {prefix!r} does not begin with a slash")
    if prefix in routes:
        raise ValueError(f"prefix {prefix!r} is routed twice")


def _longest(routes: dict[str, Handler] | dict[str, WebSocketHandler], path: str) -> str:
    best = ""
    for prefix in routes:
        if len(prefix) > len(best) and path.startswith(prefix):
            whole = prefix.endswith("/") or len(path) == len(prefix) or path[len(prefix)] == "/"
            if whole:
                best = prefix
    return best
