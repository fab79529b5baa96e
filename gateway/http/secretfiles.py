"""The admin's password hash and the key of sessions, in `<data_dir>/secrets/`.

`gateway passwd` is another process than the running gateway: `refresh` notices within seconds that it replaced the
hash. Any thread; the caller holds a lock.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from werkzeug.security import generate_password_hash

from gateway.private_files import private_directory, write_atomically

log = logging.getLogger(__name__)

KEY_BYTES = 32
SCRYPT_PREFIX = "scrypt:"
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
        """Read or make the files. Raises OSError."""
        self.data_dir = data_dir
        directory = private_directory(data_dir / "secrets")
        self._hash_file = directory / "admin.hash"
        self._key_file = directory / "session.key"
        self._seen: tuple[int, int] | None = None
        self.session_key = self._load_key()
        self.password_hash = ""
        """Empty: there is no password yet and nobody can log in."""
        self.refresh()

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
        if not text.startswith(SCRYPT_PREFIX) or text.count("$") != 2:
            log.warning("%s is damaged", self._hash_file)
            return False
        changed, self.password_hash = text != self.password_hash, text
        return changed

    def set_password(self, password: str) -> None:
        """Hash and store a new password (some 50 ms). Raises ValueError if it is empty, OSError."""
        write_atomically(self._hash_file, hashed(password).encode() + b"\n")
        self.refresh()

    def _load_key(self) -> bytes:
        try:
            key = bytes.fromhex(self._key_file.read_text(encoding="ascii").strip())
            if len(key) == KEY_BYTES:
                return key
            log.warning("%s is damaged and is replaced: everybody logs in again", self._key_file)
        except FileNotFoundError:
            pass  # a first run
        except ValueError:
            log.warning("%s is damaged and is replaced: everybody logs in again", self._key_file)
        key = secrets.token_bytes(KEY_BYTES)
        write_atomically(self._key_file, key.hex().encode() + b"\n")
        return key
