"""Tells systemd how far the gateway is: sd_notify(3) in our own few lines. Silent where nobody listens. Any thread.

One datagram per message to the socket in `NOTIFY_SOCKET`: a path, or an abstract name that begins with `@`. A message that
cannot be sent is lost without a word: systemd then acts on its own time limits, and there is nothing else to be done.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

FEED_PARTS = 3
"""The watchdog is fed this often within its time; sd_watchdog_enabled(3) asks for twice at least."""


class Notifier:
    """A connection to the service manager, or none."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`."""
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        self._said = ""
        self.feed_every_s = _feed_every_s(environ) if self._address is not None else None
        """How often `feed` is expected, in seconds; None without a watchdog."""
        if self._address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def ready(self) -> None:
        """Ports are open and the configuration is loaded; also after `reloading`."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows, whatever comes of it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def feed(self) -> None:
        """Everything makes progress."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """The line in `systemctl status`. The same line twice is sent once."""
        if text != self._said:
            self._said = text
            self._send("STATUS=" + text.replace("\n", " "))

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is not None and self._address is not None:
            try:
                self._socket.sendto(message.encode(), self._address)
            except OSError:
                pass  # see the module's text


def _address(text: str) -> str | None:
    if text.startswith("@") and len(text) > 1:
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _feed_every_s(environ: Mapping[str, str]) -> float | None:
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or int(microseconds) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1e6 / FEED_PARTS
