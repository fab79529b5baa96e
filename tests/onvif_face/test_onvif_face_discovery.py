"""WS-Discovery: cameras are found by what asks for them, on this machine and on the LAN, and by nothing else."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif.face.discovery import DN, GROUP, WSA, WSD, Announced, DiscoveryFace, Responder
from gateway.onvif.face.soap import SOAP, TDS, parse_xml, text_of
from gateway.simulator.onvif_face import identity_of

YARD = Announced(identity_of("Yard"), "0.0.0.0", 8001)
LOCAL = Announced(identity_of("Desk"), "127.0.0.1", 8002)
FIXED = Announced(identity_of("Gate"), "192.0.2.9", 8003)


def message(content: str, message_id: str = "uuid:question") -> bytes:
    return (
        f'<e:Envelope xmlns:e="{SOAP}" xmlns:w="{WSA}" xmlns:d="{WSD}" xmlns:dn="{DN}" xmlns:tds="{TDS}" xmlns:o="urn:other">'
        f"<e:Header><w:MessageID>{message_id}</w:MessageID><w:Action>{WSD}/Probe</w:Action></e:Header>"
        f"<e:Body>{content}</e:Body></e:Envelope>"
    ).encode()


def probe(types: str | None = None, scopes: str | None = None, rule: str = "") -> bytes:
    inner = "" if types is None else f"<d:Types>{types}</d:Types>"
    inner += "" if scopes is None else f"<d:Scopes{rule}>{scopes}</d:Scopes>"
    return message(f"<d:Probe>{inner}</d:Probe>")


def found(datagram: bytes, *cameras: Announced, local: str = "192.0.2.1", prober: str = "192.0.2.50") -> list[str | None]:
    replies = Responder(lambda: cameras or (YARD,), 1).answer(datagram, local, prober)
    return [text_of(parse_xml(reply), "XAddrs") for reply in replies]


def test_a_probe_is_answered_with_the_address_the_prober_reaches_us_by():
    assert found(probe()) == ["http://192.0.2.1:8001/onvif/device_service"]
    assert found(probe(), FIXED) == ["http://192.0.2.9:8003/onvif/device_service"]
    assert found(probe(), YARD, local="127.0.0.1", prober="127.0.0.1") == ["http://127.0.0.1:8001/onvif/device_service"]


def test_cameras_on_loopback_are_found_from_this_machine_only():
    assert found(probe(), LOCAL) == []
    expected = ["http://127.0.0.1:8002/onvif/device_service"]
    assert found(probe(), LOCAL, local="192.0.2.1", prober="192.0.2.1") == expected
    assert found(probe(), LOCAL, local="127.0.0.1", prober="127.0.0.1") == expected


@pytest.mark.parametrize(
    ("types", "answered"),
    [
        ("", True),
        ("dn:NetworkVideoTransmitter", True),
        ("tds:Device", True),
        ("tds:Device dn:NetworkVideoTransmitter", True),
        ("NetworkVideoTransmitter", True),
        ("undeclared:NetworkVideoTransmitter", True),
        ("o:NetworkVideoTransmitter", False),
        ("dn:NetworkVideoDisplay", False),
        ("dn:NetworkVideoTransmitter o:Printer", False),
    ],
)
def test_types_are_matched(types: str, answered: bool):
    assert bool(found(probe(types))) == answered


@pytest.mark.parametrize(
    ("scopes", "rule", "answered"),
    [
        ("", "", True),
        ("onvif://www.onvif.org/name/Yard", "", True),
        ("onvif://www.onvif.org/name", "", True),
        ("onvif://www.onvif.org/", "", True),
        ("onvif://www.onvif.org/na", "", False),
        ("onvif://www.onvif.org/Profile/Streaming onvif://www.onvif.org/name/Gate", "", False),
        ("onvif://www.onvif.org/name", f' MatchBy="{WSD}/strcmp0"', False),
        ("onvif://www.onvif.org/name/Yard", f' MatchBy="{WSD}/strcmp0"', True),
        ("onvif://www.onvif.org/name/Yard", f' MatchBy="{WSD}/ldap"', False),
    ],
)
def test_scopes_are_matched(scopes: str, rule: str, answered: bool):
    assert bool(found(probe(None, scopes, rule))) == answered


def test_replies_relate_to_the_question_and_count_up():
    responder = Responder(lambda: (YARD, FIXED), 7)
    replies = [parse_xml(reply) for reply in responder.answer(probe(), "192.0.2.1", "192.0.2.50")]
    assert [text_of(reply, "RelatesTo") for reply in replies] == ["uuid:question"] * 2
    numbers = [next(reply.iter("{*}AppSequence")).get("MessageNumber") for reply in replies]
    assert numbers == ["1", "2"]
    assert len({text_of(reply, "MessageID") for reply in replies}) == 2
    assert "name/Yard" in (text_of(replies[0], "Scopes") or "")


def test_resolve_is_answered_by_the_one_it_means():
    resolve = message(
        f"<d:Resolve><w:EndpointReference><w:Address>{FIXED.identity.endpoint}</w:Address></w:EndpointReference></d:Resolve>"
    )
    assert found(resolve, YARD, FIXED) == ["http://192.0.2.9:8003/onvif/device_service"]
    assert b"ResolveMatches" in Responder(lambda: (FIXED,)).answer(resolve, "192.0.2.1", "192.0.2.50")[0]
    assert found(resolve, YARD) == []


def test_other_messages_and_our_own_announcements_are_ignored():
    responder = Responder(lambda: (YARD,))
    for datagram in (responder.hello(YARD, "192.0.2.1"), responder.bye(YARD), message(""), probe().replace(b"question", b"")):
        if b"uuid:<" in datagram:
            continue
        assert responder.answer(datagram, "192.0.2.1", "192.0.2.50") == []


@given(st.binary(max_size=300))
def test_any_datagram_is_survived(datagram: bytes):
    assert Responder(lambda: (YARD,)).answer(datagram, "192.0.2.1", "192.0.2.50") == []


class Listener(asyncio.DatagramProtocol):
    """A control point: joins the group on loopback and collects what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.put_nowait(data)

    async def until(self, text: bytes) -> bytes:
        async with asyncio.timeout(5):
            while text not in (data := await self.heard.get()):
                pass
            return data


async def listen(port: int = 0) -> tuple[asyncio.DatagramTransport, Listener, socket.socket]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    loopback = socket.inet_aton("127.0.0.1")
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
    sock.bind(("", port))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + loopback)
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Listener, sock=sock)
    return transport, protocol, sock


def test_over_loopback_multicast_hello_probe_and_bye():
    async def scenario() -> None:
        first = DiscoveryFace(lambda: (), port=0)
        await first.start()  # a second responder on the same port is no obstacle
        transport, listener, _ = await listen(first.port)
        face = DiscoveryFace(lambda: (LOCAL,), port=first.port)
        await face.start()
        hello = await listener.until(b"Hello")
        assert b"http://127.0.0.1:8002/" in hello

        asking, answers, _ = await listen()
        asking.sendto(probe("dn:NetworkVideoTransmitter"), (GROUP, face.port))
        match = await answers.until(b"ProbeMatches")
        assert re.search(rb"http://127\.0\.0\.1:8002/", match)

        await face.stop()
        await listener.until(b":Bye>")
        await face.stop()
        await first.stop()
        for each in (transport, asking):
            each.close()
        await asyncio.sleep(0)

    asyncio.run(scenario())


def test_a_flood_of_probes_is_not_multiplied(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.onvif.face.discovery.MAX_PROBES_PER_S", 3)

    async def scenario() -> None:
        face = DiscoveryFace(lambda: (LOCAL,), port=0)
        await face.start()
        asking, answers, _ = await listen()
        for _ in range(20):
            asking.sendto(probe(), ("127.0.0.1", face.port))
        await answers.until(b"ProbeMatches")
        await asyncio.sleep(0.05)
        assert answers.heard.qsize() <= 5
        await face.stop()
        asking.close()
        await asyncio.sleep(0)

    asyncio.run(scenario())
