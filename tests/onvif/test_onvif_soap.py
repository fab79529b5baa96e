"""Envelopes and replies."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProtocolError
from gateway.onvif import reader, soap
from gateway.onvif.soap import Credentials, NotSoap, SoapFault


def test_token_holds_the_digest_and_not_the_password():
    header = soap.username_token(Credentials("a<&b", "secret"), "2026-01-02T03:04:05Z", b"n" * 16)
    root = reader.parse(soap.envelope("<x/>", header))
    expected = hashlib.sha1(b"n" * 16 + b"2026-01-02T03:04:05Z" + b"secret").digest()
    assert root.find("Password").text == base64.b64encode(expected).decode()
    assert root.find("Username").text == "a<&b"
    assert "secret" not in header


def test_password_is_not_shown_by_repr():
    assert "secret" not in repr(Credentials("a", "secret"))


def test_body_is_returned():
    assert soap.read(soap.envelope("<a><b>1</b></a>")).text_at("b") == "1"


def test_empty_body_is_an_answer():
    assert soap.read(soap.envelope("")).children == ()


@pytest.mark.parametrize("data", [b"", b"<html><body>x</body></html>", b"<!DOCTYPE html><html/>", b"401 Unauthorized"])
def test_web_pages_are_no_answer(data):
    with pytest.raises(NotSoap):
        soap.read(data)


def test_fault_names_its_codes_and_reason():
    body = (
        "<Fault><Code><Value>e:Sender</Value><Subcode><Value>ter:InvalidArgVal</Value><Subcode>"
        "<Value>ter:NoProfile</Value></Subcode></Subcode></Code><Reason><Text>no\n such profile</Text></Reason></Fault>"
    )
    with pytest.raises(SoapFault) as caught:
        soap.read(soap.envelope(body))
    assert caught.value.codes == ("Sender", "InvalidArgVal", "NoProfile")
    assert str(caught.value) == "the camera reports: no such profile"
    assert not caught.value.is_auth


def test_fault_without_anything():
    with pytest.raises(SoapFault, match="a fault without a reason"):
        soap.read(soap.envelope("<Fault/>"))


@given(st.binary())
def test_garbage_raises_only_what_is_promised(data):
    for text in (data, soap.envelope("").replace(b"<s:Body>", b"<s:Body>" + data)):
        try:
            soap.read(text)
        except ProtocolError:
            pass
