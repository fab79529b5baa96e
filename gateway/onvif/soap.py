"""SOAP 1.2 envelopes, the WS-Security user name token, and what a reply means. Pure; any thread.

Requests are written by hand or by zeep (`gateway.onvif.schema`); both meet here as the XML text of a body.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from gateway.errors import ProtocolError
from gateway.onvif import reader
from gateway.onvif.reader import Node

ENVELOPE_NS = "http://www.w3.org/2003/05/soap-envelope"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_WSSE_NS = f"{_WSS}-wssecurity-secext-1.0.xsd"
_WSU_NS = f"{_WSS}-wssecurity-utility-1.0.xsd"
_DIGEST_TYPE = f"{_WSS}-username-token-profile-1.0#PasswordDigest"
_NONCE_TYPE = f"{_WSS}-soap-message-security-1.0#Base64Binary"
MAX_REASON = 200
"""Characters of a camera's own words that are passed on."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Name and password of a camera's ONVIF user. Both may be empty: some cameras want exactly that."""

    username: str
    password: str = field(default="", repr=False)


class SoapFault(ProtocolError):
    """The camera answered with a Fault. `codes` are local names, from the general to the particular."""

    def __init__(self, codes: tuple[str, ...], reason: str, *, label: str = "") -> None:
        words = reason or " / ".join(codes) or "a fault without a reason"
        super().__init__(f"{label}: the camera reports: {words}" if label else f"the camera reports: {words}")
        self.codes = codes
        self.reason = reason

    @property
    def is_auth(self) -> bool:
        """Whether it is about name and password. Few cameras use the standard subcode, so the text counts too."""
        if any(code.lower() in ("notauthorized", "failedauthentication", "unauthorized") for code in self.codes):
            return True
        return "auth" in f"{self.reason} {' '.join(self.codes)}".lower()


class NotSoap(ProtocolError):
    """What answered is no SOAP message: a web page, an error page, nothing."""


def username_token(credentials: Credentials, created: str, nonce: bytes) -> str:
    """A WS-Security header with the password's digest (UsernameToken Profile 1.0, section 3.1).

    `created` in UTC as the camera knows it; `nonce` 16 random bytes, never used twice.
    """
    digest = hashlib.sha1(nonce + created.encode() + credentials.password.encode(), usedforsecurity=False).digest()
    return (
        f'<wsse:Security s:mustUnderstand="1" xmlns:wsse="{_WSSE_NS}" xmlns:wsu="{_WSU_NS}"><wsse:UsernameToken>'
        f"<wsse:Username>{escape(credentials.username)}</wsse:Username>"
        f'<wsse:Password Type="{_DIGEST_TYPE}">{base64.b64encode(digest).decode()}</wsse:Password>'
        f'<wsse:Nonce EncodingType="{_NONCE_TYPE}">{base64.b64encode(nonce).decode()}</wsse:Nonce>'
        f"<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
    )


def envelope(body: str, security: str = "", addressing: str = "") -> bytes:
    """The whole message. `addressing` (WS-Addressing) is for events only: some cameras break on it elsewhere (pza #155)."""
    header = f"<s:Header>{addressing}{security}</s:Header>" if security or addressing else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{ENVELOPE_NS}">'
        f"{header}<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def content_type(action: str) -> str:
    """Value of `Content-Type`: SOAP 1.2 puts the action there."""
    return f'application/soap+xml; charset=utf-8; action="{action}"'


def read(data: bytes) -> Node:
    """The first element in the body of a reply.

    Raises SoapFault if it is one, NotSoap if `data` is no SOAP message.
    """
    root = reader.parse(data)
    body = root.find("Body") if root is not None and root.find("Envelope") is not None else None
    if body is None:
        raise NotSoap("what answers is not ONVIF")
    fault = body.child("Fault")
    if fault is not None:
        raise _fault(fault)
    if not body.children:
        return Node("", {}, "", ())  # SetSynchronizationPoint is answered so by some
    return body.children[0]


def _fault(node: Node) -> SoapFault:
    codes = []
    code = node.child("Code")
    while code is not None:
        codes.append(code.text_at("Value").rpartition(":")[2])
        code = code.child("Subcode")
    codes.append(node.text_at("faultcode").rpartition(":")[2])  # SOAP 1.1
    reason = node.text_at("Reason", "Text") or node.text_at("faultstring") or node.text_at("Reason")
    reason = " ".join("".join(ch if ch.isprintable() else " " for ch in reason).split())[:MAX_REASON]
    return SoapFault(tuple(code for code in codes if code), reason)
