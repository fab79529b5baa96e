"""Requests and responses as the native routes see them, free of any server. Event loop only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case; several `cookie` fields (HTTP/2) are joined with `; `."""

    method: str
    path: str
    query: str
    """As sent, without the question mark."""
    headers: Mapping[str, str]
    client: str
    """Address of the peer, without port."""
    scheme: str
    user: str = ""
    """Whom a trusted proxy has logged in (`gateway.access.proxy`); empty: nobody says so."""

    def parameters(self) -> dict[str, str]:
        """Query parameters, decoded; the first of a repeated name counts."""
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            found.setdefault(name, value)
        return found


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with a complete body. A `Path` body is sent as a file without passing through Python."""

    status: int
    body: bytes | Path = b""
    headers: tuple[tuple[str, str], ...] = field(default=())


Handler = Callable[[Request], Awaitable[Response]]
"""A native route. It is cancelled when its client goes away."""
