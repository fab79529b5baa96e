"""Remembers for a while how a check ended, so that 500 players with the same password cost one scrypt. Pure.

Keys are keyed digests: neither passwords nor cookies stay in memory on account of this table. Refusals are remembered
as well: a player that retries an old password every second is not a guesser and costs nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Verdict = TypeVar("Verdict")

DIGEST_BYTES = 16
MAX_ENTRIES = 2048


class Verified(Generic[Verdict]):
    """Bounded table of verdicts with an age limit."""

    def __init__(self, keep_s: float, monotonic: Callable[[], float]) -> None:
        self._keep_s = keep_s
        self._monotonic = monotonic
        self._secret = secrets.token_bytes(32)
        self._entries: OrderedDict[bytes, tuple[Verdict, float]] = OrderedDict()

    def key(self, *parts: str) -> bytes:
        """Digest that stands for these strings in this order."""
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=DIGEST_BYTES).digest()

    def recall(self, key: bytes) -> Verdict | None:
        """The remembered verdict, None if there is none or it is too old."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        verdict, until = entry
        if self._monotonic() > until:
            del self._entries[key]
            return None
        return verdict

    def remember(self, key: bytes, verdict: Verdict) -> None:
        """Keep a verdict; the oldest makes room."""
        self._entries[key] = (verdict, self._monotonic() + self._keep_s)
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: the password changed."""
        self._entries.clear()
