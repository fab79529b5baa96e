#!/usr/bin/env python3
"""How late the wall's picture is, per transport, read from the clock in the pixels of a real browser.

Starts GStreamer cameras that paint the time into their pictures, the gateway as users start it, and Chromium without a
window. Sensor, display and network are not in the figures; the camera's encoder, RTSP, the gateway and the browser are.

    .venv/bin/python bench/wall.py                           one camera, 60 s per transport, and RTMP in ffmpeg beside it
    .venv/bin/python bench/wall.py --tiles 16 --minutes 10   a wall of 16: stalls, memory, latency of every tile
    .venv/bin/python bench/wall.py --first 20                time to the first picture, 20 times one tile and 16 tiles
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

import numpy as np
from clock_reader import read_clock
from gateway_process import GatewayProcess
from gst_process import GstCamera
from playwright.sync_api import BrowserContext, CDPSession, Page, sync_playwright
from wall_page import CHROMIUM, FLAGS, READ_CLOCK, open_wall, tiles, wait_states

TRANSPORTS = {"ws-webcodecs": 200, "ws-mse": 400, "hls": 1200}
"""With the goal for 95 % of all pictures, milliseconds."""
RTMP_GOAL_MS = 300
FIRST_GOALS_MS = {1: 500, 16: 1500}
STALL_MS = 1000
SETTLE_S = 8.0
READ_EVERY_MS = 100
LIVE_S = 60.0

SAMPLER = f"""
(every) => {{
  const read = {READ_CLOCK};
  const found = window.__found = {{}};
  const now = () => performance.now();
  for (const tile of window.__wall.tiles) found[tile.id] = {{ages: [], gap: 0, frames: 0, count: tile.frames, at: now()}};
  const watch = () => {{
    for (const tile of window.__wall.tiles) {{
      const seen = found[tile.id];
      if (tile.frames === seen.count) continue;
      seen.gap = Math.max(seen.gap, now() - seen.at);
      seen.frames += tile.frames - seen.count;
      seen.count = tile.frames;
      seen.at = now();
    }}
  }};
  const sample = () => {{
    for (const {{id, behind}} of read()) if (behind !== null) found[id].ages.push(behind);
  }};
  setInterval(watch, 20);
  setInterval(sample, every);
}}
"""


def main() -> int:
    """Measure and print."""
    o = arguments()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        count = max(o.tiles, 16 if o.first else 1)
        # one encoder for all cameras: what is measured is the wall, not this machine's encoders
        camera = GstCamera(folder, width=o.width, height=o.height, fps=o.fps, gop=o.gop, bitrate=o.bitrate)
        stack.callback(camera.end)
        gateway = GatewayProcess(folder, {f"cam-{number:02}": {"rtsp": camera.url()} for number in range(count)})
        stack.callback(gateway.end)
        gateway.wait_live(*(f"cam-{number:02}" for number in range(count)), timeout_s=LIVE_S)
        playwright = stack.enter_context(sync_playwright())
        context = playwright.chromium.launch_persistent_context(
            str(folder / "profile"), executable_path=CHROMIUM, headless=True, args=FLAGS, ignore_https_errors=True,
            viewport={"width": 1280, "height": 720},
        )  # fmt: skip
        stack.callback(context.close)
        result: dict[str, Any] = {
            "picture": f"{o.width}x{o.height} {o.fps} fps", "cores": os.cpu_count(), "load_before": os.getloadavg()[0],
        }  # fmt: skip
        if o.first:
            result["first"] = first_pictures(context, gateway, o.first, count)
        else:
            seconds = o.minutes * 60 if o.minutes else o.seconds
            for transport in o.transports.split(","):
                result[transport] = watch(context, gateway, transport, seconds)
            if o.tiles == 1:
                result["rtmp"] = rtmp(gateway, "cam-00", o.width, o.height, seconds)
    print(json.dumps(result, indent=1) if o.json else table(result))
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--tiles", type=int, default=1)
    p.add_argument("--seconds", type=float, default=60.0, help="per transport")
    p.add_argument("--minutes", type=float, default=0.0, help="instead of --seconds")
    p.add_argument("--transports", default=",".join(TRANSPORTS))
    p.add_argument("--first", type=int, default=0, metavar="N", help="measure the first picture N times instead")
    p.add_argument("--width", type=int, default=640)
    p.add_argument("--height", type=int, default=360)
    p.add_argument("--fps", type=int, default=25)
    p.add_argument("--gop", type=int, default=50)
    p.add_argument("--bitrate", type=int, default=500, help="kbit/s")
    p.add_argument("--json", action="store_true")
    return p.parse_args()


def watch(context: BrowserContext, gateway: GatewayProcess, transport: str, seconds: float) -> dict[str, Any]:
    """Latency, gaps and memory of a wall that plays for `seconds`."""
    page = open_wall(context, gateway, transport=transport)
    names = list(tiles(page))
    wait_states(page, dict.fromkeys(names, ("live",)), LIVE_S)
    page.wait_for_timeout(SETTLE_S * 1000)
    session = context.new_cdp_session(page)
    before, heap_before = tiles(page), heap(session)
    used_before = browser_ticks(gateway)
    page.evaluate(SAMPLER, READ_EVERY_MS * max(1, len(names) // 4))
    page.wait_for_timeout(seconds * 1000)
    found, after = page.evaluate("window.__found"), tiles(page)
    used = (browser_ticks(gateway) - used_before) / os.sysconf("SC_CLK_TCK") / seconds
    heap_after = heap(session)
    stats = page.evaluate("window.__wall.tiles.map(({id}) => window.__wall.tile(id).stats())")
    page.close()
    per_tile = [percentile(found[name]["ages"], 95) for name in names]
    ages = [age for name in names for age in found[name]["ages"]]
    return {
        "way": sorted({after[name]["transport"] for name in names}),
        "p50_ms": percentile(ages, 50), "p95_ms": percentile(ages, 95), "max_ms": max(ages), "readings": len(ages),
        "worst_tile_p95_ms": max(per_tile), "largest_gap_ms": round(max(found[name]["gap"] for name in names)),
        "stalls": sum(found[name]["gap"] > STALL_MS for name in names),
        "fps": round(sum(found[name]["frames"] for name in names) / seconds / len(names), 1),
        "dropped": sum(stat["dropped"] for stat in stats),
        "helped": sum(after[name][kind] - before[name][kind] for name in names for kind in ("restarts", "resyncs")),
        "heap_mb": [round(heap_before, 1), round(heap_after, 1)], "tiles": len(names), "seconds": seconds,
        "browser_cores": round(used, 2),
    }  # fmt: skip


def browser_ticks(gateway: GatewayProcess) -> int:
    """CPU time of everything this process has started but for the gateway: the browser, and the one camera."""
    used: dict[int, int] = {}
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # ended in between
            continue
        pid = int(stat.parent.name)
        parents[pid], used[pid] = int(fields[1]), int(fields[11]) + int(fields[12])

    def ours(pid: int) -> bool:
        while pid not in (0, 1, gateway.child.pid):
            pid = parents.get(pid, 0)
            if pid == os.getpid():
                return True
        return False

    return sum(ticks for pid, ticks in used.items() if ours(pid))


def heap(session: CDPSession) -> float:
    """JavaScript heap of the page after a collection, MB."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def first_pictures(context: BrowserContext, gateway: GatewayProcess, times: int, count: int) -> dict[str, Any]:
    """From the moment a tile is put into the page to its first picture, of cameras that run."""
    page = open_wall(context, gateway)
    names = list(tiles(page))
    wait_states(page, dict.fromkeys(names, ("live",)), LIVE_S)
    found: dict[str, Any] = {}
    for tiles_now in (1, count):
        needed = [first_once(page, names[:tiles_now]) for _ in range(times)]
        flat = [value for values in needed for value in values]
        found[f"{tiles_now} tiles"] = {
            "p50_ms": percentile(flat, 50), "p95_ms": percentile(flat, 95), "max_ms": round(max(flat)), "count": len(flat),
            "goal_ms": FIRST_GOALS_MS.get(tiles_now),
        }  # fmt: skip
    return found


FIRST = """
async (names) => {
  const all = window.__wall.tiles.map(({id}) => window.__wall.tile(id));
  for (const tile of all) tile.pause();
  await new Promise((done) => setTimeout(done, 400));
  const from = performance.now();
  const chosen = names.map((name) => window.__wall.tile(name));
  const before = chosen.map((tile) => tile.diagnostics().frames);
  for (const tile of chosen) tile.resume();
  const took = chosen.map(() => null);
  while (took.some((value) => value === null)) {
    await new Promise((done) => setTimeout(done, 2));
    chosen.forEach((tile, index) => {
      if (took[index] === null && tile.diagnostics().frames > before[index]) took[index] = performance.now() - from;
    });
  }
  return took;
}
"""


def first_once(page: Page, names: Sequence[str]) -> list[float]:
    """Milliseconds to the first picture of each tile, all started together."""
    return list(page.evaluate(FIRST, list(names)))


def rtmp(gateway: GatewayProcess, camera: str, width: int, height: int, seconds: float) -> dict[str, Any]:
    """Latency of ffmpeg as an RTMP player: frames are decoded and read as raw grey pictures."""
    command = [
        "ffmpeg", "-nostdin", "-v", "error", "-fflags", "nobuffer", "-flags", "low_delay", "-probesize", "32",
        "-analyzeduration", "0", "-threads", "1", "-i", gateway.rtmp(camera), "-map", "0:v", "-fps_mode", "passthrough",
        "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1",
    ]  # fmt: skip
    ages: list[float] = []
    size = width * height
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as player:
        assert player.stdout is not None
        began = time.monotonic()
        while time.monotonic() - began < seconds + SETTLE_S:
            data = player.stdout.read(size)
            if len(data) < size:
                break
            value = read_clock(np.frombuffer(data, np.uint8).reshape(height, width))
            if value is not None and time.monotonic() - began > SETTLE_S:
                ages.append((int(time.time() * 1000) - value) & ((1 << 40) - 1))
        player.kill()
    if not ages:
        return {"problem": "no picture could be read"}
    return {
        "way": ["rtmp in ffmpeg"], "p50_ms": percentile(ages, 50), "p95_ms": percentile(ages, 95), "max_ms": max(ages),
        "readings": len(ages),
    }  # fmt: skip


def percentile(values: Sequence[float], share: int) -> int:
    """`share` per cent of the values are not above it."""
    return round(float(np.percentile(values, share)))


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{result['picture']}, {result['cores']} cores, load before {result['load_before']:.1f}"]
    for name, found in result.get("first", {}).items():
        lines.append(
            f"first picture, {name:9} p50 {found['p50_ms']:5} ms   p95 {found['p95_ms']:5} ms   max {found['max_ms']:5} ms   "
            f"({found['count']})   goal {found['goal_ms'] or '-'}"
        )
    for name in (*TRANSPORTS, "rtmp"):
        found = result.get(name)
        if found is None:
            continue
        if "problem" in found:
            lines.append(f"{name:14}{found['problem']}")
            continue
        line = f"{name:14}p50 {found['p50_ms']:5} ms   p95 {found['p95_ms']:5} ms   max {found['max_ms']:5} ms"
        line += f"   goal {TRANSPORTS.get(name, RTMP_GOAL_MS)}   ({found['readings']} readings)"
        lines.append(line)
        if "tiles" in found:
            lines.append(
                f"{'':14}{found['tiles']} tiles, {found['seconds']:.0f} s over {', '.join(found['way'])}: worst tile's p95 "
                f"{found['worst_tile_p95_ms']} ms, {found['fps']} pictures/s, largest gap {found['largest_gap_ms']} ms, "
                f"stalls {found['stalls']}, lost {found['dropped']}, helped {found['helped']}, "
                f"heap {found['heap_mb'][0]} to {found['heap_mb'][1]} MB, browser {found['browser_cores']} cores"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
