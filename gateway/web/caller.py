"""Who is calling: Flask's request as the authoriser wants it, and the decision, made once per request. Worker threads."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import current_app, g, request

from gateway.http.access import ADMIN, Access, Decision, Right
from gateway.http.messages import Request
from gateway.web.ports import GatewayPort

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_PORT = re.compile(r"(?::\d{1,5})?")

ACCESS_KEY = "gateway.access"
PORT_KEY = "gateway.port"


def access() -> Access:
    """The authoriser of this application."""
    found: Access = current_app.extensions[ACCESS_KEY]
    return found


def port() -> GatewayPort:
    """The running gateway."""
    found: GatewayPort = current_app.extensions[PORT_KEY]
    return found


def plain_request() -> Request:
    """Flask's request as a value. Nothing a proxy says is believed."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(
        method=request.method,
        path=request.path,
        query=request.query_string.decode("latin-1"),
        headers=headers,
        client=request.remote_addr or "",
        scheme=request.scheme,
    )


def decide(right: Right) -> Decision:
    """May the caller do this? Asked once per request and right; blocks while a password is checked."""
    known: dict[Right, Decision] = g.setdefault("decisions", {})
    if right not in known:
        known[right] = access().check_request_sync(plain_request(), right)
    return known[right]


def is_admin() -> bool:
    """Whether the caller is the administrator, as far as is known by now without asking for credentials again."""
    known: dict[Right, Decision] = g.get("decisions", {})
    return any(decision.allowed and decision.user == ADMIN for decision in known.values())


def host_name() -> str | None:
    """Name or address by which the client reached us, without port; None if its Host header is malformed."""
    host = request.headers.get("Host", "")
    match = _HOST.match(host)
    if match is None or not _PORT.fullmatch(host[match.end() :]):
        return None
    return match.group()


def safe_next(target: str | None) -> str:
    """Where to go after the login: a path of ours, `/` for anything that could lead elsewhere."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\", "/login", "/logout")):
        return "/"
    if any(ord(character) < 0x20 or character == "\\" for character in target):
        return "/"  # browsers drop tabs and line feeds, which would turn `/<tab>/host` into `//host`
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else target
