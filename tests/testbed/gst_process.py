"""Runs `gst_camera.py` as a process that tests can kill, freeze and start again on the same port."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from child import Child, until

CAMERA = Path(__file__).with_name("gst_camera.py")
SYSTEM_PYTHON = "/usr/bin/python3"
"""PyGObject lives there, in no virtual environment."""
START_S = 15.0


class GstCamera:
    """One camera process. Options are the script's, with underscores: `audio="aac"`, `fps=5`, `jitter=True`."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.options = {name.replace("_", "-"): value for name, value in options.items()}
        self.port = int(str(self.options.pop("port", 0)))
        self.username = str(self.options.get("username", "admin"))
        self.password = str(self.options.get("password", "secret"))
        self._folder = folder
        self._runs = 0
        self.child = self._start()

    @property
    def fps(self) -> int:
        """Frames per second."""
        return int(str(self.options.get("fps", 25)))

    def url(self, mount: int | None = None, port: int | None = None) -> str:
        """The stream's address without credentials; `port` of a relay in front of it."""
        path = self.options.get("path", "/cam") if mount is None else f"/cam{mount}"
        return f"rtsp://127.0.0.1:{port or self.port}{path}"

    def kill(self) -> None:
        """As if its power were cut (the kernel still says good-bye for it)."""
        self.child.end(signal.SIGKILL)

    def restart(self) -> float:
        """Start again on the same port; the monotonic time at which it listened."""
        self.child = self._start()
        return time.monotonic()

    def freeze(self) -> None:
        """It stops doing anything, while its kernel keeps the connections."""
        self.child.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.child.send(signal.SIGCONT)

    def end(self) -> None:
        """Make sure that it is gone."""
        self.child.end(signal.SIGKILL)

    def _start(self) -> Child:
        self._runs += 1
        command = [SYSTEM_PYTHON, str(CAMERA), "--port", str(self.port)]
        for name, value in self.options.items():
            if value is True:
                command.append(f"--{name}")
            elif value is not False:
                command.append(f"--{name}={value}")
        child = Child(command, self._folder / f"camera-{id(self):x}-{self._runs}.log")
        until(lambda: _first_json(child.text) or not child.running, START_S, "the camera listens")
        line = _first_json(child.text)
        assert line is not None, f"the camera did not start: {child.text}"
        self.port = line["port"]
        return child


def _first_json(text: str) -> dict[str, int] | None:
    line = next((line for line in text.splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")), None)
    return json.loads(line) if line else None
