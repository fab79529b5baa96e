"""Addresses as people type them and as cameras report them, made usable.

Cameras report LAN addresses behind NAT, `0.0.0.0`, no host at all, the port twice, IPv6 without brackets, several
addresses in one element, line breaks and `&amp;` inside. The rule that cures most of it: the host that is known to
work (typed by the user, or the sender of a discovery reply) stays; only path and query are taken from the camera.
Pure; any thread. Nothing here raises on what a camera sends.
"""

from __future__ import annotations

import html
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from gateway.redact import redact

DEVICE_PATH = "/onvif/device_service"
"""Fixed by the ONVIF Core Specification, section 5.1.1; discovery may name another."""
USUAL_PORTS = (80, 8000, 8080, 8899, 2020, 5000, 8999)
"""80 most; 8000 Reolink; 8080 many; 8899 XiongMai; 2020 Tapo; 5000 Hipcam and Uniview; 8999 some doorbells."""
MAX_XADDRS = 16
"""A device reports one to four; the rest of a longer list is not believed."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]+")
_HOST = re.compile(r"[\w.-]+")
_DEFAULT_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
_CREDENTIAL_NAMES = frozenset({"user", "username", "usr", "password", "passwd", "pwd", "pass", "loginuse", "loginpas"})
_NOWHERE = frozenset({"", "0.0.0.0", "::"})
_HIKVISION_PATH = "/streaming/channels/"
_HIKVISION_EXTRAS = frozenset({"transportmode", "profile"})


@dataclass(frozen=True, slots=True)
class Address:
    """A URL in parts; `host` without brackets, `port` None if absent, `tail` is path and query as sent."""

    scheme: str
    host: str
    port: int | None
    tail: str

    @property
    def netloc(self) -> str:
        return netloc(self.host, self.port)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.tail}"

    @property
    def effective_port(self) -> int:
        return self.port or _DEFAULT_PORTS.get(self.scheme, 80)

    @property
    def path(self) -> str:
        return self.tail.partition("?")[0]

    @property
    def query(self) -> str:
        return self.tail.partition("?")[2]


def netloc(host: str, port: int | None) -> str:
    """`host:port`, with brackets around IPv6; without the port if it is None."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def split(text: str, scheme: str = "http") -> Address:
    """`text` in parts, as tolerant as can be; `scheme` is used if it names none. User info is dropped. Never raises."""
    text = _BLANK.sub("", html.unescape(text))
    while match := _SCHEME.match(text):  # `rtsp://rtsp://host` was seen: the last one counts
        scheme, text = match.group(1).lower(), text[match.end() :]
    end = re.search(r"[/?#]", text)
    authority, tail = (text, "") if end is None else (text[: end.start()], text[end.start() :])
    if tail and not tail.startswith("/"):
        tail = "/" + tail
    host, port = _split_authority(authority.rpartition("@")[2])
    tail = quote(tail, safe="/?#[]@!$&'()*+,;=:%~-._", errors="replace")
    return Address(scheme, host, port, tail)


def _split_authority(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        inside, _, rest = authority[1:].partition("]")
        return _plain_ip(inside) or "", _port(rest.lstrip(":"))
    if whole := _plain_ip(authority):
        return whole, None
    head, _, last = authority.rpartition(":")
    if ":" in head and (ip := _plain_ip(head)):
        return ip, _port(last)
    # `192.168.1.106:8106:8106` (Tapo, HA #92603): the first port counts.
    host, *ports = authority.split(":")
    return (host if _HOST.fullmatch(host) else ""), next((p for p in map(_port, ports) if p), None)


def _plain_ip(text: str) -> str | None:
    """The IP address in `text` (IPv4 behind `::ffff:` as IPv4), or None if it is a name."""
    try:
        ip = ipaddress.ip_address(text.replace("%25", "%"))  # RFC 6874 writes the zone of `fe80::1%eth0` so
    except ValueError:
        return None
    mapped = getattr(ip, "ipv4_mapped", None)
    return str(mapped or ip)


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    number = int(text)
    return number if 0 < number < 65536 else None


def parse_target(text: str) -> Address:
    """What a user typed as a camera's address: a name or an IP, with or without scheme, port and path.

    Raises ValueError if there is no host in it, or a scheme that ONVIF does not use.
    """
    address = split(text.strip())
    if address.host in _NOWHERE:
        raise ValueError(f"{redact(text)!r} is not an address")
    if address.scheme not in ("http", "https"):
        raise ValueError(f"{address.scheme}:// is not an ONVIF address; give the camera's IP address or name")
    return address if address.path not in ("", "/") else replace(address, tail="")


def device_services(target: Address, known_xaddrs: Sequence[str] = ()) -> tuple[str, ...]:
    """URLs at which the camera's device service may be, the likeliest first.

    With a port typed by the user only that one is tried. What discovery reported comes first and may name other paths.
    """
    found: list[str] = []
    if target.tail:
        found.append(replace(target, port=target.effective_port).url)
        known_xaddrs = ()
    known = [split(xaddr) for xaddr in known_xaddrs]
    # Discovery may know the camera under another host than the user does (a name, NAT): its paths still hold.
    found += [
        Address(xaddr.scheme, target.host, xaddr.effective_port, xaddr.tail or DEVICE_PATH).url
        for xaddr in sorted(known, key=lambda a: a.host != target.host)
        if target.port in (None, xaddr.effective_port)
    ]
    if target.port is not None:
        found.append(replace(target, tail=target.tail or DEVICE_PATH).url)
    elif not target.tail:
        ports = (443,) if target.scheme == "https" else USUAL_PORTS
        found += [Address(target.scheme, target.host, port, DEVICE_PATH).url for port in ports]
    return tuple(dict.fromkeys(found))


def pin_service(xaddr: str, base: str, *, port_typed: bool) -> str:
    """Where to call a service that the camera says is at `xaddr`: host and scheme of `base`, path of `xaddr`.

    The port of `base` stays too (it may be forwarded by a router), except when the user typed none and the camera
    names its own host with another port.
    """
    known, said = split(base), split(xaddr)
    port = known.port
    if not port_typed and said.port and said.host == known.host and said.scheme == known.scheme:
        port = said.port
    return replace(known, port=port, tail=said.tail or known.tail).url


def clean_stream_uri(uri: str, host: str) -> str | None:
    """A camera's stream URI, usable: host pinned to `host`, no credentials, no line breaks. None if it is no RTSP URI.

    The port is kept as reported. A password that XiongMai cameras put into the *path* cannot be removed: the stream
    does not exist without it.
    """
    address = split(uri, scheme="rtsp")
    if address.scheme not in ("rtsp", "rtsps") or not (address.host or address.tail):
        return None
    query = _without_credentials(address.query)
    names = {part.partition("=")[0].lower() for part in query.split("&") if part}
    if address.path.lower().startswith(_HIKVISION_PATH) and names <= _HIKVISION_EXTRAS:
        query = ""  # Hikvision refuses clients that send its own `?transportmode=unicast&profile=...` (VibeNVR #291)
    return replace(address, host=host, tail=_join(address.path, query)).url


def clean_snapshot_uri(uri: str, base: str, *, port_typed: bool) -> str | None:
    """A camera's snapshot URI, usable; None if it is not HTTP (XiongMai answers with an RTSP URI, HA #66554)."""
    address = split(uri)
    if address.scheme not in ("http", "https") or not address.tail.strip("/"):
        return None
    address = replace(address, tail=_join(address.path, _without_credentials(address.query)))
    return pin_service(address.url, base, port_typed=port_typed)


def _without_credentials(query: str) -> str:
    parts = (part for part in query.split("&") if part.partition("=")[0].lower() not in _CREDENTIAL_NAMES)
    return "&".join(parts)


def _join(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def rank_xaddrs(texts: Iterable[str], sender: str | None) -> tuple[str, ...]:
    """The service addresses of a discovery reply, best first; `sender` is the IP address the reply came from.

    A nowhere host becomes the sender's; the sender's own address is added as a candidate, because sometimes only that
    one works. Link-local addresses come last, plain HTTP before HTTPS.
    """
    said: list[Address] = []
    for text in " ".join(texts).split()[:MAX_XADDRS]:
        address = split(text)
        if address.host in _NOWHERE:
            if sender is None:
                continue
            address = replace(address, host=sender)
        address = replace(address, host=_with_zone(address.host, sender))
        if address.scheme in ("http", "https"):
            said.append(address)
    ranked = [(_rank(address.host, sender), address.scheme == "https", address.url) for address in said]
    if sender is not None and said and all(address.host != sender for address in said):
        model = next((address for address in said if address.scheme == "http"), said[0])
        extra = replace(model, host=sender)
        ranked.append((max(_SENDER, _rank(sender, sender)), extra.scheme == "https", extra.url))
    ranked.sort(key=lambda entry: entry[:2])
    return tuple(dict.fromkeys(url for _, _, url in ranked))


def _with_zone(host: str, sender: str | None) -> str:
    """A link-local IPv6 address means nothing without the interface, which only the receiver knows."""
    zone = (sender or "").partition("%")[2]
    return f"{host}%{zone}" if zone and "%" not in host and host.lower().startswith("fe80:") else host


_SAME_HOST, _SAME_NETWORK, _SENDER, _PRIVATE, _GLOBAL, _LOOPBACK, _LINK_LOCAL = range(7)


def _rank(host: str, sender: str | None) -> int:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return _GLOBAL  # a name: it may resolve, or not
    if ip.is_link_local:
        return _LINK_LOCAL
    if host == sender:
        return _SAME_HOST
    if sender is not None and _same_network(ip, sender):
        return _SAME_NETWORK
    if ip.is_loopback:
        return _LOOPBACK
    return _PRIVATE if ip.is_private else _GLOBAL


def _same_network(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, sender: str) -> bool:
    """Whether both are in one /24 (IPv4) or /64 (IPv6): the reply does not tell its netmask."""
    try:
        other = ipaddress.ip_address(sender)
    except ValueError:
        return False
    if ip.version != other.version:
        return False
    drop = 8 if ip.version == 4 else 64
    return int(ip) >> drop == int(other) >> drop


__all__ = [
    "DEVICE_PATH",
    "USUAL_PORTS",
    "Address",
    "clean_snapshot_uri",
    "clean_stream_uri",
    "device_services",
    "netloc",
    "parse_target",
    "pin_service",
    "rank_xaddrs",
    "split",
]
