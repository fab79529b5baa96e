"""Feeds systemd's watchdog while the gateway makes progress, keeps its status line, and says who is stuck. Event loop only.

It runs on the loop, so a loop that hangs feeds nobody. systemd then sends SIGABRT, upon which every thread's stack is
written to the log, and starts the gateway again.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from threading import enumerate as threads
from typing import Protocol

from gateway.pulse import Promise, Role, Verdict, judge
from gateway.systemd.notify import Notifier

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often promises are looked at. The status line is at most this old."""


class Patient(Protocol):
    """Whose life is watched."""

    def promises(self) -> Iterable[Promise]:
        """What everybody who works in a loop has promised last."""

    def summary(self) -> str:
        """The status line, such as `16 cameras, 15 live`."""


class Watchdog:
    """Watches from `start` to `stop`."""

    def __init__(self, patient: Patient, notifier: Notifier, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._patient = patient
        self._notifier = notifier
        self._monotonic = monotonic
        self._task: asyncio.Task[None] | None = None
        self._fed_at = -float("inf")
        self._last = Verdict(True, ())

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="watchdog")

    async def stop(self) -> None:
        """End. A gateway that stops has a deadline of its own (`TimeoutStopSec`)."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def look(self) -> Verdict:
        """One look: tells systemd and the log what has changed."""
        now = self._monotonic()
        verdict = judge(self._patient.promises(), now)
        self._tell(verdict)
        self._last = verdict
        stuck = ", ".join(sorted(verdict.names))
        self._notifier.status(self._patient.summary() + (f"; stuck: {stuck}" if stuck else ""))
        every_s = self._notifier.feed_every_s
        if verdict.alive and every_s is not None and now - self._fed_at >= every_s:
            self._fed_at = now
            self._notifier.feed()
        return verdict

    async def _watch(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                # not fed: whoever cannot be asked is not alive
                log.exception("the gateway cannot tell whether it makes progress")
            await asyncio.sleep(LOOK_S)

    def _tell(self, verdict: Verdict) -> None:
        before = self._last.names
        for one in verdict.stuck:
            if one.name in before:
                continue
            if one.role is Role.VITAL:
                log.error("%s is stuck: the gateway must be started again", one.name)
            else:
                log.error("%s is stuck, everything else runs on%s", one.name, _where(one.name))
        for name in sorted(before - verdict.names):
            log.info("%s moves again", name)
        if not verdict.alive and self._last.alive and all(one.role is not Role.VITAL for one in verdict.stuck):
            log.error("all readers are stuck: the gateway must be started again")


def _where(name: str) -> str:
    """Where the thread of that name stands, innermost last; empty if there is none."""
    found = next((thread for thread in threads() if thread.name == name), None)
    frame = sys._current_frames().get(found.ident) if found is not None and found.ident is not None else None
    if frame is None:
        return ""
    return ":\n" + "".join(traceback.format_list(traceback.extract_stack(frame)[-6:])).rstrip()
