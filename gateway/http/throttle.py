"""Slows down whoever guesses passwords. Pure; the caller holds a lock and brings the clock.

An attempt counts as failed until it succeeds, so a thousand parallel guesses get no further than a thousand guesses
one after another.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_ATTEMPTS = 5
MAX_DELAY_S = 120.0
"""At most 30 guesses an hour, yet a person who mistyped is never sent away for long."""
FORGET_AFTER_S = 900.0
MAX_CLIENTS = 4096
IPV6_SITE_BITS = 64
"""One IPv6 host commands a whole /64."""


@dataclass(slots=True)
class _Record:
    attempts: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


class Throttle:
    """Failed attempts per client address, in a table of bounded size."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def attempt(self, client: str) -> float:
        """Begin an attempt. 0 if it may go on, else the seconds to wait first."""
        now = self._monotonic()
        site = _site(client)
        record = self._records.pop(site, None)
        if record is None or now - record.last > FORGET_AFTER_S:
            record = _Record()
        self._records[site] = record
        if len(self._records) > MAX_CLIENTS:
            self._records.popitem(last=False)
        if now < record.blocked_until:
            return record.blocked_until - now
        record.attempts += 1
        record.last = now
        excess = record.attempts - FREE_ATTEMPTS
        if excess >= 0:
            record.blocked_until = now + min(MAX_DELAY_S, 2.0 ** min(excess, 10))
        return 0.0

    def succeeded(self, client: str) -> None:
        """The attempt was good: all is forgiven."""
        self._records.pop(_site(client), None)


def _site(client: str) -> str:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4:
        return client
    return str(ipaddress.ip_network(f"{client.partition('%')[0]}/{IPV6_SITE_BITS}", strict=False))
