#!/usr/bin/env python3
"""How soon a blocked request is answered: from the moment a part exists to the answer that is handed over, in the process.

The HLS service with one camera fed by hand and many requests held at once: playlists with blocking reload (as many logins as
viewers, so that nothing is shared but what the gateway shares), and requests for the hinted part. Sockets, TLS and the
player are not in it; `bench/hls.py` has those.

    .venv/bin/python bench/hls_release.py                     500 viewers of one camera, 100 parts
    .venv/bin/python bench/hls_release.py --viewers 50
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "hls"))

import numpy as np
import uvloop
from house import House
from playlist_linter import parse
from synthetic import camera

GOAL_MS = 50.0


async def measure(viewers: int, parts: int, logins: int) -> dict[str, list[float]]:
    """Milliseconds to each answer: playlists, hinted parts; and the CPU time until the last one, for each part."""
    house = House()
    house.service.channel(house.cam).window.watched()
    house.cam.push(camera(8))
    frames = camera(parts, start_s=8)
    playlists: list[float] = []
    hinted: list[float] = []
    cpu: list[float] = []

    async def ask(path: str, kept: list[float]) -> None:
        answer = await house.get(path, accept_encoding="gzip")
        kept.append(time.perf_counter())
        assert answer.status == 200, path

    for _ in range(parts):
        hint = parse(await house.live()).hint
        msn, part = hint.rpartition("/s")[2].removesuffix(".m4s").split(".p")
        at: tuple[list[float], list[float]] = ([], [])
        waiting = []
        for number in range(viewers):
            path = f"/hls/cam/live.m3u8?token={number % logins}&_HLS_msn={msn}&_HLS_part={part}"
            waiting += [asyncio.create_task(ask(path, at[0])), asyncio.create_task(ask(f"/hls/cam/{hint}", at[1]))]
        await asyncio.sleep(0.02)
        version = house.service.channel(house.cam).window.version
        while house.service.channel(house.cam).window.version == version:
            pushed, used = time.perf_counter(), time.thread_time()
            house.cam.push([next(frames)])
        await asyncio.gather(*waiting)
        cpu.append((time.thread_time() - used) * 1000)
        playlists += [(one - pushed) * 1000 for one in at[0]]
        hinted += [(one - pushed) * 1000 for one in at[1]]
    await house.service.close()
    return {"playlist": playlists, "hinted part": hinted, "CPU, all": cpu}


def main() -> int:
    """Measure and print."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--viewers", type=int, default=500, help="each holds a playlist and a hinted part")
    p.add_argument("--parts", type=int, default=100)
    p.add_argument("--logins", type=int, default=4, help="different queries among them; each costs a playlist of its own")
    o = p.parse_args()
    print(f"{o.viewers} viewers with {o.logins} logins, {o.parts} parts, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measure(o.viewers, o.parts, o.logins))
    worst = 0.0
    for name, took in found.items():
        p50, p99 = np.percentile(took, [50, 99])
        worst = max(worst, float(p99))
        print(f"  {name:12} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   max {max(took):6.1f} ms   ({len(took)})")
    print(f"released within {GOAL_MS:.0f} ms: {'yes' if worst <= GOAL_MS else 'NO'} (p99)")
    return 0 if worst <= GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
