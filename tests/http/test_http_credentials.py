"""Parsing of what strangers send as credentials."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from gateway.http.credentials import Password, basic, bearer, cookie, from_parameters


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_basic_takes_the_first_colon_as_separator():
    assert basic("Basic " + encoded(b"admin:a:b")) == Password("admin", "a:b")
    assert basic("bAsIc  " + encoded("ü:é".encode())) == Password("ü", "é")
    assert basic("Basic " + encoded(b"u:\xe9")) == Password("u", "é")


def test_what_is_not_basic_is_nobody():
    for header in ("", "Basic", "Digest x", "Basic !", "Basic " + encoded(b"no colon"), "Basic " + "QQ==" * 9999):
        assert basic(header) is None
    assert basic("Basic " + encoded(b"u:" + b"p" * 1025)) is None


def test_a_bearer_token_is_what_follows_the_scheme():
    assert bearer("Bearer cg_x") == bearer("bEARER  cg_x ") == "cg_x"
    assert bearer("Basic cg_x") == bearer("Bearer") == bearer("") == bearer("Bearer " + "x" * 1025) == ""


@given(st.text())
def test_no_header_is_an_error_and_none_is_two_things(header: str):
    assert not (bearer(header) and basic(header))


@given(st.text())
def test_no_header_breaks_the_parser(header: str):
    basic(header)
    basic("Basic " + header)
    cookie(header, "name")


@given(st.text(max_size=100).filter(lambda user: ":" not in user), st.text(max_size=100))
def test_every_user_and_password_survives_the_way(user: str, password: str):
    assert basic("Basic " + encoded(f"{user}:{password}".encode())) == Password(user, password)


def test_the_password_is_not_in_the_repr():
    assert "hunter22" not in repr(Password("admin", "hunter22"))


def test_parameters_need_both():
    assert from_parameters({"user": "a", "pass": ""}) == Password("a", "")
    assert from_parameters({"user": "a"}) is None
    assert from_parameters({"pass": "a"}) is None


def test_a_cookie_is_found_by_its_whole_name():
    header = "session2=x; my_session=y;session=a=b; session=c"
    assert cookie(header, "session") == "a=b"
    assert cookie(header, "sess") is None
