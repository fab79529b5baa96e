"""One configured ONVIF camera as a device: its attendant, its driver, what is known of it. Event loop, except where noted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from gateway.device.attendant import Attendant, Facts, learn
from gateway.device.bus import EventBus
from gateway.device.driver import Driver
from gateway.device.event_log import EventLog
from gateway.device.link import Link
from gateway.errors import ProtocolError
from gateway.onvif import administration
from gateway.onvif.administration import CameraClock
from gateway.onvif.events import Message
from gateway.onvif.ptz import Preset, PtzAbilities, Vector
from gateway.onvif.ptz_client import PtzClient, find_abilities
from gateway.onvif.transport import Timeouts
from gateway.pulse import Promise, Role

T = TypeVar("T")


ASK_TIMEOUTS = Timeouts(connect_s=2.0, read_s=4.0, answer_s=6.0)
"""Somebody waits for the page."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What a camera says about itself, asked just now."""

    facts: Facts
    clock: CameraClock


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

    def promise(self) -> Promise | None:
        """When its attendant is heard of next; None while there is none."""
        attendant = self._attendant
        return Promise(attendant.thread.name, Role.COMPANION, attendant.due) if attendant is not None else None

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

    # For the administrator: blocking, on worker threads. Raise SourceError.

    def examine(self) -> Examination:
        """Ask the camera about itself, now."""
        with self.link.open(ASK_TIMEOUTS) as connection:
            facts = self.known = learn(connection.client, self.link.camera.profile)
            return Examination(facts, administration.read_clock(connection.client, self._wall()))

    def set_clock(self) -> float:
        """Give the camera the box's time; how far it is off afterwards, in seconds."""
        with self.link.open(ASK_TIMEOUTS) as connection:
            client = connection.client
            administration.set_clock(client, administration.read_clock(client, self._wall()), self._wall())
            self.link.clock_was_set()
            return administration.read_clock(client, self._wall()).offset_s

    def reboot(self) -> str:
        """Restart the camera; its own words, if it says any."""
        with self.link.open(ASK_TIMEOUTS) as connection:
            return administration.reboot(connection.client)

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
