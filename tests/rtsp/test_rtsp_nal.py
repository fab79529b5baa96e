"""Length-prefixed NAL units, whole and damaged."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.nal import split_nal_units


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.lists(st.binary(min_size=1, max_size=20)))
def test_units_come_out_as_they_went_in(units: list[bytes]) -> None:
    assert list(split_nal_units(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units))) == units


def test_empty_units_are_left_out_and_a_short_one_is_given_as_far_as_it_goes() -> None:
    assert list(split_nal_units(b"\0\0\0\0" b"\0\0\0\1a" b"\0\0\0\5bc")) == [b"a", b"bc"]
