"""How many requests may be under way: in all, and from one address. Pure; event loop only.

Most requests here wait: a low-latency playlist for the next part, a hinted part for its last byte. A wall of 36 tiles holds
72 of them, a browser behind a reverse proxy shares the proxy's address with all others. The limits are far above that, and
far below what would fill the box: a request that waits costs about 10 kB.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Requests under way at once."""

    total: int = 6000
    """60 MB, and three times what the processor of a small box can serve."""
    per_address: int = 2000
    """500 viewers behind one address, each with a blocked playlist, a blocked part and two in passing."""


class Turned(Exception):
    """There is no room; the text says for whom."""


class Admission:
    """Counts. `exempt` names addresses without a limit of their own: a reverse proxy carries everybody's requests."""

    def __init__(self, limits: RequestLimits | None = None, exempt: Callable[[str], bool] | None = None) -> None:
        self._limits = limits or RequestLimits()
        self._exempt = exempt or is_loopback
        self._by_address: Counter[str] = Counter()
        self._count = 0

    @property
    def under_way(self) -> int:
        """Requests now."""
        return self._count

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """A place for one request. Raises Turned."""
        if self._count >= self._limits.total:
            raise Turned("the gateway has as many requests as it can carry")
        if self._by_address[address] >= self._limits.per_address and not self._exempt(address):
            raise Turned("too many requests from this address at once")
        self._by_address[address] += 1
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            self._by_address[address] -= 1
            if self._by_address[address] <= 0:
                del self._by_address[address]


def is_loopback(address: str) -> bool:
    """This machine itself: a reverse proxy beside the gateway, or its own tests."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
