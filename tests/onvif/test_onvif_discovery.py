"""Discovery over loopback multicast, against a responder that answers from another port."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
import time

import pytest

from gateway.onvif.discovery import discover, sender_of
from gateway.onvif.interfaces import Interface

GROUP = "239.255.255.250"
LOOK_S = 1.5
"""What a responder in this process needs at most on a busy machine."""
LOOPBACK = Interface("lo", "127.0.0.1")
BROKEN = Interface("gone0", "203.0.113.99")


class Responder:
    """Joins the group on 127.0.0.1 and answers Probes like a camera; `silent` Probes are lost first."""

    def __init__(self, endpoint, xaddr="http://0.0.0.0:8080/onvif/device_service", *, lose=0, typed_only=False):
        self.endpoint, self.xaddr, self.lose, self.typed_only = endpoint, xaddr, lose, typed_only
        self.probes = []
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("", 0))
        member = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton("127.0.0.1"))
        self.listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.listener.settimeout(5)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.listener.sendto(b"stop", ("127.0.0.1", self.port))
        self.thread.join(5)
        self.listener.close()

    def _run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            while True:
                data, sender = self.listener.recvfrom(65535)
                if data == b"stop":
                    return
                self.probes.append(data)
                if len(self.probes) <= self.lose:
                    continue
                if self.typed_only and b"NetworkVideoTransmitter" not in data:
                    continue
                relates = re.search(rb"MessageID>([^<]*)<", data).group(1).decode()
                other.sendto(b"\xff\x00 not xml", sender)
                other.sendto(self.answer(relates), sender)

    def answer(self, relates):
        return (
            f"<e:Envelope xmlns:e='x' xmlns:d='y'><e:Header><RelatesTo>{relates}</RelatesTo></e:Header><e:Body>"
            "<d:ProbeMatches><d:ProbeMatch><EndpointReference><Address>"
            f"{self.endpoint}</Address></EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types>"
            "<d:Scopes>onvif://www.onvif.org/name/Gate</d:Scopes>"
            f"<d:XAddrs>{self.xaddr}</d:XAddrs></d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"
        ).encode()


@pytest.mark.quirk(10)
def test_camera_on_loopback_that_answers_from_another_port():
    with Responder("urn:uuid:a", typed_only=True) as responder:
        found = asyncio.run(discover(LOOK_S, found_on=[LOOPBACK], port=responder.port))
    assert [(device.endpoint, device.address, device.name) for device in found] == [("urn:uuid:a", "127.0.0.1:8080", "Gate")]
    assert any(b"<d:Types/>" in data for data in responder.probes), "a Probe without types is sent too"


@pytest.mark.quirk(8)
def test_lost_probe_is_repeated_and_answers_are_one_device():
    with Responder("urn:uuid:b", lose=2) as responder:
        found = asyncio.run(discover(LOOK_S, found_on=[LOOPBACK], port=responder.port))
    assert len(found) == 1
    assert len(responder.probes) >= 4


def test_broken_interface_does_not_stop_the_others():
    with Responder("urn:uuid:c") as responder:
        found = asyncio.run(discover(LOOK_S, found_on=[BROKEN, LOOPBACK], port=responder.port))
    assert len(found) == 1


def test_unicast_probe_where_multicast_does_not_reach():
    with Responder("urn:uuid:d") as responder:
        found = asyncio.run(
            discover(LOOK_S, found_on=[LOOPBACK], unicast=["127.0.0.1"], group="239.255.255.1", port=responder.port)
        )
    assert [device.endpoint for device in found] == ["urn:uuid:d"]


@pytest.mark.quirk(5)
def test_all_interfaces_of_this_machine_and_time_is_kept():
    with Responder("urn:uuid:e") as responder:
        started = time.monotonic()
        found = asyncio.run(discover(LOOK_S, port=responder.port))
        assert LOOK_S * 0.95 < time.monotonic() - started < LOOK_S + 5
    assert "urn:uuid:e" in {device.endpoint for device in found}


def test_no_interface_at_all():
    assert asyncio.run(discover(0.05, found_on=[])) == []


def test_zone_of_a_link_local_sender_is_kept_whatever_the_loop():
    assert sender_of(("fe80::1", 3702, 0, 1)) == "fe80::1%lo"
    assert sender_of(("fe80::1%lo", 3702, 0, 1)) == "fe80::1%lo"
    assert sender_of(("fe80::1", 3702, 0, 99_999)) == "fe80::1"
    assert sender_of(("10.0.0.1", 3702)) == "10.0.0.1"


def test_names_among_unicast_targets_are_left_out_because_they_would_block():
    assert asyncio.run(discover(0.05, found_on=[], unicast=["no.such.name.invalid"])) == []
