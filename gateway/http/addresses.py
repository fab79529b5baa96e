"""The names and addresses people may type to reach this box; they go into its certificate.

Asks the kernel over rtnetlink (`RTM_GETADDR`, rtnetlink(7)), because looking up one's own host name often gives only
127.0.1.1. Called at start and hourly from a worker thread.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

log = logging.getLogger(__name__)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

ANSWER_TIMEOUT_S = 2.0
"""The kernel answers within microseconds; this only bounds a defect."""

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_NLM_F_REQUEST_DUMP = 0x1 | 0x300
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_TEMPORARY, _IFA_F_DEPRECATED = 0x01, 0x20
_HEADER = struct.Struct("=IHHII")
_IFADDRMSG = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")


@dataclass(frozen=True, slots=True)
class BoxNames:
    """What the certificate must cover. Both are sorted."""

    names: tuple[str, ...]
    addresses: tuple[IPAddress, ...]


def box_names() -> BoxNames:
    """Names and addresses of this machine now. Never raises: what cannot be found out is left out."""
    addresses: set[IPAddress] = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
    try:
        addresses.update(_from_kernel())
    except OSError as error:
        log.warning("local addresses unknown to the certificate: netlink says %s", error)
        addresses.update(_from_resolver())
    ordered = sorted(addresses, key=lambda address: (address.version, int(address)))
    return BoxNames(host_names(socket.gethostname()), tuple(ordered))


def host_names(hostname: str) -> tuple[str, ...]:
    """`localhost`, the host name, its short form and its mDNS form, as far as they are valid DNS names."""
    names = {"localhost"}
    hostname = hostname.strip(".").lower()
    if hostname and all(_LABEL.fullmatch(label) for label in hostname.split(".")):
        short = hostname.split(".")[0]
        names |= {hostname, short, f"{short}.local"}
    return tuple(sorted(names))


def parse_addresses(answer: bytes) -> tuple[list[IPAddress], bool]:
    """Usable addresses in a datagram of the kernel's answer, and whether it was the last one.

    Left out: link-local addresses (browsers cannot open them), and IPv6 privacy addresses, which change daily and
    would make a new certificate every day.
    """
    found: list[IPAddress] = []
    offset = 0
    while offset + _HEADER.size <= len(answer):
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(answer, offset)
        if kind in (_NLMSG_DONE, _NLMSG_ERROR) or length < _HEADER.size:
            return found, True
        if kind == _RTM_NEWADDR:
            address = _parse_address(answer[offset + _HEADER.size : offset + length])
            if address is not None and not address.is_link_local and not address.is_multicast:
                found.append(address)
        offset += (length + 3) & ~3
    return found, offset == 0


def _parse_address(message: bytes) -> IPAddress | None:
    if len(message) < _IFADDRMSG.size:
        return None
    _family, _prefix, flags, _scope, _index = _IFADDRMSG.unpack_from(message)
    packed = b""
    for kind, value in _attributes(message[_IFADDRMSG.size :]):
        if kind == _IFA_LOCAL or (kind == _IFA_ADDRESS and not packed):
            packed = value
        elif kind == _IFA_FLAGS and len(value) == 4:
            flags = int(struct.unpack("=I", value)[0])
    if flags & (_IFA_F_TEMPORARY | _IFA_F_DEPRECATED) and len(packed) == 16:
        return None
    return ipaddress.ip_address(packed) if len(packed) in (4, 16) else None


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3


def _from_kernel() -> set[IPAddress]:
    found: set[IPAddress] = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.settimeout(ANSWER_TIMEOUT_S)
        request = _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        netlink.send(_HEADER.pack(_HEADER.size + len(request), _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0) + request)
        done = False
        while not done:
            addresses, done = parse_addresses(netlink.recv(65536))
            found.update(addresses)
    return found


def _from_resolver() -> set[IPAddress]:
    try:
        answers = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return set()
    return {ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers}
