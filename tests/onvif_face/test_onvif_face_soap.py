"""SOAP from the network: hostile documents are refused, tokens are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif.face.soap import (
    MAX_BODY_BYTES,
    MAX_DEPTH,
    SOAP,
    TDS,
    WSSE,
    WSU,
    SoapFault,
    envelope,
    fault,
    parse_call,
    parse_xml,
)
from gateway.onvif.face.tokens import UsernameToken


def test_a_call_with_its_token_is_read():
    body = f"""<e:Envelope xmlns:e="{SOAP}"><e:Header><w:Security xmlns:w="{WSSE}" xmlns:u="{WSU}"><w:UsernameToken>
      <w:Username>admin</w:Username><w:Password Type="http://x#PasswordDigest">abc=</w:Password><w:Nonce>bm9uY2U=</w:Nonce>
      <u:Created>2026-01-01T00:00:00Z</u:Created></w:UsernameToken></w:Security></e:Header>
      <e:Body><GetScopes xmlns="{TDS}"><Token> a </Token><Token>b</Token></GetScopes></e:Body></e:Envelope>""".encode()
    call = parse_call(body)
    assert (call.namespace, call.operation) == (TDS, "GetScopes")
    assert (call.text("Token"), call.texts("Token"), call.text("Other")) == ("a", ["a", "b"], None)
    assert call.token == UsernameToken("admin", "abc=", True, "bm9uY2U=", "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<a/>",
        f'<e:Envelope xmlns:e="{SOAP}"/>'.encode(),
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body/></e:Envelope>'.encode(),
    ],
)
def test_what_is_no_call_is_a_fault(body: bytes):
    with pytest.raises(SoapFault):
        parse_call(body)


def test_entities_and_document_types_are_refused():
    bomb = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'
    outside = b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'
    # libxml2 expands what an attribute names, whatever it is told about entities
    attribute = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;&x;">]><a b="&y;"/>'
    for document in (bomb, outside, attribute):
        with pytest.raises(ValueError, match="document type"):
            parse_xml(document)


def test_a_declaration_cannot_hide_in_another_encoding():
    for encoding in ("utf-16", "utf-16-le", "utf-32", "cp037"):
        text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY x "x">]><a>&x;</a>'
        with pytest.raises(ValueError, match=r"well-formed|document type"):
            parse_xml(text.encode(encoding))


def test_documents_deeper_than_any_call_are_refused():
    parse_xml(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 255, 5000):
        with pytest.raises(ValueError, match=r"deep|well-formed"):
            parse_xml(b"<a>" * depth + b"</a>" * depth)


def test_oversized_documents_are_refused_unread():
    with pytest.raises(ValueError, match="too large"):
        parse_xml(b"<a>" + b"x" * MAX_BODY_BYTES + b"</a>")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_call_or_a_fault(body: bytes):
    try:
        parse_call(body)
    except SoapFault as error:
        assert error.status == 400


def test_faults_nest_their_subcodes_and_escape_their_reason():
    body = fault(SoapFault("a < b & c", "InvalidArgVal", "NoProfile"))
    root = parse_xml(body)
    values = [element.text for element in root.iter("{*}Value")]
    assert values == ["s:Sender", "ter:InvalidArgVal", "ter:NoProfile"]
    assert next(root.iter("{*}Text")).text == "a < b & c"
    assert SoapFault("x", sender=False).status == 500


def test_an_envelope_is_well_formed_with_every_prefix():
    parse_xml(envelope("<tds:A/><trt:B/><tr2:C/><tt:D/><ter:E/>"))
