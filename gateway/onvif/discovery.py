"""Sends Probes on every interface and gathers the answers. Runs on the event loop; nothing in it blocks.

One socket per interface address on an ephemeral port: port 3702 may belong to another responder on this machine, and a
single socket would send on one interface only. Sockets are never connected, because some cameras answer from another
port than the one that was asked.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence

from gateway.onvif import interfaces, wsdiscovery
from gateway.onvif.wsdiscovery import Device, Kind

log = logging.getLogger(__name__)

PROBE_TIMES_S = (0.0, 0.3, 0.9)
"""Datagrams get lost: three rounds in about a second, spaced unevenly against periodic Wi-Fi sleep."""
MULTICAST_TTL = 4
"""WS-Discovery says 1; a few hops more reach cameras behind a multicast router, and nothing farther."""
MAX_DEVICES = 1024


class _Gatherer(asyncio.DatagramProtocol):
    """Puts the answers of one socket into the shared result."""

    def __init__(self, found: dict[str, Device], asked: frozenset[str]) -> None:
        self._found = found
        self._asked = asked

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        message = wsdiscovery.parse(data, str(addr[0]))
        if message is None or message.kind is not Kind.MATCH:
            return
        # A missing or mangled RelatesTo is common; only an answer to somebody else's Probe is certain not to be ours,
        # and even that names a camera. So it is used either way; `_asked` only tells for the log.
        if message.relates_to and message.relates_to not in self._asked:
            log.debug("discovery: %s answers to an unknown probe", addr[0])
        for device in message.devices:
            known = self._found.get(device.endpoint)
            if known is not None:
                self._found[device.endpoint] = wsdiscovery.merge(known, device)
            elif len(self._found) < MAX_DEVICES:
                self._found[device.endpoint] = device

    def error_received(self, exc: Exception) -> None:
        log.debug("discovery: %s", exc)  # port unreachable from a unicast target, for example


async def discover(
    timeout_s: float = 2.5,
    *,
    found_on: Sequence[interfaces.Interface] | None = None,
    unicast: Sequence[str] = (),
    group: str = wsdiscovery.GROUP,
    port: int = wsdiscovery.PORT,
) -> list[Device]:
    """The ONVIF devices that answer within `timeout_s` seconds, by address.

    `found_on` limits it to some interfaces; `unicast` are IP addresses to be asked directly, for networks that
    multicast does not reach (a container's bridge, another VLAN). An interface that fails does not stop the others.
    """
    loop = asyncio.get_running_loop()
    found: dict[str, Device] = {}
    typed, untyped = wsdiscovery.new_message_id(), wsdiscovery.new_message_id()
    probes = (wsdiscovery.probe(typed), wsdiscovery.probe(untyped, typed=False))
    asked = frozenset((typed, untyped))
    targets = [(group, port), *((host, port) for host in unicast)]
    transports: list[asyncio.DatagramTransport] = []
    end = loop.time() + timeout_s
    try:
        for interface in interfaces.ipv4() if found_on is None else found_on:
            transport = await _open(interface, found, asked)
            if transport is not None:
                transports.append(transport)
        for at in PROBE_TIMES_S:
            await asyncio.sleep(max(0.0, min(at, timeout_s) - (timeout_s - (end - loop.time()))))
            for transport in transports:
                for datagram in probes:
                    for target in targets:
                        _send(transport, datagram, target)
        await asyncio.sleep(max(0.0, end - loop.time()))
    finally:
        for transport in transports:
            transport.close()
    return sorted(_cameras(found), key=lambda device: _order(device.address))


def _send(transport: asyncio.DatagramTransport, datagram: bytes, target: tuple[str, int]) -> None:
    """Send, or not: a network that is down or a full buffer must not keep the Probe from the other networks."""
    try:
        transport.sendto(datagram, target)
    except OSError as error:
        log.debug("discovery: cannot send to %s: %s", target[0], error)


async def _open(
    interface: interfaces.Interface, found: dict[str, Device], asked: frozenset[str]
) -> asyncio.DatagramTransport | None:
    """A socket that sends on this interface; None (and a log line) if there can be none."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, MULTICAST_TTL)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface.address))
        sock.bind((interface.address, 0))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Gatherer(found, asked), sock=sock)
    except OSError as error:
        sock.close()
        log.debug("discovery: not on %s (%s): %s", interface.name, interface.address, error)
        return None
    return transport


def _cameras(found: dict[str, Device]) -> list[Device]:
    """The cameras among what answered, one per service: some firmware answers the two Probes with two endpoints."""
    by_service: dict[str, Device] = {}
    for device in found.values():
        if not device.is_camera:
            continue
        known = by_service.get(device.service)
        by_service[device.service] = device if known is None else wsdiscovery.merge(known, device)
    return list(by_service.values())


def _order(address: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts 192.168.1.9 before 192.168.1.10."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in address.replace(":", ".").split("."))
