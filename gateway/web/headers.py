"""Security headers of pages and API. Pure."""

from __future__ import annotations


def security_headers(host: str | None) -> dict[str, str]:
    """Headers for an answer to a client that reached us under `host` (with port), None if that is malformed.

    Everything comes from this box. `blob:` is what Media Source players feed their video element and hls.js its
    worker; the WebSocket origins are named because older Safari does not count them as 'self'.
    """
    sockets = f" ws://{host} wss://{host}" if host else ""
    policy = (
        "default-src 'self'; "
        "img-src 'self' data: blob:; "
        "media-src 'self' blob:; "
        "worker-src 'self' blob:; "
        f"connect-src 'self'{sockets}; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
