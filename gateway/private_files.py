"""Writes secrets and keys so that a power cut never leaves half a file and nobody else can read them.

Called at start, by `gateway passwd`, and from worker threads; never from the event loop.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PRIVATE_MODE = 0o600
PRIVATE_DIR_MODE = 0o700


def private_directory(path: Path) -> Path:
    """`path`, made with mode 0700 if it was missing. Raises OSError."""
    path.mkdir(mode=PRIVATE_DIR_MODE, parents=True, exist_ok=True)
    return path


def write_atomically(path: Path, content: bytes, mode: int = PRIVATE_MODE) -> None:
    """Replace `path` by `content` in one step and put it on disk. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            belong_to(file.fileno(), path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Put the names in it on disk: without that a power cut takes a file back that was just written. Raises OSError."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def belong_to(descriptor: int, directory: Path) -> None:
    """Give a file that root has made to the folder's owner: a command run by root must not shut the service out."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
