"""Requests, responses and interleaved frames, however TCP cuts them, and whatever else comes in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.message import (
    MAX_BODY_BYTES,
    MAX_HEADERS,
    MAX_LINE_BYTES,
    Headers,
    Interleaved,
    Message,
    MessageError,
    MessageParser,
    Request,
    Response,
    reason_of,
)

_TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ-", min_size=1, max_size=12)
_VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
_HEADERS = st.lists(st.tuples(_TOKENS.filter(lambda name: name.lower() != "content-length"), _VALUES), max_size=5)
_BODIES = st.binary(max_size=100)
_REQUESTS = st.builds(
    lambda method, uri, fields, body: Request(method, uri, _with_length(fields, body), body),
    st.sampled_from(["OPTIONS", "DESCRIBE", "GET_PARAMETER"]),
    _VALUES,
    _HEADERS,
    _BODIES,
)
_RESPONSES = st.builds(
    lambda status, fields, body: Response(status, _with_length(fields, body), body, reason_of(status)),
    st.sampled_from([200, 401, 404, 454, 461]),
    _HEADERS,
    _BODIES,
)
_FRAMES = st.builds(Interleaved, st.integers(0, 255), st.binary(max_size=200))


def _with_length(fields: list[tuple[str, str]], body: bytes) -> Headers:
    return Headers([*fields, ("Content-Length", str(len(body)))] if body else fields)


def parse(data: bytes) -> list[Message]:
    parser = MessageParser()
    parser.feed(data)
    return list(parser.messages())


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.lists(st.one_of(_REQUESTS, _RESPONSES, _FRAMES), max_size=6), st.lists(st.integers(1, 30), min_size=1))
def test_messages_survive_any_cutting_of_the_byte_stream(messages: list[Message], cuts: list[int]) -> None:
    data = b"".join(message.encode() for message in messages)
    parser, found, offset, turn = MessageParser(), [], 0, 0
    while offset < len(data):
        step = cuts[turn % len(cuts)]
        parser.feed(data[offset : offset + step])
        found += list(parser.messages())
        offset, turn = offset + step, turn + 1
    assert found == messages
    assert parser.buffered == 0


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_garbage_is_a_message_error_and_nothing_else(chunks: list[bytes]) -> None:
    parser = MessageParser()
    try:
        for chunk in chunks:
            parser.feed(chunk)
            list(parser.messages())
    except MessageError as error:
        assert error.status in (400, 413, 505)


def test_after_an_error_the_parser_stays_in_error_and_keeps_nothing() -> None:
    parser = MessageParser()
    parser.feed(b"GET / HTTP/1.1\r\n\r\n")
    for _ in range(2):
        with pytest.raises(MessageError):
            list(parser.messages())
        parser.feed(b"OPTIONS * RTSP/1.0\r\n\r\n" * 100)
    assert parser.buffered == 0


def test_a_good_request_in_front_of_garbage_is_still_delivered() -> None:
    parser = MessageParser()
    parser.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nnonsense\r\n")
    messages = parser.messages()
    assert next(messages) == Request("OPTIONS", "*", Headers([("CSeq", "1")]))
    with pytest.raises(MessageError):
        next(messages)


def test_bare_line_feeds_and_blank_lines_between_messages_are_accepted() -> None:
    assert parse(b"\r\n\nOPTIONS * RTSP/1.0\nCSeq: 7\n\n") == [Request("OPTIONS", "*", Headers([("CSeq", "7")]))]


def test_header_names_compare_without_case_and_may_repeat() -> None:
    headers = Headers([("WWW-Authenticate", "Digest a"), ("www-authenticate", "Basic b")])
    assert headers.get("Www-Authenticate") == "Digest a"
    assert headers.get_all("WWW-AUTHENTICATE") == ("Digest a", "Basic b")
    assert headers.get("Session") is None
    assert "Digest" not in repr(headers), "a repr ends up in logs, and an Authorization value must not"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"x" * (MAX_LINE_BYTES + 1), 400),
        (b"OPTIONS * RTSP/1.0\r\n" + b"A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n", 400),
        (b"OPTIONS * RTSP/2.0\r\n\r\n", 505),
        (f"SET_PARAMETER * RTSP/1.0\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(), 413),
        (b"SET_PARAMETER * RTSP/1.0\r\nContent-Length: -1\r\n\r\n", 400),
        (b"SET_PARAMETER * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nno colon here\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nA: b\rInjected: c\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nA: b\x00\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),
    ],
)
def test_defects_have_their_status(data: bytes, status: int) -> None:
    with pytest.raises(MessageError) as caught:
        parse(data)
    assert caught.value.status == status


def test_a_header_with_a_line_break_is_never_written() -> None:
    with pytest.raises(ValueError, match="line break"):
        Response(200, Headers([("Session", "1\r\nEvil: yes")])).encode()


def test_every_status_has_a_reason_phrase() -> None:
    assert (reason_of(454), reason_of(404), reason_of(299)) == ("Session Not Found", "Not Found", "Unknown")


def test_a_line_full_of_blanks_does_not_hold_the_loop() -> None:
    # 60 such fields took two and a half seconds: every blank was tried as the end of the value
    data = b"OPTIONS * RTSP/1.0\r\n" + b"".join(b"A%d: \t a%sb \t\r\n" % (at, b" " * 4000) for at in range(60)) + b"\r\n"
    began = time.process_time()
    (request,) = parse(data)
    assert time.process_time() - began < 0.5
    assert isinstance(request, Request)
    assert request.headers.get("A0") == f"a{' ' * 4000}b"
