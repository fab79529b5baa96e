"""Between granian and the handlers, with a protocol object made by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.http import rsgi
from gateway.http.messages import Request, Response
from gateway.http.router import Router
from gateway.http.rsgi import Application, client_address, make_request


class Fields:
    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = list(pairs)

    def items(self) -> list[tuple[str, str]]:
        return self.pairs


@dataclass
class FakeScope:
    path: str = "/hls/x"
    method: str = "GET"
    proto: str = "http"
    client: str = "10.0.0.7:5000"
    scheme: str = "https"
    query_string: str = ""
    authority: str | None = None
    headers: Any = field(default_factory=Fields)


class FakeProtocol:
    """Records the answer; the client goes away when told to."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers: list[tuple[Any, ...]] = []
        self.closed: list[int | None] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk

    def client_disconnect(self) -> asyncio.Future[None]:
        return self.gone

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.answers.append((status, headers, body))

    def response_file(self, status: int, headers: list[tuple[str, str]], file: str) -> None:
        self.answers.append((status, headers, file))

    def response_file_range(self, status: int, headers: list[tuple[str, str]], file: str, *part: int) -> None:
        self.answers.append((status, headers, file, *part))

    def close(self, status: int | None) -> None:
        self.closed.append(status)


async def pages(request: Request, body: bytes) -> Response:
    return Response(200, b"page %d" % len(body))


def serve(handler: Any, scope: FakeScope, *chunks: bytes) -> list[tuple[Any, ...]]:
    async def run() -> list[tuple[Any, ...]]:
        router = Router()
        router.add("/hls/", handler)
        protocol = FakeProtocol(*chunks)
        await asyncio.create_task(Application(router, pages).__rsgi__(scope, protocol))
        return protocol.answers

    return asyncio.run(run())


def test_split_cookies_of_http2_are_joined_as_one_header():
    fields = Fields(("cookie", "a=1"), ("accept", "x"), ("cookie", "session=2"), ("accept", "y"))
    request = make_request(FakeScope(headers=fields, authority="box:8443", query_string="a=%20"))
    assert request.headers == {"cookie": "a=1; session=2", "accept": "x, y", "host": "box:8443"}
    assert request.parameters() == {"a": " "}


@pytest.mark.parametrize(
    ("peer", "address"),
    [("10.0.0.7:5000", "10.0.0.7"), ("[::1]:5000", "::1"), ("[::ffff:10.0.0.7]:5000", "10.0.0.7"), ("", "")],
)
def test_the_client_s_address_has_no_port(peer: str, address: str):
    assert client_address(peer) == address


def test_native_handlers_answer_and_the_rest_goes_to_the_pages():
    async def handler(request: Request) -> Response:
        return Response(206, b"part", (("etag", "1"),))

    assert serve(handler, FakeScope()) == [(206, [("etag", "1")], b"part")]
    assert serve(handler, FakeScope("/"))[0][2] == b"page 0"
    assert serve(handler, FakeScope("/login", "POST"), b"ab", b"c")[0][2] == b"page 3"


def test_a_defect_answers_500_and_is_logged_once_without_credentials(caplog):
    async def handler(request: Request) -> Response:
        raise RuntimeError("rtsp://admin:hunter22@10.0.0.1 broke")

    answers = serve(handler, FakeScope(query_string="token=abcdef"))
    assert answers[0][0] == 500
    assert len(caplog.records) == 1
    assert "hunter22" not in caplog.text + str(answers)
    assert "abcdef" not in caplog.text


def test_too_large_bodies_are_refused_by_their_length_or_when_they_get_there():
    async def handler(request: Request) -> Response:
        return Response(200)

    announced = FakeScope("/login", "POST", headers=Fields(("content-length", "9" * 40)))
    assert serve(handler, announced)[0][0] == 413
    assert serve(handler, FakeScope("/login", "POST"), b"x" * 600_000, b"x" * 600_000)[0][0] == 413


def test_a_body_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(rsgi, "BODY_DEADLINE_S", 0.02)

    async def run() -> list[tuple[Any, ...]]:
        class Slow(FakeProtocol):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield b"x"
                await asyncio.Event().wait()

        protocol = Slow()
        await asyncio.create_task(Application(Router(), pages).__rsgi__(FakeScope("/login", "POST"), protocol))
        return protocol.answers

    assert asyncio.run(run())[0][0] == 408


def test_a_handler_is_cancelled_when_its_client_goes_away():
    async def run() -> None:
        entered, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return Response(200)

        router = Router()
        router.add("/hls/", handler)
        protocol = FakeProtocol()
        task = asyncio.create_task(Application(router, pages).__rsgi__(FakeScope(), protocol))
        await entered.wait()
        protocol.gone.set_result(None)
        await asyncio.wait_for(task, 1)
        assert cancelled.is_set()
        assert protocol.answers == []

    asyncio.run(run())


def test_release_ends_waiting_requests_with_503_and_answers_new_ones_so():
    async def run() -> None:
        entered = asyncio.Event()

        async def handler(request: Request) -> Response:
            entered.set()
            await asyncio.Event().wait()
            return Response(200)

        router = Router()
        router.add("/hls/", handler)
        app = Application(router, pages)
        waiting, late = FakeProtocol(), FakeProtocol()
        task = asyncio.create_task(app.__rsgi__(FakeScope(), waiting))
        await entered.wait()
        app.release()
        await asyncio.wait_for(task, 1)
        await asyncio.create_task(app.__rsgi__(FakeScope(), late))
        assert (waiting.answers[0][0], late.answers[0][0]) == (503, 503)
        assert waiting.gone.cancelled()

    asyncio.run(run())


def test_files_are_sent_by_the_server_whole_or_in_part(tmp_path: Path):
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"0123456789")

    async def handler(request: Request) -> Response:
        return Response(200, file, (("content-type", "video/mp4"),))

    whole = serve(handler, FakeScope())[0]
    assert (whole[0], whole[2]) == (200, str(file))
    assert ("accept-ranges", "bytes") in whole[1]
    part = serve(handler, FakeScope(headers=Fields(("range", "bytes=2-4"))))[0]
    assert (part[0], part[3:]) == (206, (2, 5))
    assert ("content-range", "bytes 2-4/10") in part[1]
    assert serve(handler, FakeScope(headers=Fields(("range", "bytes=10-"))))[0][0] == 416
    file.unlink()
    assert serve(handler, FakeScope(headers=Fields(("range", "bytes=0-"))))[0][0] == 404


def test_websockets_are_routed_refused_and_their_defects_logged(caplog):
    async def run() -> None:
        seen: list[str] = []

        async def live(request: Request, socket: Any) -> None:
            seen.append(request.scheme)
            raise RuntimeError("broken")

        router = Router()
        router.add_websocket("/live", live)
        app = Application(router, pages)
        known, unknown, late = FakeProtocol(), FakeProtocol(), FakeProtocol()
        await asyncio.create_task(app.__rsgi__(FakeScope("/live", proto="ws", scheme="wss"), known))
        await asyncio.create_task(app.__rsgi__(FakeScope("/other", proto="ws"), unknown))
        app.release()
        await asyncio.create_task(app.__rsgi__(FakeScope("/live", proto="ws"), late))
        assert seen == ["https"]
        assert (known.closed, unknown.closed, late.closed) == ([None], [404], [503])

    asyncio.run(run())
    assert len(caplog.records) == 1
