"""Which files make up the configuration, what tells one version of them from another, and when a change has settled.

Polled instead of inotify: a poll sees editors that rename, symbolic links that Kubernetes swaps and files on a server all the
same way, and twenty `stat` calls every two seconds cost nothing. `look` blocks (a network file system may be away) and runs on
worker threads; the rest is pure.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.config.load import drop_in_files

POLL_S = 2.0
"""A change is read once two looks in a row have found the same: after 2 to 4 s, and never while it is being written."""

Version = tuple[int, int, int, int] | None
"""Device, inode, size and time of change; None: there is no such file."""
Fingerprint = Mapping[str, Version]


def look(config_path: Path, named: Iterable[Path]) -> Fingerprint:
    """The files as they are now: config.yaml, what lies in conf.d, and the `named` ones (passwords, certificates)."""
    files = {config_path, *named}
    with contextlib.suppress(OSError):
        files |= set(drop_in_files(config_path, ".yaml", ".yml"))
    return {str(file): _version(file) for file in files}


def _version(file: Path) -> Version:
    try:
        found = file.stat()  # follows symbolic links: what they lead to is what is read
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Settling:
    """Decides when to read. Nothing is known at first."""

    def __init__(self) -> None:
        self._known: Fingerprint | None = None
        self._candidate: Fingerprint | None = None

    def due(self, seen: Fingerprint) -> bool:
        """Whether what was seen differs from what was read, and is the same as the last time."""
        if seen == self._known:
            self._candidate = None
            return False
        settled = seen == self._candidate
        self._candidate = seen
        return settled

    def was_read(self, before: Fingerprint, after: Fingerprint) -> None:
        """The files were read between these two looks. A file that changed in between is read again."""
        unmoved = all(after.get(file, version) == version for file, version in before.items())
        self._known, self._candidate = (after if unmoved else None), None
