"""Names and addresses for the certificate."""

from __future__ import annotations

import ipaddress
import struct

from hypothesis import given
from hypothesis import strategies as st

from gateway.http import addresses
from gateway.http.addresses import box_names, host_names, parse_addresses


def new_address(packed: bytes, flags: int = 0) -> bytes:
    body = struct.pack("=BBBBI", 2, 24, flags & 0xFF, 0, 1)
    body += struct.pack("=HH", 4 + len(packed), 1) + packed
    body += struct.pack("=HHI", 8, 8, flags)
    return struct.pack("=IHHII", 16 + len(body), 20, 2, 1, 0) + body


DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def test_addresses_are_read_from_the_kernel_s_answer():
    answer = new_address(packed("192.168.1.5")) + new_address(packed("fd00::2")) + DONE
    found, done = parse_addresses(answer)
    assert [str(address) for address in found] == ["192.168.1.5", "fd00::2"]
    assert done


def test_an_answer_may_come_in_several_datagrams():
    found, done = parse_addresses(new_address(packed("10.0.0.1")))
    assert (len(found), done) == (1, False)


def test_addresses_nobody_can_type_or_that_change_daily_are_left_out():
    temporary, deprecated = 0x01, 0x20
    answer = new_address(packed("fe80::1"))
    answer += new_address(packed("2001:db8::1"), temporary) + new_address(packed("2001:db8::2"), deprecated)
    assert parse_addresses(answer + DONE) == ([], True)


def test_a_second_ipv4_address_of_an_interface_is_not_a_temporary_one():
    secondary = 0x01
    assert len(parse_addresses(new_address(packed("10.0.0.2"), secondary))[0]) == 1


@given(st.binary(max_size=300))
def test_no_answer_breaks_or_blocks_the_parser(answer: bytes):
    parse_addresses(answer)
    parse_addresses(struct.pack("=IHHII", 16 + len(answer), 20, 2, 1, 0) + answer)


def test_host_names_cover_mdns_and_skip_what_is_no_dns_name():
    assert host_names("Box.lan") == ("box", "box.lan", "box.local", "localhost")
    assert host_names("my_box") == ("localhost",)
    assert host_names("") == ("localhost",)


def test_this_machine_has_addresses_even_without_netlink(monkeypatch):
    names = box_names()
    assert {"127.0.0.1", "::1"} <= {str(address) for address in names.addresses}

    def refused() -> set[addresses.IPAddress]:
        raise PermissionError("address family not allowed")

    monkeypatch.setattr(addresses, "_from_kernel", refused)
    assert "127.0.0.1" in {str(address) for address in box_names().addresses}
