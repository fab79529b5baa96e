"""However the demo ends, its simulated cameras end with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway import demo
from gateway.errors import GatewayError

ROOT = Path(__file__).resolve().parents[2]
PARENT = """
import time
from gateway import demo
with demo.simulator(1, 0) as cameras:
    print(demo.STARTED.pid, flush=True)
    time.sleep(60)
"""
SPY = """
import subprocess
from gateway import demo
started = subprocess.Popen
class Spy(started):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        demo.STARTED = self
demo.subprocess.Popen = Spy
"""


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"  # an orphan in a container without an init is never reaped


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_simulator_does_not_outlive_a_demo_that_is_killed(end):
    parent = subprocess.Popen([sys.executable, "-c", SPY + PARENT], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child)
        parent.send_signal(end)
        parent.wait(10)
    deadline = time.monotonic() + 10
    while not gone(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone(child)


def test_simulator_that_says_nothing_is_given_up(monkeypatch, tmp_path):
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    monkeypatch.setattr(demo.sys, "executable", str(silent))
    monkeypatch.setattr(demo, "START_S", 0.1)
    with pytest.raises(GatewayError, match="did not start within"), demo.simulator(1, 0):
        pass
