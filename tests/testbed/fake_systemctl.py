#!/usr/bin/env python3
"""A `systemctl` for one unit where no systemd runs. It really starts and stops what the unit says, and hears sd_notify.

Only what is loaded by `daemon-reload` counts, `/run` wins over `/etc`, and a service is active when it has said READY=1: what
an installer may forget shows. Pauses are a tenth of the real ones. State is in the folder `FAKE_SYSTEMD`. No other package.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ["FAKE_SYSTEMD"])
ROOT = Path(os.environ.get("INSTALL_ROOT") or "/")
SEARCH = ("run/systemd/system.control", "etc/systemd/system")
NAME = "camera-gateway.service"
FASTER = 10
END_S = 12.0


class Unit:
    """The loaded unit file."""

    def __init__(self) -> None:
        self.values: list[tuple[str, str]] = []
        for line in (HOME / "loaded").read_text().splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                self.values.append((key.strip(), value.strip()))

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.values if name == key]

    def one(self, key: str, default: str = "") -> str:
        return (self.all(key) or [default])[-1]


def say(**changes: object) -> None:
    """Change the state that `show` shows."""
    state = {**told(), **changes}
    fresh = HOME / f"state.{os.getpid()}"
    fresh.write_text(json.dumps(state))
    fresh.replace(HOME / "state")


def told() -> dict[str, object]:
    idle = {"ActiveState": "inactive", "SubState": "dead", "Result": "success", "StatusText": "", "NRestarts": 0, "MainPID": 0}
    try:
        return {**idle, **json.loads((HOME / "state").read_text())}
    except FileNotFoundError:
        return idle


def environment(unit: Unit) -> dict[str, str]:
    made = {"PATH": os.defpath, "LANG": "C.UTF-8", "NOTIFY_SOCKET": str(HOME / "notify")}
    for text in unit.all("Environment"):
        made.update(part.split("=", 1) for part in shlex.split(text))
    for text in unit.all("EnvironmentFile"):
        path = Path(text.removeprefix("-"))
        if path.exists():
            made.update(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    made["WATCHDOG_USEC"] = str(int(unit.one("WatchdogSec", "0")) * 1_000_000)
    for text in unit.all("LoadCredential"):
        name, folder = text.split(":")
        credentials = HOME / "credentials"
        shutil.rmtree(credentials, ignore_errors=True)
        credentials.mkdir()
        for one in Path(folder).iterdir():  # a folder that is missing is an error, as in systemd
            shutil.copy(one, credentials / f"{name}_{one.name}")
        made["CREDENTIALS_DIRECTORY"] = str(credentials)
    return made


def supervise() -> None:
    """Be what systemd is to the service, until SIGTERM."""
    unit, stop = Unit(), False

    def end(_signum: int, _frame: object) -> None:
        nonlocal stop
        stop = True

    signal.signal(signal.SIGTERM, end)
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    (HOME / "notify").unlink(missing_ok=True)
    ear.bind(str(HOME / "notify"))
    ear.settimeout(0.05)
    restarts = 0
    while not stop:
        with (HOME / "log").open("ab") as log:
            child = subprocess.Popen(
                shlex.split(unit.one("ExecStart")), env=environment(unit), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        say(ActiveState="activating", SubState="start", StatusText="", MainPID=child.pid, NRestarts=restarts)
        while child.poll() is None and not stop:
            hear(ear)
        if child.poll() is None:
            say(ActiveState="deactivating")
            child.terminate()
            try:
                child.wait(END_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if stop:
            break
        if str(child.returncode) == unit.one("RestartPreventExitStatus"):
            say(ActiveState="failed", SubState="failed", Result="exit-code", MainPID=0)
            break
        restarts += 1
        say(ActiveState="activating", SubState="auto-restart", Result="exit-code", MainPID=0, NRestarts=restarts)
        pause = time.monotonic() + float(unit.one("RestartSec", "1")) / FASTER
        while time.monotonic() < pause and not stop:
            time.sleep(0.02)
    if told()["ActiveState"] != "failed":
        say(ActiveState="inactive", SubState="dead", MainPID=0)
    (HOME / "supervisor").unlink(missing_ok=True)


def hear(ear: socket.socket) -> None:
    try:
        message = ear.recv(65536).decode()
    except TimeoutError:
        return
    for line in message.split("\n"):
        if line == "READY=1":
            say(ActiveState="active", SubState="running", Result="success")
        elif line.startswith("STATUS="):
            say(StatusText=line.removeprefix("STATUS="))


def stop() -> None:
    try:
        pid = int((HOME / "supervisor").read_text())
        os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        return
    deadline = time.monotonic() + END_S + 3
    while (HOME / "supervisor").exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def start() -> None:
    if (HOME / "supervisor").exists():
        return
    if not (HOME / "loaded").exists():
        sys.exit(f"Unit {NAME} not found.")
    process = subprocess.Popen(
        [sys.executable, __file__, "--supervise"],
        start_new_session=True,
        close_fds=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(HOME / "log").open("ab"),
    )
    (HOME / "supervisor").write_text(str(process.pid))


def reload_units() -> None:
    found = next((ROOT / folder / NAME for folder in SEARCH if (ROOT / folder / NAME).exists()), None)
    if found is None:
        (HOME / "loaded").unlink(missing_ok=True)
    else:
        shutil.copy(found, HOME / "loaded")


def main(arguments: list[str]) -> int:
    command, options = arguments[0], arguments[1:]
    if command == "--version":
        print("systemd 252 (252.38-1)")
    elif command == "--supervise":
        supervise()
    elif command == "daemon-reload":
        reload_units()
    elif command == "show":
        wanted = next(one for one in options if one.startswith("--property=")).removeprefix("--property=").split(",")
        print("\n".join(f"{name}={told()[name]}" for name in wanted))
    elif command in ("enable", "disable"):
        (HOME / "enabled").write_text("yes" if command == "enable" else "no")
        if "--now" in options:
            stop() if command == "disable" else start()
    elif command in ("start", "stop", "restart"):
        if command != "start":
            stop()
        if command != "stop":
            start()
    elif command != "reset-failed":
        sys.exit(f"fake systemctl: {command}?")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
