"""What can be taken back: API tokens, the viewing token, logins. `<data_dir>/secrets/access.json`.

`gateway token` is another process than the running gateway, so every change reads the file anew under a lock, and
`refresh` takes up what others have written. Any thread; never the event loop but for `refresh`, which is one `stat` unless
something changed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.access import tokens
from gateway.access.tokens import ApiToken
from gateway.private_files import PRIVATE_MODE, belong_to, private_directory, write_atomically

log = logging.getLogger(__name__)

FILE_NAME = "access.json"
MAX_TOKENS = 256


@dataclass(frozen=True, slots=True)
class AccessState:
    """The file's content."""

    viewing: str | None = ""
    """Goes into the viewing token: empty is the first one, None that there is none."""
    logins: Mapping[str, str] = field(default_factory=dict)
    """By user: a mark that changes when he logs out everywhere."""
    tokens: tuple[ApiToken, ...] = ()
    others: str = ""
    """The mark of users without one of their own. Not empty since the file was damaged: who has logged out is forgotten."""

    def login_of(self, user: str) -> str:
        """The user's mark."""
        return self.logins.get(user, self.others)


class StateFile:
    """The file and what was last read of it."""

    def __init__(self, data_dir: Path) -> None:
        """Read the file if there is one. Raises OSError."""
        directory = private_directory(data_dir / "secrets")
        self._path = directory / FILE_NAME
        self._lock_path = directory / ".access.lock"
        self._seen: tuple[int, int, int] | None = None
        self._reading = threading.Lock()
        self.state = AccessState()
        if self._path.exists():
            # Nothing that was revoked may come back to life because a disk failed.
            self.state = AccessState(viewing=None, others=secrets.token_hex(8))
            self.refresh()

    def refresh(self) -> bool:
        """Take up what another process wrote. True if it changed. Never raises: an unreadable file changes nothing."""
        with self._reading:  # what one thread has read before another one's change must not come after it
            return self._refresh()

    def _refresh(self) -> bool:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen == self._seen:
                return False
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        self._seen = seen
        try:
            state = _from_json(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            log.error("%s is damaged: API tokens and the viewing token in it are refused; make new ones", self._path)
            return False
        changed, self.state = state != self.state, state
        return changed

    def change(self, edit: Callable[[AccessState], AccessState]) -> AccessState:
        """Apply `edit` to the newest state and store the result. Raises OSError, and whatever `edit` raises."""
        with self._locked():
            self.refresh()
            state = edit(self.state)
            write_atomically(self._path, json.dumps(_to_json(state), indent=1).encode() + b"\n")
            self.refresh()
        return self.state

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
        try:
            belong_to(descriptor, self._lock_path.parent)
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for one small write
            yield
        finally:
            os.close(descriptor)


def _to_json(state: AccessState) -> dict[str, Any]:
    kept = [tokens.to_json(token) | {"digest": token.digest} for token in state.tokens]
    return {"viewing": state.viewing, "logins": dict(state.logins), "others": state.others, "tokens": kept}


def _from_json(fields: Any) -> AccessState:
    viewing = fields["viewing"]
    return AccessState(
        viewing=str(viewing) if viewing is not None else None,
        logins={str(user): str(mark) for user, mark in fields["logins"].items()},
        tokens=tuple(tokens.from_json(one) for one in fields["tokens"]),
        others=str(fields.get("others", "")),
    )
