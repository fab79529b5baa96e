"""What a camera's refusal means to a user. One wording for both RTSP clients. Pure."""

from __future__ import annotations

from gateway.errors import NoSuchPath, ProtocolError, SessionLimit, SourceError, WrongCredentials
from gateway.redact import redact

_GONE = frozenset({404, 410})
_NOT_LIKED = frozenset({400, 405, 406, 415, 451, 454, 455, 456, 457, 459, 460, 501, 505, 551})
"""About how was asked, not about what: another client may ask in a way that this camera likes."""


class NotUnderstood(ProtocolError):
    """Our own client and this camera do not understand each other; libavformat may do better."""


def of_status(status: int, host: str, path: str) -> SourceError:
    """The error for an RTSP status that is no success, of a session at `path`."""
    if status == 401:
        return WrongCredentials(f"{host} refused the user name or password")
    if status == 403:
        return WrongCredentials(f"{host} does not allow this user to watch the stream (RTSP 403)")
    if status in _GONE:
        return NoSuchPath(f"{host} has no stream at {redact(path) or '/'} (RTSP {status})")
    if status in _NOT_LIKED:
        return NotUnderstood(f"{host} does not understand how it is asked (RTSP {status})")
    if status == 429 or status >= 500:
        return too_busy(host)
    return refused(host)


def too_busy(host: str) -> SessionLimit:
    """The camera cannot serve one client more."""
    return SessionLimit(f"{host} serves no further client now (RTSP 5xx): too many viewers, or it is starting")


def refused(host: str) -> SessionLimit:
    """The camera does not want to serve this client, or not in this way."""
    return SessionLimit(f"{host} refuses the session (RTSP 4xx): too many viewers, or this transport is not offered")
