"""A camera that speaks IPv6 only, on a link-local address, as it comes out of its box. Root only."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from child import until
from netns import Host, Lan

from gateway.onvif import interfaces, wsdiscovery
from gateway.onvif.announcements import Announcements
from gateway.onvif.discovery import discover

pytestmark = pytest.mark.e2e

READY_S = 10.0
ANSWER = (
    "<e:Envelope xmlns:e='x' xmlns:d='y'><e:Header><RelatesTo>{relates}</RelatesTo></e:Header><e:Body>"
    "<d:{word}><EndpointReference><Address>urn:uuid:six</Address></EndpointReference>"
    "<Types>dn:NetworkVideoTransmitter</Types><XAddrs>http://[{address}]/onvif/device_service</XAddrs></d:{word}>"
    "</e:Body></e:Envelope>"
)


class SixOnly:
    """Joins ff02::c on its host's interface and answers Probes."""

    def __init__(self, host: Host) -> None:
        self.host = host
        until(lambda: host.inside(interfaces.ipv6_link_local), READY_S, "an IPv6 address that is ready")
        self.address = host.inside(interfaces.ipv6_link_local)[0].address.partition("%")[0]
        self.listener = host.inside(self._open)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def hello(self) -> None:
        """Announce itself."""
        message = ANSWER.format(relates="", word="Hello", address=self.address)
        self.listener.sendto(message.encode(), (wsdiscovery.GROUP_IPV6, wsdiscovery.PORT, 0, self.number))

    def _open(self) -> socket.socket:
        self.number = socket.if_nametoindex("eth0")
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind(("::", wsdiscovery.PORT))
        group = socket.inet_pton(socket.AF_INET6, wsdiscovery.GROUP_IPV6) + struct.pack("@I", self.number)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.number)
        return sock

    def _serve(self) -> None:
        while True:
            data, sender = self.listener.recvfrom(65535)
            if data == b"stop":
                return
            found = re.search(rb"MessageID>([^<]*)<", data)
            if found is not None:
                message = ANSWER.format(relates=found[1].decode(), word="ProbeMatch", address=self.address)
                self.listener.sendto(message.encode(), sender)

    def end(self) -> None:
        """Stop answering."""
        self.listener.sendto(b"stop", ("::1", wsdiscovery.PORT))
        self.thread.join(5)
        self.listener.close()


def ready_interfaces(host: Host) -> set[str]:
    """Those whose IPv6 address has passed duplicate address detection."""
    return {interface.name for interface in host.inside(interfaces.ipv6_link_local)}


@pytest.fixture(scope="module")
def camera(lan: Lan) -> Iterator[SixOnly]:
    """It has an IPv4 address of another network, which helps nobody."""
    host = lan.plug("six", 200)
    host.ip("addr", "flush", "dev", "eth0", "scope", "global")
    one = SixOnly(host)
    until(lambda: "lan0" in ready_interfaces(lan.gateway), READY_S, "the gateway's IPv6 address")
    yield one
    one.end()


def test_camera_without_an_ipv4_address_is_found_with_the_interface_in_its_address(lan: Lan, camera: SixOnly) -> None:
    (device,) = lan.gateway.inside(lambda: asyncio.run(discover(1.5)))
    assert (device.endpoint, device.address) == ("urn:uuid:six", f"{camera.address}%lan0")
    assert device.xaddrs == (f"http://[{camera.address}%lan0]/onvif/device_service",)


def test_hello_over_ipv6_is_heard(lan: Lan, camera: SixOnly) -> None:
    heard = []

    async def listen() -> None:
        done = asyncio.Event()

        def take(message: wsdiscovery.Message, sender: str) -> None:
            heard.append((message.kind, message.devices[0].address, sender))
            done.set()

        ears = Announcements(take)
        await ears.follow(interfaces.every())
        try:
            async with asyncio.timeout(5):
                while not done.is_set():
                    await asyncio.to_thread(camera.host.inside, camera.hello)
                    await asyncio.sleep(0.1)
        finally:
            ears.close()

    lan.gateway.inside(lambda: asyncio.run(listen()))
    assert heard[0] == (wsdiscovery.Kind.HELLO, f"{camera.address}%lan0", f"{camera.address}%lan0")
