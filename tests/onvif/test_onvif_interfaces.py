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
