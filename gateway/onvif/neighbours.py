"""The hardware address behind an IP address: the one thing about a camera that survives a restart, a new firmware and DHCP.

Endpoint references change with every start on many cameras, serial numbers are told to known users only. The kernel has
learned the hardware address of whoever just answered us on the same network. Behind a router it is unknown. Any thread;
reads one small file of the kernel, sends nothing.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

_ARP = Path("/proc/thread-self/net/arp")
_COMPLETE = 0x2
"""ATF_COM of arp(7): the entry has been answered."""
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_NOBODY = frozenset({"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"})


def mac_of(host: str) -> str:
    """The hardware address of `host` (an IP address, with zone if link-local), as `aa:bb:cc:dd:ee:ff`; empty if unknown."""
    return macs().get(host, "") or from_link_local(host)


def macs() -> dict[str, str]:
    """The hardware address of every IPv4 neighbour that has answered of late."""
    return {host: mac for host, mac in parse_arp(_table()).items() if mac}


def unanswered() -> frozenset[str]:
    """The IPv4 addresses of this machine's own networks that were asked for of late, and that nobody has."""
    return frozenset(host for host, mac in parse_arp(_table()).items() if not mac)


def _table() -> str:
    try:
        return _ARP.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def parse_arp(text: str) -> dict[str, str]:
    """The kernel's table: IP address, hardware type, flags, hardware address, mask, device; under a heading.

    Hardware address by IP address; empty where nobody has answered.
    """
    found = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 4:
            continue
        try:
            complete = int(fields[2], 16) & _COMPLETE
        except ValueError:
            continue
        found[fields[0]] = normal(fields[3]) if complete else ""
    return found


def from_link_local(host: str) -> str:
    """The hardware address in a link-local IPv6 address made from it (RFC 4291, appendix A); empty if it is not."""
    try:
        packed = ipaddress.IPv6Address(host.partition("%")[0]).packed
    except ValueError:
        return ""
    if packed[:2] != b"\xfe\x80" or packed[11:13] != b"\xff\xfe":
        return ""
    octets = bytes([packed[8] ^ 2]) + packed[9:11] + packed[13:]
    return octets.hex(":")


def normal(text: str) -> str:
    """`AA-BB-CC-DD-EE-FF` or `aabbccddeeff` as `aa:bb:cc:dd:ee:ff`; empty if it is none, or nobody's."""
    digits = re.sub(r"[:.\s-]", "", text.lower())
    mac = ":".join(digits[at : at + 2] for at in range(0, 12, 2)) if len(digits) == 12 else ""
    return mac if _MAC.fullmatch(mac) and mac not in _NOBODY else ""
