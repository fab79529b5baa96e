#!/usr/bin/env python3
"""Thousands of viewer sessions, one after another: what does the gateway keep of them?

Two cameras; viewers of RTMP, HLS, the wall's WebSocket and RTSP come, see a picture, stay a moment, and every second one breaks
off. Memory, threads and files are read between windows, when everybody has gone: a leak shows as a slope.

    .venv/bin/python bench/sessions.py                         40,000 sessions
    .venv/bin/python bench/sessions.py --sessions 4000
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import crowd
import loop_clip
from crowd import Box, Footprint, Visit
from gateway_process import GatewayProcess
from gst_process import GstCamera

QUIET_S = 17.0
"""HLS forgets a viewer after 10 s, the wall a page that left without a word after 15 s."""


def main() -> int:
    """Run and print."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--sessions", type=int, default=40_000)
    p.add_argument("--windows", type=int, default=5)
    p.add_argument("--at-once", type=int, default=48)
    p.add_argument("--only", choices=sorted(crowd.PROTOCOLS), help="one protocol")
    p.add_argument("--minutes", type=float, default=60.0, help="stop after this time, whatever was reached")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        clip = loop_clip.encode(folder / "clip", width=320, height=180, fps=10, gop=10, bitrate_kbit=300)
        camera = GstCamera(folder, mounts=2, loop=clip, fps=10, audio="none")
        stack.callback(camera.end)
        gateway = GatewayProcess(folder, {f"cam-{one}": {"rtsp": camera.url(one)} for one in range(2)}, wait=False)
        stack.callback(gateway.end)
        gateway.wait_ready(90)
        gateway.wait_live("cam-0", "cam-1", timeout_s=60)
        return asyncio.run(_run(gateway, o))


async def _run(gateway: GatewayProcess, o: argparse.Namespace) -> int:
    box = await asyncio.to_thread(Box.of, gateway)
    outcomes: Counter[str] = Counter()
    numbers = itertools.count()
    chance = random.Random(1)
    ends_at = time.monotonic() + o.minutes * 60

    async def visitor(sessions: int, taken: itertools.count[int]) -> None:
        while next(taken) < sessions and time.monotonic() < ends_at:
            number = next(numbers)
            kind = o.only or list(crowd.PROTOCOLS)[number % 4]
            visit = Visit(f"cam-{number % 2}", stay_s=chance.uniform(0.0, 0.3), abort=number % 8 >= 4)
            try:
                await crowd.PROTOCOLS[kind](box, visit)
                outcomes[kind] += 1
            except (OSError, TimeoutError, crowd.Refused, asyncio.IncompleteReadError) as error:
                outcomes[f"{kind} failed: {type(error).__name__} {error}"[:90]] += 1

    print(f"{'sessions':>9} {'seconds':>8} {'RSS MB':>7} {'threads':>8} {'files':>6}")
    began = time.monotonic()
    prints: list[Footprint] = []
    window = -(-o.sessions // o.windows)
    for _ in range(o.windows):
        taken: itertools.count[int] = itertools.count()
        await asyncio.gather(*(visitor(window, taken) for _ in range(o.at_once)))
        await asyncio.sleep(QUIET_S)
        found = Footprint.of(gateway.child.pid)
        prints.append(found)
        done = sum(outcomes.values())
        took = time.monotonic() - began
        print(f"{done:>9} {took:>8.0f} {found.rss_mb:>7.1f} {found.threads:>8} {found.files:>6}", flush=True)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:>9} {outcome}")
    print(f"tracebacks {gateway.log.count('Traceback')}, errors {gateway.log.count(' ERROR ')}; {gateway.states()}")
    late = prints[len(prints) // 2 :]
    print(f"second half: RSS {late[-1].rss_mb - late[0].rss_mb:+.1f} MB, threads {late[-1].threads - late[0].threads:+d}, "
          f"files {late[-1].files - late[0].files:+d}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
