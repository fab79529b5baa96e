"""The small HTTP server: keep-alive for SOAP clients, limits and deadlines against everybody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ListenError
from gateway.onvif.face import http_face
from gateway.onvif.face.http_face import MAX_BODY_BYTES, BadRequest, HttpFace, HttpRequest, HttpResponse, found_at, parse_head


async def echo(request: HttpRequest) -> HttpResponse:
    if request.path == "/broken":
        raise RuntimeError("defect")
    text = f"{request.method} {request.path} {dict(request.query)} {request.host}:{request.port} {request.body.decode()}"
    return HttpResponse(200, text.encode())


async def exchange(port: int, data: bytes, *, answers: int = 1) -> list[tuple[int, bytes]]:
    """Send `data` and read that many answers on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        found = []
        async with asyncio.timeout(5):
            for _ in range(answers):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = b"" if data.startswith(b"HEAD") else await reader.readexactly(length)
                found.append((int(head.split()[1]), body))
        return found
    finally:
        writer.close()
        await writer.wait_closed()


def serve(data: bytes, *, answers: int = 1) -> list[tuple[int, bytes]]:
    async def scenario() -> list[tuple[int, bytes]]:
        face = HttpFace(echo)
        port = await face.start("127.0.0.1", 0)
        try:
            return await exchange(port, data, answers=answers)
        finally:
            await face.stop()

    return asyncio.run(scenario())


def test_two_requests_on_one_connection():
    post = b"POST /onvif/x?a=1&b=%20c HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
    (first, text), (second, _) = serve(post + b"GET /%41 HTTP/1.1\r\n\r\n", answers=2)
    assert (first, second) == (200, 200)
    assert text.startswith(b"POST /onvif/x {'a': '1', 'b': ' c'} h:80 ")
    assert text.endswith(b" body")


def test_head_has_no_body():
    assert serve(b"HEAD / HTTP/1.1\r\n\r\n")[0] == (200, b"")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /broken HTTP/1.1\r\n\r\n", 500),
    ],
)
def test_bad_requests_are_told_why(data: bytes, status: int):
    assert serve(data)[0][0] == status


def test_a_client_that_stalls_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_face, "REQUEST_TIMEOUT_S", 0.05)

    async def scenario() -> None:
        face = HttpFace(echo)
        port = await face.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await face.stop()

    asyncio.run(scenario())


def test_connections_are_limited_and_freed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_face, "MAX_CONNECTIONS", 1)

    async def scenario() -> None:
        face = HttpFace(echo)
        port = await face.start("127.0.0.1", 0)
        _, held = await asyncio.open_connection("127.0.0.1", port)
        held.write(b"G")
        await held.drain()
        assert (await exchange(port, b"GET / HTTP/1.1\r\n\r\n"))[0][0] == 503
        await face.stop()
        held.close()
        await held.wait_closed()

    asyncio.run(scenario())


def test_stopping_cuts_idle_connections_at_once():
    async def scenario() -> None:
        face = HttpFace(echo)
        port = await face.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(1):
            await face.stop()
            await face.stop()
            await reader.read()
        writer.close()
        await writer.wait_closed()

    asyncio.run(scenario())


def test_a_taken_port_is_named():
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ListenError, match=str(port)):
                await HttpFace(echo).start("127.0.0.1", port)

    asyncio.run(scenario())


@given(st.binary(max_size=200))
def test_any_head_is_parsed_or_refused(data: bytes):
    try:
        head = parse_head(data + b"\r\n\r\n")
    except BadRequest as error:
        assert 400 <= error.status < 500
    else:
        assert head.method


def test_keep_alive_follows_the_version_and_the_header():
    assert parse_head(b"GET / HTTP/1.1\r\n\r\n").keep_alive
    assert not parse_head(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").keep_alive
    assert not parse_head(b"GET / HTTP/1.0\r\n\r\n").keep_alive
    assert parse_head(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive


def test_bodies_in_chunks_are_put_together():
    head = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"2\r\nbo\r\n2;ext=1\r\ndy\r\n0\r\nTrailer: x\r\n\r\n"
    (first, text), (second, _) = serve(head + chunks + b"GET / HTTP/1.1\r\n\r\n", answers=2)
    assert (first, second) == (200, 200)
    assert text.endswith(b" body")


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it():
    async def scenario() -> bytes:
        face = HttpFace(echo)
        reader, writer = await asyncio.open_connection("127.0.0.1", await face.start("127.0.0.1", 0))
        try:
            writer.write(b"POST /x HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(5):
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                writer.write(b"body")
                return await reader.read()
        finally:
            writer.close()
            await face.stop()

    answer = asyncio.run(scenario())
    assert answer.endswith(b" body")
    assert b"\r\nContent-Length: " in answer, "libonvif looks for exactly these letters"


@pytest.mark.parametrize(
    ("header", "place"),
    [
        (None, ("10.0.0.1", 8000)),
        ("10.0.0.1", ("10.0.0.1", 8000)),  # libonvif leaves the port out
        ("10.0.0.1:8000", ("10.0.0.1", 8000)),
        ("gate.example", ("gate.example", 80)),  # a router forwards its port 80 to us
        ("gate.example:9000", ("gate.example", 9000)),
        ("[fe80::1]:9000", ("fe80::1", 9000)),
        ("<evil>", ("10.0.0.1", 8000)),
        ("x:0", ("10.0.0.1", 8000)),
        ("x:70000", ("10.0.0.1", 8000)),
    ],
)
def test_answers_name_the_place_where_the_client_has_found_us(header: str | None, place: tuple[str, int]):
    assert found_at(header, "10.0.0.1", 8000) == place
    assert found_at(header, "::ffff:10.0.0.1", 8000) == place


@given(st.text(max_size=60))
def test_any_host_header_is_a_place_without_markup(header: str):
    host, port = found_at(header, "10.0.0.1", 8000)
    assert not set(host) & set("<>&'\" \r\n")
    assert 0 < port <= 65_535


@pytest.mark.parametrize("value", [b" " * 1000 + b"\x01", b"a" + b" " * 16_000 + b"b"], ids=["refused", "taken"])
def test_a_line_full_of_blanks_does_not_hold_the_loop(value: bytes) -> None:
    # the pattern for a field took up to the cube of its length: an hour for 16 KB, from anybody who can connect
    began = time.process_time()
    with contextlib.suppress(BadRequest):
        parse_head(b"GET / HTTP/1.1\r\nA:" + value + b"\r\n\r\n")
    assert time.process_time() - began < 0.25


def test_blanks_around_a_value_do_not_belong_to_it() -> None:
    assert parse_head(b"GET / HTTP/1.1\r\nA:\t x y \t\r\nB:\r\n\r\n").headers == {"a": "x y", "b": ""}


def test_one_address_cannot_take_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_face, "MAX_CONNECTIONS_PER_ADDRESS", 1)

    async def scenario() -> None:
        face = HttpFace(echo)
        port = await face.start("0.0.0.0", 0)
        try:
            _, holder = await asyncio.open_connection("127.0.0.1", port)
            assert (await exchange(port, b"GET / HTTP/1.1\r\n\r\n"))[0][0] == 503
            reader, other = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
            other.write(b"GET / HTTP/1.1\r\n\r\n")
            async with asyncio.timeout(5):
                assert (await reader.readline()).split()[1] == b"200"
            for writer in (holder, other):
                writer.close()
        finally:
            await face.stop()

    asyncio.run(scenario())
