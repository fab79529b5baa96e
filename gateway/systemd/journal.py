"""Log records as journal entries with fields, so that `journalctl CAMERA=front-door` finds a camera's history.

Used instead of plain lines where standard error is the journal's (`JOURNAL_STREAM`, systemd.exec(5)). The protocol is one
datagram per entry to a socket (systemd's "Native Journal Protocol"). What does not fit a datagram, or finds no journal,
becomes plain lines with a priority in front, as before. A journal that takes no more just now loses entries, and is told how
many: waiting for it would stop the event loop. Called by `logging`, under its lock, on any thread.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import IO

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "camera-gateway"
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
STATE_CHANGED = "2f3a5d7e9c4b4e0f8a61d0c7b5e29143"
"""MESSAGE_ID of every change of a stream's state. Never to be changed: people's alarms match it."""

_ABOUT_A_CAMERA = re.compile(r"(?:stream|camera) %s\b")
"""How every message about a camera begins; the first argument is its id, with `.sub` for the second stream."""


def change(code: str, before: str = "") -> dict[str, str]:
    """`extra` of a log call that tells a stream's state; `code` is `SourceError.code`, or the state.

    Only what differs from `before` is a change: a camera that is away is tried again and again.
    """
    return {"code": code, "message_id": STATE_CHANGED if code != before else ""}


def is_journal(environ: Mapping[str, str], stream: IO[str]) -> bool:
    """Whether what is written to `stream` goes to the journal: `JOURNAL_STREAM` names its device and inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def fields(record: logging.LogRecord, message: str) -> Iterator[tuple[str, str]]:
    """The entry of a record whose text is `message`."""
    yield "MESSAGE", message
    yield "PRIORITY", str(PRIORITIES.get(record.levelno, 6))
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    yield "LOGGER", record.name
    if isinstance(record.args, tuple) and record.args and _ABOUT_A_CAMERA.match(str(record.msg)):
        stream = str(record.args[0])
        yield "CAMERA", stream.removesuffix(".sub")
        yield "STREAM", stream
    for name in ("code", "message_id"):
        value = getattr(record, name, None)
        if value:
            yield name.upper(), str(value)


def encode(entry: Iterator[tuple[str, str]]) -> bytes:
    """The entry as a datagram. A value with line ends is written with its length."""
    parts = []
    for name, text in entry:
        value = text.encode("utf-8", "backslashreplace")
        if b"\n" in value:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        else:
            parts.append(name.encode() + b"=" + value + b"\n")
    return b"".join(parts)


def _loss(count: int) -> Iterator[tuple[str, str]]:
    yield "MESSAGE", f"{count} log entries were lost: the journal took no more"
    yield "PRIORITY", str(PRIORITIES[logging.WARNING])
    yield "SYSLOG_IDENTIFIER", IDENTIFIER


class PriorityFormatter(logging.Formatter):
    """`<4>message`: journald reads the priority and has the time itself (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        priority = f"<{PRIORITIES.get(record.levelno, 6)}>"
        return priority + super().format(record).replace("\n", f"\n{priority}")


class JournalHandler(logging.StreamHandler[IO[str]]):
    """Sends records to the journal; to `stream` what cannot be sent."""

    def __init__(self, stream: IO[str], path: str = SOCKET) -> None:
        super().__init__(stream)
        self.setFormatter(PriorityFormatter("%(name)s: %(message)s"))
        self._path = path
        self._text = logging.Formatter("%(message)s")
        self._lost = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        try:
            if self._lost:
                self._socket.sendto(encode(_loss(self._lost)), self._path)
                self._lost = 0
            self._socket.sendto(encode(fields(record, self._text.format(record))), self._path)
        except BlockingIOError:
            self._lost += 1  # standard error is the journal's as well, and would block
        except OSError:
            super().emit(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """See `logging.Handler`."""
        self._socket.close()
        super().close()
