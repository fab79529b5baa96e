"""Sends people who open a page over plain HTTP to HTTPS, and nobody else. Worker threads.

Players, scripts and monitors keep what they have: media, API, health and the certificate to install stay on plain HTTP, and so
do `/watch` pages, which other sites frame. A gateway behind a proxy that ends TLS must not send its visitors in a circle: who
names a proxy, or comes from this machine itself, is left alone; and whoever was sent away a moment ago and is back is behind
a proxy that says nothing of itself, so the second time the page is served. A screen without a keyboard came with a token in its
address and could not answer a warning about the certificate; it stays, and so does whoever has a session here.
"""

from __future__ import annotations

import ipaddress

from flask import Response, current_app, make_response, redirect, request

from gateway.web.caller import access, host_name

HTTPS_PORT = "GATEWAY_HTTPS_PORT"
REDIRECT = "GATEWAY_HTTP_REDIRECT"
STAYS = ("/api/", "/hls/", "/live", "/watch/", "/static/", "/healthz", "/readyz", "/metrics", "/gateway-ca.crt")
"""Beginnings of paths that are no pages for people, or must be had before HTTPS works."""
PROXY_HEADERS = ("X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via")
SENT_COOKIE, SENT_S = "gateway_sent_to_https", 5
SCREEN_PARAMETERS = ("token", "kiosk")
USUAL_PORT = 443


def to_https() -> Response | None:
    """Where to send this request, None for one that is served as it is. Flask's `before_request`."""
    port, host = current_app.config.get(HTTPS_PORT), host_name()
    if request.scheme != "http" or port is None or host is None or not current_app.config.get(REDIRECT):
        return None
    if request.method not in ("GET", "HEAD") or request.path.startswith(STAYS):
        return None
    if any(name in request.headers for name in PROXY_HEADERS) or is_here(host) or is_here(request.remote_addr or ""):
        return None
    if SENT_COOKIE in request.cookies or access().session_cookie("http") in request.cookies:
        return None
    if any(name in request.args for name in SCREEN_PARAMETERS):
        return None
    place = host if port == USUAL_PORT else f"{host}:{port}"
    # for now, not for ever: a browser that remembers it could not come back after HTTPS was switched off
    answer = make_response(redirect(f"https://{place}{request.full_path.removesuffix('?')}", 307))
    answer.set_cookie(SENT_COOKIE, "1", max_age=SENT_S, httponly=True, samesite="Lax")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def is_here(host: str) -> bool:
    """Whether a name or address means the machine itself."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
