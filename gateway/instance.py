"""Keeps two gateways from fighting over one data directory, its cameras and its ports. Called once at start."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO

from gateway.errors import InstanceError

LOCK_FILE = "gateway.lock"


def holder(data_dir: Path) -> int | None:
    """Process id of the gateway that uses this data directory now; None if none does.

    Raises InstanceError if this user may not know.
    """
    path = data_dir / LOCK_FILE
    try:
        with path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InstanceError(f"cannot tell whether a gateway runs: {path}: {error.strerror}") from None
    return None


class InstanceLock:
    """An advisory lock on the data directory, held by the process; the kernel releases it however the process ends.

    A context manager: it is the first thing a gateway takes, before it writes anything there, and the last it gives back.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_FILE
        self._file: IO[str] | None = None

    def __enter__(self) -> InstanceLock:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock. Raises InstanceError when another gateway holds it or the directory cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise InstanceError(f"cannot use the data directory {self._path.parent}: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            who = f" (process {holder})" if holder.isdigit() else ""
            raise InstanceError(
                f"another gateway{who} already uses {self._path.parent}: stop it first, or give this one its own data_dir"
            ) from None
        self._file = file
        with contextlib.suppress(OSError):  # a full disk: the lock holds without the number in it
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None
