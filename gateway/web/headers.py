"""Security headers of pages and API. Pure."""

from __future__ import annotations

from collections.abc import Iterable

HSTS_S = "GATEWAY_HSTS_S"
"""Key of the application's configuration: seconds, 0 is off."""


def keep_to_https(seconds: float) -> dict[str, str]:
    """RFC 6797, for answers over HTTPS. Without `includeSubDomains`: other machines are not ours to decide for."""
    return {"Strict-Transport-Security": f"max-age={seconds:.0f}"} if seconds > 0 else {}


def security_headers(host: str | None, embedders: Iterable[str] = ()) -> dict[str, str]:
    """Headers for an answer to a client that reached us under `host` (with port), None if that is malformed.

    Everything comes from this box. `blob:` is what Media Source players feed their video element and hls.js its
    worker; the WebSocket origins are named because older Safari does not count them as 'self'. `embedders` are further
    origins that may show this page in a frame.
    """
    sockets = f" ws://{host} wss://{host}" if host else ""
    framed_by = " ".join(("'self'", *embedders))
    policy = (
        "default-src 'self'; "
        "img-src 'self' data: blob:; "
        "media-src 'self' blob:; "
        "worker-src 'self' blob:; "
        f"connect-src 'self'{sockets}; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; "
        f"frame-ancestors {framed_by}"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
