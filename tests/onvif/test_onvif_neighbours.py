"""The kernel's table of neighbours, and hardware addresses as people and cameras write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif import neighbours

ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.168.1.7      0x1         0x2         c0:56:e3:01:02:03     *        eth0
192.168.1.8      0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.1.9      0x1         0x6         C0:56:E3:01:02:04     *        eth0
cut
192.168.1.10     0x1         zz          c0:56:e3:01:02:05     *        eth0
"""


def test_only_who_has_answered_is_a_neighbour(monkeypatch, tmp_path):
    table = tmp_path / "arp"
    table.write_text(ARP)
    monkeypatch.setattr(neighbours, "_ARP", table)
    assert neighbours.macs() == {"192.168.1.7": "c0:56:e3:01:02:03", "192.168.1.9": "c0:56:e3:01:02:04"}
    assert neighbours.unanswered() == {"192.168.1.8"}


def test_link_local_address_made_from_the_hardware_address():
    assert neighbours.mac_of("fe80::c256:e3ff:fe01:203%eth0") == "c0:56:e3:01:02:03"
    assert neighbours.from_link_local("fe80::1%eth0") == ""
    assert neighbours.from_link_local("2001:db8::c256:e3ff:fe01:203") == ""
    assert neighbours.from_link_local("camera.lan") == ""


@pytest.mark.parametrize("text", ["c0:56:e3:01:02:03", "C0-56-E3-01-02-03", "c056e3010203", "c056.e301.0203"])
def test_spellings(text):
    assert neighbours.normal(text) == "c0:56:e3:01:02:03"


@pytest.mark.parametrize("text", ["", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "c0:56:e3:01:02", "not a mac addr"])
def test_nobodys_address_is_none(text):
    assert neighbours.normal(text) == ""


def test_no_table_is_no_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(neighbours, "_ARP", tmp_path / "missing")
    assert neighbours.macs() == {}
    assert neighbours.mac_of("192.168.1.7") == ""


@given(st.text())
def test_garbage_never_raises(text):
    neighbours.parse_arp(text)
    neighbours.normal(text)
    neighbours.from_link_local(text)
