"""Slows down whoever guesses passwords. Pure; the caller holds a lock and brings the clock.

An attempt counts as failed until it succeeds, so a thousand parallel guesses get no further than a thousand guesses
one after another.

A name that is being guessed at from many addresses is watched as well: addresses from which nobody has logged in under it
then get one attempt instead of five before they wait. Its owner is never locked out by them: waiting is always the price of
one's own attempts, and from where he has logged in before nothing changes.
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
SUSPICIOUS_FAILURES = 20
"""Wrong passwords for one name, from all addresses, within FORGET_AFTER_S of each other."""
ATTACKED_DELAY_EXPONENT = 2
"""An unknown address waits 4 s after its first attempt on such a name."""
IPV6_SITE_BITS = 64
"""One IPv6 host commands a whole /64."""


@dataclass(slots=True)
class _Record:
    attempts: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


class Throttle:
    """Failed attempts per client address and per user name, in tables of bounded size."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._names: OrderedDict[str, _Record] = OrderedDict()
        self._homes: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(name, site) of logins that were good."""

    def attempt(self, client: str, user: str = "") -> float:
        """Begin an attempt. 0 if it may go on, else the seconds to wait first."""
        now = self._monotonic()
        site = _site(client)
        record = self._fresh(self._records, site, now)
        if now < record.blocked_until:
            return record.blocked_until - now
        record.attempts += 1
        record.last = now
        excess = record.attempts - FREE_ATTEMPTS
        if user and self._attacked(user, now) and (user, site) not in self._homes:
            excess = max(excess, record.attempts - 1 + ATTACKED_DELAY_EXPONENT)
        if excess >= 0:
            record.blocked_until = now + min(MAX_DELAY_S, 2.0 ** min(excess, 10))
        return 0.0

    def succeeded(self, client: str, user: str = "") -> None:
        """The attempt was good: all is forgiven, to this address."""
        site = _site(client)
        self._records.pop(site, None)
        if user:
            home = (user, site)
            self._homes[home] = None
            self._homes.move_to_end(home)
            if len(self._homes) > MAX_CLIENTS:
                self._homes.popitem(last=False)
            name = self._names.get(user)
            if name is not None:
                name.attempts = max(0, name.attempts - 1)

    def _attacked(self, user: str, now: float) -> bool:
        """Count an attempt on a name, and say whether it is one too many."""
        name = self._fresh(self._names, user, now)
        name.attempts += 1
        name.last = now
        return name.attempts > SUSPICIOUS_FAILURES

    @staticmethod
    def _fresh(records: OrderedDict[str, _Record], key: str, now: float) -> _Record:
        record = records.pop(key, None)
        if record is None or now - record.last > FORGET_AFTER_S:
            record = _Record()
        records[key] = record
        if len(records) > MAX_CLIENTS:
            records.popitem(last=False)
        return record


def _site(client: str) -> str:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4:
        return client
    return str(ipaddress.ip_network(f"{client.partition('%')[0]}/{IPV6_SITE_BITS}", strict=False))
