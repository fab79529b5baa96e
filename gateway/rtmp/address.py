"""Which stream an RTMP client means. Every client cuts `rtmp://HOST/live/front-door?token=x` differently.

FFmpeg leaves the query on the stream name; others put it on the application or only into `tcUrl`; some put the whole path
into the application and send an empty name; Flash-era tools add `_definst_` or a `mp4:` prefix. So application and name are
joined again and cut in one place.

Pure; called from the event loop.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}")
_PREFIX = re.compile(r"(?:mp4|flv|mp3):")
_DEFAULT_INSTANCE = "_definst_"
_MAX_PARAMETERS = 32


@dataclass(frozen=True, slots=True)
class Address:
    """What is asked for. Whatever a peer sent, `app` and `name` are safe to log, to compare and to put into a path."""

    app: str
    """First component of the path; empty if there is none that could be one."""
    name: str
    """The rest; empty if there is none, or if it holds anything but letters, digits, `-`, `_` and single dots."""
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Query parameters, decoded. They hold credentials: never log them."""


def parse_address(app: str, tc_url: str, name: str) -> Address:
    """Join `connect`'s app and tcUrl with the name of `play` or `publish`.

    Of a parameter given several times the one nearest the stream name counts.
    """
    name_path, _, name_query = name.partition("?")
    app_path, _, app_query = app.partition("?")
    url_path, _, url_query = tc_url.partition("?")
    if not app_path.strip("/"):
        app_path = url_path.partition("://")[2].partition("/")[2]
    parts = [part for part in f"{app_path}/{name_path}".split("/") if part and part != _DEFAULT_INSTANCE]
    if len(parts) > 1:
        parts[1:] = [_PREFIX.sub("", "/".join(parts[1:]), count=1)]
    safe = [part if _NAME.fullmatch(part) else "" for part in parts] + ["", ""]
    params: dict[str, str] = {}
    for query in (name_query, app_query, url_query):
        for key, value in _parameters(query):
            params.setdefault(key, value)
    return Address(safe[0], safe[1], params)


def _parameters(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        return []
