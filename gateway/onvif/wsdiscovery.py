"""WS-Discovery messages (April 2005 edition, with WS-Addressing of August 2004, as ONVIF Core section 7 wants them).

Sans-I/O: builds Probe datagrams and reads ProbeMatches, ResolveMatches, Hello and Bye. Any thread. Whatever arrives on
the port (printers, PCs, garbage) is answered with None or a device that is not a camera, never with an exception.
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from gateway.onvif import addresses, neighbours, reader

GROUP = "239.255.255.250"
GROUP_IPV6 = "ff02::c"
"""Of link-local scope, as WS-Discovery 2.4 has it."""
PORT = 3702

VIDEO_TRANSMITTER = "NetworkVideoTransmitter"
_NETWORK_WSDL = "http://www.onvif.org/ver10/network/wsdl"
_SCOPE_PREFIX = "onvif://www.onvif.org/"
MAX_DATAGRAM_BYTES = 65_535
MAX_TEXT = 512
"""Characters kept of any reported name, and number of scopes: enough for all seen, little for a liar."""
MAX_DEVICES_PER_MESSAGE = 64


class Kind(enum.Enum):
    """What a message is."""

    MATCH = "match"
    """Answer to a Probe or a Resolve."""
    HELLO = "hello"
    BYE = "bye"


@dataclass(frozen=True, slots=True)
class Device:
    """One device as it announced itself. `address` is the host (with its port unless 80) most likely to work."""

    endpoint: str
    """Endpoint reference, normally `urn:uuid:...`. Some firmware changes it with every start."""
    address: str
    xaddrs: tuple[str, ...]
    """Device service URLs, best first."""
    types: tuple[str, ...] = ()
    """Local names."""
    scopes: tuple[str, ...] = ()
    name: str = ""
    hardware: str = ""
    location: str = ""

    @property
    def service(self) -> str:
        """The best device service URL, or the bare address: what two announcements of one device have in common."""
        return self.xaddrs[0] if self.xaddrs else self.address

    @property
    def host(self) -> str:
        """The host of `address` alone."""
        return addresses.split(self.address).host

    @property
    def ports(self) -> frozenset[int]:
        """The ports of its services."""
        return frozenset(addresses.split(xaddr).effective_port for xaddr in self.xaddrs)

    @property
    def mac(self) -> str:
        """The hardware address it announces in its scopes (Hikvision, Uniview); empty if it does not."""
        return neighbours.normal(_scope(self.scopes, "mac"))

    @property
    def manufacturer(self) -> str:
        """Who made it, where its scopes tell."""
        return _scope(self.scopes, "manufacturer") or _scope(self.scopes, "mfr")

    @property
    def is_camera(self) -> bool:
        """Whether it looks like an ONVIF device: the Probe without types is answered by printers and PCs too."""
        if VIDEO_TRANSMITTER in self.types or any(scope.startswith(_SCOPE_PREFIX) for scope in self.scopes):
            return True
        return any("/onvif/" in xaddr.lower() for xaddr in self.xaddrs)


@dataclass(frozen=True, slots=True)
class Message:
    """A datagram, understood. `relates_to` is the Probe's message id, empty for Hello and Bye."""

    kind: Kind
    relates_to: str
    devices: tuple[Device, ...]


def new_message_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def probe(message_id: str, *, typed: bool = True) -> bytes:
    """A Probe for network video transmitters, or (`typed=False`) for anything at all.

    On one line: some cameras ignore a pretty-printed Probe (edgexfoundry/device-onvif-camera #134). Some ignore the
    type, some answer only to a Probe without types; so both are sent.
    """
    types = f'<d:Types xmlns:dn="{_NETWORK_WSDL}">dn:{VIDEO_TRANSMITTER}</d:Types>' if typed else "<d:Types/>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">'
        '<s:Header><a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>'
        f"<a:MessageID>{escape(message_id)}</a:MessageID>"
        "<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>"
        '<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>'
        '<s:Body><d:Probe xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">'
        f"{types}</d:Probe></s:Body></s:Envelope>"
    ).encode()


_BODIES = {
    "probematches": (Kind.MATCH, "ProbeMatch"),
    "resolvematches": (Kind.MATCH, "ResolveMatch"),
    "probematch": (Kind.MATCH, ""),
    "hello": (Kind.HELLO, ""),
    "bye": (Kind.BYE, ""),
}


def parse(data: bytes, sender: str | None) -> Message | None:
    """The discovery message in `data`, which came from the IP address `sender`; None if it is something else."""
    if len(data) > MAX_DATAGRAM_BYTES:
        return None
    root = reader.parse(data)
    if root is None:
        return None
    for node in root.walk():
        if node.name.lower() not in _BODIES:
            continue
        kind, item = _BODIES[node.name.lower()]
        items = node.all(item) if item else (node,)
        devices = [_device(entry, sender) for entry in items[:MAX_DEVICES_PER_MESSAGE]]
        relates = root.find("RelatesTo")
        return Message(kind, relates.text[:MAX_TEXT] if relates else "", tuple(d for d in devices if d is not None))
    return None


def _device(node: reader.Node, sender: str | None) -> Device | None:
    """The device in a ProbeMatch, Hello or Bye; None if nothing in it tells which one it is."""
    endpoint = node.text_at("EndpointReference", "Address")[:MAX_TEXT]
    xaddrs = addresses.rank_xaddrs((entry.text for entry in node.all("XAddrs")), sender)
    types = tuple(name.rpartition(":")[2] for name in node.text_at("Types").split())[:MAX_TEXT]
    scopes = tuple(scope[:MAX_TEXT] for scope in node.text_at("Scopes").split())[:MAX_TEXT]
    address = _short(xaddrs[0]) if xaddrs else (sender or "")
    if not endpoint:
        if not address:
            return None
        endpoint = f"address:{address}"  # firmware without an endpoint reference: the address is all there is
    return Device(
        endpoint=endpoint,
        address=address,
        xaddrs=xaddrs,
        types=types,
        scopes=scopes,
        name=_scope(scopes, "name"),
        hardware=_scope(scopes, "hardware"),
        location=_scope(scopes, "location"),
    )


def _short(xaddr: str) -> str:
    """`host`, or `host:port` where the port is not the usual one."""
    address = addresses.split(xaddr)
    if address.scheme == "http" and address.effective_port == 80:
        return address.host
    return addresses.netloc(address.host, address.effective_port)


def _scope(scopes: Sequence[str], category: str) -> str:
    """Value of the first scope of a category, decoded: `onvif://www.onvif.org/name/Front%20Door` is `Front Door`."""
    prefix = f"{_SCOPE_PREFIX}{category}/"
    for scope in scopes:
        if scope.lower().startswith(prefix):
            # `location/city/Berlin`: the sub-category is kept, since the value alone may be just `1`.
            value = unquote_plus(scope[len(prefix) :]).strip("/ ")
            if value:
                return "".join(ch for ch in value if ch.isprintable())
    return ""


def merge(older: Device, newer: Device) -> Device:
    """Two announcements of one device (several interfaces, both Probes) as one: what only one of them told is kept."""
    fuller, other = (newer, older) if len(newer.scopes) >= len(older.scopes) else (older, newer)
    best = older if older.xaddrs else newer
    return replace(
        fuller,
        address=best.address or fuller.address,
        xaddrs=tuple(dict.fromkeys(older.xaddrs + newer.xaddrs)),
        types=tuple(dict.fromkeys(older.types + newer.types)),
        name=fuller.name or other.name,
        hardware=fuller.hardware or other.hardware,
        location=fuller.location or other.location,
    )
