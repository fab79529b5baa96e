"""Writes one camera into a file of its own in conf.d, for `adoption`. Blocking; worker threads and the command line.

Files that are there already are never touched: they are their owner's, with all comments.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.load import DROP_IN_FOLDER
from gateway.private_files import PRIVATE_MODE, sync_directory

FOLDER_MODE = 0o750
MAX_NOTE_CHARS = 120


@dataclass(frozen=True, slots=True)
class Entry:
    """A camera as it is written down. Without a user name the credentials of `discovery` count."""

    id: str
    name: str
    address: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def render(entry: Entry, note: str) -> str:
    """The file. `note` says where the camera came from; it may hold whatever a camera says of itself."""
    lines = [
        f"# {one_line(note)[:MAX_NOTE_CHARS]}",
        "# Every key of a camera may be added here. Without this file the camera is forgotten.",
        "cameras:",
        f"  {entry.id}:",
        f"    name: {_quoted(entry.name)}",
        f"    address: {_quoted(entry.address)}",
    ]
    if entry.username is not None:
        lines.append(f"    username: {_quoted(entry.username)}")
        lines.append(f"    password: {_quoted(entry.password or '')}")
    return "\n".join([*lines, ""])


def write_new(config_path: Path, entry: Entry, note: str, owner: tuple[int, int] | None = None) -> Path:
    """Write `conf.d/<id>.yaml` beside `config_path` in one step, readable by its owner only.

    `owner` (user and group id) gets the file: root writes for a service of another user. Raises FileExistsError, OSError.
    """
    folder = config_path.parent / DROP_IN_FOLDER
    try:
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder") from None
    path = folder / f"{entry.id}.yaml"
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{entry.id}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), PRIVATE_MODE)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.write(render(entry, note))
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(temporary)  # unlike a rename it fails if somebody else has taken the name
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(folder)
    return path


def one_line(text: str) -> str:
    """`text` without line ends and control characters."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _quoted(text: str) -> str:
    """A YAML scalar in double quotes, in which nothing is replaced."""
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)
