#!/usr/bin/env python3
"""What an RTMP player costs: the gateway and nginx-rtmp in turn, with the same publisher and the same players.

Each server takes one 2 Mbit/s stream (720p30 H.264 and AAC) and plays it to `--players` connections on the loopback. The
server runs on one core, publisher and players (C, compiled here; their cost is not counted) on another. CPU time is the
whole server process's, the taking in of the stream included, divided by players and seconds. Both servers are measured
`--rounds` times in `--windows` windows; the smallest and the median of the quieter half of them are printed.

    .venv/bin/python bench/rtmp.py                    500 players; needs Debian's nginx, libnginx-mod-rtmp and cc
    .venv/bin/python bench/rtmp.py --players 1000 --only gateway --json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

import rtmp_media
from cameras import machine, status
from child import ROOT, Child, free_port, until
from gateway_process import GatewayProcess

HERE = Path(__file__).resolve().parent
GOAL_CPU_RATIO, GOAL_MEDIAN_MS, GOAL_P99_MS, GOAL_RSS_KB, GOAL_JOIN_MS = 0.6, 20.0, 60.0, 10.0, 50.0
BUSY = 0.1
"""More than this share of the server's core used by others makes the figures doubtful."""
APP, NAME, KEY = "live", "bench", "bench-key-0123456789"
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
START_S, JOIN_S = 20.0, 120.0


class Nginx:
    """One worker, nothing changed from nginx-rtmp's defaults."""

    title = "nginx-rtmp"
    publish_name = NAME

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"load_module {NGINX_MODULE};\n{user}\nworker_processes 1;\nworker_rlimit_nofile 8192;\ndaemon off;\n"
            f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{ worker_connections 4096; }}\n"
            f"rtmp {{ server {{ listen 127.0.0.1:{self.port}; application {APP} {{ live on; }} }} }}\n",
            encoding="utf-8",
        )
        self.child = Child(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], folder / "nginx.log")
        until(lambda: len(self.pids) == 2, START_S, "nginx and its worker")

    @property
    def pids(self) -> list[int]:
        """Master and worker."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        return [self.child.pid, *map(int, children)]

    def wait_live(self) -> None:
        """It relays from the first message on."""

    def end(self) -> None:
        """Stop it."""
        self.child.end()


class Gateway:
    """The gateway as users start it, with one camera that is published."""

    title = "gateway"
    publish_name = f"{NAME}?key={KEY}"

    def __init__(self, folder: Path) -> None:
        self._process = GatewayProcess(folder, {NAME: {"publish": {"key": KEY}}}, {"auth": {"anonymous_viewing": True}})
        self.port = self._process.ports["rtmp"]

    @property
    def pids(self) -> list[int]:
        """It is one process."""
        return [self._process.child.pid]

    def wait_live(self) -> None:
        """Until players are served."""
        self._process.wait_live(NAME)

    def live(self) -> bool:
        """Whether the stream still is."""
        return bool(self._process.camera(NAME)["state"] == "live")

    def dropped(self) -> int:
        """Writes left out for slow players, as the API says."""
        return int(self._process.camera(NAME)["streams"][0]["dropped"]["rtmp"])

    def end(self) -> None:
        """Stop it."""
        self._process.end()


SERVERS = {"gateway": Gateway, "nginx": Nginx}


class Load:
    """The players. `window()` ends one window and returns what it measured."""

    def __init__(self, program: Path, port: int, players: int, gap_us: int, bytes_per_s: int = 0) -> None:
        command = [str(program), str(port), APP, NAME, str(players), str(gap_us)]
        self._process = subprocess.Popen(
            [*command, str(bytes_per_s)] if bytes_per_s else command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def window(self) -> dict[str, Any]:
        """Figures since the last call."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def end(self) -> None:
        """All players leave."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def main() -> int:
    """Measure and print."""
    o = arguments()
    names = [o.only] if o.only else list(SERVERS)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        program = compile_load(folder)
        clip = rtmp_media.encode(folder / "clip.flv", bits=o.kbit * 1000)
        for number in range(o.rounds):
            for name in names:
                place = folder / f"{name}-{number}"
                place.mkdir()
                results[name].append(measure(name, place, program, clip, o))
    summary = {name: summarise(rounds) for name, rounds in results.items()}
    if o.json:
        print(json.dumps({"machine": machine(), "players": o.players, "summary": summary, "rounds": results}, indent=1))
    else:
        print(table(o, summary))
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--players", type=int, default=500)
    p.add_argument("--kbit", type=int, default=2000, help="of the stream, sound included")
    p.add_argument("--rounds", type=int, default=2, help="of starting each server anew")
    p.add_argument("--windows", type=int, default=4, help="in each round")
    p.add_argument("--seconds", type=float, default=8.0, help="of a window")
    p.add_argument("--warm", type=float, default=15.0, help="seconds before memory is read: the gateway's HLS window fills up")
    p.add_argument("--settle", type=float, default=4.0)
    p.add_argument("--gap-us", type=int, default=8000, help="between two players who join")
    p.add_argument("--server-core", type=int, default=0)
    p.add_argument("--load-core", type=int, default=1)
    p.add_argument("--only", choices=tuple(SERVERS))
    p.add_argument("--json", action="store_true")
    return p.parse_args()


def compile_load(folder: Path) -> Path:
    """Build the players."""
    program = folder / "rtmp_load"
    subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "rtmp_load.c"), "-lm"], check=True)
    return program


@contextmanager
def on_core(core: int):  # type: ignore[no-untyped-def]
    """Whatever is started meanwhile runs on `core`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(name: str, folder: Path, program: Path, clip: Path, o: argparse.Namespace) -> dict[str, Any]:
    """One server, from its start to its end."""
    with ExitStack() as stack:
        with on_core(o.server_core):
            server = SERVERS[name](folder)
            stack.callback(server.end)
        with on_core(o.load_core):
            command = [sys.executable, str(HERE / "rtmp_media.py"), str(server.port), APP, server.publish_name, str(clip)]
            publisher = Child(command, folder / "publisher.log", {"PYTHONPATH": str(ROOT)})
            stack.callback(publisher.end)
            server.wait_live()
            time.sleep(o.warm)
            idle = cpu_s(server.pids)
            time.sleep(o.settle)
            idle = (cpu_s(server.pids) - idle) / o.settle
            memory = rss_kb(server.pids)
            load = Load(program, server.port, o.players, o.gap_us)
            stack.callback(load.end)
            deadline = time.monotonic() + JOIN_S
            while load.window()["joined"] < o.players:
                if time.monotonic() > deadline or not publisher.running:
                    raise RuntimeError(f"{name}: the players did not join; {publisher.text}")
                time.sleep(1)
            time.sleep(o.settle)
            load.window()
            windows = [window(load, server.pids, o) for _ in range(o.windows)]
            grown = (rss_kb(server.pids) - memory) / o.players
    return {"idle_cpu_percent": round(100 * idle, 2), "base_rss_mb": round(memory / 1024, 1),
            "rss_kb_per_player": round(grown, 1), "windows": windows}  # fmt: skip


def window(load: Load, pids: list[int], o: argparse.Namespace) -> dict[str, Any]:
    """CPU and delays of one window."""
    cpu, core, began = cpu_s(pids), core_s(o.server_core), time.monotonic()
    time.sleep(o.seconds)
    took = time.monotonic() - began
    used = cpu_s(pids) - cpu
    others = core_s(o.server_core) - core - used
    found = load.window()
    found["cpu_ms_per_player_s"] = round(1000 * used / took / o.players, 4)
    found["others_percent"] = round(max(0.0, 100 * others / took), 1)
    return found


def summarise(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Smallest and median over the quieter half of all windows."""
    windows = [window for one in rounds for window in one["windows"]]
    # On a shared machine the loudest windows say more about the neighbours than about the server.
    windows = sorted(windows, key=lambda window: float(window["others_percent"]))[: max(1, (len(windows) + 1) // 2)]
    cpu = [window["cpu_ms_per_player_s"] for window in windows]
    return {
        "cpu_ms_per_player_s": {"least": min(cpu), "median": round(statistics.median(cpu), 4)},
        "delay_median_ms": round(statistics.median(window["delay_ms"]["median"] for window in windows), 2),
        "delay_p99_ms": round(statistics.median(window["delay_ms"]["p99"] for window in windows), 2),
        "delay_p99_best_ms": min(window["delay_ms"]["p99"] for window in windows),
        "video_median_ms": round(statistics.median(window["video_ms"]["median"] for window in windows), 2),
        "audio_median_ms": round(statistics.median(window["audio_ms"]["median"] for window in windows), 2),
        "join_median_ms": round(statistics.median(one["windows"][-1]["join_ms"]["median"] for one in rounds), 1),
        "join_p95_ms": round(statistics.median(one["windows"][-1]["join_ms"]["p95"] for one in rounds), 1),
        "stalled": sum(window["stalled"] for window in windows),
        "lost_frames": sum(window["frames_most"] - window["frames_least"] for window in windows),
        "rss_kb_per_player": round(statistics.median(one["rss_kb_per_player"] for one in rounds), 1),
        "base_rss_mb": rounds[-1]["base_rss_mb"],
        "idle_cpu_percent": round(statistics.median(one["idle_cpu_percent"] for one in rounds), 2),
        "others_percent": round(statistics.median(window["others_percent"] for window in windows), 1),
        "mbit_s": round(statistics.median(window["mbit_s"] for window in windows), 1),
    }


def cpu_s(pids: list[int]) -> float:
    """Seconds all threads of the processes have run; exact to nanoseconds where the kernel tells."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except FileNotFoundError:  # ended in between
                continue
    return total / 1e9


def core_s(core: int) -> float:
    """Seconds the core was busy."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    fields = [int(field) for field in line.split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:7])) / os.sysconf("SC_CLK_TCK")


def rss_kb(pids: list[int]) -> int:
    """Resident memory."""
    return sum(status(pid)["VmRSS"] for pid in pids)


def table(o: argparse.Namespace, summary: dict[str, dict[str, Any]]) -> str:
    """The figures for people."""
    lines = [
        f"{o.players} players of {o.kbit} kbit/s, 720p{rtmp_media.FPS} H.264 and AAC; "
        f"{o.rounds} rounds of {o.windows} windows of {o.seconds:g} s",
        machine(),
        "",
        f"{'':34}" + "".join(f"{SERVERS[name].title:>14}" for name in summary),
    ]
    rows = [
        ("CPU ms per player-second, least", lambda s: s["cpu_ms_per_player_s"]["least"]),
        ("CPU ms per player-second, median", lambda s: s["cpu_ms_per_player_s"]["median"]),
        ("delay median ms", lambda s: s["delay_median_ms"]),
        ("delay p99 ms", lambda s: s["delay_p99_ms"]),
        ("delay p99 ms, best window", lambda s: s["delay_p99_best_ms"]),
        ("  video median ms", lambda s: s["video_median_ms"]),
        ("  audio median ms", lambda s: s["audio_median_ms"]),
        ("join to first keyframe median ms", lambda s: s["join_median_ms"]),
        ("join to first keyframe p95 ms", lambda s: s["join_p95_ms"]),
        ("players stalled", lambda s: s["stalled"]),
        ("RSS kB per player", lambda s: s["rss_kb_per_player"]),
        ("RSS MB without players", lambda s: s["base_rss_mb"]),
        ("CPU % without players", lambda s: s["idle_cpu_percent"]),
        ("others on the server's core %", lambda s: s["others_percent"]),
        ("Mbit/s", lambda s: s["mbit_s"]),
    ]  # fmt: skip
    lines += [f"{title:34}" + "".join(f"{value(one):14}" for one in summary.values()) for title, value in rows]
    if len(summary) > 1:
        ours, theirs = summary["gateway"]["cpu_ms_per_player_s"], summary["nginx"]["cpu_ms_per_player_s"]
        lines += ["", f"CPU, gateway to nginx-rtmp: {ours['least'] / theirs['least']:.2f} (least), "
                  f"{ours['median'] / theirs['median']:.2f} (median); goal {GOAL_CPU_RATIO}"]  # fmt: skip
    lines.append(
        f"goals: delay {GOAL_MEDIAN_MS:.0f} ms median and {GOAL_P99_MS:.0f} ms p99, {GOAL_RSS_KB:.0f} kB a player, "
        f"join {GOAL_JOIN_MS:.0f} ms, none stalled"
    )
    if any(one["others_percent"] > 100 * BUSY for one in summary.values()):
        lines.append("the machine was not quiet: measure again")
    return "\n".join(lines)


if __name__ == "__main__":
    if "--only" not in sys.argv and not (shutil.which("nginx") and NGINX_MODULE.exists()):
        sys.exit("needs Debian's nginx and libnginx-mod-rtmp, or --only gateway")
    sys.exit(main())
