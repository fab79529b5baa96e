"""Which URL is asked: control URLs of a description (RFC 2326 sections C.1.1 and 14.29), and redirects. Pure."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit, urlunsplit

from gateway.rtsp.message import Headers

_SCHEMES = ("rtsp://", "rtsps://", "rtspu://")


def is_absolute(url: str) -> bool:
    """The text is an RTSP URL."""
    return url.lower().startswith(_SCHEMES)


def _endpoint(url: str) -> str | None:
    """Host of an RTSP URL that can be connected to; None where there is none, or a port that no machine has."""
    try:
        parts = urlsplit(url)
        return parts.hostname if is_absolute(url) and parts.port != 0 else None
    except ValueError:
        return None


def base_url(request_url: str, headers: Headers) -> str:
    """What the control URLs of a DESCRIBE answer are relative to. Cameras send relative bases, or none."""
    for name in ("Content-Base", "Content-Location"):
        value = (headers.get(name) or "").strip()
        if _endpoint(value) is not None:
            return value
    return request_url


def control_url(base: str, control: str) -> str:
    """URL of a media.

    Cameras mean the control text to be appended, behind a query too, and not resolved as RFC 3986 has it: `trackID=1` below
    `rtsp://cam/live` is `rtsp://cam/live/trackID=1`.
    """
    if not control or control == "*":
        return base
    if is_absolute(control):
        return control
    parts = urlsplit(base)
    if control.startswith("/"):
        path = parts.path.rstrip("/")
        if path and control.startswith(path + "/"):
            return urlunsplit((parts.scheme, parts.netloc, control, "", ""))
        control = control.lstrip("/")
    separator = "" if base.endswith("/") or control.startswith("?") else "/"
    return base + separator + control


def aggregate_url(base: str, control: str) -> str:
    """URL of PLAY and TEARDOWN. A relative control of the session is as often wrong as right: then the base is it."""
    return control if is_absolute(control) else base


def redirected(url: str, location: str) -> str | None:
    """Where a redirect leads; None where it must not be followed, because it would leave TLS or lead to no RTSP."""
    try:
        target = urljoin(url.replace("rtsp", "http", 1), location) if not is_absolute(location) else location
    except ValueError:
        return None
    if target.startswith("http"):
        target = target.replace("http", "rtsp", 1)
    if not _endpoint(target):
        return None
    parts = urlsplit(target)
    if urlsplit(url).scheme == "rtsps" and parts.scheme != "rtsps":
        return None
    netloc = parts.netloc.rpartition("@")[2]  # a login that a redirect hands out is not ours
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))


def same_host(one: str, other: str) -> bool:
    """Both URLs lead to one host: a login for one may be sent to the other."""
    return urlsplit(one).hostname == urlsplit(other).hostname
