"""As little HTTP/2 as a load generator needs: GET over one TLS connection, several at a time (RFC 9113, RFC 7541).

Request fields are sent without compression state; of the answer's fields only the status is read, which servers send first and
as an index or a short literal. Light on purpose: the client's work must fit on the core the server is not using.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from typing import cast

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WINDOW = 2**31 - 1
STATUS = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload) << 8 | kind) + bytes((flags,)) + struct.pack(">I", stream) + payload


def literal(prefix: bytes, value: str) -> bytes:
    """A field that is not indexed: `prefix` names it."""
    data = value.encode()
    length = bytes((len(data),)) if len(data) < 127 else bytes((127, (len(data) - 127) & 127 | 128, (len(data) - 127) >> 7))
    return prefix + length + data


class Connection(asyncio.Protocol):
    """One viewer's connection."""

    def __init__(self, authority: str, authorization: str) -> None:
        self._head = b"\x82\x87" + literal(b"\x01", authority)  # GET, https; pseudo-header fields come first
        self._tail = b"\x90" + literal(b"\x0f\x08", authorization)  # accept-encoding: gzip, deflate
        self._buffer = bytearray()
        self._next = 1
        self._waiting: dict[int, tuple[asyncio.Future[tuple[int, bytes]], list[bytes], int]] = {}
        self._transport: asyncio.Transport | None = None
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello, with windows that never fill."""
        self._transport = cast(asyncio.Transport, transport)
        settings = struct.pack(">HIHI", 4, WINDOW, 2, 0)
        wider = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65535))
        self._transport.write(PREFACE + frame(SETTINGS, 0, 0, settings) + wider)

    def connection_lost(self, error: Exception | None) -> None:
        """Everything still asked for fails."""
        for future, _, _ in self._waiting.values():
            if not future.done():
                future.set_exception(error or ConnectionError("closed"))

    def get(self, path: str) -> asyncio.Future[tuple[int, bytes]]:
        """Ask; the answer is status and body."""
        assert self._transport is not None
        stream, self._next = self._next, self._next + 2
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[stream] = (future, [], 0)
        fields = self._head + literal(b"\x04", path) + self._tail
        self._transport.write(frame(HEADERS, END_HEADERS | END_STREAM, stream, fields))
        return future

    def data_received(self, data: bytes) -> None:
        """Cut frames."""
        self._buffer += data
        self.received += len(data)
        at, buffer = 0, self._buffer
        while len(buffer) - at >= 9:
            size = buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2]
            if len(buffer) - at < 9 + size:
                break
            stream = int.from_bytes(buffer[at + 5 : at + 9], "big") & 0x7FFFFFFF
            self._take(buffer[at + 3], buffer[at + 4], stream, bytes(buffer[at + 9 : at + 9 + size]))
            at += 9 + size
        del buffer[:at]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert self._transport is not None
        if kind == SETTINGS and not flags & ACK:
            self._transport.write(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self._transport.write(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self._transport.close()
        known = self._waiting.get(stream)
        if known is None:
            return
        future, body, status = known
        if kind == HEADERS:
            while payload and 0x20 <= payload[0] < 0x40:
                payload = payload[1:]  # a change of the table's size comes before the fields
            status = STATUS.get(payload[0], 503) if payload else 0
            self._waiting[stream] = (future, body, status)
        elif kind == DATA:
            body.append(payload)
        elif kind == RST_STREAM:
            flags, status = END_STREAM, 0
        if flags & END_STREAM and kind in (HEADERS, DATA, RST_STREAM):
            del self._waiting[stream]
            if not future.done():
                future.set_result((status, b"".join(body)))


async def connect(host: str, port: int, authorization: str) -> Connection:
    """Open a connection; certificates are not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    _, protocol = await asyncio.get_running_loop().create_connection(
        lambda: Connection(f"{host}:{port}", authorization), host, port, ssl=context
    )
    return protocol
