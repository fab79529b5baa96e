"""API tokens: random, kept as digests, limited to what they are for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import tokens
from gateway.access.grants import Right
from gateway.access.tokens import TokenWish, from_json, id_in, matches, new_token, to_json

NOW = 1_700_000_000.0


def test_a_token_is_recognised_and_its_file_does_not_hold_it() -> None:
    token, text = new_token(TokenWish("prom", (Right.METRICS,)), "admin", NOW, ())
    assert id_in(text) == token.id
    assert matches(token, text)
    assert not matches(token, text[:-1] + ("A" if text[-1] != "A" else "B"))
    kept = json.dumps(to_json(token) | {"digest": token.digest})
    assert text not in kept
    assert text.rpartition("_")[2] not in kept
    assert from_json(json.loads(kept)) == token


def test_scopes_give_what_they_imply_and_no_more() -> None:
    def rights(*scopes: Right) -> frozenset[Right]:
        return new_token(TokenWish("x", scopes), "admin", NOW, ())[0].grant().rights

    assert rights(Right.METRICS) == {Right.METRICS}
    assert rights(Right.OPERATE) == {Right.VIEW, Right.OPERATE}
    assert rights(Right.ADMIN) == frozenset(Right)
    assert rights(Right.VIEW, Right.METRICS) == {Right.VIEW, Right.METRICS}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "", "scopes": (Right.VIEW,)}, "name"),
        ({"name": "a\nb", "scopes": (Right.VIEW,)}, "name"),
        ({"name": "x", "scopes": ()}, "scope"),
        ({"name": "x", "scopes": (Right.VIEW,), "cameras": ()}, "empty"),
        ({"name": "x", "scopes": (Right.VIEW,), "expires": 1e17}, "too long"),
        ({"name": "x", "scopes": (Right.ADMIN,), "cameras": ("yard",)}, "limited"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_a_sentence(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TokenWish(**fields)  # type: ignore[arg-type]


def test_a_name_is_used_once() -> None:
    first, _ = new_token(TokenWish("prom", (Right.VIEW,)), "admin", NOW, ())
    with pytest.raises(ValueError, match="already"):
        new_token(TokenWish("prom", (Right.VIEW,)), "admin", NOW, (first,))


@given(st.text(max_size=120))
def test_whatever_is_shown_names_a_token_or_none(text: str) -> None:
    for shown in (text, f"{tokens.PREFIX}{text}"):
        assert len(id_in(shown)) in (0, tokens.ID_CHARS)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_damaged_file_is_an_error_of_three_kinds(fields: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        from_json(fields)
