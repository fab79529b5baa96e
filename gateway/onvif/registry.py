"""The inventory of what discovery found: first seen, last seen, moved, gone. Pure; time is injected; one thread."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.onvif.wsdiscovery import Device, merge

GONE_AFTER_S = 190.0
"""Three rounds of the usual 60 s and a little: a single lost round means a lost datagram, not a lost camera."""
FORGET_AFTER_S = 7 * 86400.0
MAX_ENTRIES = 1024
"""Bounds what somebody can fill the memory with by inventing endpoint references."""


class Change(enum.Enum):
    """What happened to a device."""

    NEW = "new"
    MOVED = "moved"
    """Same endpoint reference, other address (DHCP)."""
    BACK = "back"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Entry:
    """A device with its history. Times are in the clock of the caller (Unix seconds for the API)."""

    device: Device
    first_seen: float
    last_seen: float
    gone: bool = False
    previous_address: str = ""
    """Where it was before it moved; empty if it never did."""


@dataclass(frozen=True, slots=True)
class Event:
    change: Change
    entry: Entry


class Registry:
    """All devices seen, by endpoint reference."""

    def __init__(self, gone_after_s: float = GONE_AFTER_S, forget_after_s: float = FORGET_AFTER_S) -> None:
        self._gone_after_s = gone_after_s
        self._forget_after_s = forget_after_s
        self._entries: dict[str, Entry] = {}

    def entries(self) -> tuple[Entry, ...]:
        """All that is known, by address."""
        return tuple(sorted(self._entries.values(), key=lambda entry: (entry.device.address, entry.device.endpoint)))

    def get(self, endpoint: str) -> Entry | None:
        return self._entries.get(endpoint)

    def seen(self, devices: Iterable[Device], now: float) -> tuple[Event, ...]:
        """Take in a discovery round or a Hello; returns what changed."""
        return tuple(event for device in devices if (event := self._one(device, now)) is not None)

    def _one(self, device: Device, now: float) -> Event | None:
        known = self._entries.pop(device.endpoint, None) or self._reborn(device)
        if known is None:
            if len(self._entries) >= MAX_ENTRIES:
                oldest = min(self._entries.values(), key=lambda entry: entry.last_seen)
                del self._entries[oldest.device.endpoint]
            entry = Entry(device, now, now)
            self._entries[device.endpoint] = entry
            return Event(Change.NEW, entry)
        old = known.device
        # Answering on two of our networks is not moving: whichever answer came first, the known address still holds.
        moved = bool(device.address) and device.address != old.address and old.service not in device.xaddrs
        if not moved and device.xaddrs:
            # The best of the known addresses stays first; others that are no longer announced would cost timeouts.
            still = tuple(xaddr for xaddr in (old.service,) if xaddr in device.xaddrs)
            device = replace(merge(old, device), xaddrs=tuple(dict.fromkeys(still + device.xaddrs)), endpoint=device.endpoint)
        entry = replace(
            known,
            device=device if moved or device.xaddrs else replace(old, endpoint=device.endpoint),
            last_seen=now,
            gone=False,
            previous_address=old.address if moved else known.previous_address,
        )
        self._entries[device.endpoint] = entry
        if moved:
            return Event(Change.MOVED, entry)
        return Event(Change.BACK, entry) if known.gone else None

    def _reborn(self, device: Device) -> Entry | None:
        """The same device under a new endpoint reference: some firmware makes one up at every start."""
        for endpoint, entry in self._entries.items():
            old = entry.device
            if old.service and (old.service, old.name, old.hardware) == (device.service, device.name, device.hardware):
                return self._entries.pop(endpoint)
        return None

    def bye(self, endpoint: str) -> tuple[Event, ...]:
        """A device said Bye."""
        entry = self._entries.get(endpoint)
        if entry is None or entry.gone:
            return ()
        return (self._leave(entry),)

    def expire(self, now: float) -> tuple[Event, ...]:
        """Mark what has not been seen for long as gone, forget what has been gone for very long."""
        events = []
        for endpoint, entry in list(self._entries.items()):
            silent_s = now - entry.last_seen
            if silent_s > self._forget_after_s:
                del self._entries[endpoint]
            if silent_s > self._gone_after_s and not entry.gone:
                events.append(self._leave(entry, keep=endpoint in self._entries))
        return tuple(events)

    def _leave(self, entry: Entry, *, keep: bool = True) -> Event:
        entry = replace(entry, gone=True)
        if keep:
            self._entries[entry.device.endpoint] = entry
        return Event(Change.GONE, entry)
