"""SOAP from the network: hostile documents are refused, tokens are judged as cameras judge them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.soap import (
    CREATED_WINDOW_S,
    MAX_BODY_BYTES,
    SOAP,
    TDS,
    WSSE,
    WSU,
    SoapFault,
    TokenJudge,
    UsernameToken,
    envelope,
    fault,
    parse_call,
    parse_time,
    parse_xml,
    password_digest,
)

NOW = 1_790_000_000.0


def token(password: str = "secret", *, age_s: float = 0.0, nonce: bytes = b"0123456789abcdef") -> UsernameToken:
    created = datetime.fromtimestamp(NOW - age_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return UsernameToken("admin", password_digest(nonce, created, password), True, base64.b64encode(nonce).decode(), created)


def test_the_digest_is_that_of_onvifs_own_example():
    # ONVIF Application Programmer's Guide, section 6.1.1.3.
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    assert password_digest(nonce, "2010-09-16T07:50:45Z", "userpassword") == "tuOSpGlFlIXsozq4HFNeeGeFLEI="


def test_right_password_is_taken_once():
    judge = TokenJudge({"admin": "secret"})
    assert judge.accepts(token(), NOW)
    assert not judge.accepts(token(), NOW), "replayed"
    assert judge.accepts(token(nonce=b"another nonce"), NOW)


def test_wrong_password_user_or_nonce_is_refused():
    judge = TokenJudge({"admin": "secret"})
    assert not judge.accepts(token("guess"), NOW)
    assert not TokenJudge({"root": "secret"}).accepts(token(), NOW)
    right = token()
    assert not judge.accepts(UsernameToken("admin", right.password, True, "!!", right.created), NOW)


def test_a_client_whose_clock_is_wrong_is_refused():
    for age_s in (CREATED_WINDOW_S + 5, -CREATED_WINDOW_S - 5):
        assert not TokenJudge({"admin": "secret"}).accepts(token(age_s=age_s), NOW)


def test_plain_passwords_are_taken_as_cameras_do():
    judge = TokenJudge({"admin": "secret"})
    assert judge.accepts(UsernameToken("admin", "secret", False, "", ""), NOW)
    assert not judge.accepts(UsernameToken("admin", "guess", False, "", ""), NOW)


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
    for document in (bomb, outside):
        with pytest.raises(ValueError, match="document type"):
            parse_xml(document)


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


def test_times_of_every_kind():
    assert parse_time("2026-01-01T00:00:00Z") == parse_time("2026-01-01T00:00:00.000+00:00")
    assert parse_time("2026-01-01T00:00:00") == parse_time("2026-01-01T00:00:00Z")
    for text in ("", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00"):
        parse_time(text)
    assert parse_time("yesterday") is None
