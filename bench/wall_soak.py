#!/usr/bin/env python3
"""A wall that is left alone: does every picture go on, as young as at first, and does the page's memory stay what it was.

Starts one GStreamer camera that paints the time into its picture, a gateway that pulls it once for every tile, and Chromium
without a window. Ends with one table of verdicts, and with exit code 1 if one of them is bad.

    .venv/bin/python bench/wall_soak.py                            16 tiles, 10 minutes
    .venv/bin/python bench/wall_soak.py --tiles 36 --minutes 1 --picture wall.jpg
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

import numpy as np
from gateway_process import GatewayProcess
from gst_process import GstCamera
from playwright.sync_api import CDPSession, Page, sync_playwright
from wall_page import CHROMIUM, FLAGS, READ_CLOCK, open_wall, tiles, wait_states

STALL_MS, LATENCY_MS = 1000, 200
DRIFT_MS = 50
"""Pictures may be so much older in the last quarter than in the first."""
HEAP_MB, MEMORY_SHARE, MEMORY_MB = 1.0, 0.05, 10.0
"""What may be more at the end: of the script's heap after a collection, and of the page's process (the larger of both)."""
WARM_UP_S = 30.0
LOOK_EVERY_S = 5.0
READ_EVERY_MS = 500
LIVE_S = 60.0

SAMPLER = f"""
(every) => {{
  const read = {READ_CLOCK};
  const now = () => performance.now();
  const found = window.__found = {{}};
  for (const {{id, frames}} of window.__wall.tiles) {{
    found[id] = {{ages: [], gap: 0, frames: 0, count: frames, at: now(), notLive: 0}};
  }}
  setInterval(() => {{
    for (const tile of window.__wall.tiles) {{
      const seen = found[tile.id];
      if (tile.state !== 'live') seen.notLive += 1;
      if (tile.frames === seen.count) continue;
      seen.gap = Math.max(seen.gap, now() - seen.at);
      seen.frames += tile.frames - seen.count;
      seen.count = tile.frames;
      seen.at = now();
    }}
  }}, 20);
  setInterval(() => {{
    for (const {{id, behind}} of read()) if (behind !== null) found[id].ages.push(behind);
  }}, every);
}}
"""
DRAIN = """
() => Object.fromEntries(Object.entries(window.__found).map(([id, seen]) => {
  const {ages, gap, frames, notLive} = seen;
  Object.assign(seen, {ages: [], gap: 0, frames: 0, notLive: 0});
  return [id, {ages, gap: Math.max(gap, performance.now() - seen.at), frames, notLive}];
}))
"""
"""What was seen since the last call. The page keeps none of it, or the measurement would be the leak."""


@dataclass
class Run:
    """Everything that was seen, in the order of time."""

    looks: list[dict[str, Any]] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    heap_mb: list[float] = field(default_factory=list)
    elements: list[int] = field(default_factory=list)
    helped: int = 0
    dropped: int = 0
    seconds: float = 0.0


def main() -> int:
    """Measure and print."""
    o = arguments()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        camera = GstCamera(folder, width=o.width, height=o.height, fps=o.fps, gop=2 * o.fps, bitrate=o.bitrate)
        stack.callback(camera.end)
        names = [f"cam-{number:02}" for number in range(o.tiles)]
        gateway = GatewayProcess(folder, {one: {"rtsp": camera.url()} for one in names})
        stack.callback(gateway.end)
        gateway.wait_live(*names, timeout_s=LIVE_S)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stack.callback(browser.close)
        context = browser.new_context(ignore_https_errors=True, viewport={"width": 1920, "height": 1080})
        page = open_wall(context, gateway)
        wait_states(page, dict.fromkeys(names, ("live",)), LIVE_S)
        load = os.getloadavg()[0]
        run = watch(page, browser.new_browser_cdp_session(), context.new_cdp_session(page), o.minutes * 60)
        if o.picture:
            page.screenshot(path=o.picture, quality=80 if o.picture.endswith("jpg") else None)
        size = f"{o.tiles} tiles {o.width}x{o.height} {o.fps}/s"
        print(f"{size}, {run.seconds:.0f} s, {os.cpu_count()} cores, load before {load:.1f}")
        rows = verdicts(run, names, o.fps)
    if o.json:
        print(json.dumps([row.__dict__ for row in rows], indent=1))
    else:
        for row in rows:
            print(f"  {'good' if row.good else 'BAD ':4}  {row.what:32} {row.found:44} {row.goal}")
    return 0 if all(row.good for row in rows) else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--tiles", type=int, default=16)
    p.add_argument("--minutes", type=float, default=10.0)
    p.add_argument("--width", type=int, default=640)
    p.add_argument("--height", type=int, default=360)
    p.add_argument("--fps", type=int, default=15)
    p.add_argument("--bitrate", type=int, default=500, help="kbit/s")
    p.add_argument("--picture", default="", metavar="FILE", help="keep what the wall looks like at the end")
    p.add_argument("--json", action="store_true")
    return p.parse_args()


def watch(page: Page, browser: CDPSession, session: CDPSession, seconds: float) -> Run:
    """Let the wall run and look at it every few seconds."""
    run = Run()
    page.wait_for_timeout(WARM_UP_S * 1000)
    page.evaluate(SAMPLER, READ_EVERY_MS)
    before = helped(page)
    run.heap_mb.append(heap(session))
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        page.wait_for_timeout(LOOK_EVERY_S * 1000)
        run.looks.append(page.evaluate(DRAIN))
        run.memory_mb.append(renderers_mb(browser))
        run.elements.append(page.evaluate("document.getElementsByTagName('*').length"))
    run.seconds = time.monotonic() - began
    run.heap_mb.append(heap(session))
    run.helped = helped(page) - before
    run.dropped = page.evaluate("window.__wall.tiles.reduce((sum, {id}) => sum + window.__wall.tile(id).stats().dropped, 0)")
    return run


def helped(page: Page) -> int:
    """How often tiles had to be helped so far."""
    return sum(tile["restarts"] + tile["resyncs"] for tile in tiles(page).values())


def heap(session: CDPSession) -> float:
    """The script's heap after a collection, MB."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def renderers_mb(browser: CDPSession) -> float:
    """Memory of the processes that run pages (their share of what they share), MB."""
    found = 0
    for process in browser.send("SystemInfo.getProcessInfo")["processInfo"]:
        if process["type"] == "renderer":
            try:
                text = Path(f"/proc/{process['id']}/smaps_rollup").read_text()
            except OSError:
                continue
            found += int(text.partition("\nPss:")[2].split()[0])
    return found / 1024


@dataclass(frozen=True)
class Verdict:
    """A line of the table."""

    what: str
    found: str
    goal: str
    good: bool


def verdicts(run: Run, names: Sequence[str], fps: int) -> list[Verdict]:
    """What is to be said of the run."""
    gaps = {name: max(look[name]["gap"] for look in run.looks) for name in names}
    p95 = {name: percentile([age for look in run.looks for age in look[name]["ages"]], 95) for name in names}
    stalled, slow = (max(values, key=values.__getitem__) for values in (gaps, p95))
    stalls = sum(look[name]["gap"] > STALL_MS for look in run.looks for name in names)
    share = max(1, len(run.looks) // 4)
    first, last = (
        percentile([age for look in part for name in names for age in look[name]["ages"]], 50)
        for part in (run.looks[:share], run.looks[-share:])
    )
    memory = [float(np.median(part)) for part in (run.memory_mb[:share], run.memory_mb[-share:])]
    elements = [int(np.median(part)) for part in (run.elements[:share], run.elements[-share:])]
    not_live = sum(look[name]["notLive"] for look in run.looks for name in names)
    shown = [sum(look[name]["frames"] for look in run.looks) / run.seconds for name in names]
    over = sum(value > LATENCY_MS for value in p95.values())
    allowed = max(MEMORY_MB, memory[0] * MEMORY_SHARE)
    rows = [
        ("longest time without a picture", f"{gaps[stalled]:.0f} ms ({stalled}); {stalls} stalls"),
        ("called live all the time", f"{not_live} of the looks at a tile it was not"),
        ("95 % of a tile's pictures", f"worst {p95[slow]} ms ({slow}), {over} of {len(names)} tiles over"),
        ("no drift (median)", f"{first} to {last} ms"),
        ("pictures per second and tile", f"{min(shown):.1f} to {max(shown):.1f}"),
        ("script's heap", f"{run.heap_mb[0]:.1f} to {run.heap_mb[-1]:.1f} MB"),
        ("page's process", f"{memory[0]:.0f} to {memory[1]:.0f} MB, at most {max(run.memory_mb):.0f}"),
        ("elements of the page", f"{elements[0]} to {elements[1]}"),
        ("tiles helped, pictures lost", f"{run.helped} times, {run.dropped} pictures"),
    ]
    goals = [
        (f"<= {STALL_MS} ms", gaps[stalled] <= STALL_MS),
        ("0", not_live == 0),
        (f"<= {LATENCY_MS} ms", over == 0),
        (f"<= +{DRIFT_MS} ms", last - first <= DRIFT_MS),
        (f">= {0.9 * fps:.1f}", min(shown) >= 0.9 * fps),
        (f"<= +{HEAP_MB:.0f} MB", run.heap_mb[-1] - run.heap_mb[0] <= HEAP_MB),
        (f"<= +{allowed:.0f} MB", memory[1] - memory[0] <= allowed),
        ("the same", elements[0] == elements[1]),
        ("0", run.helped == 0 and run.dropped == 0),
    ]
    return [Verdict(what, found, *goal) for (what, found), goal in zip(rows, goals, strict=True)]


def percentile(values: Sequence[float], share: int) -> int:
    """`share` per cent of the values are not above it."""
    return round(float(np.percentile(values, share))) if values else 1_000_000


if __name__ == "__main__":
    sys.exit(main())
