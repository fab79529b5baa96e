"""WS-Security UsernameTokens, judged: password, age, and that none is used twice. Pure; the clock is passed in.

Source: OASIS WS-Security UsernameToken Profile 1.0, section 3.1; ONVIF Core specification 5.9.3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

CREATED_WINDOW_S = 60.0
"""Cameras refuse tokens made minutes ago, so that an overheard one is worthless; some allow only 5 s."""
MAX_NONCES = 16_384
"""Two minutes of 130 calls a second; beyond it nobody is let in until the oldest have expired."""


@dataclass(frozen=True, slots=True)
class UsernameToken:
    """WS-Security UsernameToken. `digest` tells whether `password` is a PasswordDigest or the password itself."""

    username: str
    password: str
    digest: bool
    nonce: str
    created: str

    def __repr__(self) -> str:
        """Without the password: objects end up in tracebacks."""
        return f"UsernameToken(username={self.username!r})"


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """PasswordDigest of WS-Security UsernameToken Profile 1.0, section 3.1."""
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class TokenJudge:
    """Verifies tokens of `users`, which may be a live mapping. `plain` takes passwords in clear, as cameras do."""

    def __init__(self, users: Mapping[str, str], *, plain: bool = False) -> None:
        self._users = users
        self._plain = plain
        self._used: OrderedDict[tuple[str, str], float] = OrderedDict()

    def accepts(self, token: UsernameToken, now: float) -> bool:
        """Whether the token is right at `now`, Unix seconds of the device's own clock."""
        password = self._users.get(token.username)
        if not token.digest:
            same = hmac.compare_digest(token.password.encode(), (password or "").encode())
            return self._plain and password is not None and same
        created = parse_time(token.created)
        try:
            nonce = base64.b64decode(token.nonce, validate=True)
        except (binascii.Error, ValueError):
            return False
        expected = password_digest(nonce, token.created, password or "")
        if not hmac.compare_digest(expected.encode(), token.password.encode()) or password is None:
            return False
        return created is not None and abs(created - now) <= CREATED_WINDOW_S and self._is_new(nonce, token.created, now)

    def _is_new(self, nonce: bytes, created: str, now: float) -> bool:
        """Remember a token for as long as its age would let it in again."""
        while self._used and not abs(next(iter(self._used.values())) - now) <= 2 * CREATED_WINDOW_S:
            self._used.popitem(last=False)
        # the digest is made of the decoded nonce: another spelling of it in base64 is the same token
        key = (nonce.hex(), created)
        if key in self._used or len(self._used) >= MAX_NONCES:
            return False
        self._used[key] = now
        return True


def parse_time(text: str) -> float | None:
    """Unix seconds of an xs:dateTime in UTC; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        return None
