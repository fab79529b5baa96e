"""One configured ONVIF camera as a device: its attendant, its driver, what is known of it. Event loop, except where noted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from gateway.device.attendant import Attendant, Facts
from gateway.device.bus import EventBus
from gateway.device.driver import Driver
from gateway.device.event_log import EventLog
from gateway.device.link import Link
from gateway.errors import ProtocolError
from gateway.onvif.events import Message
from gateway.onvif.ptz import Preset, PtzAbilities, Vector
from gateway.onvif.ptz_client import PtzClient, find_abilities

T = TypeVar("T")


class SteeredConnection:
    """The driver's own connection to a camera."""

    def __init__(self, link: Link, can: PtzAbilities | None) -> None:
        """Open it. Worker thread; raises SourceError."""
        self._connection = link.open()
        try:
            self.ptz = PtzClient(self._connection.client, can or self._find(link.camera.profile))
        except BaseException:
            self._connection.close()
            raise

    def _find(self, profile: str | None) -> PtzAbilities:
        client = self._connection.client
        can = find_abilities(client, profile)
        if can is None:
            raise ProtocolError(f"{client.label}: the camera cannot be steered")
        return can

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class CameraDevice:
    """One camera. Made by `Devices`."""

    def __init__(
        self, link: Link, bus: EventBus, loop: asyncio.AbstractEventLoop, wall: Callable[[], float] = time.time
    ) -> None:
        self.link = link
        self.log = EventLog(link.camera.id)
        self.known: Facts | None = None
        """None until the camera was asked for the first time."""
        self.presets: tuple[Preset, ...] | None = None
        """None until somebody wanted to see them."""
        self.driver = Driver(link.camera.id, lambda: SteeredConnection(link, self.known.ptz if self.known else None))
        self._bus = bus
        self._loop = loop
        self._wall = wall
        self._attendant: Attendant | None = None
        self._ended = False

    @property
    def can_steer(self) -> bool:
        """Whether it is known to have motors."""
        return self.known is not None and self.known.ptz is not None

    @property
    def listening(self) -> bool:
        """A subscription is held."""
        return self._attendant is not None and self._attendant.subscribed

    @property
    def event_trouble(self) -> str:
        """Why its events do not come, if they should."""
        return self._attendant.trouble if self._attendant is not None else ""

    def shows_pictures(self) -> None:
        """The camera is there and the password is right: now it can be asked without risk to the account."""
        if self._ended:
            return
        if self._attendant is None:
            self._attendant = Attendant(self.link, self)
            self._attendant.start()
        else:
            self._attendant.poke()

    def stop(self) -> list[threading.Thread]:
        """End; the threads returned still stop motors and give back a subscription."""
        self._ended = True
        threads = self.driver.close()
        if self._attendant is not None:
            threads += self._attendant.stop()
        return threads

    # For the API. Any thread.

    def steer(self, speed: Vector) -> None:
        """Move; see `Driver.move`."""
        self.driver.move(speed)

    def errand(self, run: Callable[[PtzClient], T], *, moves: bool) -> Future[T]:
        """See `Driver.errand`."""
        return self.driver.errand(run, moves=moves)

    def load_presets(self) -> Future[tuple[Preset, ...]]:
        """Ask the camera for its presets, anew."""

        def ask(ptz: PtzClient) -> tuple[Preset, ...]:
            self.presets = ptz.presets()
            return self.presets

        return self.driver.errand(ask, moves=False)

    # The attendant's sink, on the attendant's thread.

    def facts(self, facts: Facts) -> None:
        """The camera told about itself."""
        self.known = facts

    def messages(self, messages: tuple[Message, ...]) -> None:
        """The camera reports."""
        self._later(lambda: self._publish(messages))

    def lost(self) -> None:
        """The subscription has ended."""
        self._later(self._forget)

    def _later(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            pass  # the loop is closed: the gateway has ended, and nobody wants to know

    def _publish(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            event = self.log.take(message, self._wall())
            if event is not None:
                self._bus.publish(event)

    def _forget(self) -> None:
        for event in self.log.lost(self._wall()):
            self._bus.publish(event)
