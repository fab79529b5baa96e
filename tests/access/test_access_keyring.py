"""Subjects and what they may: nothing that looks like one becomes another."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.access.grants import Account, Right
from gateway.access.keyring import Keyring
from gateway.access.tokens import TokenWish
from gateway.config.model import Role


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    keyring = Keyring.of(tmp_path)
    keyring.configure({"anna": Account("anna", "scrypt:1:1:1$a$b", Role.VIEWER, frozenset({"yard"}))})
    keyring.create_token(TokenWish("anna", (Right.ADMIN,)), "admin")
    return keyring


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "bert",
        ":anna",
        "link:",
        "link:bert",
        "link:token:anna",
        "link:link:anna",
        "play:viewer",
        "link:viewer",
        "token:",
        "x:anna",
    ],
)
def test_what_is_nobody_gets_nothing(keyring: Keyring, subject: str) -> None:
    assert keyring.grant_of(subject) is None


def test_a_token_with_a_user_s_name_is_not_the_user(keyring: Keyring) -> None:
    user, token = keyring.grant_of("anna"), keyring.grant_of("token:anna")
    assert user is not None
    assert token is not None
    assert user.rights == {Right.VIEW}
    assert token.rights == frozenset(Right)
    assert user.mark != token.mark


def test_what_a_subject_may_is_remembered_and_forgotten_with_every_change(keyring: Keyring) -> None:
    first = keyring.grant_of("anna")
    assert keyring.grant_of("anna") is first, "500 players ask five times a second"
    keyring.end_logins("anna")
    second = keyring.grant_of("anna")
    assert second is not None
    assert first is not None
    assert second.mark != first.mark
    keyring.configure({"anna": Account("anna", "scrypt:1:1:1$a$b", Role.OPERATOR, None)})
    third = keyring.grant_of("anna")
    assert third is not None
    assert third.cameras is None
    keyring.configure({})
    assert keyring.grant_of("anna") is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80))
def test_whatever_is_shown_as_a_token_is_judged_without_an_error(keyring: Keyring, text: str) -> None:
    for shown in (text, f"link.{text}", f"cg_{text}"):
        assert keyring.grant_of_token(shown) is None
