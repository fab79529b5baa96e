"""Byte ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.ranges import ByteRange, Unsatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-99", ByteRange(0, 100)),
        ("bytes=0-", ByteRange(0, 1000)),
        ("bytes=990-5000", ByteRange(990, 1000)),
        ("bytes=-10", ByteRange(990, 1000)),
        ("bytes=-5000", ByteRange(0, 1000)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
        ("", None),
    ],
)
def test_ranges_players_send(header: str, expected: ByteRange | None):
    assert parse_range(header, 1000) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=2000-3000", "bytes=-0"])
def test_a_range_outside_the_file_cannot_be_had(header: str):
    with pytest.raises(Unsatisfiable):
        parse_range(header, 1000)


def test_the_content_range_names_the_last_byte():
    assert ByteRange(0, 100).content_range(1000) == "bytes 0-99/1000"


@given(st.text() | st.from_regex(r"bytes=\d*-\d*"), st.integers(0, 10**12))
def test_no_header_breaks_the_parser_or_leads_outside_the_file(header: str, size: int):
    try:
        found = parse_range(header, size)
    except Unsatisfiable:
        return
    assert found is None or 0 <= found.start < found.end <= size
