"""A small HTTP/1.1 server for ONVIF services, their snapshots, and the simulator's control. Event loop only.

Recorders speak HTTP as their authors imagined it: libonvif looks for `Content-Length: ` in exactly these letters, while
granian writes all names small, and it leaves the port out of `Host`. So an ONVIF device has a listener of its own that
answers as cameras do. Enough HTTP for SOAP clients and browsers: bodies by length or in chunks, keep-alive, limits and
deadlines on everything. The parser is pure; `HttpFace` is the shell around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from gateway.errors import ListenError

log = logging.getLogger(__name__)

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS = 256, 64
"""Cameras allow a handful; clients that open one per call and forget it must not exhaust us, nor shut the others out."""
IDLE_TIMEOUT_S = 30.0
"""A kept-alive connection without a request."""
REQUEST_TIMEOUT_S = 10.0
"""From the first byte of a request to the last, and for writing its answer."""
STOP_TIMEOUT_S = 1.0

DEFAULT_PORT, MAX_PORT = 80, 65_535
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::(?P<port>[1-9]\d{0,4}))?")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,6})[ \t]*(?:;[^\r\n]*)?\r\n")
_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,4096}) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):([^\x00-\x08\x0a-\x1f\x7f]*)")
"""Blanks around the value are cut off afterwards: in here a line full of them would be tried in every way there is."""


class BadRequest(ValueError):
    """The bytes are not a request we take. `status` is what to answer before closing."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """Request line and header fields; names in lower case, the last of a repeated one counts."""

    method: str
    target: str
    headers: Mapping[str, str]
    keep_alive: bool
    body_length: int
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A whole request. `host` and `port` are where the client has found us, `client` is its own address."""

    method: str
    path: str
    """Decoded, without the query."""
    target: str
    """As sent."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    host: str
    port: int
    client: str


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, *, keep_alive: bool, with_body: bool = True) -> bytes:
        """The answer on the wire."""
        fields = [
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
            ("Connection", "keep-alive" if keep_alive else "close"),
            *self.headers,
        ]
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", *(f"{name}: {text}" for name, text in fields)]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        return head + self.body if with_body else head


HttpHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]


def parse_head(data: bytes) -> Head:
    """Read everything up to and including the empty line. Raises BadRequest."""
    start, *lines = data.rstrip(b"\r\n").split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(start)
    if match is None:
        raise BadRequest("malformed request line")
    headers: dict[str, str] = {}
    for line in lines:
        field = _HEADER.fullmatch(line)
        if field is None:
            raise BadRequest("malformed header field")
        name, value = field[1].decode().lower(), field[2].strip(b" \t").decode("latin-1")
        if name == "content-length" and headers.get(name, value) != value:
            raise BadRequest("contradicting Content-Length")
        headers[name] = value
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    if "transfer-encoding" in headers and (not chunked or "content-length" in headers):
        raise BadRequest("a body comes with Content-Length or in chunks", 400 if chunked else 501)
    length = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,9}", length):
        raise BadRequest("malformed Content-Length")
    if int(length) > MAX_BODY_BYTES:
        raise BadRequest("body too large", 413)
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection and (match[3] == b"1" or "keep-alive" in connection)
    return Head(match[1].decode(), match[2].decode(), headers, keep_alive, int(length), chunked)


def found_at(host_header: str | None, local: str, port: int) -> tuple[str, int]:
    """Host and port by which a client has found us, who listen at `local` (an address without brackets) and `port`.

    Behind a port forwarding only the client knows them. But a header that names our own address without a port means
    nothing by it (libonvif), and one that cannot be read means nothing at all.
    """
    local = local.removeprefix("::ffff:") if "." in local else local
    match = _HOST.fullmatch(host_header or "")
    if match is None or int(match["port"] or port) > MAX_PORT:
        return local, port
    host = match["ipv6"] or match["name"]
    if match["port"]:
        return host, int(match["port"])
    return host, port if host == local else DEFAULT_PORT


class HttpFace:
    """Listens and hands requests to `handler`."""

    def __init__(self, handler: HttpHandler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._by_address: Counter[str] = Counter()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (0 picks one). Raises ListenError."""
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=MAX_HEAD_BYTES)
        except OSError as error:
            raise ListenError(f"HTTP: cannot listen on {host}:{port}: {error.strerror or error}") from error
        actual: int = self._server.sockets[0].getsockname()[1]
        return actual

    async def stop(self) -> None:
        """Close the listener and cut every connection. Harmless if not started."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _client(writer)
        if len(self._tasks) >= MAX_CONNECTIONS or self._by_address[client] >= MAX_CONNECTIONS_PER_ADDRESS:
            writer.write(HttpResponse(503).encode(keep_alive=False))
            writer.close()
            return

        def leave(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._by_address[client] -= 1
            if not self._by_address[client]:
                del self._by_address[client]

        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        self._by_address[client] += 1
        task.add_done_callback(leave)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._serve_one(reader, writer):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # clients come and go as they like
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is to be closed."""
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            first = await reader.read(1)
        if not first:
            return False
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = parse_head(first + await reader.readuntil(b"\r\n\r\n"))
                if head.headers.get("expect", "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # .NET clients wait for it
                body = await (_read_chunks(reader) if head.chunked else reader.readexactly(head.body_length))
        except asyncio.LimitOverrunError:
            return await self._refuse(writer, HttpResponse(431))
        except BadRequest as error:
            return await self._refuse(writer, HttpResponse(error.status, f"{error}\n".encode()))
        response = await self._answer(head, body, writer)
        writer.write(response.encode(keep_alive=head.keep_alive, with_body=head.method != "HEAD"))
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            await writer.drain()
        return head.keep_alive

    async def _answer(self, head: Head, body: bytes, writer: asyncio.StreamWriter) -> HttpResponse:
        local = writer.get_extra_info("sockname")
        raw_path, _, query = head.target.partition("?")
        host, port = found_at(head.headers.get("host"), local[0], local[1])
        request = HttpRequest(
            method=head.method,
            path=unquote(raw_path, errors="replace"),
            target=head.target,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=head.headers,
            body=body,
            host=host,
            port=port,
            client=_client(writer),
        )
        try:
            return await self._handler(request)
        except Exception:
            log.exception("onvif: a request for %s failed", request.path)
            return HttpResponse(500)

    async def _refuse(self, writer: asyncio.StreamWriter, response: HttpResponse) -> bool:
        writer.write(response.encode(keep_alive=False))
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            await writer.drain()
        return False


def _client(writer: asyncio.StreamWriter) -> str:
    """The peer's address; empty if it has gone already."""
    peer = writer.get_extra_info("peername")
    return str(peer[0]).removeprefix("::ffff:") if peer else ""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A body in chunks (RFC 9112 section 7.1), as some gSOAP clients send it. Raises BadRequest."""
    body = bytearray()
    while True:
        match = _CHUNK_SIZE.fullmatch(await reader.readuntil(b"\r\n"))
        if match is None:
            raise BadRequest("malformed chunk")
        size = int(match[1], 16)
        if len(body) + size > MAX_BODY_BYTES:
            raise BadRequest("body too large", 413)
        chunk = await reader.readexactly(size + 2) if size else b""
        if size and not chunk.endswith(b"\r\n"):
            raise BadRequest("malformed chunk")
        if not size:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers, bounded by the request's deadline
            return bytes(body)
        body += chunk[:-2]
