"""Signed values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.http.sessions import SESSION_IDLE_S, Session, Signer

SIGNER = Signer(b"k" * 32)
NOW = 1_700_000_000.0


def test_a_session_is_read_back_until_it_is_too_old():
    value = SIGNER.issue("admin", "hash", NOW)
    assert SIGNER.read(value, "hash", NOW + SESSION_IDLE_S) == Session("admin", NOW)
    assert SIGNER.read(value, "hash", NOW + SESSION_IDLE_S + 1) is None
    assert SIGNER.read(value, "hash", NOW - 3 * 86400) is None


def test_a_session_of_an_earlier_password_or_another_key_is_void():
    value = SIGNER.issue("admin", "hash", NOW)
    assert SIGNER.read(value, "other hash", NOW) is None
    assert Signer(b"x" * 32).read(value, "hash", NOW) is None


@given(st.text())
def test_nothing_a_stranger_sends_is_a_session_or_a_token(value: str):
    assert SIGNER.read(value, "hash", NOW) is None
    assert not SIGNER.is_viewing_token(value)
    assert not SIGNER.form_token_matches("nonce", value)


def test_the_token_fits_into_an_address_and_differs_between_installations():
    assert len(SIGNER.viewing_token) == 24
    assert SIGNER.viewing_token.replace("-", "").replace("_", "").isalnum()
    assert Signer(b"x" * 32).viewing_token != SIGNER.viewing_token
    assert Signer(b"x" * 32).installation != SIGNER.installation
