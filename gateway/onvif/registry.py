"""The inventory of what discovery found: first seen, last seen, moved, gone. Pure; time is injected; one thread."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.onvif.gathering import order, same_device
from gateway.onvif.wsdiscovery import Device, merge

GONE_AFTER_S = 190.0
"""Three rounds of the usual 60 s and a little: a single lost round means a lost datagram, not a lost camera."""
FORGET_AFTER_S = 7 * 86400.0
MAX_ENTRIES = 1024
"""Bounds what somebody can fill the memory with by inventing endpoint references."""


_Key = tuple[str, str]
"""Endpoint reference and service."""


class Change(enum.Enum):
    """What happened to a device."""

    NEW = "new"
    MOVED = "moved"
    """Same device, other address (DHCP)."""
    BACK = "back"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Entry:
    """A device with its history. Times are monotonic: a clock that is set makes nobody gone."""

    device: Device
    first_seen: float
    last_seen: float
    gone: bool = False
    previous_address: str = ""
    """Where it was before it moved; empty if it never did."""
    mac: str = ""
    """Hardware address; empty if it is not known."""


@dataclass(frozen=True, slots=True)
class Event:
    change: Change
    entry: Entry


class Registry:
    """All devices seen."""

    def __init__(self, gone_after_s: float = GONE_AFTER_S, forget_after_s: float = FORGET_AFTER_S) -> None:
        self._gone_after_s = gone_after_s
        self._forget_after_s = forget_after_s
        self._entries: dict[_Key, Entry] = {}

    def entries(self) -> tuple[Entry, ...]:
        """All that is known, by address."""
        return tuple(sorted(self._entries.values(), key=lambda entry: (order(entry.device.address), entry.device.endpoint)))

    def get(self, endpoint: str) -> Entry | None:
        """The device of that endpoint reference, or one of them."""
        return next((entry for entry in self._entries.values() if entry.device.endpoint == endpoint), None)

    def shared_endpoints(self) -> frozenset[str]:
        """Endpoint references that several devices have at the same time: they tell nobody from anybody.

        Two answers in one round may be one device that moved in the middle of it; two hardware addresses, or two rounds, not.
        """
        latest = max((entry.last_seen for entry in self._entries.values()), default=0.0)
        here = [entry for entry in self._entries.values() if entry.last_seen == latest and not entry.gone]
        places: dict[str, set[str]] = {}
        for entry in here:
            if entry.mac or entry.first_seen < latest:
                places.setdefault(entry.device.endpoint, set()).add(entry.mac or entry.device.service)
        return frozenset(endpoint for endpoint, found in places.items() if len(found) > 1)

    def seen(
        self, devices: Iterable[Device], now: float, macs: Mapping[str, str] | None = None, own: Iterable[str] = ()
    ) -> tuple[Event, ...]:
        """Take in a discovery round; returns what changed.

        `macs` are the hardware addresses by IP address that the kernel knows right after it. What is known and not in the
        round may be what has moved; so a round has to hold everything that was asked, the old place of a mover included.
        `own` are this machine's addresses: see `gathering`.
        """
        devices, here = tuple(devices), frozenset(own)
        same_endpoint: dict[str, list[_Key]] = {}
        for key in self._entries:
            same_endpoint.setdefault(key[0], []).append(key)
        stayed = [
            [key for key in same_endpoint.get(device.endpoint, ()) if same_device(self._entries[key].device, device, here)]
            for device in devices
        ]
        away = _Away(self._entries, {key for keys in stayed for key in keys})
        times = Counter(device.endpoint for device in devices)
        events = []
        for device, same in zip(devices, stayed, strict=True):
            mac = device.mac or (macs or {}).get(device.host, "")
            known = self._take(same[:1]) or self._mover(device, mac, away, unique=times[device.endpoint] == 1)
            if same:
                self._left_behind(device, mac, away)
            if (event := self._put_in(device, mac, now, known, stays=bool(same))) is not None:
                events.append(event)
        return tuple(events)

    def _put_in(self, device: Device, mac: str, now: float, known: Entry | None, *, stays: bool) -> Event | None:
        if known is None:
            if len(self._entries) >= MAX_ENTRIES:
                del self._entries[min(self._entries, key=lambda key: self._entries[key].last_seen)]
            entry = Entry(device, now, now, mac=mac)
            self._put(entry)
            return Event(Change.NEW, entry)
        old = known.device
        # Answering on two of our networks is not moving: whichever answer came first, the known address still holds.
        moved = not stays and bool(device.address) and device.address != old.address and old.service not in device.xaddrs
        if not moved and device.xaddrs:
            # The best of the known addresses stays first; others that are no longer announced would cost timeouts.
            still = tuple(xaddr for xaddr in (old.service,) if xaddr in device.xaddrs)
            device = replace(merge(old, device), xaddrs=tuple(dict.fromkeys(still + device.xaddrs)), endpoint=device.endpoint)
        entry = replace(
            known,
            device=device if moved or device.xaddrs else replace(old, endpoint=device.endpoint),
            last_seen=now,
            gone=False,
            mac=mac or known.mac,
            previous_address=old.address if moved else known.previous_address,
        )
        self._put(entry)
        if moved:
            return Event(Change.MOVED, entry)
        return Event(Change.BACK, entry) if known.gone else None

    def _mover(self, device: Device, mac: str, away: _Away, *, unique: bool) -> Entry | None:
        """Take out the entry that did not answer in this round and is this device; None if there is none, or no certainty."""
        known = self._entries
        endpoint = [key for key in away.by_endpoint.get(device.endpoint, ()) if key in known]
        hardware = [key for key in away.by_mac.get(mac, ()) if key in known] if mac else []
        service = [key for key in away.by_service.get(device.service, ()) if key in known] if device.service else []
        return (
            # What several have at the same time, or what the hardware address contradicts, proves nothing.
            self._take([key for key in endpoint if unique and not _differ(mac, known[key].mac)])
            # Moved and started anew: some firmware makes up another endpoint reference at every start.
            or self._take([key for key in hardware if _alike(device, known[key].device)])
            # Started anew where it was.
            or self._take([key for key in service if _alike(device, known[key].device) and not _differ(mac, known[key].mac)])
        )

    def _left_behind(self, device: Device, mac: str, away: _Away) -> None:
        """Drop the entry of its former place, if it answered at both while it moved."""
        for key in away.by_mac.get(mac, ()) if mac else ():
            if key[0] == device.endpoint:
                self._entries.pop(key, None)

    def _take(self, keys: list[_Key]) -> Entry | None:
        return self._entries.pop(keys[0], None) if len(keys) == 1 else None

    def _put(self, entry: Entry) -> None:
        self._entries[entry.device.endpoint, entry.device.service] = entry

    def bye(self, endpoint: str, sender: str = "") -> tuple[Event, ...]:
        """A device said Bye; `sender` tells apart several with the same endpoint reference."""
        found = [entry for entry in self._entries.values() if entry.device.endpoint == endpoint and not entry.gone]
        if len(found) > 1:
            found = [entry for entry in found if entry.device.host == sender]
        return tuple(self._leave(entry) for entry in found)

    def expire(self, now: float) -> tuple[Event, ...]:
        """Mark what has not been seen for long as gone, forget what has been gone for very long."""
        events = []
        for key, entry in list(self._entries.items()):
            silent_s = now - entry.last_seen
            if silent_s > self._forget_after_s:
                del self._entries[key]
            if silent_s > self._gone_after_s and not entry.gone:
                events.append(self._leave(entry, keep=key in self._entries))
        return tuple(events)

    def _leave(self, entry: Entry, *, keep: bool = True) -> Event:
        entry = replace(entry, gone=True)
        if keep:
            self._put(entry)
        return Event(Change.GONE, entry)


class _Away:
    """Who did not answer in a round, to be looked up: comparing everybody with everybody is work that a liar could make."""

    def __init__(self, entries: Mapping[_Key, Entry], present: Collection[_Key]) -> None:
        self.by_endpoint: dict[str, list[_Key]] = {}
        self.by_mac: dict[str, list[_Key]] = {}
        self.by_service: dict[str, list[_Key]] = {}
        for key, entry in entries.items():
            if key not in present:
                self.by_endpoint.setdefault(key[0], []).append(key)
                self.by_mac.setdefault(entry.mac, []).append(key)
                self.by_service.setdefault(key[1], []).append(key)


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and one != other


def _alike(one: Device, other: Device) -> bool:
    return (one.name, one.hardware) == (other.name, other.hardware)
