"""SOAP 1.2 envelopes of ONVIF devices: reading calls, writing answers and faults. Pure; bytes from the network come in here.

Names are matched by namespace and local name (ONVIF Core specification 5.4; SOAP 1.2 part 1). Nothing outside the
document is ever loaded, and documents that define entities are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from lxml import etree  # type: ignore[import-untyped]  # ships no types

MAX_BODY_BYTES = 64 * 1024
"""Calls are one or two kilobytes."""
CREATED_WINDOW_S = 60.0
"""Cameras refuse tokens made minutes ago, so that an overheard one is worthless; some allow only 5 s."""
MAX_NONCES = 4096
"""Over a minute of 60 calls a second; the oldest are forgotten first."""

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
TER = "http://www.onvif.org/ver10/error"
TT = "http://www.onvif.org/ver10/schema"
TDS = "http://www.onvif.org/ver10/device/wsdl"
TRT = "http://www.onvif.org/ver10/media/wsdl"
TR2 = "http://www.onvif.org/ver20/media/wsdl"
TPTZ = "http://www.onvif.org/ver20/ptz/wsdl"
TEV = "http://www.onvif.org/ver10/events/wsdl"

Element: TypeAlias = Any
"""An XML element: lxml ships no types."""

_NAMESPACES = f'xmlns:s="{SOAP}" xmlns:ter="{TER}" xmlns:tt="{TT}" xmlns:tds="{TDS}" xmlns:trt="{TRT}" xmlns:tr2="{TR2}"'


class SoapFault(Exception):
    """An answer that is a fault. `subcodes` are local names in ONVIF's error namespace, outermost first."""

    def __init__(self, reason: str, *subcodes: str, sender: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.subcodes = subcodes
        self.sender = sender

    @property
    def status(self) -> int:
        """HTTP status that goes with it (SOAP 1.2 part 2, section 7.5.2.2)."""
        return 400 if self.sender else 500


@dataclass(frozen=True, slots=True)
class UsernameToken:
    """WS-Security UsernameToken. `digest` tells whether `password` is a PasswordDigest or the password itself."""

    username: str
    password: str
    digest: bool
    nonce: str
    created: str


@dataclass(frozen=True, slots=True)
class Call:
    """One operation with its arguments."""

    namespace: str
    operation: str
    element: Element
    token: UsernameToken | None

    def text(self, name: str) -> str | None:
        """Stripped text of the first descendant called `name`, whatever its namespace; None if there is none."""
        return text_of(self.element, name)

    def texts(self, name: str) -> list[str]:
        """Stripped texts of all descendants called `name`."""
        return [(found.text or "").strip() for found in self.element.iter(f"{{*}}{name}")]


def parse_xml(data: bytes) -> Element:
    """Root of a small, self-contained document. Raises ValueError for anything else."""
    if len(data) > MAX_BODY_BYTES:
        raise ValueError("document too large")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ValueError("not well-formed XML") from error
    if root is None or root.getroottree().docinfo.doctype:
        raise ValueError("document type declarations are not accepted")
    return root


def local_name(element: Element) -> str:
    """Name without namespace."""
    return str(etree.QName(element).localname)


def text_of(element: Element, name: str) -> str | None:
    """Stripped text of the first descendant called `name`; None if there is none."""
    found = next(element.iter(f"{{*}}{name}"), None)
    return None if found is None else (found.text or "").strip()


def parse_call(body: bytes) -> Call:
    """Read a request envelope. Raises SoapFault."""
    try:
        root = parse_xml(body)
    except ValueError as error:
        raise SoapFault(str(error), "WellFormed") from error
    if etree.QName(root).localname != "Envelope":
        raise SoapFault("not a SOAP envelope", "WellFormed")
    inside = root.find("{*}Body")
    operation = None if inside is None else next(iter(inside), None)
    if operation is None:
        raise SoapFault("the envelope has no body", "WellFormed")
    name = etree.QName(operation)
    return Call(name.namespace or "", str(name.localname), operation, _token(root.find("{*}Header")))


def envelope(content: str) -> bytes:
    """An answer around `content`, which may use the prefixes s, ter, tt, tds, trt and tr2."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope {_NAMESPACES}><s:Body>{content}</s:Body></s:Envelope>'
    ).encode()


def fault(error: SoapFault) -> bytes:
    """The envelope of a fault (ONVIF Core specification 5.8.2)."""
    codes = ""
    for subcode in reversed(error.subcodes):
        codes = f"<s:Subcode><s:Value>ter:{subcode}</s:Value>{codes}</s:Subcode>"
    code = "s:Sender" if error.sender else "s:Receiver"
    return envelope(
        f"<s:Fault><s:Code><s:Value>{code}</s:Value>{codes}</s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{escape(error.reason)}</s:Text></s:Reason></s:Fault>'
    )


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """PasswordDigest of WS-Security UsernameToken Profile 1.0, section 3.1."""
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class TokenJudge:
    """Verifies UsernameTokens: password, age, and that no digest is used twice."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users
        self._nonces: OrderedDict[tuple[str, str], None] = OrderedDict()

    def accepts(self, token: UsernameToken, now: float) -> bool:
        """Whether the token is right at `now`, Unix seconds of the camera's own clock."""
        password = self._users.get(token.username)
        if not token.digest:
            return password is not None and hmac.compare_digest(token.password.encode(), password.encode())
        created = parse_time(token.created)
        try:
            nonce = base64.b64decode(token.nonce, validate=True)
        except (binascii.Error, ValueError):
            return False
        expected = password_digest(nonce, token.created, password or "")
        if not hmac.compare_digest(expected.encode(), token.password.encode()) or password is None:
            return False
        if created is None or abs(created - now) > CREATED_WINDOW_S or (token.nonce, token.created) in self._nonces:
            return False
        self._nonces[token.nonce, token.created] = None
        if len(self._nonces) > MAX_NONCES:
            self._nonces.popitem(last=False)
        return True


def parse_time(text: str) -> float | None:
    """Unix seconds of an xs:dateTime in UTC; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        return None


def _token(header: Element | None) -> UsernameToken | None:
    element = None if header is None else next(header.iter("{*}UsernameToken"), None)
    if element is None:
        return None
    password = next(element.iter("{*}Password"), None)
    kind = "" if password is None else password.get("Type", "")
    return UsernameToken(
        username=text_of(element, "Username") or "",
        password="" if password is None else (password.text or "").strip(),
        digest=kind.endswith("#PasswordDigest"),
        nonce=text_of(element, "Nonce") or "",
        created=text_of(element, "Created") or "",
    )
