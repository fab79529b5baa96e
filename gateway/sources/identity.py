"""Which configured camera a discovered device is. Pure; any thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gateway.config.model import Camera
from gateway.onvif import addresses
from gateway.onvif.wsdiscovery import Device


def pairs(devices: Iterable[Device], cameras: Iterable[Camera]) -> list[tuple[Device, Camera]]:
    """Every device with every camera that it is.

    An ONVIF address names a device by host and port, because several may share a host. Where the port says nothing (in an
    RTSP URL, or left out while the device answers on another one than 80) the host decides, as long as it is the only
    device and the only camera there.
    """
    by_host: dict[str, list[Camera]] = {}
    for camera in cameras:
        by_host.setdefault(_host(camera.address or camera.rtsp or ""), []).append(camera)
    by_host.pop("", None)  # publishers; and a device may announce an address that is none
    found = [(device, camera) for device in devices for camera in by_host.get(_host(device.address), ())]
    sure = [(device, camera) for device, camera in found if _same_port(device, camera)]
    taken = {device.endpoint for device, _ in sure}, {camera.id for _, camera in sure}
    left = [(device, camera) for device, camera in found if device.endpoint not in taken[0] and camera.id not in taken[1]]
    crowd = Counter(_host(device.address) for device, _ in left)
    return sure + [(device, camera) for device, camera in left if _any_port(camera) and crowd[_host(device.address)] == 1]


def _host(text: str) -> str:
    return addresses.split(text).host.lower()


def _same_port(device: Device, camera: Camera) -> bool:
    if camera.address is None:
        return False
    asked = addresses.split(camera.address)
    answers = [addresses.split(text) for text in (device.address, *device.xaddrs)]
    return any((one.host.lower(), one.effective_port) == (asked.host.lower(), asked.effective_port) for one in answers)


def _any_port(camera: Camera) -> bool:
    return camera.address is None or addresses.split(camera.address).port is None
