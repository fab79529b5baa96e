#!/usr/bin/env python3
"""What bad RTMP clients do to the gateway: one that hardly reads among many, and thousands that break off.

Runs the gateway as users do, publishes one 2 Mbit/s stream to it, and prints what the others lost, what memory and files it
cost, and whether anything in the log is worse than a warning.

    .venv/bin/python bench/rtmp_abuse.py                  100 players, the first reads 10 kB/s; 10,000 broken connections
"""

from __future__ import annotations

import argparse
import random
import socket
import struct
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import rtmp
import rtmp_media
from child import ROOT, Child

from gateway.rtmp import amf0, chunk
from gateway.rtmp.chunk import encode_message
from gateway.rtmp.handshake import ClientHandshake

SLOW_BYTES_PER_S = 10_000
AT_ONCE = 16


def main() -> int:
    """Abuse and print."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--players", type=int, default=100)
    p.add_argument("--seconds", type=float, default=30.0)
    p.add_argument("--cycles", type=int, default=10_000)
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        program = rtmp.compile_load(folder)
        clip = rtmp_media.encode(folder / "clip.flv")
        gateway = rtmp.Gateway(folder)
        stack.callback(gateway.end)
        script = str(rtmp.HERE / "rtmp_media.py")
        command = [sys.executable, script, str(gateway.port), rtmp.APP, gateway.publish_name, str(clip)]
        publisher = Child(command, folder / "publisher.log", {"PYTHONPATH": str(ROOT)})
        stack.callback(publisher.end)
        gateway.wait_live()
        time.sleep(15)  # the HLS window fills up
        print(slow_player(gateway, program, o.players, o.seconds))
        print(broken_connections(gateway, o.cycles))
        log = (folder / "gateway-1.log").read_text("utf-8", errors="replace")
        print(f"tracebacks in the log: {log.count('Traceback')}, errors: {log.count(' ERROR ')}; lines: {log.count(chr(10))}")
        print(f"still live: {gateway.live()}")
    return 0


def slow_player(gateway: rtmp.Gateway, program: Path, players: int, seconds: float) -> str:
    """One player reads next to nothing."""
    with ExitStack() as stack:
        even = rtmp.Load(program, gateway.port, players - 1, 4000)
        stack.callback(even.end)
        while even.window()["joined"] < players - 1:
            time.sleep(0.5)
        time.sleep(5)
        memory = rtmp.rss_kb(gateway.pids)
        slow = rtmp.Load(program, gateway.port, 1, 4000, SLOW_BYTES_PER_S)
        stack.callback(slow.end)
        even.window()
        peak = memory
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.2)
            peak = max(peak, rtmp.rss_kb(gateway.pids))
        found = even.window()
        closed = slow.window()["closed"]
    lost = found["frames_most"] - found["frames_least"]
    return (
        f"{players} players, one of them reads {SLOW_BYTES_PER_S} bytes/s, for {seconds:g} s: the others differ by {lost} "
        f"frames of {found['frames_most']}, {found['stalled']} stalled, {found['closed']} closed, "
        f"longest gap {found['worst_gap_ms']:.0f} ms, delay p99 {found['delay_ms']['p99']:.1f} ms; "
        f"memory at most {(peak - memory) / 1024:+.1f} MB; dropped for it: {gateway.dropped()}; "
        f"it was {'closed' if closed else 'kept'}"
    )


def broken_connections(gateway: rtmp.Gateway, cycles: int) -> str:
    """Connections broken off at every stage."""
    client = ClientHandshake()
    hello = client.start() + bytes(1536)
    commands = (("connect", 1.0, {"app": rtmp.APP}), ("createStream", 2.0, None), ("play", 0.0, None, rtmp.NAME))
    said = b"".join(encode_message(3, chunk.COMMAND, 0, 0, amf0.encode(*one), chunk_bytes=128) for one in commands)

    def visit(number: int) -> bool:
        kind = number % 10
        with socket.socket() as sock:
            sock.settimeout(10)
            try:
                sock.bind((f"127.0.0.{2 + number % 200}", 0))
                sock.connect(("127.0.0.1", gateway.port))
                if kind % 2:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.sendall((hello[:1000], hello[:2000], hello, hello + said[:80], hello + said)[kind // 2])
                if kind == 7:
                    sock.sendall(random.randbytes(300))
                if kind > 7:
                    sock.recv(10_000)
                    sock.recv(10_000)
            except OSError:
                return False
        return True

    def files() -> int:
        return len(list(Path(f"/proc/{gateway.pids[0]}/fd").iterdir()))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(visit, range(cycles // 10)))  # what is allocated once
        time.sleep(3)
        memory, open_files, began = rtmp.rss_kb(gateway.pids), files(), time.monotonic()
        made = sum(pool.map(visit, range(cycles)))
        took = time.monotonic() - began
    time.sleep(3)
    grown = (rtmp.rss_kb(gateway.pids) - memory) / 1024
    return f"{cycles} broken connections ({made} made, {took:.0f} s): memory {grown:+.1f} MB, files {files() - open_files:+d}"


if __name__ == "__main__":
    sys.exit(main())
