#!/usr/bin/env python3
"""What a thousand reloads leave behind: memory, threads, file descriptors, and the pictures that an untouched camera lost.

Starts GStreamer cameras and the gateway as users start it, lets an RTMP and a low-latency HLS viewer watch one camera, and
asks for reloads that add, remove and change the others, move a port to and fro, or are refused. Reads /proc in between.

    .venv/bin/python bench/reload.py                1,000 reloads
    .venv/bin/python bench/reload.py --reloads 100
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

import av
from cameras import machine
from child import free_port, until
from gateway_process import PASSWORD, GatewayProcess
from gst_process import GstCamera
from ll_hls_viewer import LlHlsViewer

SETTLE_S = 8.0
STEPS = 5
ALLOWANCE_S = 30.0
FPS = 25


def main() -> int:
    """Measure and print."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--reloads", type=int, default=1000)
    p.add_argument("--json", action="store_true")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        camera = GstCamera(folder, mounts=3, width=320, height=180, fps=FPS)
        stack.callback(camera.end)
        gateway = GatewayProcess(folder, {"stays": {"rtsp": camera.url(0)}}, {"reload": {"watch": False}})
        stack.callback(gateway.end)
        gateway.wait_live("stays")
        until(lambda: gateway.last_segment("stays") > 0, 20, "a playlist")
        result = measure(gateway, camera, o.reloads)
    print(json.dumps(result, indent=1) if o.json else table(result))
    return 0


def measure(gateway: GatewayProcess, camera: GstCamera, reloads: int) -> dict[str, Any]:
    """Reload, and look at the process in between."""
    viewer = LlHlsViewer(gateway.get, "stays").start()
    rows, outcomes = [], dict.fromkeys(("applied", "unchanged", "refused"), 0)
    variants = itertools.cycle(configurations(gateway, camera))
    asked = Asked(gateway)
    with ThreadPoolExecutor(1) as pool:
        # as long as it takes: the gateway ends the play
        through = pool.submit(watch, gateway.rtmp("stays"))
        until(lambda: gateway.camera("stays")["streams"][0]["viewers"]["rtmp"] == 1, 15, "the RTMP viewer")
        time.sleep(SETTLE_S)
        rows.append(row(gateway, 0))
        began = time.monotonic()
        for number in range(1, reloads + 1):
            next(variants)()
            outcomes[asked.reload()] += 1
            if number % max(1, reloads // STEPS) == 0:
                rows.append(row(gateway, number))
        took_s = time.monotonic() - began
        gateway.settings["listen"]["rtsp"] = f"127.0.0.1:{gateway.ports['rtsp']}"
        gateway.write({"stays": {"rtsp": camera.url(0)}})
        asked.reload()
        time.sleep(SETTLE_S)
        rows.append(row(gateway, reloads))
        live = gateway.log.count("stream stays: live")
        viewer.stop()
        gateway.write({})
        asked.reload()
        rtmp = through.result(timeout=ALLOWANCE_S)
    return {
        "reloads": reloads,
        "took_s": round(took_s, 1),
        "outcomes": outcomes,
        "rows": rows,
        "sessions_of_the_untouched_camera": live,
        "rtmp": steps(rtmp),
        "ll_hls": steps(viewer.pictures()) | {"refused": len(viewer.refused), "runs": len(viewer.runs)},
        "machine": machine(),
    }


def configurations(gateway: GatewayProcess, camera: GstCamera) -> list[Any]:
    """What is written in turn."""
    stays, moved = {"rtsp": camera.url(0)}, free_port()

    def write(cameras: dict[str, Any], rtsp: int | None = None) -> None:
        gateway.settings["listen"]["rtsp"] = f"127.0.0.1:{rtsp or gateway.ports['rtsp']}"
        gateway.write({"stays": stays, **cameras})

    return [
        lambda: write({"other": {"rtsp": camera.url(1)}}),
        lambda: write({"other": {"rtsp": camera.url(1), "audio": False}, "dead": {"rtsp": "rtsp://127.0.0.1:1/x"}}),
        lambda: write({"third": {"rtsp": camera.url(2)}}, moved),
        lambda: write({"wrong": {"rtps": "x"}}),
    ]


class Asked:
    """Reloads through the API."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._url = f"http://127.0.0.1:{gateway.ports['http']}/api/v1/config/reload"
        self._login = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()

    def reload(self) -> str:
        """The outcome."""
        headers = {"Authorization": self._login, "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, b"{}", headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=ALLOWANCE_S) as answer:
                return str(json.load(answer)["outcome"])
        except urllib.error.HTTPError as error:
            return str(json.load(error)["outcome"])


def watch(url: str) -> list[float]:
    """Presentation times until the play ends."""
    times: list[float] = []
    with av.open(url, timeout=(ALLOWANCE_S, ALLOWANCE_S)) as container:
        video = container.streams.video[0]
        try:
            times.extend(float(one.pts * one.time_base) for one in container.demux(video) if one.pts is not None)
        except OSError:
            pass  # the camera was taken away: that is how the play ends
    return times


def row(gateway: GatewayProcess, reloads: int) -> dict[str, Any]:
    """The process as it is."""
    proc = Path("/proc", str(gateway.child.pid))
    fields = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {
        "reloads": reloads,
        "rss_mb": round(int(fields["VmRSS"].split()[0]) / 1024, 1),
        "threads": int(fields["Threads"]),
        "fds": len(list((proc / "fd").iterdir())),
    }


def steps(times: list[float]) -> dict[str, Any]:
    """Pictures, the largest distance of two, and how many are missing at a steady rate."""
    between = [later - earlier for earlier, later in itertools.pairwise(times)]
    missing = sum(round(step * FPS) - 1 for step in between if step > 1.5 / FPS)
    return {"pictures": len(times), "largest_step_ms": round(max(between) * 1000), "missing": missing}


def table(result: dict[str, Any]) -> str:
    """For people."""
    lines = [f"{result['reloads']} reloads in {result['took_s']} s: {result['outcomes']}"]
    lines += ["| after | RSS MB | threads | fds |", "|---|---|---|---|"]
    lines += [f"| {one['reloads']} | {one['rss_mb']} | {one['threads']} | {one['fds']} |" for one in result["rows"]]
    lines += [f"untouched camera: {result['sessions_of_the_untouched_camera']} session"]
    lines += [f"{name}: {result[name]}" for name in ("rtmp", "ll_hls")]
    return "\n".join([*lines, f"machine: {result['machine']}"])


if __name__ == "__main__":
    sys.exit(main())
