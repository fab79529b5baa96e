"""Starts a program for a test, keeps what it prints, and ends it by its process id. Used by cameras, gateways and players."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
END_S = 10.0


class Child:
    """A running program. Its output goes to a file, so that it never blocks on us."""

    def __init__(self, command: Sequence[str], output: Path, environ: Mapping[str, str] | None = None) -> None:
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                list(command),
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return self.output.read_text("utf-8", errors="replace")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.running:
            self.process.send_signal(number)

    def wait(self, timeout_s: float) -> int:
        """Its exit code. Raises TimeoutExpired."""
        return self.process.wait(timeout_s)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Make sure that it is gone, stopped or not."""
        if self.running:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(END_S)
        if self.running:
            self.process.kill()
            self.process.wait(END_S)


def until(look: Callable[[], T], timeout_s: float, what: str) -> T:
    """Ask until the answer is true. Raises AssertionError naming `what`, with the last answer."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s:g} s; last seen: {answer!r}")
        time.sleep(0.05)


def free_port() -> int:
    """A port below the range that outgoing connections take theirs from, so that nobody takes it before it is used."""
    while True:
        port = random.randint(20000, 31999)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
