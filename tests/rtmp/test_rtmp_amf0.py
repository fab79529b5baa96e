from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtmp import amf0
from gateway.rtmp.amf0 import UNDEFINED, Date, EcmaArray
from gateway.rtmp.errors import AmfError

END = b"\0\0\x09"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.floats(allow_nan=False) | texts | st.just(UNDEFINED)
values = st.recursive(
    scalars | st.builds(Date, st.floats(allow_nan=False)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts.filter(bool), inner, max_size=4)
        | st.dictionaries(texts.filter(bool), inner, max_size=4).map(EcmaArray)
    ),
    max_leaves=12,
)


@given(st.lists(values, max_size=4))
def test_round_trip(message):
    assert amf0.decode(amf0.encode(*message)) == message


@given(st.lists(values, max_size=3), st.data())
def test_truncation_raises_only_amf_errors(message, data):
    whole = amf0.encode(*message)
    cut = data.draw(st.integers(0, len(whole)))
    try:
        amf0.decode(whole[:cut])
    except AmfError:
        pass


@given(st.binary(max_size=300))
def test_random_bytes_raise_only_amf_errors(data):
    try:
        amf0.decode(data)
    except AmfError:
        pass


def test_wire_form_of_a_connect_reply():
    assert amf0.encode("_result", 1.0, None) == b"\x02\x00\x07_result" + b"\x00\x3f\xf0\0\0\0\0\0\0" + b"\x05"


def test_ecma_array_with_a_wrong_count_ends_at_its_marker():
    data = b"\x08\x00\x00\x00\x63" + b"\x00\x01a\x05" + END + b"\x05"
    assert amf0.decode(data) == [EcmaArray(a=None), None]


def test_ecma_array_without_end_marker_at_the_end_of_the_message():
    assert amf0.decode(b"\x08\x00\x00\x00\x01\x00\x01a\x01\x01") == [EcmaArray(a=True)]


def test_typed_object_xml_and_unsupported_are_tolerated():
    data = b"\x10\x00\x03Foo\x00\x01a\x05" + END + b"\x0f\x00\x00\x00\x02hi" + b"\x0d"
    assert amf0.decode(data) == [{"a": None}, "hi", UNDEFINED]


def test_text_that_is_not_utf8_does_not_end_a_publisher():
    assert amf0.decode(b"\x02\x00\x02\xc4\xe3") == ["\ufffd\ufffd"]


@pytest.mark.parametrize("data", [b"\x07\x00\x01", b"\x11\x04\x01", b"\x04", b"\xff", b"\x02\x00\x05abc", b"\x03\x00"])
def test_references_amf3_unknown_types_and_cut_off_data_are_refused(data):
    with pytest.raises(AmfError):
        amf0.decode(data)


@pytest.mark.parametrize("opening", [b"\x03\x00\x01a", b"\x0a\x00\x00\x00\x01", b"\x08\x00\x00\x00\x01\x00\x01a"])
@pytest.mark.parametrize("depth", [17, 65, 20_000])
def test_deep_nesting_is_refused_without_recursion_error(opening, depth):
    with pytest.raises(AmfError, match="deeper"):
        amf0.decode(opening * depth)


def test_depth_of_sixteen_is_accepted():
    assert amf0.decode(b"\x0a\x00\x00\x00\x01" * 16 + b"\x05")


@pytest.mark.parametrize("count", [1025, 0xFFFFFFFF])
def test_huge_arrays_are_refused_before_anything_is_allocated(count):
    with pytest.raises(AmfError, match="elements"):
        amf0.decode(b"\x0a" + count.to_bytes(4, "big"))


def test_value_count_is_bounded_over_all_levels():
    with pytest.raises(AmfError, match="more than"):
        amf0.decode(b"\x05" * 1025)


def test_long_strings_are_bounded():
    text = "x" * 70_000
    with pytest.raises(AmfError, match="string"):
        amf0.decode(amf0.encode(text))
    assert amf0.decode(amf0.encode(text[:65_536])) == [text[:65_536]]


def test_encoding_refuses_what_has_no_form():
    nested: list[object] = []
    for _ in range(20):
        nested = [nested]
    for value in (nested, b"bytes", object(), 10**400, {"k" * 70_000: None}):
        with pytest.raises(AmfError):
            amf0.encode(value)


def test_integers_and_dates_have_their_forms():
    assert amf0.encode(2) == b"\x00" + struct.pack(">d", 2.0)
    assert amf0.decode(b"\x0b" + struct.pack(">d", 5.0) + b"\0\0") == [Date(5.0)]
