"""Hello and Bye on the loopback interface, on a port of the test's own."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from gateway.onvif import wsdiscovery
from gateway.onvif.announcements import Announcements
from gateway.onvif.interfaces import Interface
from gateway.onvif.wsdiscovery import Kind

LOOPBACK = Interface("lo", "127.0.0.1")


def message(word):
    return (
        f"<e:Envelope xmlns:e='x'><e:Body><d:{word} xmlns:d='y'><EndpointReference><Address>urn:uuid:1</Address>"
        "</EndpointReference><Types>dn:NetworkVideoTransmitter</Types><XAddrs>http://127.0.0.1:8/onvif/d</XAddrs>"
        f"</d:{word}></e:Body></e:Envelope>"
    ).encode()


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        return sock.getsockname()[1]


def multicast(data, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sock.sendto(data, (wsdiscovery.GROUP, port))


def test_hello_and_bye_are_heard_and_probes_and_garbage_are_not():
    port = free_udp_port()
    heard = []

    async def main():
        done = asyncio.Event()

        def take(said, sender):
            heard.append((said.kind, said.devices[0].endpoint, sender))
            if said.kind is Kind.BYE:
                done.set()

        ears = Announcements(take, port=port)
        await ears.follow([LOOPBACK])
        await ears.follow([LOOPBACK])  # every round asks again
        assert ears.listening
        try:
            for data in (wsdiscovery.probe("urn:uuid:p"), b"\xff Hello", message("Hello"), message("Bye")):
                multicast(data, port)
            async with asyncio.timeout(5):
                await done.wait()
        finally:
            ears.close()

    asyncio.run(main())
    assert heard == [(Kind.HELLO, "urn:uuid:1", "127.0.0.1"), (Kind.BYE, "urn:uuid:1", "127.0.0.1")]


def test_probe_sent_directly_to_another_responder_on_this_machine_still_reaches_it():
    """A second socket with SO_REUSEPORT on the wildcard address would get half of them."""

    async def main():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as responder:
            responder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            responder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            responder.bind(("", 0))
            responder.settimeout(5)
            port = responder.getsockname()[1]
            ears = Announcements(lambda said, sender: None, port=port)
            await ears.follow([LOOPBACK])
            assert ears.listening
            try:
                for number in range(20):  # each from another port, which is what the kernel distributes by
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                        sender.sendto(b"%d" % number, ("127.0.0.1", port))
                    assert responder.recvfrom(100)[0] == b"%d" % number
            finally:
                ears.close()

    asyncio.run(main())


@pytest.mark.quirk(9)
def test_port_that_another_responder_does_not_share_is_said_once(caplog):
    async def main():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as greedy:
            greedy.bind(("", 0))
            ears = Announcements(lambda said, sender: None, port=greedy.getsockname()[1])
            for _ in range(3):
                await ears.follow([LOOPBACK])
            assert not ears.listening
            ears.close()

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    assert caplog.text.count("cannot listen for announcements") == 1


def test_interface_without_the_address_is_no_failure():
    async def main():
        ears = Announcements(lambda said, sender: None, port=free_udp_port())
        await ears.follow([Interface("gone0", "203.0.113.99"), Interface("gone0", "fe80::1%gone0")])
        await ears.follow([])
        ears.close()

    asyncio.run(main())


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_sockets_follow_the_interfaces():
    from gateway.onvif import interfaces

    here = interfaces.ipv6_link_local()
    if not here:
        pytest.skip("no interface has a link-local IPv6 address")

    async def main():
        ears = Announcements(lambda said, sender: None, port=free_udp_port())
        await ears.follow(here)
        assert ears.listening
        await ears.follow([])
        assert not ears.listening

    asyncio.run(main())
