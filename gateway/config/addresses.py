"""Hosts, ports and camera URLs as they are written in the file. Pure.

Where the password of an RTSP URL ends
--------------------------------------
Vendors' own manuals print URLs whose password holds `@ : / #` unencoded. What is accepted, in this order:

1. Up to the first `/`, `?` or `#`, the last `@` ends the credentials: `rtsp://admin:p@ss@192.168.1.2/live`.
2. If what stands there is no host, as `admin:pa` in `rtsp://admin:pa/ss#1@192.168.1.2/live`, the password goes on: the
   last `@` that is followed by a host ends it.
3. Where both readings are possible, as in `rtsp://admin:12/3@cam/live`, nothing is guessed: the finding asks for the
   keys `username` and `password`. A host that is an IP address leaves no doubt.

`%40` and the like are decoded in credentials. `${NAME}` is replaced after the URL is cut, so a password from the
environment may hold anything.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.config.secrets import Secret

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_IPV6 = r"\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]"
_HOST_PORT = re.compile(rf"(?P<host>{_IPV6}|[^\[\]:/?#@\s]+)(?::(?P<port>[0-9]{{1,5}}))?")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.ASCII | re.DOTALL)
_PATH_START = re.compile(r"[/?#]")


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where to listen. The host is a name or an address without brackets; port 0 means any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SourceUrl:
    """An RTSP URL without credentials, and the credentials that stood in it."""

    url: str
    username: str | None
    password: Secret | None


@dataclass(frozen=True, slots=True)
class PushUrl:
    """Where to push to. Whoever knows `name` may publish there."""

    tls: bool
    host: str
    """Without brackets."""
    port: int
    app: str
    """Empty if the path has one component only."""
    name: Secret
    username: str | None
    password: Secret | None


def host_port(text: str) -> HostPort:
    """`0.0.0.0:8443`, `[::]:8443`, `box.lan:8080`. ValueError says what is wrong."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or match["port"] is None or not is_host(match["host"]):
        raise ValueError('must be "address:port" in quotes, such as "0.0.0.0:8443" or "[::]:8443", or off')
    port = int(match["port"])
    if port > 65535:
        raise ValueError("a port is at most 65535")
    return HostPort(match["host"].strip("[]"), port)


def device_address(text: str) -> str:
    """Host or host:port of an ONVIF device, IPv6 in brackets. ValueError says what is wrong."""
    scheme = _SCHEME.fullmatch(text)
    if scheme and scheme["scheme"].lower() in ("rtsp", "rtsps"):
        raise ValueError('is an RTSP URL: use the key "rtsp" for it')
    if scheme:
        raise ValueError('must be a host or host:port, without "http://" and path')
    if _is_ip(text) and ":" in text:
        return f"[{text}]"
    if not is_authority(text):
        raise ValueError("must be a host or host:port, such as 192.168.1.20 or camera.lan:8000")
    return text


def is_host(text: str) -> bool:
    """A host name, an IPv4 address, or an IPv6 address in brackets."""
    if text.startswith("["):
        return text.endswith("]") and _is_ip(text[1:-1])
    if re.fullmatch(r"[0-9.]+", text):
        return _is_ip(text)
    return _NAME.fullmatch(text) is not None


def is_authority(text: str) -> bool:
    """host or host:port, as a client would connect to it."""
    match = _HOST_PORT.fullmatch(text)
    return match is not None and is_host(match["host"]) and (match["port"] is None or 0 < int(match["port"]) <= 65535)


def source_url(text: str, expand: Callable[[str], str]) -> SourceUrl:
    """Cut an rtsp or rtsps URL by the rule above. `expand` replaces `${NAME}`. ValueError says what is wrong."""
    if not _SCHEME.match(text):
        text = expand(text)  # the whole URL may come from the environment
    scheme = _scheme(text, ("rtsp", "rtsps"))
    credentials, rest = _cut(scheme["rest"], expand)
    url = f"{scheme['scheme'].lower()}://{expand(rest)}"
    _check_characters(url)
    if credentials is None:
        return SourceUrl(url, None, None)
    name, colon, password = credentials.partition(":")
    if not name:
        raise ValueError('has a password but no user name before the ":"')
    return SourceUrl(url, expand(unquote(name)), Secret(expand(unquote(password))) if colon else None)


def push_url(text: str, expand: Callable[[str], str]) -> PushUrl:
    """Cut an rtmp or rtmps URL to push to; credentials by the rule above. ValueError says what is wrong.

    The last component of the path is the stream's name, as in OBS, and the query belongs to it: both are usually secret.
    They are cut before `${NAME}` is replaced, so a key from the environment may hold a slash.
    """
    if not _SCHEME.match(text):
        text = expand(text)
    scheme = _scheme(text, ("rtmp", "rtmps"))
    credentials, rest = _cut(scheme["rest"], expand)
    end = _end_of_authority(rest, 0)
    match = _HOST_PORT.fullmatch(expand(rest[:end]))
    if match is None:
        raise ValueError("has no valid host after //")
    path, mark, query = rest[end:].partition("?")
    if "/" not in path.strip("/"):
        path = expand(path)
    app, _, name = path.strip("/").rpartition("/")
    app, name = expand(app), expand(name + mark + query)
    for part in (app, name):
        _check_characters(part)
    tls = scheme["scheme"].lower() == "rtmps"
    port = int(match["port"]) if match["port"] else (443 if tls else 1935)
    user, colon, password = (credentials or "").partition(":")
    return PushUrl(
        tls,
        match["host"].strip("[]"),
        port,
        app,
        Secret(name),
        expand(unquote(user)) or None,
        Secret(expand(unquote(password))) if colon else None,
    )


def web_origin(text: str) -> str:
    """A web site as the browsers' policy names it: `https://portal.example:8443`, `https://*.example`, or `*` for all."""
    match = _SCHEME.fullmatch(text)
    if text != "*" and (match is None or match["scheme"] not in ("http", "https") or not _is_site(match["rest"])):
        raise ValueError('must be a site without path, such as "https://portal.example", or "*" for all')
    return text


def network(text: str) -> str:
    """An address or a network: `10.0.0.5`, `192.168.0.0/24`, `fd00::/8`. ValueError says what is wrong."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        proposal = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError('must be an address or a network, such as "10.0.0.5" or "192.168.0.0/24"') from None
    raise ValueError(f'names an address and a network at once: write "{proposal}" for the network')


def web_url(text: str) -> str:
    """An http or https URL. ValueError says what is wrong; it does not repeat the value, which may be secret."""
    match = _SCHEME.fullmatch(text)
    if match is None or match["scheme"].lower() not in ("http", "https"):
        raise ValueError("must start with http:// or https://")
    _check_characters(text)
    authority = match["rest"][: _end_of_authority(match["rest"], 0)]
    if not text.isascii() or not is_authority(authority):
        raise ValueError("has no valid host after //, or characters that must be percent-encoded")
    return f"{match['scheme'].lower()}://{match['rest'].partition('#')[0]}"


def _is_site(authority: str) -> bool:
    return is_authority(authority.removeprefix("*."))


def _scheme(text: str, allowed: tuple[str, str]) -> re.Match[str]:
    match = _SCHEME.fullmatch(text)
    if match is None or match["scheme"].lower() not in allowed:
        raise ValueError(f"must start with {allowed[0]}:// or {allowed[1]}://")
    return match


def _check_characters(url: str) -> None:
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("must not hold spaces or control characters")


def _cut(rest: str, expand: Callable[[str], str]) -> tuple[str | None, str]:
    """(credentials or None, host and path) of what follows `://`."""
    end = _end_of_authority(rest, 0)
    at = rest.rfind("@", 0, end)
    later = [found.start() for found in re.finditer("@", rest) if found.start() >= end]
    later = [position for position in later if _host_after(rest, position, expand) is not None]
    host = _host_after(rest, at, expand)
    if host is None:
        if not later:
            raise ValueError("has no valid host after //")
        at = later[-1]
    elif later and not _is_ip(host):
        raise ValueError(
            'cannot tell where the password ends: give it with the keys "username" and "password"; '
            "an @ of the path is written %40"
        )
    return (rest[:at] if at >= 0 else None), rest[at + 1 :]


def _host_after(rest: str, at: int, expand: Callable[[str], str]) -> str | None:
    authority = expand(rest[at + 1 : _end_of_authority(rest, at + 1)])
    match = _HOST_PORT.fullmatch(authority)
    return match["host"].strip("[]") if match and is_authority(authority) else None


def _end_of_authority(rest: str, start: int) -> int:
    found = _PATH_START.search(rest, start)
    return found.start() if found else len(rest)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
