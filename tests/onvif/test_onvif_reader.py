"""The tolerant XML reader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif import reader


def test_local_names_whatever_the_prefix():
    root = reader.parse(b'<s:Envelope xmlns:s="x"><Ter:Body><A q="1"> hi </A></Ter:Body></s:Envelope>')
    assert root is not None
    assert root.text_at("Body", "A") == "hi"
    assert root.at("body", "a").attributes == {"q": "1"}


def test_garbage_and_nul_bytes_before_the_xml():
    root = reader.parse(b'\0\0 junk > <?xml version="1.0"?>\0<a><b>1</b></a>')
    assert root is not None
    assert root.number_at("b") == 1


def test_invalid_utf8_does_not_end_the_document():
    root = reader.parse(b"<a><name>caf\xe9 \xff</name><after>x</after></a>")
    assert root is not None
    assert root.text_at("after") == "x"


def test_declared_other_encodings_are_followed():
    assert reader.parse('<?xml version="1.0" encoding="gb2312"?><a>大门</a>'.encode("gb2312")).text == "大门"
    assert reader.parse('<?xml version="1.0" encoding="utf-16"?><a>大门</a>'.encode("utf-16")).text == "大门"


def test_document_types_and_entities_are_refused():
    assert reader.parse(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>') is None
    assert reader.parse(b"<!doctype html><html></html>") is None


def test_comments_do_not_cut_a_text():
    assert reader.parse(b"<a>rtsp://h/<!-- x -->p</a>").text == "rtsp://h/p"


def test_too_many_elements_are_refused():
    assert reader.parse(b"<a>" + b"<b/>" * (reader.MAX_ELEMENTS + 1) + b"</a>") is None


def test_too_large_is_refused():
    assert reader.parse(b"<a>" + b" " * reader.MAX_DOCUMENT_BYTES + b"</a>") is None


def test_unclosed_document_gives_what_arrived():
    assert reader.parse(b"<a><b>1</b><c>2").text_at("b") == "1"


def test_numbers_with_words():
    root = reader.parse(b"<a><f>25 fps</f><g>-</g></a>")
    assert (root.number_at("f"), root.number_at("g"), root.number_at("h")) == (25.0, 0.0, 0.0)


@given(st.binary())
def test_garbage_never_raises(data):
    reader.parse(data)


@given(st.binary(), st.binary())
def test_garbage_in_a_document_never_raises(inside, after):
    reader.parse(b'<?xml version="1.0"?><s:Envelope><s:Body>' + inside + b"</s:Body>" + after)
