"""Addresses of this machine."""

from __future__ import annotations

import socket
import struct

from gateway.onvif import interfaces
from gateway.onvif.interfaces import Interface


def test_loopback_is_there():
    assert Interface("lo", "127.0.0.1") in interfaces.ipv4()


def test_every_address_can_be_bound():
    for interface in interfaces.ipv4():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((interface.address, 0))


def test_kernel_answer_with_an_alias_and_a_cut_entry():
    def entry(name, address, size):
        return struct.pack("16sHH4s", name, socket.AF_INET, 0, socket.inet_aton(address)).ljust(size, b"\0")

    for size in (32, 40):
        raw = entry(b"eth0", "10.0.0.2", size) + entry(b"eth0:1", "10.0.1.2", size) + b"\0" * 7
        assert interfaces.parse_ifconf(raw, size) == (Interface("eth0", "10.0.0.2"), Interface("eth0:1", "10.0.1.2"))


IF_INET6 = """\
fe80000000000000020c29fffe9b8b4c 02 40 20 80     eth0
fd000000000000000000000000000002 02 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
fe800000000000000000000000000007 03 40 20 c0    wlan0
zz 03 40 20 80 broken
fe80
"""


def test_link_local_addresses_that_are_ready_have_their_zone():
    (found,) = interfaces.parse_if_inet6(IF_INET6)
    assert (found.name, found.address, found.is_ipv6) == ("eth0", "fe80::20c:29ff:fe9b:8b4c%eth0", True)


def test_machine_without_ipv6_has_none(monkeypatch, tmp_path):
    monkeypatch.setattr(interfaces, "_INET6", tmp_path / "missing")
    assert interfaces.ipv6_link_local() == ()
    assert interfaces.every() == interfaces.ipv4()
