"""Who was let in just now: what spares the requests of a player the whole check. Owned by `Access`, event loop only.

A pass says that these credentials were found good for watching this stream. It rests on the strings as they came, so that
recalling one is a look into a dictionary (0.5 microseconds). `Access` tears all passes up whenever anything that it
judges by has changed, and a pass lasts `PASS_S` at most, which is also how long credentials stay in memory here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

PASS_S = 10.0
"""500 players are checked 50 times a second instead of 5,000 times."""
MAX_PASSES = 4096
"""Players times streams; beyond it all are checked anew."""
MAX_CHARS = 4096
"""Of credentials. A head may have 64 kB, which times `MAX_PASSES` is more memory than the box has to spare."""

Credentials = tuple[str | None, ...]
"""What a request presents: scheme, Authorization, Cookie; or the token in its path."""


def of_request(scheme: str, authorization: str | None, cookie: str | None) -> Credentials:
    """Credentials in header fields. The scheme belongs to them: each has a session cookie of its own."""
    return (scheme, authorization, cookie)


def of_token(token: str) -> Credentials:
    """Credentials in a path."""
    return (token,)


class Passes:
    """Passes by credentials and stream. `look` is called now and then, to find out whether something has changed."""

    def __init__(self, look: Callable[[], None], look_every_s: float, monotonic: Callable[[], float]) -> None:
        self._look = look
        self._look_every_s = look_every_s
        self._monotonic = monotonic
        self._until: dict[tuple[Credentials, str], float] = {}
        self._changing = threading.Lock()
        self._look_at = self._tidy_at = monotonic()
        self.era = 0
        """Grows when all passes are torn up. A check that began in an earlier era is worth no pass."""

    def holds(self, credentials: Credentials, stream_id: str) -> bool:
        """Whether these credentials may watch the stream, as far as is known without a check."""
        now = self._monotonic()
        if now >= self._look_at:
            self._look_at = now + self._look_every_s
            self._look()
        return self._until.get((credentials, stream_id), 0.0) > now

    def issue(self, credentials: Credentials, stream_id: str, era: int) -> None:
        """The credentials were found good for the stream by a check that began in `era`."""
        if sum(len(one) for one in credentials if one is not None) > MAX_CHARS:
            return
        now = self._monotonic()
        with self._changing:  # a pass must not get among those of the next era
            if era != self.era:
                return
            if now >= self._tidy_at or len(self._until) >= MAX_PASSES:
                self._tidy_at = now + PASS_S
                valid = {key: until for key, until in self._until.items() if until > now}
                self._until = valid if len(valid) < MAX_PASSES else {}
            self._until[credentials, stream_id] = now + PASS_S

    def tear_up(self) -> None:
        """Everybody is checked again. Any thread."""
        with self._changing:
            self.era += 1
            self._until = {}
