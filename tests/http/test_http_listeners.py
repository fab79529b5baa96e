"""Real ports: TLS with HTTP/1.1 and HTTP/2, plain HTTP, clients that go away, and stopping."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway.errors import ListenError
from gateway.http import listeners as listeners_module
from gateway.http.addresses import BoxNames, box_names
from gateway.http.certificates import Certificates
from gateway.http.listeners import HttpListeners
from gateway.http.messages import Request, Response
from gateway.http.router import Router
from gateway.http.rsgi import Application

HOST = "127.0.0.1"


class Blocker:
    """A native handler that waits for ever, and tells when it was entered and cancelled."""

    def __init__(self) -> None:
        self.entered = asyncio.Semaphore(0)
        self.cancelled = asyncio.Semaphore(0)

    async def __call__(self, request: Request) -> Response:
        self.entered.release()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.release()
        return Response(200)


class Served:
    """Open listeners and what is behind them."""

    def __init__(self, data_dir: Path, **options: Any) -> None:
        self.blocker = Blocker()
        self.requests: list[Request] = []
        router = Router()
        router.add("/hls/block", self.blocker)
        router.add("/hls/", self.echo)
        router.add_websocket("/live", self.live)
        self.tls = Certificates(data_dir, names=options.pop("names", box_names))
        self.app = Application(router, self.page)
        self.listeners = HttpListeners(self.app, https=(HOST, 0), http=(HOST, 0), tls=self.tls, **options)

    async def echo(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, b"native", (("content-type", "text/plain"),))

    async def page(self, request: Request, body: bytes) -> Response:
        self.requests.append(request)
        return Response(200, b"page %d" % len(body))

    async def live(self, request: Request, opening: Any) -> None:
        opened = await opening.accept()
        message = await opened.receive()
        await opened.send_str(f"echo {message.data}")

    def url(self, path: str, scheme: str = "https") -> str:
        return f"{scheme}://{HOST}:{self.listeners.port(scheme)}{path}"


@asynccontextmanager
async def serving(data_dir: Path, **options: Any) -> AsyncIterator[Served]:
    served = Served(data_dir, **options)
    await served.listeners.start()
    try:
        yield served
    finally:
        await served.listeners.stop()


async def curl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("curl", "-sk", "-m", "10", *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode()


def on_uvloop(test: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test())  # type: ignore[arg-type]


@pytest.mark.e2e
def test_both_protocols_on_tls_and_plain_http_reach_handlers_and_pages(tmp_path: Path):
    async def run() -> None:
        async with serving(tmp_path) as served:
            form = "%{http_version} "
            assert await curl("--http2", "-w", form, served.url("/hls/a")) == "native2 "
            assert await curl("--http1.1", "-w", form, served.url("/hls/a")) == "native1.1 "
            assert await curl("-w", form, served.url("/", "http")) == "page 01.1 "
            assert await curl("--http2", "-d", "abc", served.url("/login")) == "page 3"
            assert await curl("--tls-max", "1.2", served.url("/hls/a")) == "native"

    on_uvloop(run)


@pytest.mark.e2e
def test_cookies_that_http2_splits_arrive_as_one_header_and_the_host_is_known(tmp_path: Path):
    async def run() -> None:
        async with serving(tmp_path) as served:
            await curl("--http2", "-H", "cookie: a=1", "-H", "cookie: session=2", served.url("/hls/a"))
            request = served.requests[0]
            assert request.headers["cookie"] == "a=1; session=2"
            assert request.headers["host"] == f"{HOST}:{served.listeners.port('https')}"
            assert (request.client, request.scheme) == (HOST, "https")

    on_uvloop(run)


@pytest.mark.e2e
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_blocked_handler_is_cancelled_when_its_client_disconnects(tmp_path: Path, version: str):
    async def run() -> None:
        async with serving(tmp_path) as served:
            client = await asyncio.create_subprocess_exec("curl", "-skN", version, served.url("/hls/block"))
            await asyncio.wait_for(served.blocker.entered.acquire(), 5)
            client.kill()
            await client.wait()
            await asyncio.wait_for(served.blocker.cancelled.acquire(), 2)

    on_uvloop(run)


@pytest.mark.e2e
def test_too_large_a_body_is_413_on_both_protocols(tmp_path: Path):
    (tmp_path / "big").write_bytes(bytes(3_000_000))

    async def run() -> None:
        async with serving(tmp_path) as served:
            for version in ("--http1.1", "--http2"):
                answer = await curl(
                    version, "--data-binary", f"@{tmp_path / 'big'}", "-w", "%{http_code}", "-o", str(tmp_path / "out"),
                    served.url("/login"),
                )  # fmt: skip
                assert answer == "413"

    on_uvloop(run)


@pytest.mark.e2e
def test_stopping_with_waiting_http2_requests_answers_them_and_takes_less_than_three_seconds(tmp_path: Path):
    async def run() -> None:
        served = Served(tmp_path)
        await served.listeners.start()
        url = served.url("/hls/block")
        waiting = asyncio.create_task(curl("--http2", "-Z", "-w", "%{http_code} ", "-o", "/dev/null", url, url))
        await served.blocker.entered.acquire()
        began = time.monotonic()
        await served.listeners.stop()
        assert time.monotonic() - began < 3
        assert "503" in await waiting

    on_uvloop(run)


def test_stopping_with_idle_connections_does_not_hang_and_frees_the_port(tmp_path: Path):
    async def run() -> None:
        served = Served(tmp_path)
        await served.listeners.start()
        port = served.listeners.port("https")
        tls = ssl.create_default_context(cafile=str(served.tls.authority))
        tls.set_alpn_protocols(["h2"])
        _reader, writer = await asyncio.open_connection(HOST, port, ssl=tls, server_hostname="localhost")
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
        await writer.drain()
        began = time.monotonic()
        await served.listeners.stop()
        assert time.monotonic() - began < 3
        writer.transport.abort()
        assert port is not None
        again = HttpListeners(Application(Router(), served.page), https=None, http=(HOST, port), tls=None)
        await again.start()
        await again.stop()

    on_uvloop(run)


def test_a_port_in_use_says_which_and_how_to_find_the_other(tmp_path: Path):
    async def run() -> None:
        with socket.create_server((HOST, 0)) as other:
            port = other.getsockname()[1]
            app = Application(Router(), Served(tmp_path).page)
            listeners = HttpListeners(app, https=(HOST, 0), http=(HOST, port), tls=Certificates(tmp_path))
            with pytest.raises(ListenError) as caught:
                await listeners.start()
            assert str(caught.value) == (
                f"cannot listen on {HOST}:{port} (http): address already in use; "
                f"another gateway, or: ss -ltnp 'sport = :{port}' shows who"
            )
            assert listeners.port("https") is None

    asyncio.run(run())


def test_a_second_gateway_does_not_share_the_port_silently(tmp_path: Path):
    async def run() -> None:
        async with serving(tmp_path) as served:
            port = served.listeners.port("http")
            assert port is not None
            second = HttpListeners(served.app, https=None, http=(HOST, port), tls=None)
            with pytest.raises(ListenError, match="already in use"):
                await second.start()

    asyncio.run(run())


def test_an_address_of_another_machine_is_explained(tmp_path: Path):
    async def run() -> None:
        listeners = HttpListeners(Served(tmp_path).app, https=None, http=("192.0.2.200", 0), tls=None)
        with pytest.raises(ListenError, match="no such address"):
            await listeners.start()

    asyncio.run(run())


def test_a_server_that_fails_at_once_is_a_listen_error_not_a_silence(tmp_path: Path, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("no sockets left\n\nStack backtrace:\n 0: unknown")

    async def run() -> None:
        monkeypatch.setattr(listeners_module.Server, "startup", broken)
        listeners = HttpListeners(Served(tmp_path).app, https=None, http=(HOST, 0), tls=None)
        with pytest.raises(ListenError) as caught:
            await listeners.start()
        assert str(caught.value).endswith("(http): no sockets left")

    asyncio.run(run())


def test_a_listener_that_dies_later_is_reported(tmp_path: Path, caplog):
    async def run() -> None:
        async with serving(tmp_path) as served:
            assert not served.listeners.failed.is_set()
            next(one for one in served.listeners._doors if one.scheme == "http").listener.server.stop()
            await asyncio.wait_for(served.listeners.failed.wait(), 3)

    asyncio.run(run())
    assert "the http listener ended" in caplog.text


def test_a_new_address_of_the_box_gets_a_new_certificate_while_serving(tmp_path: Path):
    names = ["localhost"]

    async def certificate(served: Served) -> bytes:
        tls = ssl.create_default_context(cafile=str(served.tls.authority))
        reader, writer = await asyncio.open_connection(
            HOST, served.listeners.port("https"), ssl=tls, server_hostname="localhost"
        )
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(b"GET /hls/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"native" in await reader.read()
        writer.close()
        return shown

    async def run() -> None:
        options = {"names": lambda: BoxNames(tuple(names), ()), "renewal_check_s": 0.05}
        async with serving(tmp_path, **options) as served:
            before = await certificate(served)
            old = served.listeners._doors[0].listener.task
            names.append("warehouse")
            await asyncio.wait_for(asyncio.wait({old}), 5)
            assert await certificate(served) != before
            assert not served.listeners.failed.is_set()

    asyncio.run(run())


def test_signals_and_logging_stay_ours(tmp_path: Path, caplog):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    root_handlers = list(logging.getLogger().handlers)

    async def run() -> None:
        async with serving(tmp_path):
            now = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
            assert now[1:] == handlers[1:]

    asyncio.run(run())
    assert logging.getLogger().handlers == root_handlers
    assert not [record for record in caplog.records if "granian" in record.name]
    assert not logging.getLogger("_granian").handlers


def test_websockets_work_over_tls_beside_http2(tmp_path: Path):
    async def run() -> None:
        async with serving(tmp_path) as served:
            tls = ssl.create_default_context(cafile=str(served.tls.authority))
            reader, writer = await asyncio.open_connection(
                HOST, served.listeners.port("https"), ssl=tls, server_hostname="localhost"
            )
            writer.write(
                b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            writer.write(b"\x81\x82\x00\x00\x00\x00hi")
            assert await reader.readexactly(9) == b"\x81\x07echo hi"
            assert (await reader.read())[:1] in (b"\x88", b"")
            writer.close()

    asyncio.run(run())
