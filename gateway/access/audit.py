"""The audit log: who logged in or failed to, who began to watch what, who moved and changed what. One JSON object a line.

`record` is called on any thread, the event loop included: it puts a line into a queue and returns. One thread writes.
It puts every batch on disk (`fdatasync`) before it takes the next and rests a second in between, so a power cut costs the
last second at most and a memory card is written to once a second at most. A line that a power cut has torn is skipped when
the log is read and closed with a newline before the next is written. Five files of 2 MB are kept.

No line holds a secret: callers give names, addresses and ids, never what was typed as a password.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.private_files import PRIVATE_MODE
from gateway.redact import redact

log = logging.getLogger(__name__)

FILE_NAME = "audit.jsonl"
EVENTS = (
    "start", "reload", "users", "login", "login-failed", "login-delayed", "logout", "logout-everywhere", "password",
    "watch", "publish", "snapshot", "ptz", "adopt", "forget", "clock", "reboot",
    "link", "token", "viewing-token", "lost",
)  # fmt: skip
"""Everything that `event` may be."""
MAX_FILE_BYTES = 2_000_000
KEPT_FILES = 5
MAX_QUEUED = 2000
"""A flood of failed logins must not take the memory that pictures need; what is lost is counted in the log itself."""
REST_S = 1.0
AGAIN_S = 300.0
"""Somebody who goes on watching, or comes back within this time, has not begun anew."""
MAX_GOING_ON = 4096
MAX_TEXT_CHARS = 200
_FIELDS = frozenset({"at", "event", "user", "address", "camera", "ok", "detail"})


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done. `at` is in Unix seconds."""

    event: str
    user: str
    address: str
    camera: str = ""
    ok: bool = True
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0

    def line(self) -> bytes:
        """The line of the file, with its newline."""
        fields: dict[str, Any] = {
            "at": round(self.at, 3),
            "event": self.event,
            "user": _plain(self.user),
            "address": _plain(self.address),
            "camera": _plain(self.camera),
            "ok": self.ok,
            "detail": {key: _plain(value) if isinstance(value, str) else value for key, value in self.detail.items()},
        }
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class AuditLog:
    """The log in a folder. Nothing is written before `start`, so tests and tools can do without it."""

    def __init__(
        self,
        directory: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        max_file_bytes: int = MAX_FILE_BYTES,
        rest_s: float = REST_S,
    ) -> None:
        self._path = directory / FILE_NAME
        self._monotonic = monotonic
        self._wall = wall
        self._max_file_bytes = max_file_bytes
        self._rest_s = rest_s
        self._queue: queue.Queue[Entry] = queue.Queue(MAX_QUEUED)
        self._going_on: OrderedDict[tuple[str, str, str, str, str], float] = OrderedDict()
        self._lock = threading.Lock()
        self._lost = 0
        self._complained = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Write what is queued and end. Harmless if not started."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        if thread is not None:
            thread.join(timeout_s)

    def record(self, event: str, user: str | None, address: str, *, camera: str = "", ok: bool = True, **detail: Any) -> None:
        """Note that something was done. Never blocks and never raises."""
        if self._thread is None:
            return
        try:
            self._queue.put_nowait(Entry(event, user or "", address, camera, ok, detail, self._wall()))
        except queue.Full:
            self._lost += 1

    def going_on(
        self,
        event: str,
        user: str | None,
        address: str,
        *,
        camera: str = "",
        again_s: float = AGAIN_S,
        ok: bool = True,
        **detail: Any,
    ) -> None:
        """Note that something has begun, unless the same goes on already. Costs a microsecond while it does."""
        if self._thread is None:
            return
        key = (event, user or "", address, camera, str(detail.get("way", "")))
        now = self._monotonic()
        with self._lock:
            before = self._going_on.get(key)
            self._going_on[key] = now
            self._going_on.move_to_end(key)
            if before is None:
                while len(self._going_on) > MAX_GOING_ON:
                    self._going_on.popitem(last=False)
            elif now - before < again_s:
                return
        self.record(event, user, address, camera=camera, ok=ok, **detail)

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The last `limit` entries, the newest first. Reads files: worker threads only."""
        found: list[dict[str, Any]] = []
        for path in self._files():
            for line in _lines_from_the_end(path):
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):
                    continue  # torn by a power cut
                if isinstance(entry, dict) and entry.keys() >= _FIELDS and _is_whole(entry):
                    found.append(entry)
                    if len(found) >= limit:
                        return found
        return found

    def flush(self, timeout_s: float = 5.0) -> None:
        """Wait until everything recorded so far is in the file; for tests and the end."""
        deadline = time.monotonic() + timeout_s
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)

    # --- the writer's thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                batch = [self._queue.get(timeout=0.2)]
            except queue.Empty:
                if self._stopping.is_set():
                    return
                continue
            while True:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            lost, self._lost = self._lost, 0
            if lost:
                batch.append(Entry("lost", "", "", ok=False, detail={"entries": lost}, at=self._wall()))
            try:
                self._write(b"".join(entry.line() for entry in batch))
                self._complained = False
            except (OSError, ValueError) as error:
                if not self._complained:
                    log.error("the audit log cannot be written: %s", error)
                self._complained = True
            for _ in range(len(batch) - (1 if lost else 0)):
                self._queue.task_done()
            self._stopping.wait(self._rest_s)

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_MODE)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data
            while data:
                data = data[os.write(descriptor, data) :]
            os.fdatasync(descriptor)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size >= self._max_file_bytes:
            self._rotate()

    def _rotate(self) -> None:
        for number in range(KEPT_FILES - 1, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path if number == 0 else self._path.with_name(f"audit.{number}.jsonl")

    def _files(self) -> Iterator[Path]:
        return (path for number in range(KEPT_FILES) if (path := self._numbered(number)).is_file())


def _is_whole(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry["at"], int | float) and isinstance(entry["detail"], dict)


def _plain(text: str) -> str:
    """Short, and without what a client may have put into a name to look like something else."""
    shown = redact(text[:MAX_TEXT_CHARS])
    return "".join(character if character.isprintable() else "?" for character in shown)


def _lines_from_the_end(path: Path) -> list[bytes]:
    """A file is 2 MB at most: reading it whole is simpler than seeking, and nobody does it often."""
    try:
        return path.read_bytes().split(b"\n")[::-1]
    except OSError:
        return []
