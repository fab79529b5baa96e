"""What a peer can send to the HTTP ports or hold open on them, and what it gets: design/limits.md has the table."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import listeners as listeners_module
from gateway.http.admission import Admission, RequestLimits, Turned, is_loopback
from gateway.http.certificates import Certificates
from gateway.http.listeners import HttpListeners
from gateway.http.messages import Request, Response
from gateway.http.router import Router
from gateway.http.rsgi import Application
from gateway.http.warden import Seen, SocketLimits, judge

HOST = "127.0.0.1"
CLOSED_S = 8.0


class Served:
    """Open ports in front of a page, a request that waits, and a WebSocket that only listens."""

    def __init__(self, folder: Path, sockets: SocketLimits | None = None, requests: RequestLimits | None = None) -> None:
        self._writers: list[asyncio.StreamWriter] = []
        self.calls = 0
        self.heard: list[int] = []
        self.waiting = asyncio.Semaphore(0)
        self.free = asyncio.Event()
        router = Router()
        router.add("/hls/", self.wait)
        router.add_websocket("/live", self.live)
        self.admission = Admission(requests)
        app = Application(router, self.page, admission=self.admission)
        self.listeners = HttpListeners(
            app, https=(HOST, 0), http=(HOST, 0), tls=Certificates(folder), sockets=sockets or SocketLimits()
        )
        self.listeners.warden.look_s = 0.05

    async def page(self, request: Request, body: bytes) -> Response:
        self.calls += 1
        return Response(200, b"page")

    async def wait(self, request: Request) -> Response:
        self.waiting.release()
        await self.free.wait()
        return Response(200, b"now")

    async def live(self, request: Request, opening: Any) -> None:
        transport = await opening.accept()
        try:
            while (message := await transport.receive()).kind != 0:
                self.heard.append(len(message.data))
        except RuntimeError:
            pass  # granian's word for a connection that was reset

    async def open(self, scheme: str = "http", **more: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(HOST, self.listeners.port(scheme), **more)
        self._writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        self.free.set()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)
        await self.listeners.stop()


@asynccontextmanager
async def serving(folder: Path, **options: Any) -> AsyncIterator[Served]:
    served = Served(folder, **options)
    await served.listeners.start()
    try:
        yield served
    finally:
        await served.close()


def run(main: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(main, 30))


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What came until the end of the connection, which must come soon."""
    async with asyncio.timeout(CLOSED_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 66_000, b"414"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 70_000, b"431"),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"".join(b"x%d: 1\r\n" % number for number in range(101)), b"431"),
    ],
    ids=["request line", "header field", "number of fields"],
)
def test_a_head_that_is_too_large_is_refused_and_the_connection_closed(tmp_path, head, status):
    async def main() -> None:
        async with serving(tmp_path) as served:
            reader, writer = await served.open()
            writer.write(head + b" HTTP/1.1\r\n\r\n")
            answer = await closed(reader)
            assert answer.split(b" ")[1] in (status, b"431")
            assert served.calls == 0

    run(main())


def test_a_head_that_trickles_is_cut_off(tmp_path, monkeypatch):
    """Slow loris: a connection for ever, for a byte now and then."""
    monkeypatch.setattr(listeners_module, "HEAD_TIMEOUT_MS", 400)

    async def main() -> None:
        async with serving(tmp_path) as served:
            reader, writer = await served.open()
            end = asyncio.ensure_future(closed(reader))
            for byte in b"GET / HTTP/1.1\r\nhost: x\r\n" * 20:
                if end.done():
                    break
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.05)
            await end
            assert served.calls == 0

    run(main())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_says_nothing_is_closed(tmp_path, scheme):
    async def main() -> None:
        async with serving(tmp_path, sockets=SocketLimits(first_byte_s=0.2)) as served:
            reader, _writer = await served.open(scheme)
            assert await closed(reader) == b""

    run(main())


def test_an_idle_connection_is_closed_and_a_waiting_request_is_not_idle_for_long(tmp_path):
    async def main() -> None:
        async with serving(tmp_path, sockets=SocketLimits(idle_s=0.3)) as served:
            reader, writer = await served.open()
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"page" in await closed(reader)

    run(main())


def test_one_address_cannot_take_all_connections_and_loses_its_idlest(tmp_path):
    async def main() -> None:
        async with serving(tmp_path, sockets=SocketLimits(per_address=3)) as served:
            served.listeners.warden.exempt = lambda address: False
            idle = [await served.open() for _ in range(5)]
            for _reader, writer in idle:
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            busy_reader, busy_writer = await served.open()
            ended = [asyncio.ensure_future(reader.read()) for reader, _ in idle]
            async with asyncio.timeout(CLOSED_S):
                while sum(task.done() for task in ended) < 3:
                    busy_writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    await busy_reader.readuntil(b"page")
            assert sum(task.done() for task in ended) == 3
            for task in ended:
                task.cancel()

    run(main())


def test_a_page_that_leaves_without_a_word_is_let_go_at_once(tmp_path):
    """granian would keep its WebSocket until something is sent to it."""

    async def main() -> None:
        async with serving(tmp_path) as served:
            reader, writer = await served.open()
            writer.write(
                b"GET /live HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            writer.write_eof()
            await closed(reader)

    run(main())


def test_a_message_of_megabytes_to_the_wall_s_socket_is_stopped_while_it_comes(tmp_path):
    """tungstenite would collect 64 MB before anybody may say that 4 kB are enough."""

    async def main() -> None:
        async with serving(tmp_path, sockets=SocketLimits(upload_bytes=60_000)) as served:
            reader, writer = await served.open()
            writer.write(
                b"GET /live HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            writer.write(bytes((0x82, 0xFF)) + struct.pack(">Q", 15_000_000) + bytes(4))
            sent = 0
            try:
                async with asyncio.timeout(CLOSED_S):
                    while sent < 15_000_000:
                        writer.write(bytes(50_000))
                        sent += 50_000
                        await writer.drain()
                        await asyncio.sleep(0.02)
            except ConnectionError:
                pass
            assert sent < 5_000_000
            assert served.heard == []

    run(main())


def test_requests_beyond_what_the_box_carries_are_told_to_come_back(tmp_path):
    async def main() -> None:
        async with serving(tmp_path, requests=RequestLimits(total=2)) as served:
            for _ in range(2):
                _reader, writer = await served.open()
                writer.write(b"GET /hls/x HTTP/1.1\r\nhost: x\r\n\r\n")
                await served.waiting.acquire()
            for path, words in ((b"/hls/x", b"the gateway has as many"), (b"/api/v1/cameras", b'{"error": {"code": "busy"')):
                reader, writer = await served.open()
                writer.write(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                answer = await closed(reader)
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: 2" in answer
                assert words in answer
            assert served.admission.under_way == 2
            served.free.set()
            while served.admission.under_way:
                await asyncio.sleep(0.01)

    run(main())


def test_streams_that_are_reset_at_once_end_the_connection_and_nothing_else(tmp_path):
    """Rapid reset (CVE-2023-44487)."""

    async def main() -> None:
        async with serving(tmp_path) as served:
            context = ssl._create_unverified_context()
            context.set_alpn_protocols(["h2"])
            reader, writer = await served.open("https", ssl=context)
            head = b"\x82\x87\x84\x41\x01x"
            stream = b"".join(
                _frame(1, 5, number, head) + _frame(3, 0, number, struct.pack(">I", 8)) for number in range(1, 8001, 2)
            )
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"") + stream)
            data = await closed(reader)
            assert struct.pack(">I", 11) in data, "no GOAWAY with ENHANCE_YOUR_CALM"
            assert served.calls < 1000
            reader, writer = await served.open()
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert b"page" in await closed(reader)

    run(main())


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def test_an_address_has_its_own_bound_unless_everybody_comes_through_it():
    admission = Admission(RequestLimits(total=10, per_address=1))
    with admission.place("10.0.0.1"), admission.place("10.0.0.2"):
        with pytest.raises(Turned, match="from this address"), admission.place("10.0.0.1"):
            pass
        with admission.place("127.0.0.1"), admission.place("127.0.0.1"), admission.place("::1"), admission.place("::1"):
            assert admission.under_way == 6
    assert admission.under_way == 0


@given(st.ip_addresses())
def test_loopback_is_what_the_standard_says(address):
    assert is_loopback(str(address)) == ipaddress.ip_address(address).is_loopback


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0, 50), st.integers(1, 100)), max_size=40),
    st.integers(1, 10),
    st.integers(1, 20),
)
def test_no_judgement_leaves_more_than_is_allowed_or_takes_more_than_needed(peers, per_address, total):
    seen = [Seen(3, address, port, silent, got) for port, (address, silent, got) in enumerate(peers)]
    limits = SocketLimits(total=total, per_address=per_address)
    gone = {sentence.connection for sentence in judge(seen, {}, limits, lambda address: address == "c")}
    left = [one for one in seen if one not in gone]
    assert len(left) <= total
    for address in "ab":
        own = [one for one in seen if one.address == address]
        kept = [one for one in left if one.address == address]
        assert len(kept) <= per_address
        if len(own) <= per_address and len(seen) <= total:
            assert kept == own
        lost = [one for one in own if one in gone]
        if kept and lost and len(seen) <= total:
            assert min(one.silent_s for one in lost) >= max(one.silent_s for one in kept)
