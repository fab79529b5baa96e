#!/usr/bin/env python3
"""What the gateway costs per camera: CPU and memory with N cameras pulled and LL-HLS made for all of them.

Starts GStreamer cameras that repeat a clip encoded before (no encoder runs while measuring), the gateway as users start it,
waits until every camera is live, and reads /proc of the gateway's process, thread by thread. CPU is in per cent of one core.

    .venv/bin/python bench/cameras.py                        16 cameras 1280x720, 25 frames/s, 2 Mbit/s, 30 s
    .venv/bin/python bench/cameras.py --dead 8 --json        half of them dead
    .venv/bin/python bench/cameras.py --client libav         pulled through libavformat, to compare
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

import loop_clip
from child import until
from gateway_process import GatewayProcess
from gst_process import GstCamera

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
GOAL_CPU, GOAL_RSS_MB = 15.0, 150.0
GOAL_CAMERAS = 16
BUSY_LOAD = 0.3
"""More than this share of the other core used by others makes the figures doubtful."""
DEAD_PORT = 1


def main() -> int:
    """Measure and print."""
    o = arguments()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        clip = loop_clip.encode(
            folder / "clip", codec=o.codec, width=o.width, height=o.height, fps=o.fps, gop=o.gop, bitrate_kbit=o.bitrate
        )
        good = o.cameras - o.dead
        camera = GstCamera(folder, mounts=max(2, good), loop=clip, video=o.codec, fps=o.fps, audio=o.audio)
        stack.callback(camera.end)
        # every second one dead, so that anything done in the order of the configuration meets them early
        cameras: dict[str, Any] = {}
        for number in range(max(good, o.dead)):
            if number < o.dead:
                cameras[f"dead-{number:02}"] = {"rtsp": f"rtsp://127.0.0.1:{DEAD_PORT}/cam"}
            if number < good:
                cameras[f"cam-{number:02}"] = {"rtsp": camera.url(number)}
        began = time.monotonic()
        gateway = GatewayProcess(folder, cameras, {"rtsp": {"client": o.client}})
        stack.callback(gateway.end)
        live = [name for name in cameras if name.startswith("cam")]
        gateway.wait_live(*live, timeout_s=60)
        live_s = time.monotonic() - began
        until(lambda: all(gateway.last_segment(name) >= 0 for name in live), 60, "a segment of every camera")
        time.sleep(o.settle)
        result = measure(gateway.child.pid, camera.child.pid, o.seconds)
        states = gateway.states()
        result["live_before_and_after"] = sum(states[name] == "live" for name in live)
        rates = [gateway.camera(name)["streams"][0] for name in live]
        result["fps"] = round(sum(rate["fps"] for rate in rates) / len(rates), 1)
        result["mbit_s"] = round(sum(rate["bitrate"] for rate in rates) / 1e6, 1)
        result |= {
            "cameras": good,
            "dead": o.dead,
            "picture": f"{o.codec} {o.width}x{o.height} {o.fps} fps {o.bitrate} kbit/s",
            "audio": o.audio,
            "all_live_after_s": round(live_s, 1),
            "machine": machine(),
        }
    print(json.dumps(result, indent=1) if o.json else table(result))
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--cameras", type=int, default=GOAL_CAMERAS, help="all of them, dead ones included")
    p.add_argument("--dead", type=int, default=0)
    p.add_argument("--codec", choices=("h264", "h265"), default="h264")
    p.add_argument("--audio", choices=("none", "aac", "pcmu"), default="none")
    p.add_argument("--width", type=int, default=1280)
    p.add_argument("--height", type=int, default=720)
    p.add_argument("--fps", type=int, default=25)
    p.add_argument("--gop", type=int, default=50)
    p.add_argument("--bitrate", type=int, default=2000, help="kbit/s")
    p.add_argument("--seconds", type=float, default=30.0)
    p.add_argument("--settle", type=float, default=10.0, help="seconds to wait before measuring: the HLS window fills up")
    p.add_argument("--client", choices=("auto", "own", "libav"), default="auto", help="the gateway's rtsp.client")
    p.add_argument("--json", action="store_true")
    return p.parse_args()


def measure(pid: int, camera_pid: int, seconds: float) -> dict[str, Any]:
    """CPU over `seconds` by kind of thread, and memory at the end."""
    own, cameras = f"/proc/{pid}/stat", f"/proc/{camera_pid}/stat"
    threads, used_before, cameras_before, busy_before = thread_ticks(pid), ticks(own), ticks(cameras), machine_ticks()
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    share = 100.0 / TICKS_PER_S / took
    by_kind: dict[str, list[float]] = defaultdict(list)
    for thread, (name, used) in thread_ticks(pid).items():
        by_kind[kind_of(name, thread == pid)].append((used - threads.get(thread, (name, 0))[1]) * share)
    total = (ticks(own) - used_before) * share
    for_cameras = (ticks(cameras) - cameras_before) * share
    memory = status(pid)
    return {
        "cpu_percent": round(total, 1),
        "threads": {kind: {"count": len(used), "cpu_percent": round(sum(used), 1)} for kind, used in sorted(by_kind.items())},
        "camera_processes_cpu_percent": round(for_cameras, 1),
        "everything_else_cpu_percent": round((machine_ticks() - busy_before) * share - total - for_cameras, 1),
        "rss_mb": round(memory["VmRSS"] / 1024, 1),
        "rss_peak_mb": round(memory["VmHWM"] / 1024, 1),
        "fds": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "seconds": round(took, 1),
    }


def kind_of(name: str, main_thread: bool) -> str:
    """Threads that do the same work are counted together."""
    if main_thread:
        return "event loop"
    return name.rstrip("0123456789-_. ").split()[0] if name.strip() else "unnamed"


def ticks(stat: str) -> int:
    """utime + stime of a process or thread."""
    fields = Path(stat).read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def thread_ticks(pid: int) -> dict[int, tuple[str, int]]:
    """Name and used time of every thread."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found[int(task.name)] = ((task / "comm").read_text().strip(), ticks(str(task / "stat")))
        except FileNotFoundError:  # ended in between
            continue
    return found


def machine_ticks() -> int:
    """Time that any core was busy."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return sum(fields[:3]) + sum(fields[5:7])


def status(pid: int) -> dict[str, int]:
    """The kB lines of /proc/PID/status."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {fields[0].rstrip(":"): int(fields[1]) for fields in lines if fields and fields[-1] == "kB"}


def machine() -> str:
    """Where this was measured."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(("model name", "Model"))]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    others = result["everything_else_cpu_percent"]
    warning = "   the machine is not quiet: measure again" if others > 100 * BUSY_LOAD else ""
    share = result["cameras"] / GOAL_CAMERAS
    lines = [
        f"{result['cameras']} cameras {result['picture']}, audio {result['audio']}, {result['dead']} dead ones beside them",
        f"{result['machine']}; {result['seconds']} s; LL-HLS made for every camera, no viewers",
        f"measured: {result['mbit_s']} Mbit/s in, {result['fps']} fps, {result['live_before_and_after']} live at the end, "
        f"all live {result['all_live_after_s']} s after the start of the process",
        "",
        f"{'gateway CPU':28}{result['cpu_percent']:7.1f} % of a core   goal {GOAL_CPU * share:.0f} %",
    ]
    for kind, used in result["threads"].items():
        lines.append(f"    {kind + ' x' + str(used['count']):24}{used['cpu_percent']:7.1f} %")
    lines += [
        f"{'gateway RSS':28}{result['rss_mb']:7.1f} MB (peak {result['rss_peak_mb']})   goal {GOAL_RSS_MB:.0f} MB",
        f"{'open files':28}{result['fds']:7}",
        f"{'the cameras themselves':28}{result['camera_processes_cpu_percent']:7.1f} %",
        f"{'everything else running':28}{others:7.1f} %{warning}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
