"""UsernameTokens are judged as cameras judge them: right, new, and used once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif.face import tokens
from gateway.onvif.face.tokens import CREATED_WINDOW_S, TokenJudge, UsernameToken, parse_time, password_digest

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


def test_plain_passwords_are_taken_only_where_cameras_do():
    assert not TokenJudge({"admin": "secret"}).accepts(UsernameToken("admin", "secret", False, "", ""), NOW)
    judge = TokenJudge({"admin": "secret"}, plain=True)
    assert judge.accepts(UsernameToken("admin", "secret", False, "", ""), NOW)
    assert not judge.accepts(UsernameToken("admin", "guess", False, "", ""), NOW)


def test_a_replay_with_its_nonce_spelled_differently_is_a_replay():
    judge = TokenJudge({"admin": "secret"})
    first = token(nonce=b"0123456789abcdefg")
    assert judge.accepts(first, NOW)
    spelled = first.nonce[:-2] + chr(ord(first.nonce[-2]) + 1) + first.nonce[-1]
    assert base64.b64decode(spelled) == base64.b64decode(first.nonce)
    assert not judge.accepts(UsernameToken("admin", first.password, True, spelled, first.created), NOW)


def test_a_flood_of_tokens_lets_no_old_one_in_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "MAX_NONCES", 3)
    judge = TokenJudge({"admin": "secret"})
    assert [judge.accepts(token(nonce=bytes((n,)) * 8), NOW) for n in range(5)] == [True, True, True, False, False]
    assert not judge.accepts(token(nonce=bytes(8)), NOW)
    later = NOW + 2 * CREATED_WINDOW_S + 1
    assert judge.accepts(token(age_s=NOW - later, nonce=b"later"), later)


@given(st.text(max_size=20), st.text(max_size=40), st.booleans(), st.text(max_size=40), st.text(max_size=30))
def test_no_token_of_a_stranger_is_accepted_or_raises(user: str, password: str, digest: bool, nonce: str, created: str):
    assert not TokenJudge({"admin": "8 bytes and more"}, plain=True).accepts(
        UsernameToken(user, password, digest, nonce, created), NOW
    )


def test_a_token_does_not_show_its_password():
    assert "secret" not in repr(UsernameToken("admin", "secret", False, "", ""))


def test_times_of_every_kind():
    assert parse_time("2026-01-01T00:00:00Z") == parse_time("2026-01-01T00:00:00.000+00:00")
    assert parse_time("2026-01-01T00:00:00") == parse_time("2026-01-01T00:00:00Z")
    for text in ("", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00"):
        parse_time(text)
    assert parse_time("yesterday") is None
