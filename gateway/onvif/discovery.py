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
from gateway.onvif.gathering import Gathering
from gateway.onvif.wsdiscovery import Device, Kind

log = logging.getLogger(__name__)

PROBE_TIMES_S = (0.0, 0.3, 0.9)
"""Datagrams get lost: three rounds in about a second, spaced unevenly against periodic Wi-Fi sleep."""
MULTICAST_TTL = 4
"""WS-Discovery says 1; a few hops more reach cameras behind a multicast router, and nothing farther."""
BURST = 32
"""Unicast Probes sent in a row before the loop has its turn: a whole subnet at once would overflow small switches."""
BURST_PAUSE_S = 0.01

Target = tuple[str, int] | tuple[str, int, int, int]
"""A socket address: host and port, for IPv6 also flow and interface number."""
Way = tuple[asyncio.DatagramTransport, list[Target]]
"""A socket and whom it asks."""


class _Gatherer(asyncio.DatagramProtocol):
    """Puts the answers of one socket into the shared result."""

    def __init__(self, found: Gathering, asked: frozenset[str]) -> None:
        self._found = found
        self._asked = asked

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        sender = sender_of(addr)
        message = wsdiscovery.parse(data, sender)
        if message is None or message.kind is not Kind.MATCH:
            return
        # A missing or mangled RelatesTo is common; only an answer to somebody else's Probe is certain not to be ours,
        # and even that names a camera. So it is used either way; `_asked` only tells for the log.
        if message.relates_to and message.relates_to not in self._asked:
            log.debug("discovery: %s answers to an unknown probe", sender)
        for device in message.devices:
            self._found.add(device)

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
    here = interfaces.every()
    found = Gathering(interface.address for interface in here)
    typed, untyped = wsdiscovery.new_message_id(), wsdiscovery.new_message_id()
    probes = (wsdiscovery.probe(typed), wsdiscovery.probe(untyped, typed=False))
    asked = frozenset((typed, untyped))
    ways: list[Way] = []
    end = loop.time() + timeout_s
    try:
        for interface in here if found_on is None else found_on:
            ways += await _open_multicast(interface, group, port, found, asked)
        for family in (socket.AF_INET, socket.AF_INET6):
            ways += await _open_direct(family, unicast, port, found, asked)
        for at in PROBE_TIMES_S:
            await asyncio.sleep(max(0.0, min(at, timeout_s) - (timeout_s - (end - loop.time()))))
            for transport, targets in ways:
                await _send(transport, probes, targets)
        await asyncio.sleep(max(0.0, end - loop.time()))
    finally:
        for transport, _ in ways:
            transport.close()
    return found.cameras()


def sender_of(addr: tuple[str | int, ...]) -> str:
    """The host of a received datagram's address, with its zone if it is link-local IPv6."""
    host = str(addr[0])
    if len(addr) == 4 and "%" not in host and host.lower().startswith("fe80:") and isinstance(addr[3], int) and addr[3]:
        try:
            return f"{host}%{socket.if_indextoname(addr[3])}"  # uvloop leaves the zone out
        except OSError:
            return host
    return host


async def _send(transport: asyncio.DatagramTransport, probes: Sequence[bytes], targets: Sequence[Target]) -> None:
    """Send, or not: a network that is down or a full buffer must not keep the Probe from the other networks."""
    for number, target in enumerate(targets):
        if number and number % BURST == 0:
            await asyncio.sleep(BURST_PAUSE_S)
        for datagram in probes:
            try:
                transport.sendto(datagram, target)
            except OSError as error:
                log.debug("discovery: cannot send to %s: %s", target[0], error)


async def _open_multicast(
    interface: interfaces.Interface, group: str, port: int, found: Gathering, asked: frozenset[str]
) -> list[Way]:
    """A socket that sends on this interface, and where to; none (and a log line) if there can be none."""
    sock = socket.socket(socket.AF_INET6 if interface.is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        target: Target
        if interface.is_ipv6:
            number = socket.if_nametoindex(interface.name)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, MULTICAST_TTL)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, number)
            sock.bind((interface.address.partition("%")[0], 0, 0, number))
            target = (wsdiscovery.GROUP_IPV6, port, 0, number)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, MULTICAST_TTL)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface.address))
            sock.bind((interface.address, 0))
            target = (group, port)
        transport = await _endpoint(sock, found, asked)
    except OSError as error:
        sock.close()
        log.debug("discovery: not on %s (%s): %s", interface.name, interface.address, error)
        return []
    return [(transport, [target])]


async def _open_direct(
    family: socket.AddressFamily, hosts: Sequence[str], port: int, found: Gathering, asked: frozenset[str]
) -> list[Way]:
    """A socket for those of `hosts` that are of this family, if there are any."""
    targets: list[Target] = []
    for host in hosts:
        try:
            # numeric only: a name would block the loop
            info = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        except OSError:
            continue
        targets += [address for *_, address in info if not isinstance(address[0], int)]
    if not targets:
        return []
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind(("", 0))
        transport = await _endpoint(sock, found, asked)
    except OSError as error:
        sock.close()
        log.debug("discovery: cannot ask directly: %s", error)
        return []
    return [(transport, targets)]


async def _endpoint(sock: socket.socket, found: Gathering, asked: frozenset[str]) -> asyncio.DatagramTransport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Gatherer(found, asked), sock=sock)
    return transport
