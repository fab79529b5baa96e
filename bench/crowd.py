"""Viewers for the endurance benchmarks: as little of RTMP, HLS, WebSocket and RTSP as it takes to see pictures come.

Each `visit` opens a session, waits until media arrives, stays for a while, and leaves or breaks off. Raises OSError,
TimeoutError or `Refused` when there is no picture. One event loop; every address comes with the viewing token.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

from gateway_process import GatewayProcess

from gateway.rtmp import amf0, chunk
from gateway.rtmp.chunk import encode_message
from gateway.rtmp.handshake import ClientHandshake

FIRST_PICTURE_S = 30.0
MEDIA_BYTES = 4000
"""After so much it was a picture and no greeting."""
HOST = "127.0.0.1"


class Refused(Exception):
    """The gateway said no."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a viewer does."""

    stream: str
    stay_s: float = 0.3
    abort: bool = False
    """Break off with a reset, as a phone that leaves the Wi-Fi does not even do."""
    read_bytes_per_s: float = 0.0
    """Slow viewers read so much; 0: everything."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where the gateway is."""

    ports: dict[str, int]
    token: str

    @classmethod
    def of(cls, gateway: GatewayProcess) -> Box:
        """Ask a running gateway."""
        return cls(dict(gateway.ports), gateway.api("viewing-token")["token"])


@asynccontextmanager
async def _line(port: int, visit: Visit) -> Any:
    reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, port, limit=1 << 20), FIRST_PICTURE_S)
    try:
        yield reader, writer
    finally:
        if visit.abort:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()


async def _watch(reader: asyncio.StreamReader, visit: Visit, started: float) -> float:
    """Read media until the stay is over; seconds to the first picture."""
    got = 0
    first = 0.0
    async with asyncio.timeout(FIRST_PICTURE_S):
        while got < MEDIA_BYTES:
            data = await reader.read(65536)
            if not data:
                raise Refused("closed before a picture")
            got += len(data)
        first = time.monotonic() - started
    until = time.monotonic() + visit.stay_s
    while (left := until - time.monotonic()) > 0:
        try:
            size = 65536 if not visit.read_bytes_per_s else int(visit.read_bytes_per_s / 10)
            if not await asyncio.wait_for(reader.read(size), left):
                raise Refused("closed while watching")
        except TimeoutError:
            break
        if visit.read_bytes_per_s:
            await asyncio.sleep(0.1)
    return first


async def rtmp(box: Box, visit: Visit) -> float:
    """An RTMP player."""
    started = time.monotonic()
    name = f"{visit.stream}?token={box.token}"
    commands = (("connect", 1.0, {"app": "live"}), ("createStream", 2.0, None), ("play", 0.0, None, name))
    said = b"".join(encode_message(3, chunk.COMMAND, 0, 0, amf0.encode(*one), chunk_bytes=128) for one in commands)
    async with _line(box.ports["rtmp"], visit) as (reader, writer):
        writer.write(ClientHandshake().start() + bytes(1536) + said)
        await asyncio.wait_for(reader.readexactly(1 + 1536 * 2), FIRST_PICTURE_S)
        return await _watch(reader, visit, started)


async def rtsp(box: Box, visit: Visit) -> float:
    """An RTSP player over TCP."""
    started = time.monotonic()
    url = f"rtsp://{HOST}:{box.ports['rtsp']}/live/{visit.stream}?token={box.token}"
    async with _line(box.ports["rtsp"], visit) as (reader, writer):

        async def ask(text: str) -> str:
            writer.write(text.encode())
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), FIRST_PICTURE_S)).decode()
            if " 200 " not in head.splitlines()[0]:
                raise Refused(head.splitlines()[0])
            length = re.search(r"Content-Length: (\d+)", head, re.IGNORECASE)
            return head + (await reader.readexactly(int(length[1]))).decode() if length else head

        described = await ask(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        control = re.findall(r"a=control:(\S+)", described)[-1]
        base = re.search(r"Content-Base: (\S+)", described)
        track = control if "://" in control else f"{(base[1] if base else url).rstrip('/')}/{control}"
        set_up = await ask(f"SETUP {track} RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
        session = re.search(r"Session: ([^;\s]+)", set_up)
        assert session is not None
        await ask(f"PLAY {url} RTSP/1.0\r\nCSeq: 3\r\nSession: {session[1]}\r\n\r\n")
        return await _watch(reader, visit, started)


async def ws(box: Box, visit: Visit) -> float:
    """A page of the wall with one tile."""
    started = time.monotonic()
    async with _line(box.ports["http"], visit) as (reader, writer):
        writer.write(
            f"GET /live?token={box.token} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), FIRST_PICTURE_S)
        if b" 101 " not in head:
            raise Refused(head.split(b"\r\n")[0].decode())
        text = json.dumps({"type": "subscribe", "stream": visit.stream, "format": "frames"}).encode()
        writer.write(bytes((0x81, 0x80 | len(text))) + bytes(4) + text)
        return await _watch(reader, visit, started)


async def hls(box: Box, visit: Visit) -> float:
    """A low-latency HLS player: blocked playlists, each newest part."""
    started = time.monotonic()
    async with _line(box.ports["http"], visit) as (reader, writer):

        async def get(path: str) -> bytes:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            async with asyncio.timeout(FIRST_PICTURE_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = re.search(r"content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
            if " 200 " not in head.splitlines()[0]:
                raise Refused(f"{head.splitlines()[0]} {body[:80]!r}")
            return body

        base = f"/hls/{visit.stream}/"
        first = 0.0
        while True:
            playlist = (await get(f"{base}live.m3u8?token={box.token}")).decode()
            names = re.findall(r'URI="([^"]+\.m4s[^"]*)"', playlist) or re.findall(r"^([^#\s]\S*)$", playlist, re.MULTILINE)
            hinted = re.search(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', playlist)
            name = [one for one in names if not hinted or one != hinted[1]][-1]
            await get(name if name.startswith("/") else base + name)
            first = first or time.monotonic() - started
            if time.monotonic() - started > visit.stay_s:
                return first
            await asyncio.sleep(0.2)


PROTOCOLS: dict[str, Callable[[Box, Visit], Awaitable[float]]] = {"rtmp": rtmp, "hls": hls, "ws": ws, "rtsp": rtsp}


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds."""

    rss_mb: float
    threads: int
    files: int

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """Read it."""
        status = Path(f"/proc/{pid}/status").read_text()
        rss, threads = (int(re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)[1]) for name in ("VmRSS", "Threads"))  # type: ignore[index]
        return cls(rss / 1024, threads, len(list(Path(f"/proc/{pid}/fd").iterdir())))
