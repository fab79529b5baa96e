"""Files that outlive the process: written so that a power cut leaves the old one or the new one, and set aside when damaged.

Everything that the gateway writes goes through here, but for logs that grow (`access.audit`) and SQLite's own. Called at
start, by commands beside the gateway, and from worker threads; never from the event loop. See design/state-files.md.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
from pathlib import Path

log = logging.getLogger(__name__)

PRIVATE_MODE = 0o600
PRIVATE_DIR_MODE = 0o700
DAMAGED_SUFFIX = ".damaged"
MAX_KEPT = 5
"""Names tried for what is set aside: a folder that is not empty cannot be replaced by the next one."""
UNFINISHED_SUFFIX = ".tmp"
UNFINISHED_S = 60.0
"""A younger one may belong to a command that is writing now."""


def private_directory(path: Path) -> Path:
    """`path`, made with mode 0700 if it was missing. Raises OSError."""
    path.mkdir(mode=PRIVATE_DIR_MODE, parents=True, exist_ok=True)
    return path


def write_atomically(path: Path, content: bytes, mode: int = PRIVATE_MODE) -> None:
    """Replace `path` by `content` in one step and put it on disk. Raises OSError."""
    temporary = _written(path, content, mode, None)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_new(path: Path, content: bytes, mode: int = PRIVATE_MODE, owner: tuple[int, int] | None = None) -> None:
    """Make `path` in one step and put it on disk. Raises FileExistsError if somebody else has taken the name, OSError.

    `owner` (user and group id) gets the file; without it the folder's owner does, if root writes.
    """
    temporary = _written(path, content, mode, owner)
    try:
        path.hardlink_to(temporary)  # unlike a rename it fails if the name is taken
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def read(path: Path) -> bytes:
    """The content. Raises FileNotFoundError, IsADirectoryError, and OSError in words for a person where a good file may lie
    behind it: that is nothing to set aside."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise
    except OSError as error:
        said = f"cannot be read: {error.strerror}; give it to the gateway's user, or delete it to begin anew"
        raise OSError(error.errno, said, str(path)) from None


def sync_directory(directory: Path) -> None:
    """Put names on disk: without it a file that was just made may be gone after a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def belong_to(descriptor: int, directory: Path) -> None:
    """Give a file that root has made to the folder's owner: a command run by root must not shut the service out."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def set_aside(path: Path, why: str, consequence: str) -> None:
    """Make room where something damaged lies, and say so once. The newest is kept for whoever wants to look. OSError."""
    kept = _make_way(path)
    sync_directory(path.parent)
    log.error("%s is damaged (%s) and was moved to %s: %s", path, why, kept.name, consequence)


def clear_unfinished(directory: Path) -> None:
    """Delete what writers left that were cut off. Never raises: it is only untidy."""
    oldest = time.time() - UNFINISHED_S
    with contextlib.suppress(OSError):
        for left in directory.glob(f".*{UNFINISHED_SUFFIX}"):
            with contextlib.suppress(OSError):
                if left.is_file() and left.stat().st_mtime < oldest:
                    left.unlink()


def _written(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> Path:
    """A file of another name beside `path` with the content, which is on disk. Raises OSError, having left nothing."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED_SUFFIX)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            else:
                belong_to(file.fileno(), path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _make_way(path: Path) -> Path:
    number = 1
    while True:
        kept = path.with_name(path.name + DAMAGED_SUFFIX + (f".{number}" if number > 1 else ""))
        try:
            path.replace(kept)
        except OSError:
            if number >= MAX_KEPT or not kept.exists():
                raise
            number += 1
        else:
            return kept
