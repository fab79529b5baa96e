"""Who is calling: Flask's request as the authoriser wants it, and the decision, made once per request. Worker threads."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import current_app, g, request

from gateway.http.access import Access, Decision, Right
from gateway.http.messages import Request
from gateway.http.wsgi_bridge import PROXY_USER
from gateway.web.ports import GatewayPort

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_PORT = re.compile(r"(?::\d{1,5})?")

CREDENTIALS = ("token", "user", "pass")
"""What an address may carry for who can send neither cookie nor header."""

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
    """Flask's request as a value. What a trusted proxy says was taken up before; nothing else is believed."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(
        method=request.method,
        path=request.path,
        query=request.query_string.decode("latin-1"),
        headers=headers,
        client=request.remote_addr or "",
        scheme=request.scheme,
        user=request.environ.get(PROXY_USER, ""),
    )


def decide(right: Right, camera: str = "") -> Decision:
    """May the caller do this, to this camera? Asked once per request; blocks while a password is checked."""
    known: dict[tuple[Right, str], Decision] = g.setdefault("decisions", {})
    if (right, camera) not in known:
        known[right, camera] = access().check_request_sync(plain_request(), right, camera=camera)
    return known[right, camera]


def is_admin() -> bool:
    """Whether the caller is an administrator, as far as is known by now without asking for credentials again."""
    known: dict[tuple[Right, str], Decision] = g.get("decisions", {})
    grants = (decision.grant for decision in known.values() if decision.allowed)
    return any(grant is not None and Right.ADMIN in grant.rights for grant in grants)


def shown(camera_id: str) -> bool:
    """Whether there is such a camera as far as the caller is concerned."""
    grant = decide(Right.VIEW).grant
    return grant is not None and grant.shows(camera_id)


def note(event: str, *, camera: str = "", user: str | None = None, ok: bool = True, **detail: object) -> None:
    """Put what the caller did into the audit log."""
    access().audit.record(event, user or _caller(), request.remote_addr or "", camera=camera, ok=ok, **detail)


def note_going_on(event: str, *, camera: str, again_s: float, **detail: Any) -> None:
    """The same for what is done over and over: its beginning."""
    log = access().audit
    log.going_on(event, _caller(), request.remote_addr or "", camera=camera, again_s=again_s, **detail)


def _caller() -> str:
    known: dict[tuple[Right, str], Decision] = g.get("decisions", {})
    return next((decision.user for decision in known.values() if decision.allowed and decision.user), "")


def host_name() -> str | None:
    """Name or address by which the client reached us, without port; None if its Host header is malformed."""
    host = request.headers.get("Host", "")
    match = _HOST.match(host)
    if match is None or not _PORT.fullmatch(host[match.end() :]):
        return None
    return match.group()


def without_credentials() -> str:
    """The address as asked for, with what stands behind the # left to the browser."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in CREDENTIALS]
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


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
