"""SOAP 1.2 envelopes of ONVIF devices: reading calls, writing answers and faults. Pure; bytes from the network come in here.

Names are matched by namespace and local name (ONVIF Core specification 5.4; SOAP 1.2 part 1). Nothing outside the
document is ever loaded, and documents that define entities are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from lxml import etree  # type: ignore[import-untyped]  # ships no types

from gateway.onvif.face.tokens import UsernameToken

MAX_BODY_BYTES = 64 * 1024
"""Calls are one or two kilobytes."""
MAX_DEPTH = 32
"""Calls nest eight deep at most."""

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
TNS1 = "http://www.onvif.org/ver10/topics"
WSNT = "http://docs.oasis-open.org/wsn/b-2"
WSTOP = "http://docs.oasis-open.org/wsn/t-1"
XS = "http://www.w3.org/2001/XMLSchema"
WSA = "http://www.w3.org/2005/08/addressing"
PREFIXES: Mapping[str, str] = {
    "s": SOAP, "xs": XS, "a": WSA, "ter": TER, "tt": TT, "tds": TDS, "trt": TRT, "tr2": TR2, "tev": TEV, "tns1": TNS1,
    "wsnt": WSNT, "wstop": WSTOP,
}  # fmt: skip
"""What answers may use."""
_MARKUP_DECLARATION = re.compile(rb"<!(?!--|\[CDATA\[)")

Element: TypeAlias = Any
"""An XML element: lxml ships no types."""

_NAMESPACES = " ".join(f'xmlns:{prefix}="{namespace}"' for prefix, namespace in PREFIXES.items())


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
class Call:
    """One operation with its arguments."""

    namespace: str
    operation: str
    element: Element
    token: UsernameToken | None
    message_id: str = ""
    """Of WS-Addressing, which event clients use; empty for all others."""

    def text(self, name: str) -> str | None:
        """Stripped text of the first descendant called `name`, whatever its namespace; None if there is none."""
        return text_of(self.element, name)

    def texts(self, name: str) -> list[str]:
        """Stripped texts of all descendants called `name`."""
        return [(found.text or "").strip() for found in self.element.iter(f"{{*}}{name}")]


def parse_xml(data: bytes) -> Element:
    """Root of a small, shallow, self-contained document in UTF-8. Raises ValueError for anything else.

    Whatever declares anything is refused before libxml2 sees it: entities would be expanded in attributes regardless of
    its options.
    """
    if len(data) > MAX_BODY_BYTES:
        raise ValueError("document too large")
    if _MARKUP_DECLARATION.search(data):
        raise ValueError("document type declarations are not accepted")
    parser = etree.XMLParser(
        encoding="utf-8",  # in another encoding a declaration would have gone unseen
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ValueError("not well-formed XML") from error
    if root is None or root.getroottree().docinfo.doctype:
        raise ValueError("document type declarations are not accepted")
    if _too_deep(root):
        raise ValueError("document too deep")
    return root


def _too_deep(root: Element) -> bool:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return False
    return True


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
    header = root.find("{*}Header")
    message_id = None if header is None else next(header.iter(f"{{{WSA}}}MessageID"), None)
    return Call(
        name.namespace or "",
        str(name.localname),
        operation,
        _token(header),
        "" if message_id is None else (message_id.text or "").strip(),
    )


def envelope(content: str, header: str = "") -> bytes:
    """An answer around `content`; both may use `PREFIXES`."""
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope {_NAMESPACES}>{head}<s:Body>{content}</s:Body></s:Envelope>'
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
