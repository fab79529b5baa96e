#!/usr/bin/env python3
"""What an LL-HLS viewer costs: the gateway's CPU per viewer-second and the lateness of parts, over HTTP/2 and TLS.

Starts GStreamer cameras that repeat a clip, the gateway as users start it (on one core), and viewers in a process of their own
(on the other). A viewer does what hls.js does: a blocking playlist request, then the part it names, then the next. A part's
delay is the time from its end by PROGRAM-DATE-TIME and durations to its last byte at the viewer; lateness is that delay over
the smallest one any viewer of the camera has seen, so it holds all that varies: pictures, event loop, requests, network.

The least that the server can do is measured in the same run (`hls_bare.py`): machines and their other load differ, the ratio
does not.

    .venv/bin/python bench/hls.py                       500 viewers of 16 cameras, 20 s
    .venv/bin/python bench/hls.py --viewers 50 --json
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

import hls_bare
import loop_clip
import uvloop
from cameras import machine, status, ticks
from child import free_port, until
from gateway_process import PASSWORD, GatewayProcess
from gst_process import GstCamera
from h2_client import Connection, connect

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
GOAL_MS_PER_VIEWER_S, GOAL_P99_MS = 0.6, 120.0
CONNECT_STEP_S = 0.01
BARE_START_S = 2.0
PART = re.compile(r'#EXT-X-PART:DURATION=([\d.]+),URI="([^"]+)"')


class Viewer:
    """One player: plays one camera over one connection until told to stop."""

    def __init__(self, connection: Connection, folder: str) -> None:
        self._connection = connection
        self.camera = folder
        self.late_ms: list[float] = []
        self.failures = 0
        self.parts = 0

    async def play(self) -> None:
        """Follow the live edge."""
        query, last = "", ""
        while True:
            code, body = await self._connection.get(f"{self.camera}live.m3u8{query}")
            if code != 200:
                self.failures += 1
                await asyncio.sleep(0.5)
                continue
            text = gzip.decompress(body).decode() if body[:2] == b"\x1f\x8b" else body.decode()
            newest, ends, hint = edge(text)
            query = f"?_HLS_msn={hint[0]}&_HLS_part={hint[1]}"
            if newest != last:
                last = newest
                await self._part(newest, ends)

    async def _part(self, name: str, ends: float) -> None:
        code, _ = await self._connection.get(f"{self.camera}{name}")
        self.parts += 1
        if code != 200:
            self.failures += 1
        self.late_ms.append((time.time() - ends) * 1000)


def edge(text: str) -> tuple[str, float, tuple[str, str]]:
    """Name and end (Unix seconds) of the newest part, and number and index of the next."""
    at, name = 0.0, ""
    for line in text.splitlines()[-60:]:
        if line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            at = datetime.fromisoformat(line.partition(":")[2]).timestamp()
        elif found := PART.match(line):
            at += float(found[1])
            name = found[2]
        elif found := re.search(r'PRELOAD-HINT:TYPE=PART,URI="[^"]*s(\d+)\.p(\d+)\.m4s"', line):
            return name, at, (found[1], found[2])
    return name, at, ("0", "0")


async def load(port: int, cameras: int, viewers: int, settle: float, seconds: float) -> dict[str, Any]:
    """Let `viewers` watch, and tell the parent when the measured time begins and ends."""
    login = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    playing: list[Viewer] = []
    tasks = []
    for number in range(viewers):
        viewer = Viewer(await connect("127.0.0.1", port, login), f"/hls/cam-{number % cameras:02}/")
        playing.append(viewer)
        tasks.append(asyncio.create_task(viewer.play()))
        await asyncio.sleep(CONNECT_STEP_S)
    await asyncio.sleep(settle)
    for viewer in playing:
        viewer.late_ms.clear()
        viewer.parts = viewer.failures = 0
    print("begin", flush=True)
    await asyncio.sleep(seconds)
    least: dict[str, float] = {}
    for viewer in playing:
        least[viewer.camera] = min([least.get(viewer.camera, float("inf")), *viewer.late_ms])
    late = sorted(one - least[viewer.camera] for viewer in playing for one in viewer.late_ms)
    failed = [str(task.exception()) for task in tasks if task.done()]
    result = {
        "parts": sum(viewer.parts for viewer in playing),
        "failures": sum(viewer.failures for viewer in playing),
        "ended": len(failed),
        "slowest_viewer_parts": min(viewer.parts for viewer in playing),
        **{f"late_p{share}_ms": round(late[min(len(late) - 1, len(late) * share // 100)], 1) for share in (50, 95, 99)},
    }
    print("end " + json.dumps(result), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return result


def main() -> int:
    """Measure and print."""
    o = arguments()
    if o.load:
        uvloop.run(load(o.load, o.cameras, o.viewers, o.settle, o.seconds))
        return 0
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        clip = loop_clip.encode(folder / "clip", width=1280, height=720, fps=25, bitrate_kbit=o.bitrate)
        camera = GstCamera(folder, mounts=max(2, o.cameras), loop=clip, video="h264", fps=25, audio="none")
        stack.callback(camera.end)
        cameras = {f"cam-{number:02}": {"rtsp": camera.url(number)} for number in range(o.cameras)}
        gateway = GatewayProcess(folder, cameras)
        stack.callback(gateway.end)
        gateway.wait_live(*cameras, timeout_s=60)
        until(lambda: all(gateway.last_segment(one) >= 0 for one in cameras), 60, "a segment of every camera")
        time.sleep(5)
        pid = gateway.child.pid
        pin(camera.child.pid, 1)
        pin(pid, 0)
        idle, _ = cpu_percent(pid, 5.0)
        result, busy = measure(o, pid, gateway.ports["https"])
        memory = status(pid)
        gateway.end()
        camera.end()
        bare, bare_busy = measure_bare(o, folder)
    bare_ms = bare_busy * 1000 / o.viewers
    result |= {
        "viewers": o.viewers, "cameras": o.cameras, "bitrate_kbit": o.bitrate, "seconds": o.seconds,
        "cpu_percent": round(100 * busy, 1), "cpu_percent_without_viewers": round(idle, 1),
        "ms_per_viewer_second": round((busy - idle / 100) * 1000 / o.viewers, 3),
        "bare_ms_per_viewer_second": round(bare_ms, 3), "bare_late_p99_ms": bare["late_p99_ms"], "bare_parts": bare["parts"],
        "ratio_to_bare": round((busy - idle / 100) / result["parts"] / (bare_busy / bare["parts"]), 2),
        "rss_mb": round(memory["VmRSS"] / 1024, 1), "machine": machine(),
    }  # fmt: skip
    print(json.dumps(result, indent=1) if o.json else table(result))
    return 0


def measure(o: argparse.Namespace, pid: int, port: int) -> tuple[dict[str, Any], float]:
    """Let the viewers watch a server: what they saw, and the share of a core that it used."""
    orders = {"load": port, "cameras": o.cameras, "viewers": o.viewers, "settle": o.settle, "seconds": o.seconds}
    command = [sys.executable, __file__, *(word for key, value in orders.items() for word in (f"--{key}", str(value)))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as viewers:
        pin(viewers.pid, 1)
        try:
            assert viewers.stdout is not None
            assert viewers.stdout.readline() == "begin\n"
            before, began, own_before = ticks(f"/proc/{pid}/stat"), time.monotonic(), ticks(f"/proc/{viewers.pid}/stat")
            line = viewers.stdout.readline()
            took = time.monotonic() - began
            busy = (ticks(f"/proc/{pid}/stat") - before) / TICKS_PER_S / took
            own = (ticks(f"/proc/{viewers.pid}/stat") - own_before) / TICKS_PER_S / took
        finally:
            viewers.kill()
    return json.loads(line.removeprefix("end ")) | {"client_cpu_percent": round(100 * own, 1)}, busy


def measure_bare(o: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], float]:
    """The same with the least server."""
    port, certificate = free_port(), next((folder / "data").rglob("server.pem"))
    part_bytes = round(o.bitrate * 1000 / 8 * hls_bare.PART_S)
    command = [sys.executable, hls_bare.__file__, *map(str, (port, certificate, o.cameras, part_bytes))]
    with subprocess.Popen(command) as server:
        try:
            time.sleep(BARE_START_S)
            pin(server.pid, 0)
            return measure(o, server.pid, port)
        finally:
            server.kill()


def arguments() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--viewers", type=int, default=500)
    p.add_argument("--cameras", type=int, default=16)
    p.add_argument("--bitrate", type=int, default=500, help="kbit/s of a camera")
    p.add_argument("--seconds", type=float, default=20.0)
    p.add_argument("--settle", type=float, default=8.0)
    p.add_argument("--json", action="store_true")
    p.add_argument("--load", type=int, default=0, help=argparse.SUPPRESS)
    return p.parse_args()


def pin(pid: int, core: int) -> None:
    """Keep every thread of a process on one core, where there are two."""
    if (os.cpu_count() or 1) > 1:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def cpu_percent(pid: int, seconds: float) -> tuple[float, float]:
    """CPU of a process in per cent of a core, and how long was measured."""
    before, began = ticks(f"/proc/{pid}/stat"), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return 100 * (ticks(f"/proc/{pid}/stat") - before) / TICKS_PER_S / took, took


def table(result: dict[str, Any]) -> str:
    """What a person reads."""
    r = result
    return "\n".join(
        [
            f"{r['viewers']} viewers of {r['cameras']} cameras, {r['bitrate_kbit']} kbit/s each, HTTP/2 and TLS",
            f"{r['machine']}; {r['seconds']} s",
            f"CPU per viewer-second   {r['ms_per_viewer_second']:.2f} ms   goal {GOAL_MS_PER_VIEWER_S} ms"
            f"   (whole process {r['cpu_percent']} %, without viewers {r['cpu_percent_without_viewers']} %)",
            f"bare granian            {r['bare_ms_per_viewer_second']:.2f} ms, late p99 {r['bare_late_p99_ms']:.0f} ms, "
            f"parts {r['bare_parts']}: a part of the gateway's costs {r['ratio_to_bare']:.2f} of a bare one",
            f"parts late              p50 {r['late_p50_ms']:.0f}, p95 {r['late_p95_ms']:.0f}, p99 {r['late_p99_ms']:.0f} ms"
            f"   goal p99 {GOAL_P99_MS:.0f} ms",
            f"parts                   {r['parts']}, the slowest viewer {r['slowest_viewer_parts']}; "
            f"refused {r['failures']}, ended {r['ended']}",
            f"RSS                     {r['rss_mb']} MB; the viewers' own CPU {r['client_cpu_percent']} % of a core",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
