"""Puts the answers of one search together: which of them are one device, and which only look like one. Pure; one thread.

A device answers every Probe, on every network, sometimes with another endpoint reference for each kind of Probe. But two
devices may also share an endpoint reference, because their maker wrote the same one into all of them. So answers are one
device if they name the same service, or come from this machine itself; the endpoint reference alone does not make them one.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.onvif import addresses, wsdiscovery
from gateway.onvif.wsdiscovery import Device

MAX_DEVICES = 1024
MAX_WITH_ONE_ENDPOINT = 16
"""Devices believed to share an endpoint reference; comparing more of them is work that a liar could make."""


class Gathering:
    """Collects devices. `own` are the addresses of this machine: whatever answers there on one port is one device."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        self._own = frozenset(own)
        self._found: dict[str, list[Device]] = {}

    def add(self, device: Device) -> None:
        """Take in one announcement."""
        group = self._found.setdefault(device.endpoint, [])
        for at, known in enumerate(group):
            if same_device(known, device, self._own):
                group[at] = wsdiscovery.merge(known, device)
                return
        if len(self._found) <= MAX_DEVICES and len(group) < MAX_WITH_ONE_ENDPOINT:
            group.append(device)

    def cameras(self) -> list[Device]:
        """The cameras among what answered, by address; printers and PCs answer the Probe without types too."""
        by_service: dict[str, Device] = {}
        for device in (device for group in self._found.values() for device in group):
            if not device.is_camera:
                continue
            known = by_service.get(device.service)
            by_service[device.service] = device if known is None else wsdiscovery.merge(known, device)
        return sorted(by_service.values(), key=lambda device: order(device.address))[:MAX_DEVICES]


def same_device(one: Device, other: Device, own: frozenset[str] = frozenset()) -> bool:
    """Whether two announcements with the same endpoint reference come from one device."""
    if one.endpoint != other.endpoint:
        return False
    here, there = _places(one, own), _places(other, own)
    return not here or not there or not here.isdisjoint(there)


def _places(device: Device, own: frozenset[str]) -> frozenset[tuple[str, int]]:
    """Host and port of every address it names; all of this machine's addresses count as one."""
    found = (addresses.split(text) for text in device.xaddrs or ((device.address,) if device.address else ()))
    return frozenset(("" if one.host in own else one.host.lower(), one.effective_port) for one in found)


def order(address: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts 192.168.1.9 before 192.168.1.10."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in address.replace(":", ".").split("."))


__all__ = ["MAX_DEVICES", "Gathering", "order", "same_device"]
