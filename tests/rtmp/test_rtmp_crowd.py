"""Many real connections: a slow player among a hundred, and thousands that come and go. Nothing may be lost, kept or logged."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind
from gateway.rtmp.chunk import encode_message
from gateway.rtmp.server import RtmpServer, ServerLimits
from gateway.rtmp.viewer import ViewerLimits

WAIT_S = 30.0
PLAYERS = 100
SLOW_BYTES_PER_S = 10_000
CYCLES = int(os.environ.get("GATEWAY_RTMP_CYCLES", "400"))
"""Connections that are made and broken off; ten thousand for an acceptance run."""


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


def rss_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_slow_player_among_a_hundred_costs_the_others_nothing_and_us_its_bound(camera, media):
    limits = ServerLimits(tick_s=0.05, viewer=ViewerLimits(overflows=1_000_000, no_progress_s=60.0))

    async def scene() -> None:
        stream = Stream("front-door")
        feed = camera(stream, media(Codec.H264, None, noise=True, width=320, height=240))
        feed.push(0.2)
        server = RtmpServer({"front-door": stream}.get, lambda credentials: True, limits=limits)
        await server.start("127.0.0.1", 0)
        script = str(Path(__file__).with_name("crowd.py"))
        arguments = [script, str(server.port), "front-door", str(PLAYERS), str(SLOW_BYTES_PER_S)]
        crowd = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            await eventually(lambda: server.status().players == PLAYERS)
            (relay,) = server._relays._relays.values()
            seconds, pushed = 0.2, 0

            async def push(bytes_more: int) -> None:
                nonlocal seconds, pushed
                goal = pushed + bytes_more
                while pushed < goal:
                    seconds += 0.2
                    feed.push(seconds)
                    pushed += sum(len(frame.payload) for frame in feed.media.frames) // 10
                    # as fast as a hundred players read, less the slow one
                    await eventually(lambda: len(relay._lane.takers) >= PLAYERS - 1)

            await push(3_000_000)
            gc.collect()
            before = rss_kb()
            await push(30_000_000)
            biggest = max(viewer.waiting_bytes for viewer in relay._viewers)
            gc.collect()
            grown = rss_kb() - before
            assert biggest <= limits.viewer.queue_bytes
            assert grown * 1024 < limits.viewer.queue_bytes + 4_000_000
            assert server.status().players >= PLAYERS - 1, "the kernel gives up on one that takes nothing for a while"
            await eventually(lambda: server.status().counters.dropped > 0)
            assert sum(viewer.overflows > 0 for viewer in relay._viewers) <= 1
            last = relay._last_ms[Kind.VIDEO]
            seen = json.loads((await crowd.communicate(b"%d\n" % last))[0])
            assert len(seen) == PLAYERS - 1
            for first, newest, count, step in seen:
                assert newest == last and step == 40 and count == (newest - first) // 40 + 1
        finally:
            if crowd.returncode is None:
                crowd.kill()
                await crowd.wait()
            await server.stop()

    uvloop.run(scene())


def visit(port: int, kind: int, hello: bytes, said: bytes) -> None:
    """One connection, broken off in one of the ways in which they break."""
    with socket.socket() as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))
        if kind % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset instead of goodbye
        try:
            if kind in (1, 2):
                sock.sendall(hello[: 1000 * kind])
            elif kind > 2:
                sock.sendall(hello)
                if kind > 3:
                    sock.sendall(said[: len(said) // 2] if kind < 6 else said)
                if kind == 7:
                    sock.sendall(random.randbytes(300))
                if kind > 7:
                    sock.recv(10_000)
                    sock.recv(10_000)
        except OSError:
            pass


def test_connections_that_come_and_break_off_leave_nothing_behind(camera, media, player, caplog):
    caplog.set_level(logging.ERROR)  # kept records would look like a leak
    limits = ServerLimits(tick_s=0.05)

    async def scene() -> None:
        stream = Stream("front-door")
        feed = camera(stream, media())
        feed.push(0.5)
        server = RtmpServer({"front-door": stream}.get, lambda credentials: True, limits=limits)
        await server.start("127.0.0.1", 0)
        client = player()
        hello = client.hello() + bytes(1536)
        said = client.connect() + client.play("front-door") + encode_message(2, 3, 0, 0, bytes(4))

        async def visits(count: int) -> None:
            loop = asyncio.get_running_loop()
            for start in range(0, count, 10):
                kinds = range(min(10, count - start))
                await asyncio.gather(*(loop.run_in_executor(None, visit, server.port, kind, hello, said) for kind in kinds))
            await eventually(lambda: server.status().connections == 0)

        running = asyncio.create_task(feed.run())
        await visits(300)
        gc.collect()
        files, memory, accepted = open_files(), rss_kb(), server.status().counters.accepted
        await visits(CYCLES)
        gc.collect()
        assert caplog.messages == []
        assert open_files() == files
        assert server.status().counters.accepted - accepted == CYCLES
        assert len(server._relays) == 0 and not stream.demand.active and not server._by_address
        grown = rss_kb() - memory
        print(f"{CYCLES} connections: {grown} kB more, {open_files() - files} files more, {server.status().counters}")
        assert grown < 4_000
        running.cancel()
        await server.stop()

    uvloop.run(scene())
