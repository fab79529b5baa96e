#!/usr/bin/env python3
"""A site as it is, made quick: cameras die, freeze, come back and change their size, viewers of all kinds come and go.

Prints a line a minute and, at the end, the whole table: live cameras, viewers, what the gateway holds, how late its loop is
(the slowest of many answers of /healthz), stalls and recoveries by its log, and what is in the log that should not be.

    .venv/bin/python bench/soak.py --minutes 30
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import crowd
import loop_clip
from crowd import Box, Footprint, Visit
from gateway_process import GatewayProcess
from gst_process import GstCamera

HEAD = (
    f"{'min':>4} {'live':>5} {'viewers':>8} {'sessions':>9} {'failed':>7} {'RSS MB':>7} {'thr':>4} {'files':>6} "
    f"{'loop ms':>8} {'lost':>5} {'back':>5} {'ERROR':>6} {'trace':>6}"
)
AWAY_S = (2.0, 15.0)
"""A camera is away or frozen for so long."""
EVENT_S = (3.0, 12.0)
"""Between two troubles."""


@dataclass(slots=True)
class Camera:
    """One camera process and what was done to it."""

    process: GstCamera
    clips: list[Path]
    busy: bool = False


class Soak:
    """The site."""

    def __init__(self, gateway: GatewayProcess, cameras: list[Camera], viewers: int, seed: int) -> None:
        self.gateway = gateway
        self.cameras = cameras
        self.viewers = viewers
        self.chance = random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self.watching = 0
        self.loop_s = 0.0
        self.rows: list[str] = []
        self._seen: Counter[str] = Counter()

    async def run(self, minutes: int) -> None:
        """All of it."""
        box = await asyncio.to_thread(Box.of, self.gateway)
        tasks = [asyncio.create_task(self._viewer(box)) for _ in range(self.viewers)]
        tasks += [asyncio.create_task(self._trouble()), asyncio.create_task(self._ask(box))]
        print(HEAD, flush=True)
        try:
            for minute in range(1, minutes + 1):
                await asyncio.sleep(60)
                self.rows.append(await asyncio.to_thread(self._row, minute))
                print(self.rows[-1], flush=True)
                for task in tasks:
                    if task.done():
                        task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _viewer(self, box: Box) -> None:
        while True:
            kind = self.chance.choice(list(crowd.PROTOCOLS))
            visit = Visit(
                f"cam-{self.chance.randrange(len(self.cameras))}",
                stay_s=self.chance.choice((0.2, 2.0, 10.0, 40.0)),
                abort=self.chance.random() < 0.4,
                read_bytes_per_s=self.chance.choice((0.0, 0.0, 0.0, 8000.0)),
            )
            self.watching += 1
            try:
                await crowd.PROTOCOLS[kind](box, visit)
                self.outcomes["served"] += 1
            except (OSError, TimeoutError, crowd.Refused, asyncio.IncompleteReadError):
                self.outcomes["failed"] += 1  # its camera is away, or it was too slow
                await asyncio.sleep(0.5)
            finally:
                self.watching -= 1

    async def _trouble(self) -> None:
        pending: set[asyncio.Task[None]] = set()
        while True:
            await asyncio.sleep(self.chance.uniform(*EVENT_S))
            camera = self.chance.choice(self.cameras)
            if not camera.busy:
                camera.busy = True
                task = asyncio.create_task(self._one_trouble(camera))
                pending.add(task)
                task.add_done_callback(pending.discard)

    async def _one_trouble(self, camera: Camera) -> None:
        away_s = self.chance.uniform(*AWAY_S)
        try:
            if self.chance.random() < 0.4:
                camera.process.freeze()
                await asyncio.sleep(away_s)
                camera.process.thaw()
                return
            await asyncio.to_thread(camera.process.kill)
            if self.chance.random() < 0.5:
                camera.process.options["loop"] = self.chance.choice(camera.clips)
            await asyncio.sleep(away_s)
            await asyncio.to_thread(camera.process.restart)
        finally:
            camera.busy = False

    async def _ask(self, box: Box) -> None:
        """How long the simplest answer takes: the event loop's lateness, seen from outside."""
        while True:
            began = time.monotonic()
            try:
                await asyncio.to_thread(self.gateway.get, "/healthz")
                self.loop_s = max(self.loop_s, time.monotonic() - began)
            except OSError:
                self.outcomes["no answer"] += 1
            await asyncio.sleep(0.2)

    def _row(self, minute: int) -> str:
        found = Footprint.of(self.gateway.child.pid)
        states = self.gateway.states()
        log = self.gateway.log
        now = Counter(
            lost=len(re.findall(r"stream \S+: (?:late|stalled|unreachable|timeout|ended)\b", log)),
            back=len(re.findall(r"stream \S+: live (?:after|again)", log)),
            error=log.count(" ERROR "),
            trace=log.count("Traceback"),
            sessions=self.outcomes["served"],
            failed=self.outcomes["failed"],
        )
        new, self._seen = now - self._seen, now
        loop_ms, self.loop_s = self.loop_s * 1000, 0.0
        live = sum(state == "live" for state in states.values())
        return (
            f"{minute:>4} {live:>2}/{len(states):<2} {self.watching:>8} {new['sessions']:>9} {new['failed']:>7} "
            f"{found.rss_mb:>7.1f} {found.threads:>4} {found.files:>6} {loop_ms:>8.0f} {new['lost']:>5} {new['back']:>5} "
            f"{new['error']:>6} {new['trace']:>6}"
        )


def main() -> int:
    """Run and print."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--minutes", type=int, default=30)
    p.add_argument("--cameras", type=int, default=6)
    p.add_argument("--viewers", type=int, default=40)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--log", type=Path, help="keep the gateway's log here")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        small = loop_clip.encode(folder / "small", width=320, height=180, fps=15, gop=15, bitrate_kbit=300)
        large = loop_clip.encode(folder / "large", width=1280, height=720, fps=15, gop=30, bitrate_kbit=1500)
        cameras = []
        for number in range(o.cameras):
            home = folder / f"camera-{number}"
            home.mkdir()
            process = GstCamera(home, loop=(small, large)[number % 2], fps=15, audio="aac" if number % 3 == 0 else "none")
            stack.callback(process.end)
            cameras.append(Camera(process, [small, large]))
        settings = {
            f"cam-{number}": {"rtsp": one.process.url(), "username": one.process.username, "password": one.process.password}
            for number, one in enumerate(cameras)
        }
        gateway = GatewayProcess(folder, settings, wait=False)
        stack.callback(gateway.end)
        gateway.wait_ready(90)
        gateway.wait_live(*settings, timeout_s=60)
        soak = Soak(gateway, cameras, o.viewers, o.seed)
        try:
            asyncio.run(soak.run(o.minutes))
        finally:
            if o.log is not None:
                o.log.write_text(gateway.log, encoding="utf-8")
        print("\n".join(("", HEAD, *soak.rows)))
        print(f"\n{dict(soak.outcomes)}; still running: {gateway.child.running}")
        for line in gateway.log.splitlines():
            if " ERROR " in line:
                print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
