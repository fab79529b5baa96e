#!/usr/bin/env python3
"""From cold to all streams live with ONVIF cameras, and what one more camera costs in memory.

Starts simulated cameras in a process of their own and the gateway as users start it, with nothing but addresses and a login in
its configuration, and reads how long it takes until every camera shows pictures. Then asks 1 and N cameras over ONVIF in
processes of their own and compares their memory: the WSDL files are shared, so another camera costs its client only.

    .venv/bin/python bench/onvif.py                       16 cameras
    .venv/bin/python bench/onvif.py --wrong-password 1    one of them with a wrong password
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

from cameras import machine, status
from child import ROOT, Child, until
from gateway_process import GatewayProcess

USERNAME, PASSWORD = "admin", "camera-demo"
GOAL_MB_PER_CAMERA = 0.5
START_S = 30.0
LIVE_S = 120.0

ASK = """
import json, sys, threading
from pathlib import Path
from gateway.config.model import Camera, Secret
from gateway.sources.resolver import OnvifFinder
finder, kept = OnvifFinder(), []
def ask(address):
    kept.append(finder.streams(Camera("cam", "Cam", address=address, username="admin", password=Secret("camera-demo"))))
threads = [threading.Thread(target=ask, args=(address,)) for address in sys.argv[1:]]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(kept) == len(sys.argv) - 1
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")))
"""


def main() -> int:
    """Measure and print."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--cameras", type=int, default=16)
    p.add_argument("--wrong-password", type=int, default=0, metavar="N", help="give this many cameras a wrong password")
    p.add_argument("--repeat", type=int, default=3, help="of the memory measurement")
    p.add_argument("--json", action="store_true")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        addresses = simulated(Path(name), o.cameras, stack)
        result = {**cold_start(Path(name), addresses, o.wrong_password, stack), **memory(addresses, o.repeat)}
    result["machine"] = machine()
    print(json.dumps(result, indent=1) if o.json else table(result))
    return 0


def simulated(folder: Path, count: int, stack: ExitStack) -> list[str]:
    """Start the cameras; their ONVIF addresses."""
    command = [sys.executable, "-m", "gateway.cli", "simulate", "--cameras", str(count), "--base-port", "0"]
    command += ["--shared-encoder", "--json", "--no-discovery", "--size", "640x360", "--audio", "none"]
    cameras = Child(command, folder / "cameras.log", {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"})
    stack.callback(cameras.end)
    until(lambda: '"cameras"' in cameras.text, START_S, "the simulated cameras")
    line = next(line for line in cameras.text.splitlines() if line.startswith("{"))
    return [camera["onvif"].split("/")[2] for camera in json.loads(line)["cameras"]]


def cold_start(folder: Path, addresses: list[str], wrong: int, stack: ExitStack) -> dict[str, Any]:
    """Seconds from the start of the gateway's process until every camera with a right password is live."""
    cameras: dict[str, Any] = {
        f"cam-{number:02}": {
            "address": address,
            "username": USERNAME,
            "password": "wrong" if number < wrong else PASSWORD,
            "sub_policy": "always",
        }
        for number, address in enumerate(addresses)
    }
    good = [name for number, name in enumerate(cameras) if number >= wrong]
    began = time.monotonic()
    gateway = GatewayProcess(folder, cameras)
    stack.callback(gateway.end)
    ready_s = time.monotonic() - began

    def all_live() -> bool:
        shown = {camera["id"]: camera["streams"] for camera in gateway.api()["cameras"]}
        return all(stream["state"] == "live" for name in good for stream in shown[name])

    until(all_live, LIVE_S, "every stream live")
    live_s = time.monotonic() - began
    memory_kb = status(gateway.child.pid)
    return {
        "cameras": len(addresses),
        "ready_s": round(ready_s, 2),
        "all_streams_live_s": round(live_s, 2),
        "rss_mb": round(memory_kb["VmRSS"] / 1024, 1),
        "refused": {name: gateway.camera(name)["reason"] for name in cameras if name not in good},
    }


def memory(addresses: list[str], repeat: int) -> dict[str, Any]:
    """RSS of a process that has asked one camera, and of one that has asked all; the least of several runs."""

    def ask(some: list[str]) -> int:
        command = [sys.executable, "-c", ASK, *some]
        return min(int(subprocess.check_output(command, cwd=ROOT, text=True, timeout=60)) for _ in range(repeat))

    one, all_of_them = ask(addresses[:1]), ask(addresses)
    return {
        "one_camera_mb": round(one / 1024, 1),
        "all_cameras_mb": round(all_of_them / 1024, 1),
        "mb_per_camera": round((all_of_them - one) / 1024 / max(1, len(addresses) - 1), 2),
    }


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [
        f"{result['cameras']} ONVIF cameras, main and sub of each; {result['machine']}",
        f"{'gateway ready':32}{result['ready_s']:7.2f} s",
        f"{'all streams live':32}{result['all_streams_live_s']:7.2f} s after the start of its process",
        f"{'gateway RSS':32}{result['rss_mb']:7.1f} MB",
        f"{'asking one camera':32}{result['one_camera_mb']:7.1f} MB",
        f"{'asking all of them':32}{result['all_cameras_mb']:7.1f} MB",
        f"{'each further camera':32}{result['mb_per_camera']:7.2f} MB   goal {GOAL_MB_PER_CAMERA} MB",
    ]
    lines += [f"refused: {name}: {reason}" for name, reason in result["refused"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
