"""What a request's URI asks for: a mount's path and query, and perhaps one of its tracks. Pure.

Clients build a track's address in three ways from `Content-Base` and `a=control:trackID=1`: by gluing strings (the
track ends up behind a query), by resolving a relative reference (the query is lost), or with a doubled slash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_ABSOLUTE = re.compile(r"(?i)(rtspu?|rtsps)://(?:([^/?#]*)@)?([^/?#@]*)(.*)")
_TRACK = re.compile(r"(.*?)/?trackID=(\d{1,3})/?", re.IGNORECASE)


def control(track_id: int) -> str:
    """The value of `a=control` for a track."""
    return f"trackID={track_id}"


@dataclass(frozen=True, slots=True)
class Target:
    """`path` is decoded, begins with a slash and does not end with one (except the root)."""

    path: str
    query: str = ""
    """As sent, without the question mark."""
    track_id: int | None = None
    """None addresses the whole presentation (aggregate control)."""


def parse_target(uri: str) -> Target:
    """Take a request URI apart. Anything that is not understood is a path, which nobody will have mounted."""
    match = _ABSOLUTE.fullmatch(uri)
    rest = match[4] if match else uri
    track_id = None
    if track := _TRACK.fullmatch(rest):
        rest, track_id = track[1], int(track[2])
    path, _, query = rest.partition("?")
    path = "/" + unquote(path, errors="replace").strip("/")
    return Target(path, query.rstrip("/") if track_id is not None else query, track_id)


def content_base(uri: str) -> str:
    """The base that relative control addresses are meant for: `uri` without credentials, its path ending in a slash."""
    match = _ABSOLUTE.fullmatch(uri)
    scheme_host, rest = (f"{match[1]}://{match[3]}", match[4]) if match else ("", uri)
    path, mark, query = rest.partition("?")
    return f"{scheme_host}{path.rstrip('/')}/{mark}{query}"
