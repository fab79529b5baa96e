"""Firefox without a window, driven over WebDriver BiDi: the browser in which H.265 can be decoded without a graphics card.

BiDi is JSON over a WebSocket; what tests need of both is so little that no driver has to be installed. One request at a time,
from one thread.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from child import Child, until

START_S = 30.0
ANSWER_S = 30.0
_LISTENING = re.compile(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)")
_TEXT, _CLOSE = 1, 8
_MASK = b"mask"
"""Masking protects proxies, and there is none; but it is demanded, and Firefox refuses a mask of zeros."""
PREFERENCES = {
    "app.normandy.enabled": False, "app.update.disabledForTesting": True, "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False, "extensions.autoDisableScopes": 15, "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False, "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False, "services.settings.server": "data:,", "toolkit.telemetry.enabled": False,
    "browser.safebrowsing.downloads.enabled": False, "browser.safebrowsing.malware.enabled": False,
    "dom.ipc.processPrelaunch.enabled": False, "fission.autostart": False,
}  # fmt: skip
"""Nothing is asked of the internet: a test must not wait for it. And few processes: it has one page."""


def found() -> str | None:
    """Where it is installed."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One browser with one page. Raises AssertionError for whatever the browser refuses."""

    def __init__(self, folder: Path) -> None:
        executable = found()
        assert executable is not None
        profile = folder / "firefox"
        profile.mkdir()
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
        (profile / "user.js").write_text("".join(lines))
        command = [
            executable,
            "--headless",
            "--no-remote",
            "--profile",
            str(profile),
            "--remote-debugging-port=0",
            "about:blank",
        ]
        self._child = Child(command, folder / "firefox.log", {"MOZ_DISABLE_CONTENT_SANDBOX": "1", "HOME": str(folder)})
        self._socket: _WebSocket | None = None
        self._asked = 0
        try:
            until(lambda: _LISTENING.search(self._child.text) or not self._child.running, START_S, "firefox listens")
            listening = _LISTENING.search(self._child.text)
            assert listening, self._child.text
            self._socket = _WebSocket(int(listening[1]), "/session")
            self._ask("session.new", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}})
            self._page = self._ask("browsingContext.getTree", {})["contexts"][0]["context"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        if self._socket is not None:
            self._socket.close()
        self._child.end()

    def go(self, url: str) -> None:
        """Load a page and wait until it is there."""
        self._ask("browsingContext.navigate", {"context": self._page, "url": url, "wait": "complete"})

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; it must be what JSON can say. Waits for promises."""
        wrapped = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        target = {"context": self._page}
        answer = self._ask("script.evaluate", {"expression": wrapped, "target": target, "awaitPromise": True})
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def until(self, expression: str, timeout_s: float) -> Any:
        """Ask until the expression is true."""
        return until(lambda: self.evaluate(expression), timeout_s, expression)

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        assert self._socket is not None
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.receive())
            if answer.get("id") == self._asked:
                assert answer["type"] == "success", f"{method}: {answer.get('error')}: {answer.get('message')}"
                return answer["result"]


class _WebSocket:
    """As much of RFC 6455 as a client needs that is sent whole texts."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(request.encode())
        self._file = self._socket.makefile("rb")
        assert b" 101 " in self._file.readline()
        while self._file.readline().strip():
            pass

    def send(self, text: str) -> None:
        data = text.encode()
        size = len(data)
        # the shortest form is demanded; the first bit says that the data is masked
        length = struct.pack(">B", 0x80 | size) if size < 126 else struct.pack(">BH", 0x80 | 126, size)
        assert size < 1 << 16
        masked = bytes(one ^ _MASK[index % 4] for index, one in enumerate(data))
        self._socket.sendall(bytes([0x80 | _TEXT]) + length + _MASK + masked)

    def receive(self) -> str:
        """The next whole message."""
        whole = b""
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            first, size = self._read(2)
            if size == 126:
                (size,) = struct.unpack(">H", self._read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._read(8))
            data = self._read(size)
            assert first & 0x0F != _CLOSE, "firefox closed the connection"
            if first & 0x0F <= _TEXT:
                whole += data
                if first & 0x80:
                    return whole.decode()
        raise AssertionError("firefox does not answer")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        assert len(data) == size, "firefox is gone"
        return data
