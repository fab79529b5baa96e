"""Signed addresses: what they say is what was sealed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.links import Link, LinkSealer, parse_link

SEALER = LinkSealer(b"k" * 32)
TEXT = SEALER.make("yard.sub", "anna", 0x6A000000, "mark")


def test_a_link_names_its_stream_user_and_expiry_and_is_good_for_the_mark_it_was_made_with() -> None:
    link = parse_link(TEXT)
    assert link is not None
    assert (link.stream, link.user, link.expires) == ("yard.sub", "anna", 0x6A000000)
    assert SEALER.good(link, "mark")
    assert not SEALER.good(link, "another mark")
    assert not LinkSealer(b"x" * 32).good(link, "mark")


@pytest.mark.parametrize("change", [{"stream": "yard"}, {"user": "admin"}, {"expires": 0x6A000001}, {"seal": "A" * 24}])
def test_nothing_of_a_link_can_be_changed(change: dict[str, object]) -> None:
    link = parse_link(TEXT)
    assert link is not None
    fields = {"stream": link.stream, "user": link.user, "expires": link.expires, "seal": link.seal}
    assert not SEALER.good(Link(**(fields | change)), "mark")  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", ["", "Yard", "a.b", "yard.sub.sub", "yard/..", "yärd", "-yard", "a" * 64])
def test_no_link_is_made_for_what_is_no_stream(stream: str) -> None:
    with pytest.raises(ValueError, match="no link"):
        SEALER.make(stream, "anna", 1, "mark")


@given(st.text(max_size=300))
def test_whatever_is_shown_is_parsed_without_an_error_and_opens_nothing(text: str) -> None:
    for shown in (text, f"link.{text}", f"link.1.a.{text}"):
        link = parse_link(shown)
        assert link is None or not SEALER.good(link, "mark")


IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)


@given(st.builds(str.__add__, IDS, st.sampled_from(["", ".sub"])), IDS, st.integers(0, 2**40))
def test_every_stream_and_user_of_a_configuration_comes_back_from_a_link(stream: str, user: str, expires: int) -> None:
    link = parse_link(SEALER.make(stream, user, expires, "mark"))
    assert link is not None
    assert (link.stream, link.user, link.expires) == (stream, user, expires)
