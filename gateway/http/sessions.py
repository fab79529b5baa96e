"""Signed values that browsers bring back: the session cookie, the form token, the viewing token. Pure, any thread.

Nothing is stored on the server. A session names a mark of what it rests on (the password, the role, a token), so that it
ends as soon as that is another one. Every login makes a session of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer

SESSION_RENEW_S = 86400
"""A session used after this long gets a fresh cookie, which is what makes its idle time count from the last use."""
RENEWALS_PER_IDLE = 10
"""Or sooner, where people shall be logged out after minutes."""
CLOCK_TOLERANCE_S = 2 * 86400
"""A session from the future means that the box's clock was ahead; beyond this it is refused."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was checked. Times are Unix seconds."""

    user: str
    issued: float
    """When its cookie was written."""
    started: float
    """When its owner logged in."""
    mark: str = ""
    """Of what it rests on."""


class Signer:
    """Everything derived from the session key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._serializer = URLSafeSerializer(
            key, salt="gateway.session", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self.identity = self._digest("device", "").hex()[:40]
        """Tells this installation from all others in protocols that ask for a serial number."""
        self.installation = self._digest("installation", "").hex()[:6]
        """Part of cookie names, because browsers share cookies between all ports of one address."""

    def issue(self, user: str, mark: str, now: float, started: float | None = None) -> str:
        """Value of a session cookie. `started` continues a session; without it, it begins."""
        begun = int(now if started is None else started)
        return str(self._serializer.dumps({"u": user, "m": mark, "t": int(now), "s": begun, "n": secrets.token_hex(4)}))

    def read(
        self, value: str, mark_of: Callable[[str], str | None], now: float, *, idle_s: float, lifetime_s: float
    ) -> Session | None:
        """The session in a cookie, None if it is forged, too old, or rests on what is no more."""
        try:
            fields = self._serializer.loads(value)
        except BadData:
            return None
        try:
            user, mark, issued, started = str(fields["u"]), str(fields["m"]), float(fields["t"]), float(fields["s"])
        except (KeyError, TypeError, ValueError):
            return None  # of an earlier release
        current = mark_of(user)
        if current is None or not hmac.compare_digest(mark.encode(), current.encode()):
            return None
        if not (-CLOCK_TOLERANCE_S <= now - issued <= idle_s and now - started <= lifetime_s):
            return None
        return Session(user, issued, started, mark)

    def form_token(self, nonce: str) -> str:
        """What a form must send back together with the cookie that holds `nonce`."""
        return self._digest("form", nonce).hex()

    def form_token_matches(self, nonce: str, token: str) -> bool:
        """Whether `token` was made for `nonce`, in constant time."""
        return hmac.compare_digest(self.form_token(nonce).encode(), token.encode("utf-8", "replace"))

    def viewing_token(self, number: str) -> str:
        """The viewing token of this number: stable as long as the key is; the first one has none."""
        return base64.urlsafe_b64encode(self._digest("viewing-token", number)[:18]).decode()

    def same(self, known: str, shown: str) -> bool:
        """Whether a secret was shown, in constant time; an empty one never is."""
        return bool(known) and hmac.compare_digest(known.encode(), shown.encode("utf-8", "replace"))

    def mark(self, purpose: str, *parts: str) -> str:
        """A digest that stands for what a session rests on."""
        return self._digest(purpose, "\0".join(parts)).hex()[:24]

    def derived(self, purpose: str) -> bytes:
        """A key for another purpose."""
        return self._digest("key", purpose)

    def _digest(self, purpose: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}\0{value}".encode("utf-8", "replace"), "sha256")
