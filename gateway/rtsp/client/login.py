"""Answers a camera's question for a login: Digest (MD5, SHA-256, with and without qop) or Basic. Pure; one per session.

Digest wins over Basic where both are offered, and SHA-256 over MD5 only if it is asked for first: firmware that lists it
second is known to compute it wrong.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Sequence

from gateway.http import digest_client
from gateway.http.digest_client import Challenge

_BASIC = re.compile(r"(?i)(?:^|[,\s])basic(?:\s|$)")


def _cnonce() -> str:
    return secrets.token_hex(8)


class Login:
    """User name and password of one camera."""

    def __init__(self, username: str | None, password: str | None, cnonce: Callable[[], str] = _cnonce) -> None:
        self._username = username or ""
        self._password = password or ""
        self._cnonce = cnonce
        self._challenge: Challenge | None = None
        self._basic = False
        self._count = 0
        self._accepted = True
        self._renewed = False

    @property
    def given(self) -> bool:
        """There is something to answer with."""
        return bool(self._username or self._password)

    def challenged(self, headers: Sequence[str]) -> bool:
        """Take the `WWW-Authenticate` headers of a 401; False if answering (again) is of no use.

        One wrong answer is enough: cameras lock accounts. A second one is worth it only if the first had been good until now,
        or the camera says that its nonce has become too old. It may say so once: some call every nonce old.
        """
        if not self.given:
            return False
        challenge = digest_client.find_challenge(headers)
        basic = challenge is None and self._challenge is None and any(_BASIC.search(header) for header in headers)
        if challenge is None and not basic:
            return False  # a 401 that asks for nothing says nothing about the password
        worth, self._accepted = self._accepted, False
        if challenge is None:
            self._basic = True
            return worth
        before, self._challenge = self._challenge, challenge
        self._count = 0
        if worth:
            return True
        renewed, self._renewed = self._renewed, True
        return not renewed and before is not None and challenge.stale and before.nonce != challenge.nonce

    def accepted(self) -> None:
        """A request was not answered with 401."""
        self._accepted = True
        self._renewed = False

    def header(self, method: str, uri: str) -> str | None:
        """Value of `Authorization` for a request; None as long as nobody asked."""
        if self._challenge is not None:
            self._count += 1
            return digest_client.authorization(
                self._challenge, method, uri, self._username, self._password, cnonce=self._cnonce(), count=self._count
            )
        if self._basic:
            return "Basic " + base64.b64encode(f"{self._username}:{self._password}".encode()).decode()
        return None
