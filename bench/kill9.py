#!/usr/bin/env python3
"""The gateway is killed under load and started again at once: how long until every camera and every viewer is back?

Cameras are GStreamer's; viewers are ffmpeg over RTMP in a loop, and players of HLS, the wall's WebSocket and RTSP that connect
again every quarter of a second. The clock starts with the kill; systemd restarts as quickly as this does (RestartSec=0).

    .venv/bin/python bench/kill9.py                 4 cameras, 8 viewers of each protocol, three kills; goal 5 s
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import crowd
import loop_clip
from crowd import Box, Visit
from gateway_process import GatewayProcess
from gst_process import GstCamera

GOAL_S = 5.0
AGAIN_S = 0.25
GIVE_UP_S = 60.0


class Viewer:
    """Watches for ever; knows since when it has had a picture."""

    def __init__(self, kind: str, stream: str) -> None:
        self.kind = kind
        self.stream = stream
        self.pictures_at = 0.0

    async def run(self, box: Box) -> None:
        """Until cancelled."""
        while True:
            try:
                if self.kind == "ffmpeg":
                    await self._ffmpeg(box)
                else:
                    await crowd.PROTOCOLS[self.kind](box, Visit(self.stream, stay_s=0.2))
                    self.pictures_at = time.monotonic()
                    continue  # a new session: it ends with the last picture, so that a picture is never older than that
            except (OSError, TimeoutError, crowd.Refused, asyncio.IncompleteReadError):
                pass  # it is away; try again
            await asyncio.sleep(AGAIN_S)

    async def _ffmpeg(self, box: Box) -> None:
        url = f"rtmp://127.0.0.1:{box.ports['rtmp']}/live/{self.stream}?token={box.token}"
        process = await asyncio.create_subprocess_exec(
            "ffmpeg", "-nostdin", "-v", "quiet", "-progress", "pipe:1", "-stats_period", "0.2", "-i", url, "-c", "copy",
            "-f", "null", "-", stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                if line.startswith(b"frame=") and int(line[6:]) > 0:
                    self.pictures_at = time.monotonic()
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def main() -> int:
    """Run and print."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--cameras", type=int, default=4)
    p.add_argument("--viewers", type=int, default=8, help="of each protocol")
    p.add_argument("--kills", type=int, default=3)
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        clip = loop_clip.encode(folder / "clip", width=640, height=360, fps=25, gop=25, bitrate_kbit=1000)
        camera = GstCamera(folder, mounts=max(2, o.cameras), loop=clip, fps=25, audio="none")
        stack.callback(camera.end)
        ids = [f"cam-{number}" for number in range(o.cameras)]
        gateway = GatewayProcess(folder, {name: {"rtsp": camera.url(number)} for number, name in enumerate(ids)}, wait=False)
        stack.callback(gateway.end)
        gateway.wait_ready(90)
        gateway.wait_live(*ids, timeout_s=60)
        return asyncio.run(_run(gateway, ids, o))


async def _run(gateway: GatewayProcess, ids: list[str], o: argparse.Namespace) -> int:
    box = await asyncio.to_thread(Box.of, gateway)
    kinds = [kind for kind in crowd.PROTOCOLS for _ in range(o.viewers)] + ["ffmpeg"] * 2
    viewers = [Viewer(kind, ids[number % len(ids)]) for number, kind in enumerate(kinds)]
    tasks = [asyncio.create_task(viewer.run(box)) for viewer in viewers]
    worst = 0.0
    try:
        for _ in range(o.kills):
            await _all_see(viewers, time.monotonic())
            await asyncio.sleep(3)
            killed = time.monotonic()
            await asyncio.to_thread(gateway.child.end, signal.SIGKILL)
            await asyncio.to_thread(gateway.start, wait=False)
            ready = await _until(gateway.ready, killed)
            live = await _until(lambda: set(gateway.states().values()) == {"live"}, killed)
            back = await _all_see(viewers, killed)
            worst = max(worst, live, *back.values())
            print(f"ready {ready:.2f} s, all cameras live {live:.2f} s; last viewer back: "
                  + ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in back.items()), flush=True)  # fmt: skip
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print(f"{len(viewers)} viewers, {len(ids)} cameras: everything back after {worst:.2f} s at worst (goal {GOAL_S:g} s)")
    return 0 if worst <= GOAL_S else 1


async def _until(true: object, since: float) -> float:
    while time.monotonic() - since < GIVE_UP_S:
        try:
            if await asyncio.to_thread(true):  # type: ignore[arg-type]
                return time.monotonic() - since
        except (OSError, AssertionError):
            pass  # not there yet
        await asyncio.sleep(0.05)
    raise TimeoutError("the gateway did not come back")


async def _all_see(viewers: list[Viewer], since: float) -> dict[str, float]:
    """Seconds until the last viewer of each kind has had a picture after `since` (and 0.3 s more: not one from before)."""
    back: dict[str, float] = {}
    first_after = since + 0.3
    waiting = list(viewers)
    while waiting and time.monotonic() - since < GIVE_UP_S:
        for viewer in [one for one in waiting if one.pictures_at > first_after]:
            waiting.remove(viewer)
            back[viewer.kind] = max(back.get(viewer.kind, 0.0), viewer.pictures_at - since)
        await asyncio.sleep(0.02)
    if waiting:
        raise TimeoutError(f"{len(waiting)} viewers did not come back: {sorted({one.kind for one in waiting})}")
    return back


if __name__ == "__main__":
    sys.exit(main())
