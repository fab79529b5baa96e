"""granian's objects, as far as they are used, and the express lanes that are built on them. Event loop only.

A request normally becomes a `Request` and runs through guard and handler in a task of its own. That is simple and costs some
100 microseconds. A route that thousands of requests per second take may have an express lane beside its handler: a plain
function that knows how the handler answered just now, and gives the same answer without a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

HeaderFields = Sequence[tuple[str, str]]


class Headers(Protocol):
    """Header fields of a request."""

    def items(self) -> list[tuple[str, str]]:
        """All fields; a name is repeated for each of its fields."""

    def get(self, name: str) -> str | None:
        """The first field of that name."""

    def get_all(self, name: str) -> list[str]:
        """All fields of that name."""


class Scope(Protocol):
    """The parts of granian's RSGI scope that are read. Every reading makes a new object."""

    proto: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None

    @property
    def headers(self) -> Headers:
        """The request's header fields."""


class HttpProtocol(Protocol):
    """The parts of granian's RSGI protocol object that are used. Only the first answer to a request counts."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Chunks of the request's body."""

    def client_disconnect(self) -> asyncio.Future[None]:
        """Done when the client has gone."""

    def response_bytes(self, status: int, headers: HeaderFields, body: bytes) -> None:
        """Answer."""

    def response_file(self, status: int, headers: HeaderFields, file: str) -> None:
        """Answer with a file."""

    def response_file_range(self, status: int, headers: HeaderFields, file: str, start: int, end: int) -> None:
        """Answer with a part of a file."""


class Call(Protocol):
    """One request or WebSocket as granian hands it over."""

    scope: Scope
    proto: Any

    def done(self) -> None:
        """All is said; a request that was not answered gets 500."""

    def err(self, error: BaseException) -> None:
        """As `done`, and granian logs the error."""

    def taskref(self, task: asyncio.Task[None]) -> None:
        """Keep the task that serves this call from being collected."""


HandOver = Callable[[Call], None]
"""Lets the normal path answer a call."""


class Lane(Protocol):
    """Answers the requests of a route that it can answer without a task."""

    def offer(self, call: Call, path: str, hand_over: HandOver) -> bool:
        """Whether the lane takes the call: it then answers it, now or later, or hands it over in the end."""

    def release(self) -> None:
        """Hand over every call that waits; the gateway stops."""
