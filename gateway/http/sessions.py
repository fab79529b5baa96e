"""Signed values that browsers bring back: the session cookie, the form token, the viewing token. Pure, any thread.

Nothing is stored on the server. A session names the password it was opened with (as a keyed digest), so a new password
ends all sessions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer

SESSION_IDLE_S = 30 * 86400
"""A wall in a guard's room stays logged in over a month's holiday."""
SESSION_RENEW_S = 86400
"""A session used after this long gets a fresh cookie, which is what makes the 30 days count from the last use."""
CLOCK_TOLERANCE_S = 2 * 86400
"""A session from the future means that the box's clock was ahead; beyond this it is refused."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was checked. `issued` is in Unix seconds."""

    user: str
    issued: float


class Signer:
    """Everything derived from the session key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._serializer = URLSafeSerializer(
            key, salt="gateway.session", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self.viewing_token = base64.urlsafe_b64encode(self._digest("viewing-token", "")[:18]).decode()
        """Lets a player view without a password; stable as long as the key is."""
        self.identity = self._digest("device", "").hex()[:40]
        """Tells this installation from all others in protocols that ask for a serial number."""
        self.installation = self._digest("installation", "").hex()[:6]
        """Part of cookie names, because browsers share cookies between all ports of one address."""

    def issue(self, user: str, password_hash: str, now: float) -> str:
        """Value of a session cookie."""
        fields = {"u": user, "p": self._password_mark(password_hash), "t": int(now)}
        return str(self._serializer.dumps(fields))

    def read(self, value: str, password_hash: str, now: float) -> Session | None:
        """The session in a cookie, None if it is forged, too old, or of an earlier password."""
        try:
            fields = self._serializer.loads(value)
        except BadData:
            return None
        user, mark, issued = fields["u"], fields["p"], fields["t"]
        if not hmac.compare_digest(mark, self._password_mark(password_hash)):
            return None
        if not -CLOCK_TOLERANCE_S <= now - issued <= SESSION_IDLE_S:
            return None
        return Session(user, issued)

    def form_token(self, nonce: str) -> str:
        """What a form must send back together with the cookie that holds `nonce`."""
        return self._digest("form", nonce).hex()

    def form_token_matches(self, nonce: str, token: str) -> bool:
        """Whether `token` was made for `nonce`, in constant time."""
        return hmac.compare_digest(self.form_token(nonce).encode(), token.encode("utf-8", "replace"))

    def is_viewing_token(self, token: str) -> bool:
        """Whether this is the viewing token, in constant time."""
        return hmac.compare_digest(self.viewing_token.encode(), token.encode("utf-8", "replace"))

    def _password_mark(self, password_hash: str) -> str:
        return self._digest("password", password_hash).hex()[:24]

    def _digest(self, purpose: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}\0{value}".encode("utf-8", "replace"), "sha256")
