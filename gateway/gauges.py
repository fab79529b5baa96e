"""Reads from the kernel what `gateway.pressure` judges. A millisecond; called on a worker thread.

Everything is optional: a kernel without PSI, a control group without a limit or a container without /proc/meminfo leaves that
figure harmless.
"""

from __future__ import annotations

import os
import re
import resource
import sys
from pathlib import Path

from gateway.box.facts import read_meminfo
from gateway.pressure import Figures

_AVG10 = re.compile(r"^full avg10=([0-9.]+)", re.MULTILINE)


class Gauges:
    """`root` is `/` except in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._meminfo = root / "proc/meminfo"
        self._stalls = root / "proc/pressure/memory"
        self._group = _control_group(root)

    def read(self, lag_s: float) -> Figures:
        """The figures now; `lag_s` is the caller's own."""
        total, free = self._memory()
        match = _AVG10.search(_text(self._stalls))
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return Figures(
            memory_free=free,
            memory_total=total,
            stalled_share=float(match[1]) / 100 if match else 0.0,
            files_used=_open_files(),
            files_limit=limit if limit != resource.RLIM_INFINITY else sys.maxsize,
            lag_s=lag_s,
        )

    def _memory(self) -> tuple[int, int]:
        known = read_meminfo(self._meminfo)
        total = known.get("MemTotal") or sys.maxsize
        free = known.get("MemAvailable", total)
        for group in (self._group, *self._group.parents) if self._group is not None else ():
            limit, used = _text(group / "memory.max").strip(), _text(group / "memory.current").strip()
            if limit.isdigit() and used.isdigit():
                cache = re.search(r"^inactive_file (\d+)", _text(group / "memory.stat"), re.MULTILINE)
                free = min(free, int(limit) - int(used) + (int(cache[1]) if cache else 0))
                total = min(total, int(limit))
        return total, max(0, free)


def _control_group(root: Path) -> Path | None:
    """The folder of our own control group (version 2)."""
    match = re.search(r"^0::(/.*)$", _text(root / "proc/self/cgroup"), re.MULTILINE)
    return root / "sys/fs/cgroup" / match[1].lstrip("/") if match else None


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # only the number is wanted
    except OSError:  # not even this one can be opened
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
