"""Who a camera is, whatever its address. Pure; any thread.

Evidence, from strong to weak: the hardware address (survives restarts, firmware and DHCP; two cameras with the same one do
not work in one network), the serial number (told to known users only; cheap makers write one into a whole batch), the
endpoint reference (two of three cameras make up a new one at every start; cloned firmware has the same one everywhere),
the model. What several devices have at once proves nothing (`shared`).
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.config.model import Camera
from gateway.onvif import addresses
from gateway.onvif.wsdiscovery import Device

MAX_MACS = 4
"""Cable, Wi-Fi, and what a repeater makes of it."""
_NO_SERIALS = frozenset({"", "0", "1234", "123456", "12345678", "123456789", "unknown", "none", "n/a", "null"})
"""What firmware says that has no serial number."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is remembered of a camera. Empty where it is not known."""

    macs: tuple[str, ...] = ()
    serial: str = ""
    endpoint: str = ""
    hardware: str = ""

    @property
    def known(self) -> bool:
        """Whether there is anything to know it by."""
        return bool(self.macs or self.serial or self.endpoint)


@dataclass(frozen=True, slots=True)
class Traces:
    """What can be told of a device without a password."""

    mac: str = ""
    endpoint: str = ""
    hardware: str = ""
    serial: str = ""


class Verdict(enum.Enum):
    """Whether a device is the camera."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"
    """Nothing speaks for it and nothing against it."""


def judge(identity: Identity, traces: Traces, shared: frozenset[str] = frozenset(), *, moved: bool) -> Verdict:
    """Whether the device that left `traces` is the one of `identity`.

    `shared` are the endpoint references and serial numbers that several devices have. `moved` is True for a device at
    another address than the camera's last one: there an endpoint reference alone does not outweigh another hardware address.
    """
    endpoint_same = bool(identity.endpoint) and identity.endpoint == traces.endpoint and identity.endpoint not in shared
    if identity.macs and traces.mac:
        if traces.mac in identity.macs:
            return Verdict.SAME
        # Wi-Fi repeaters put their own hardware address in the place of the camera's.
        return Verdict.SAME if endpoint_same and not moved else Verdict.OTHER
    if usable_serial(identity.serial) and usable_serial(traces.serial) and identity.serial not in shared:
        return Verdict.SAME if identity.serial == traces.serial else Verdict.OTHER
    if endpoint_same or _ends_with_mac(traces.endpoint, identity.macs):
        return Verdict.SAME
    if identity.hardware and traces.hardware and identity.hardware != traces.hardware:
        return Verdict.OTHER
    return Verdict.UNKNOWN


def usable_serial(serial: str) -> bool:
    """Whether it is a serial number at all."""
    return serial.strip().lower() not in _NO_SERIALS


def contradicts(identity: Identity, serial: str, mac: str, shared: frozenset[str] = frozenset()) -> bool:
    """Whether a device that let us in is another one all the same: other serial number, and not the hardware address."""
    if mac and mac in identity.macs:
        return False  # another firmware may tell the serial number otherwise
    both = usable_serial(identity.serial) and usable_serial(serial)
    return both and identity.serial not in shared and identity.serial != serial


def learned(identity: Identity, *, mac: str = "", serial: str = "", endpoint: str = "", hardware: str = "") -> Identity:
    """`identity` with what was found out about it since."""
    macs = tuple(dict.fromkeys((mac, *identity.macs)))[:MAX_MACS] if mac else identity.macs
    return replace(
        identity,
        macs=macs,
        serial=serial if usable_serial(serial) else identity.serial,
        endpoint=endpoint or identity.endpoint,
        hardware=hardware or identity.hardware,
    )


def _ends_with_mac(endpoint: str, macs: tuple[str, ...]) -> bool:
    """Axis, Hikvision and others end the endpoint reference with the hardware address."""
    tail = endpoint.lower().rpartition("-")[2]
    return any(tail == mac.replace(":", "") for mac in macs)


def pairs(devices: Iterable[Device], cameras: Iterable[tuple[Camera, str]]) -> list[tuple[Device, Camera]]:
    """Every device with every camera that is at its address; `cameras` with the address where each is now.

    An ONVIF address names a device by host and port, because several may share a host. Where the port says nothing (in an
    RTSP URL, or left out while the device answers on another one than 80) the host decides, as long as it is the only
    device and the only camera there.
    """
    by_host: dict[str, list[tuple[Camera, str]]] = {}
    for camera, address in cameras:
        by_host.setdefault(_host(address), []).append((camera, address))
    by_host.pop("", None)  # publishers; and a device may announce an address that is none
    found = [(device, camera, address) for device in devices for camera, address in by_host.get(_host(device.address), ())]
    sure = [(device, camera) for device, camera, address in found if camera.address is not None and at(device, address)]
    taken = {device.service for device, _ in sure}, {camera.id for _, camera in sure}
    left = [entry for entry in found if entry[0].service not in taken[0] and entry[1].id not in taken[1]]
    crowd = Counter(_host(device.address) for device, _, _ in left)
    return sure + [
        (device, camera) for device, camera, address in left if _any_port(camera, address) and crowd[_host(device.address)] == 1
    ]


def at(device: Device, address: str) -> bool:
    """Whether the device is at that host and port."""
    asked = addresses.split(address)
    answers = [addresses.split(text) for text in (device.address, *device.xaddrs)]
    return any((one.host.lower(), one.effective_port) == (asked.host.lower(), asked.effective_port) for one in answers)


def _host(text: str) -> str:
    return addresses.split(text).host.lower()


def _any_port(camera: Camera, address: str) -> bool:
    return camera.address is None or addresses.split(address).port is None
