"""Signed values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.http.sessions import Session, Signer

SIGNER = Signer(b"k" * 32)
NOW = 1_700_000_000.0
IDLE_S, LIFETIME_S = 86400.0, 3 * 86400.0


def read(value: str, now: float, mark: str = "mark", signer: Signer = SIGNER) -> Session | None:
    return signer.read(value, lambda user: mark if user == "anna" else None, now, idle_s=IDLE_S, lifetime_s=LIFETIME_S)


def test_a_session_is_read_back_until_it_is_too_old():
    value = SIGNER.issue("anna", "mark", NOW)
    assert read(value, NOW + IDLE_S) == Session("anna", NOW, NOW, "mark")
    assert read(value, NOW + IDLE_S + 1) is None
    assert read(value, NOW - 3 * 86400) is None


def test_a_session_in_use_ends_at_its_lifetime_however_often_it_is_renewed():
    renewed = SIGNER.issue("anna", "mark", NOW + LIFETIME_S - 10, started=NOW)
    assert read(renewed, NOW + LIFETIME_S) == Session("anna", NOW + LIFETIME_S - 10, NOW, "mark")
    assert read(renewed, NOW + LIFETIME_S + 1) is None


def test_a_session_of_an_earlier_password_of_a_user_who_is_gone_or_of_another_key_is_void():
    value = SIGNER.issue("anna", "mark", NOW)
    assert read(value, NOW, mark="another") is None
    assert read(SIGNER.issue("bert", "mark", NOW), NOW) is None
    assert read(value, NOW, signer=Signer(b"x" * 32)) is None


def test_a_cookie_of_an_earlier_release_is_no_defect():
    assert read(SIGNER._serializer.dumps({"u": "anna", "p": "mark", "t": int(NOW)}), NOW) is None
    assert read(SIGNER._serializer.dumps(["anna"]), NOW) is None


def test_every_login_makes_another_cookie():
    assert SIGNER.issue("anna", "mark", NOW) != SIGNER.issue("anna", "mark", NOW)


@given(st.text())
def test_nothing_a_stranger_sends_is_a_session_or_a_token(value: str):
    assert read(value, NOW) is None
    assert not SIGNER.same(SIGNER.viewing_token(""), value)
    assert not SIGNER.form_token_matches("nonce", value)


def test_the_token_fits_into_an_address_and_differs_between_installations_and_renewals():
    token = SIGNER.viewing_token("")
    assert len(token) == 24
    assert token.replace("-", "").replace("_", "").isalnum()
    assert len({token, SIGNER.viewing_token("1"), Signer(b"x" * 32).viewing_token("")}) == 3
    assert Signer(b"x" * 32).installation != SIGNER.installation


def test_no_token_at_all_is_shown_by_nobody():
    assert not SIGNER.same("", "")
