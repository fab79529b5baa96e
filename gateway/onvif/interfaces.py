"""The addresses of this machine, one by one, because a Probe has to leave on every network separately.

Linux's SIOCGIFCONF (netdevice(7)) lists every IPv4 address, aliases included, and /proc/net/if_inet6 those of IPv6, without
a third-party package. Any thread; quick, no network traffic.
"""

from __future__ import annotations

import array
import fcntl
import logging
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_SIOCGIFCONF = 0x8912
_SIOCGIFFLAGS = 0x8913
_IFF_UP = 0x1
_NAME_BYTES = 16
_IFREQ_BYTES = 40 if struct.calcsize("P") == 8 else 32
"""sizeof(struct ifreq): the union after the name is 24 bytes on 64-bit machines, 16 on 32-bit (Pi OS)."""
_MAX_ADDRESSES = 256
_INET6 = Path("/proc/thread-self/net/if_inet6")
_LINK_LOCAL_SCOPE = 0x20
_TENTATIVE = 0x40
"""Duplicate address detection still runs: the address cannot be bound yet."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One address of one interface; an IPv6 address with its zone, `fe80::1%eth0`."""

    name: str
    address: str

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.address


def every() -> tuple[Interface, ...]:
    """What discovery sends on: all IPv4 addresses, and the link-local IPv6 address of each interface that has one."""
    return ipv4() + ipv6_link_local()


def ipv6_link_local() -> tuple[Interface, ...]:
    """The link-local IPv6 addresses that are ready; empty on a machine without IPv6."""
    try:
        return parse_if_inet6(_INET6.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return ()


def parse_if_inet6(text: str) -> tuple[Interface, ...]:
    """Link-local addresses in the kernel's list: address, interface number, prefix, scope, flags (all hex), name."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        try:
            packed, scope, flags, name = bytes.fromhex(fields[0]), int(fields[3], 16), int(fields[4], 16), fields[5]
            address = socket.inet_ntop(socket.AF_INET6, packed)
        except (ValueError, IndexError):
            continue
        if scope == _LINK_LOCAL_SCOPE and not flags & _TENTATIVE:
            found.append(Interface(name, f"{address}%{name}"))
    return tuple(found)


def ipv4() -> tuple[Interface, ...]:
    """All IPv4 addresses of interfaces that are up, loopback included (the simulator answers there)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            raw = _list(sock)
        except OSError as error:
            log.warning("discovery: cannot list the network interfaces: %s", error)
            return (Interface("lo", "127.0.0.1"), Interface("default", "0.0.0.0"))
        return tuple(interface for interface in parse_ifconf(raw) if _is_up(sock, interface.name))


def _list(sock: socket.socket) -> bytes:
    buffer = array.array("B", bytes(_IFREQ_BYTES * _MAX_ADDRESSES))
    pointer, length = buffer.buffer_info()
    request = struct.pack("iP", length, pointer)
    used = struct.unpack("iP", fcntl.ioctl(sock.fileno(), _SIOCGIFCONF, request))[0]
    return buffer.tobytes()[:used]


def parse_ifconf(raw: bytes, entry_bytes: int = _IFREQ_BYTES) -> tuple[Interface, ...]:
    """The entries of the kernel's answer: name, then sockaddr_in with the address at its bytes 4 to 8."""
    found = []
    for start in range(0, len(raw) - entry_bytes + 1, entry_bytes):
        name = raw[start : start + _NAME_BYTES].split(b"\0", 1)[0].decode("ascii", errors="replace")
        address = socket.inet_ntoa(raw[start + _NAME_BYTES + 4 : start + _NAME_BYTES + 8])
        found.append(Interface(name, address))
    return tuple(dict.fromkeys(found))


def _is_up(sock: socket.socket, name: str) -> bool:
    try:
        answer = fcntl.ioctl(sock.fileno(), _SIOCGIFFLAGS, struct.pack("16sH14x", name.encode()[:15], 0))
    except OSError:
        return False  # it went away between the two calls
    return bool(struct.unpack_from("H", answer, _NAME_BYTES)[0] & _IFF_UP)
