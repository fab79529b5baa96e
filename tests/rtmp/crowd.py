"""A crowd of RTMP players in a process of its own, so that the server's memory can be told from theirs.

    python crowd.py PORT NAME PLAYERS SLOW_BYTES_PER_S

The first player reads no faster than the last argument says. A number on stdin ends it as soon as every other player has
seen the picture with that timestamp, or after a while; their timestamps are then printed as JSON: one list of
[first, last, count, largest step] each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from gateway.rtmp import amf0, chunk  # noqa: E402 - the path comes first
from gateway.rtmp.chunk import ChunkReader, encode_message  # noqa: E402

_SMALL_BUFFER = 4096
WAIT_S = 30.0


class Player(asyncio.Protocol):
    """Plays and notes what it sees."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shaken = 0
        self._reader = ChunkReader(partial_bytes=1 << 24)
        self.seen = [-1, -1, 0, 0]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(b"\x03" + bytes(1536))

    def data_received(self, data: bytes) -> None:
        if self._shaken < 3073:
            used = min(len(data), 3073 - self._shaken)
            self._shaken += used
            data = data[used:]
            if self._shaken == 3073:
                self._transport.write(bytes(1536) + ask(self._name))
        for message in self._reader.feed(data):
            if message.type_id == chunk.VIDEO and message.payload[1] == 1:
                first, last, count, step = self.seen
                now = message.timestamp
                self.seen = [now if first < 0 else first, now, count + 1, max(step, now - last if last >= 0 else 0)]


def ask(name: str) -> bytes:
    """All commands of a player at once."""
    commands = (("connect", 1.0, {"app": "live"}), ("createStream", 2.0, None), ("play", 0.0, None, name))
    return b"".join(encode_message(3, chunk.COMMAND, 0, 0, amf0.encode(*one), chunk_bytes=128) for one in commands)


async def slow(port: int, name: str, bytes_per_s: int) -> None:
    """Read a little ten times a second."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, b"\x03" + bytes(1536) + bytes(1536) + ask(name))
        try:
            while await loop.sock_recv(sock, bytes_per_s // 10):
                await asyncio.sleep(0.1)
        except ConnectionError:
            pass


async def main(port: int, name: str, players: int, slow_bytes_per_s: int) -> None:
    """Open all, wait for the line, print."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(slow(port, name, slow_bytes_per_s))
    crowd = [Player(name) for _ in range(players - 1)]
    for number, player in enumerate(crowd):
        # servers limit connections per address
        address = f"127.0.0.{2 + number // 50}"
        await loop.create_connection(lambda player=player: player, "127.0.0.1", port, local_addr=(address, 0))
    last = int(await loop.run_in_executor(None, sys.stdin.readline))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_S):
            while any(player.seen[1] < last for player in crowd):
                await asyncio.sleep(0.01)
    print(json.dumps([player.seen for player in crowd]), flush=True)
    task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
