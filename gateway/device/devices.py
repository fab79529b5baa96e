"""All ONVIF cameras of the configuration as devices. Event loop only, except `get`, which any thread may call."""

from __future__ import annotations

import asyncio
import threading

from gateway.device.bus import EventBus
from gateway.device.device import CameraDevice
from gateway.device.link import ClientOf, Link
from gateway.media.state import State
from gateway.pulse import Promise
from gateway.sources.camera import CameraSource


class Devices:
    """The devices by camera id. `client_of` makes the clients; it is called on worker threads."""

    def __init__(self, client_of: ClientOf, loop: asyncio.AbstractEventLoop) -> None:
        self.bus = EventBus()
        self._client_of = client_of
        self._loop = loop
        self._devices: dict[str, CameraDevice] = {}
        self._seen: dict[str, State] = {}
        self._leaving: list[threading.Thread] = []

    def get(self, camera_id: str) -> CameraDevice | None:
        """The device of a camera; None for one that is not given by its ONVIF address."""
        return self._devices.get(camera_id)

    def add(self, source: CameraSource) -> None:
        """A camera was configured."""
        camera = source.camera
        if camera.address is not None and camera.enabled:
            self._devices[camera.id] = CameraDevice(Link(camera, source.account, self._client_of), self.bus, self._loop)

    def remove(self, camera_id: str) -> None:
        """A camera is configured no more, or otherwise."""
        device = self._devices.pop(camera_id, None)
        self._seen.pop(camera_id, None)
        if device is not None:
            self._leaving = [thread for thread in self._leaving if thread.is_alive()] + device.stop()

    def promises(self) -> list[Promise]:
        """When the attendants are heard of next."""
        made = [device.promise() for device in self._devices.values()]
        return [one for one in made if one is not None]

    def observe(self, source: CameraSource) -> None:
        """Look at a camera's state, now and then: it is asked once it shows pictures, and again after it was away."""
        device = self._devices.get(source.camera.id)
        if device is None:
            return
        state = source.status.state
        before, self._seen[source.camera.id] = self._seen.get(source.camera.id), state
        if state is State.LIVE and before is not State.LIVE:
            device.shows_pictures()

    def stop(self) -> list[threading.Thread]:
        """End all; the threads returned still stop motors and give back subscriptions."""
        for camera_id in tuple(self._devices):
            self.remove(camera_id)
        return self._leaving
