"""RFC 3640 AAC-hbr payloads."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.packetize_aac import MAX_UNIT_BYTES, packetize_aac


def test_a_unit_travels_behind_its_size() -> None:
    assert packetize_aac(b"abc") == [b"\x00\x10" + (3 << 3).to_bytes(2, "big") + b"abc"]


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.binary(min_size=1, max_size=3000), st.integers(10, 1400))
def test_fragments_all_name_the_whole_size(unit: bytes, limit: int) -> None:
    payloads = packetize_aac(unit, limit)
    assert b"".join(payload[4:] for payload in payloads) == unit
    assert {int.from_bytes(payload[2:4], "big") >> 3 for payload in payloads} == {len(unit)}
    assert max(map(len, payloads)) <= limit


def test_what_the_size_field_cannot_say_is_not_sent() -> None:
    assert packetize_aac(bytes(MAX_UNIT_BYTES + 1)) == []
    assert packetize_aac(b"") == []
