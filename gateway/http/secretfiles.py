"""The admin's password hash and the key of sessions, in `<data_dir>/secrets/`.

`gateway passwd` is another process than the running gateway: `refresh` notices within seconds that it replaced the
hash. Any thread; the caller holds a lock.
"""

from __future__ import annotations

import logging
import re
import secrets
from pathlib import Path

from werkzeug.security import generate_password_hash

from gateway import private_files
from gateway.private_files import private_directory, set_aside, write_atomically

log = logging.getLogger(__name__)

KEY_BYTES = 32
_HASH = re.compile(r"scrypt:\d{1,8}:\d{1,3}:\d{1,3}\$[A-Za-z0-9]+\$[0-9a-f]{128}")
"""As werkzeug writes it. Half of one must not pass: nobody could ever log in."""
PASSWORD_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without i, l, o, 0 and 1, which people confuse when they copy from a screen."""
PASSWORD_GROUPS, PASSWORD_GROUP_CHARS = 3, 5
"""15 of 31 characters: 74 bits."""


def readable_password() -> str:
    """A new random password such as `k7mqp-x2hvn-9dwrt`."""
    groups = ("".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_GROUP_CHARS)) for _ in range(PASSWORD_GROUPS))
    return "-".join(groups)


def hashed(password: str) -> str:
    """What is kept of a password: scrypt with 32 MB, some 50 ms. Raises ValueError if it is empty."""
    if not password:
        raise ValueError("the password is empty")
    return generate_password_hash(password, method="scrypt")


class SecretFiles:
    """Both secrets, as they are on disk."""

    def __init__(self, data_dir: Path) -> None:
        """Read or make the files; a damaged one is set aside. Raises OSError: also when a file cannot be read, because it
        may be good, and who replaces it locks somebody out."""
        self.data_dir = data_dir
        directory = private_directory(data_dir / "secrets")
        self._hash_file = directory / "admin.hash"
        self._key_file = directory / "session.key"
        self._seen: tuple[int, int] | None = None
        self.session_key = self._load_key()
        self.password_hash = self._load_hash()
        """Empty: there is no password yet and nobody can log in."""

    def refresh(self) -> bool:
        """Take up a hash that was replaced on disk. True if it was. Never raises: an unreadable file changes nothing."""
        try:
            status = self._hash_file.stat()
            seen = (status.st_mtime_ns, status.st_ino)
            if seen == self._seen:
                return False
            text = self._hash_file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return False
        self._seen = seen
        if not _HASH.fullmatch(text):
            log.warning("%s is damaged; the password of before counts", self._hash_file)
            return False
        changed, self.password_hash = text != self.password_hash, text
        return changed

    def set_password(self, password: str) -> None:
        """Hash and store a new password (some 50 ms). Raises ValueError if it is empty, OSError."""
        write_atomically(self._hash_file, hashed(password).encode() + b"\n")
        self.refresh()

    def _load_hash(self) -> str:
        try:
            text = private_files.read(self._hash_file).decode("utf-8", "replace").strip()
            status = self._hash_file.stat()
        except FileNotFoundError:
            return ""  # a first run
        except IsADirectoryError:
            text = "a folder"
        else:
            if _HASH.fullmatch(text):
                self._seen = (status.st_mtime_ns, status.st_ino)
                return text
        set_aside(self._hash_file, "no password hash", "the admin needs a new password")
        return ""

    def _load_key(self) -> bytes:
        try:
            key = bytes.fromhex(private_files.read(self._key_file).decode("ascii").strip())
        except FileNotFoundError:
            return self._make_key()
        except (ValueError, IsADirectoryError):
            key = b""
        if len(key) == KEY_BYTES:
            return key
        set_aside(self._key_file, "no key", "everybody logs in again, and addresses with a token in them are new ones")
        return self._make_key()

    def _make_key(self) -> bytes:
        key = secrets.token_bytes(KEY_BYTES)
        write_atomically(self._key_file, key.hex().encode() + b"\n")
        return key
