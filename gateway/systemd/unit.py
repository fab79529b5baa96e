"""What systemd says about the gateway's unit, and whether a release that was just started is to stay.

`Probation` is pure; the functions that ask run `systemctl` and `journalctl`. Used by `gateway status`, never by the gateway.
"""

from __future__ import annotations

import enum
import re
import subprocess
from dataclasses import dataclass

UNIT = "camera-gateway.service"
ASK_S = 10.0
RESTARTS_ARE_ENOUGH = 3
"""A release that has fallen over so often is not waited for any longer."""

_SHOWN = ("ActiveState", "SubState", "Result", "StatusText", "NRestarts", "MainPID")
_CAMERAS = re.compile(r"(\d+) cameras, (\d+) live")


@dataclass(frozen=True, slots=True)
class UnitState:
    """The unit at one moment, in systemd's words."""

    active: str = "unknown"
    sub: str = ""
    result: str = ""
    status: str = ""
    restarts: int = 0
    pid: int = 0

    @property
    def live(self) -> int | None:
        """How many cameras are live, if the gateway says so."""
        found = _CAMERAS.match(self.status)
        return int(found[2]) if found else None


def parse(shown: str) -> UnitState:
    """The answer of `systemctl show`."""
    values = dict(line.partition("=")[::2] for line in shown.splitlines())

    def number(name: str) -> int:
        text = values.get(name, "")
        return int(text) if text.isdigit() else 0

    return UnitState(
        values.get("ActiveState") or "unknown",
        values.get("SubState", ""),
        values.get("Result", ""),
        values.get("StatusText", ""),
        number("NRestarts"),
        number("MainPID"),
    )


def state() -> UnitState:
    """The unit now; `unknown` where systemd cannot be asked."""
    return parse(_run(["systemctl", "show", UNIT, f"--property={','.join(_SHOWN)}"]))


def last_errors(count: int = 5) -> list[str]:
    """The newest errors in the journal, oldest first; empty where this user may not read it."""
    command = ["journalctl", "--unit", UNIT, "--priority", "err", "--lines", str(count), "--no-pager", "--quiet"]
    return _run([*command, "--output", "short-iso"]).splitlines()


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


class Opinion(enum.Enum):
    """About a release on probation."""

    WAIT = "wait"
    GOOD = "good"
    BAD = "bad"


class Probation:
    """Watches a start. It is good once the unit has been active and ready, with enough cameras, for `stable_s`."""

    def __init__(self, within_s: float, stable_s: float, live: int, now: float) -> None:
        """`live` is how many cameras must be live, as before."""
        self._deadline = now + within_s
        self._within_s = within_s
        self._stable_s = stable_s
        self._live = live
        self._good_since: float | None = None
        self._pid = 0
        self._restarts: int | None = None
        self.reason = ""
        """Why it is not good (yet)."""

    def look(self, unit: UnitState, ready: str, now: float) -> Opinion:
        """`ready` is empty if the gateway says that it is ready, else why not."""
        self._restarts = min(unit.restarts, self._restarts) if self._restarts is not None else unit.restarts
        fallen = unit.restarts - self._restarts
        self.reason = self._complaint(unit, ready, fallen)
        if unit.active == "failed" or fallen >= RESTARTS_ARE_ENOUGH:
            return Opinion.BAD
        if self.reason or unit.pid != self._pid:
            self._good_since, self._pid = None, unit.pid
        if not self.reason:
            self._good_since = now if self._good_since is None else self._good_since
            if now - self._good_since >= self._stable_s:
                return Opinion.GOOD
        if now < self._deadline:
            return Opinion.WAIT
        self.reason = self.reason or "it does not stay up"
        self.reason = f"after {self._within_s:.0f} s {self.reason}"
        return Opinion.BAD

    def _complaint(self, unit: UnitState, ready: str, fallen: int) -> str:
        if unit.active == "failed":
            return f"it has failed ({unit.result})"
        if fallen:
            return f"it has fallen over {fallen} times"
        if unit.active != "active":
            return f"it is {unit.active} and not ready"
        if ready:
            return ready
        if unit.live is not None and unit.live < self._live:
            return f"{unit.live} cameras are live, before it were {self._live}"
        return ""
