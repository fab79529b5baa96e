"""WS-Discovery as a device does it: announces itself, answers Probe and Resolve, says goodbye. Event loop only.

`Responder` is pure: datagrams in, datagrams out. `DiscoveryFace` is the shell: one UDP socket on port 3702 for all devices
of a process, shared with whatever else answers there.

Specification: WS-Discovery (April 2005) as profiled by ONVIF Core section 7.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from gateway.errors import ListenError
from gateway.onvif import interfaces
from gateway.onvif.face.device import DEVICE_PATH
from gateway.onvif.face.identity import DeviceIdentity
from gateway.onvif.face.soap import SOAP, TDS, Element, local_name, parse_xml, text_of

log = logging.getLogger(__name__)

GROUP = "239.255.255.250"
PORT = 3702
WSD = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DN = "http://www.onvif.org/ver10/network/wsdl"
ANONYMOUS = f"{WSA}/role/anonymous"
EVERYONE = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
OUR_TYPES = frozenset({(DN, "NetworkVideoTransmitter"), (TDS, "Device")})
_TYPES = "dn:NetworkVideoTransmitter tds:Device"
SCOPE_RULES = f"{WSD}/rfc3986"
SCOPE_EQUAL = f"{WSD}/strcmp0"

MAX_PROBES_PER_S = 100
"""An answer is several times the size of a question: nobody shall use us to flood a third party."""
MULTICAST_TTL = 1
"""Discovery stays on the link."""
REJOIN_INTERVAL_S = 30.0
"""Wi-Fi comes up after us, and DHCP changes addresses."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A device that can be found. `host` is the address it listens on; an unspecified one means all."""

    identity: DeviceIdentity
    host: str
    http_port: int


class Responder:
    """Answers for the devices that `devices` gives at that moment."""

    def __init__(self, devices: Callable[[], Iterable[Announced]], instance: int | None = None) -> None:
        """`instance` is AppSequence's InstanceId: grows with every start (default: Unix seconds)."""
        self._devices = devices
        self._instance = int(time.time()) if instance is None else instance
        self._message = 0

    def answer(self, datagram: bytes, local: str, prober: str) -> list[bytes]:
        """Replies to one datagram from `prober`, which reaches us at `local`. Anything not for us gives no reply."""
        try:
            root = parse_xml(datagram)
        except ValueError:
            return []
        header, body = root.find("{*}Header"), root.find("{*}Body")
        question = None if body is None else next(iter(body), None)
        message_id = None if header is None else text_of(header, "MessageID")
        if question is None or not message_id:
            return []
        kind = local_name(question)
        if kind == "Probe":
            found = [device for device in self._visible(local, prober) if _matches(question, device.identity)]
            return [self._reply("ProbeMatches", "ProbeMatch", message_id, device, local) for device in found]
        if kind == "Resolve":
            wanted = text_of(question, "Address")
            found = [device for device in self._visible(local, prober) if device.identity.endpoint == wanted]
            return [self._reply("ResolveMatches", "ResolveMatch", message_id, device, local) for device in found]
        return []

    def hello(self, device: Announced, local: str) -> bytes:
        """The announcement of a device to those who reach us at `local`."""
        return self._envelope("Hello", EVERYONE, None, f"<d:Hello>{_description(device, local)}</d:Hello>")

    def bye(self, device: Announced) -> bytes:
        """The goodbye of a device."""
        return self._envelope("Bye", EVERYONE, None, f"<d:Bye>{_reference(device)}</d:Bye>")

    def _visible(self, local: str, prober: str) -> list[Announced]:
        """Devices that listen on loopback only exist for probers on this machine."""
        here = local == prober or prober.startswith("127.")
        return [device for device in self._devices() if here or not device.host.startswith("127.")]

    def _reply(self, action: str, match: str, relates_to: str, device: Announced, local: str) -> bytes:
        content = f"<d:{action}><d:{match}>{_description(device, local)}</d:{match}></d:{action}>"
        return self._envelope(action, ANONYMOUS, relates_to, content)

    def _envelope(self, action: str, to: str, relates_to: str | None, content: str) -> bytes:
        self._message += 1
        relation = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}" xmlns:d="{WSD}" '
            f'xmlns:dn="{DN}" xmlns:tds="{TDS}"><s:Header><a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID>{relation}'
            f"<a:To>{to}</a:To><a:Action>{WSD}/{action}</a:Action>"
            f'<d:AppSequence InstanceId="{self._instance}" MessageNumber="{self._message}"/></s:Header>'
            f"<s:Body>{content}</s:Body></s:Envelope>"
        ).encode()


class DiscoveryFace:
    """The responder on the network."""

    def __init__(self, devices: Callable[[], Iterable[Announced]], *, port: int = PORT) -> None:
        self._devices = devices
        self.port = port
        """UDP port; 0 becomes the one the system picked once started."""
        self._responder = Responder(devices)
        self._transport: asyncio.DatagramTransport | None = None
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._second = 0
        self._answered = 0

    async def start(self) -> None:
        """Join the group on every interface, loopback included, and announce all devices. Raises ListenError."""
        try:
            sock = _open_socket(self.port)
        except OSError as error:
            raise ListenError(f"WS-Discovery: cannot listen on UDP port {self.port}: {error.strerror}") from error
        self._socket = sock
        self.port = sock.getsockname()[1]
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Protocol(self._received), sock=sock
        )
        self._rejoin(sock)
        for device in self._devices():
            self.announce(device)

    def announce(self, device: Announced) -> None:
        """Send a Hello on every interface where the device can be reached."""
        for interface in interfaces.ipv4():
            if interface.address.startswith("127.") or not device.host.startswith("127."):
                self._multicast(self._responder.hello(device, interface.address), interface.address)

    def dismiss(self, device: Announced) -> None:
        """Send a Bye."""
        farewell = self._responder.bye(device)
        for interface in interfaces.ipv4():
            self._multicast(farewell, interface.address)

    async def stop(self) -> None:
        """Say goodbye for all devices and close. Harmless if not started."""
        if self._transport is None:
            return
        for device in self._devices():
            self.dismiss(device)
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()
        self._transport = self._socket = None

    def _received(self, datagram: bytes, address: tuple[str, int]) -> None:
        now = int(time.monotonic())
        if now != self._second:
            self._second, self._answered = now, 0
        if self._answered >= MAX_PROBES_PER_S or self._transport is None:
            return
        self._answered += 1
        local = _local_address_towards(address[0])
        if local is None:
            return
        for reply in self._responder.answer(datagram, local, address[0]):
            self._transport.sendto(reply, address)

    def _rejoin(self, sock: socket.socket) -> None:
        _join(sock)
        self._timer = asyncio.get_running_loop().call_later(REJOIN_INTERVAL_S, self._rejoin, sock)

    def _multicast(self, message: bytes, address: str) -> None:
        """Not through the transport: the outgoing interface belongs to the socket, and a queued send would miss it."""
        if self._socket is None:
            return
        try:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            self._socket.sendto(message, (GROUP, self.port))
        except OSError as error:
            log.debug("ws-discovery: %s takes no multicast: %s", address, error.strerror)


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._on_datagram = received

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._on_datagram(data, addr)


def _description(device: Announced, local: str) -> str:
    host = local if device.host in ("", "0.0.0.0", "::") else device.host
    return (
        f"{_reference(device)}<d:Types>{_TYPES}</d:Types><d:Scopes>{' '.join(device.identity.scopes)}</d:Scopes>"
        f"<d:XAddrs>http://{host}:{device.http_port}{DEVICE_PATH}</d:XAddrs>"
        "<d:MetadataVersion>1</d:MetadataVersion>"
    )


def _reference(device: Announced) -> str:
    return f"<a:EndpointReference><a:Address>{device.identity.endpoint}</a:Address></a:EndpointReference>"


def _matches(probe: Element, identity: DeviceIdentity) -> bool:
    return _types_match(probe) and _scopes_match(probe, identity.scopes)


def _types_match(probe: Element) -> bool:
    """All types asked for are ours. Prefixes are resolved where the document declares them."""
    element = next(probe.iter("{*}Types"), None)
    if element is None:
        return True
    for name in (element.text or "").split():
        prefix, _, local = name.rpartition(":")
        namespace = element.nsmap.get(prefix or None)
        if not any(local == ours and namespace in (None, space) for space, ours in OUR_TYPES):
            return False
    return True


def _scopes_match(probe: Element, scopes: tuple[str, ...]) -> bool:
    """WS-Discovery section 5.1: by default a scope matches what begins with the same whole segments."""
    element = next(probe.iter("{*}Scopes"), None)
    if element is None:
        return True
    rule = element.get("MatchBy", SCOPE_RULES)
    if rule not in (SCOPE_RULES, SCOPE_EQUAL):
        return False
    for wanted in (element.text or "").split():
        if rule == SCOPE_EQUAL:
            found = wanted in scopes
        else:
            prefix = wanted.rstrip("/").lower()
            found = any(scope.lower() == prefix or scope.lower().startswith(prefix + "/") for scope in scopes)
        if not found:
            return False
    return True


def _open_socket(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # Several responders live on one machine (the gateway's own, wsdd, a second simulator): multicast reaches them all.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("", port))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, MULTICAST_TTL)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    except OSError:
        sock.close()
        raise
    return sock


def _join(sock: socket.socket) -> None:
    """Join the group on every interface. Once more on the same one is an error that means nothing."""
    for interface in interfaces.ipv4():
        membership = socket.inet_aton(GROUP) + socket.inet_aton(interface.address)
        try:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                log.debug("ws-discovery: cannot join on %s: %s", interface.name, error.strerror)


def _local_address_towards(peer: str) -> str | None:
    """Our address on the route to `peer`; None if there is no route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((peer, 9))
        except OSError:
            return None
        address: str = sock.getsockname()[0]
        return address
