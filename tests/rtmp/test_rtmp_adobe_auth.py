"""The login of Adobe's servers, against FFmpeg's own (see `test_rtmp_push_e2e` for the wire)."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtmp.adobe_auth import answer, asks_for_login
from gateway.rtmp.push_errors import TargetRefused

ASKED = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] :"
CHALLENGED = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=me&salt=sA+t&challenge=Ch/l"


def fixed(count: int) -> bytes:
    return b"\x01\x02\x03\x04"[:count]


def digest(text: str) -> str:
    return base64.b64encode(hashlib.md5(text.encode()).digest()).decode()


def test_first_the_name_then_the_proof():
    assert asks_for_login(ASKED) and asks_for_login(CHALLENGED)
    assert not asks_for_login("no such application")
    assert answer(ASKED, "me", "secret") == "?authmod=adobe&user=me"
    proof = digest(digest("mesA+tsecret") + "Ch/l" + "AQIDBA==")
    expected = f"?authmod=adobe&user=me&challenge=AQIDBA==&response={proof}"
    assert answer(CHALLENGED, "me", "secret", fixed) == expected


def test_an_opaque_value_takes_the_place_of_the_challenge():
    proof = digest(digest("mesA+tsecret") + "Opq=" + "AQIDBA==")
    found = answer(CHALLENGED + "&opaque=Opq=", "me", "secret", fixed)
    assert found == f"?authmod=adobe&user=me&challenge=AQIDBA==&response={proof}&opaque=Opq="


@pytest.mark.parametrize(
    ("description", "username", "said"),
    [
        ("[ authmod=adobe ] : ?reason=authfailed&opaque=x", "me", "refused the user name or password"),
        ("[ authmod=adobe ] : ?reason=nosuchuser", "me", "refused the user name or password"),
        (ASKED, None, "put USER:PASSWORD@ before the host"),
        ("[ code=403 need auth; authmod=llnw ]", "me", "'llnw', which is not supported"),
    ],
)
def test_what_no_answer_helps_against_is_said(description, username, said):
    with pytest.raises(TargetRefused, match=said):
        answer(description, username, "secret")


@given(st.text(max_size=400))
def test_nothing_a_server_says_raises_anything_else(text):
    for description in (text, f"authmod=adobe ?reason=needauth{text}"):
        try:
            found = answer(description, "me", "secret")
        except TargetRefused:
            continue
        assert found.startswith("?authmod=adobe&user=me")
