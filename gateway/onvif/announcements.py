"""Listens for Hello and Bye, so that a camera is back as soon as it says so and not with the next search. Event loop only.

Port 3702 is everybody's: other responders on this machine (wsdd, our own ONVIF face, a simulator) need it as well. The
sockets are bound to the multicast group itself, so that Probes sent directly to one of those never end here. Where the
port is refused all the same, the searches go on without it.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import socket
import struct
from collections.abc import Callable, Sequence

from gateway.onvif import interfaces, wsdiscovery
from gateway.onvif.discovery import sender_of
from gateway.onvif.wsdiscovery import Kind, Message

log = logging.getLogger(__name__)

Heard = Callable[[Message, str], None]
"""Called with every Hello and Bye, and the IP address it came from."""


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        if b"Hello" not in data and b"Bye" not in data:
            return  # Probes of others arrive here all the time; reading each one's XML would cost more than all else
        sender = sender_of(addr)
        message = wsdiscovery.parse(data, sender)
        if message is not None and message.kind in (Kind.HELLO, Kind.BYE):
            self._heard(message, sender)


class Announcements:
    """The sockets: one for IPv4, one per interface for IPv6."""

    def __init__(self, heard: Heard, *, port: int = wsdiscovery.PORT) -> None:
        self._heard = heard
        self._port = port
        self._transports: dict[str, asyncio.DatagramTransport] = {}
        self._socket: socket.socket | None = None
        self._complained = False

    @property
    def listening(self) -> bool:
        """Whether at least one socket is open."""
        return bool(self._transports)

    async def follow(self, here: Sequence[interfaces.Interface]) -> None:
        """Listen on these interfaces; call it again when they change. Never raises."""
        if any(not interface.is_ipv6 for interface in here):
            await self._follow_ipv4([interface for interface in here if not interface.is_ipv6])
        addresses = {interface.address: interface for interface in here if interface.is_ipv6}
        for address in [known for known in self._transports if known and known not in addresses]:
            self._transports.pop(address).close()
        for address, interface in addresses.items():
            if address not in self._transports:
                await self._open(address, functools.partial(_open_ipv6, interface, self._port))

    def close(self) -> None:
        """Stop listening."""
        for transport in self._transports.values():
            transport.close()
        self._transports.clear()
        self._socket = None

    async def _follow_ipv4(self, here: Sequence[interfaces.Interface]) -> None:
        if "" not in self._transports:
            self._socket = await self._open("", functools.partial(_open_ipv4, self._port))
        if self._socket is not None:
            for interface in here:
                _join(self._socket, interface)

    async def _open(self, key: str, opened: Callable[[], socket.socket]) -> socket.socket | None:
        try:
            sock = opened()
        except OSError as error:
            if not self._complained:
                self._complained = True
                log.info(
                    "discovery: cannot listen for announcements on UDP port %d (%s); cameras are found by searching only",
                    self._port,
                    error.strerror or error,
                )
            return None
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Ear(self._heard), sock=sock)
        self._transports[key] = transport
        return sock


def _open_ipv4(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        _share(sock)
        sock.bind((wsdiscovery.GROUP, port))
    except OSError:
        sock.close()
        raise
    return sock


def _open_ipv6(interface: interfaces.Interface, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        _share(sock)
        number = socket.if_nametoindex(interface.name)
        sock.bind((wsdiscovery.GROUP_IPV6, port, 0, number))
        group = socket.inet_pton(socket.AF_INET6, wsdiscovery.GROUP_IPV6) + struct.pack("@I", number)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    except OSError:
        sock.close()
        raise
    return sock


def _share(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _join(sock: socket.socket, interface: interfaces.Interface) -> None:
    """Join on one interface. Once more on the same one is an error that means nothing."""
    membership = socket.inet_aton(wsdiscovery.GROUP) + socket.inet_aton(interface.address)
    try:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            log.debug("discovery: cannot listen on %s: %s", interface.name, error.strerror)
