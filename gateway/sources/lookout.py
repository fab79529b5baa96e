"""Keeps looking for cameras: searches, listens for announcements, asks new devices who they are, and notices who has moved.

Event loop only; questions that block go to worker threads. The service tells how its cameras do and is told who moved.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.onvif import inquiry, interfaces, neighbours
from gateway.onvif.announcements import Announcements
from gateway.onvif.discovery import discover
from gateway.onvif.media import Introduction
from gateway.onvif.registry import Change, Entry, Event, Registry
from gateway.onvif.wsdiscovery import Device, Kind, Message
from gateway.sources.whereabouts import Move, Standing, Whereabouts

log = logging.getLogger(__name__)

TICK_S = 1.0
INTERFACES_EVERY_S = 5.0
"""How soon a network that appears is searched."""
EXTRA_ROUNDS_S = (3.0, 10.0, 25.0, 60.0)
"""A camera that is away may have moved: searches this long after it went, besides the regular ones."""
ASK_S = 0.6
"""Wait for the answers of one device that said Hello; APP_MAX_DELAY of WS-Discovery is 500 ms."""
ASK_AGAIN_S = 5.0
"""A device that says Hello all the time is asked this often."""
MAX_ASKING = 16
INTRODUCTIONS_AT_ONCE = 4
INTRODUCE_AGAIN_S = 600.0
"""For devices that did not answer; those that did are asked once."""


class Owner(Protocol):
    """What the lookout needs from the service. Called on the event loop."""

    def standing(self) -> list[Standing]:
        """How the configured cameras do."""

    def moved(self, move: Move) -> None:
        """A camera was found at another address."""

    def seen(self, camera_id: str) -> None:
        """A camera has appeared on the network."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device of the network, with what it told about itself, and the configured camera that it is."""

    entry: Entry
    introduction: Introduction | None
    camera_id: str | None


class Lookout:
    """Owns the registry. `start` and `stop` once; `search_soon` and `tick` as jobs."""

    def __init__(
        self,
        owner: Owner,
        whereabouts: Whereabouts,
        *,
        find: Callable[..., Awaitable[list[Device]]] = discover,
        introduce: Callable[[Device], Introduction | None] = inquiry.introduce,
        announcements: Callable[[Callable[[Message, str], None]], Announcements] = Announcements,
        monotonic: Callable[[], float] = time.monotonic,
        ignore: Collection[str] = (),
    ) -> None:
        """`ignore` are endpoint references of devices that are no cameras to us: our own."""
        self._owner = owner
        self._ignore = frozenset(ignore)
        self._where = whereabouts
        self._find = find
        self._introduce = introduce
        self._monotonic = monotonic
        self._registry = Registry()
        self._ears = announcements(self._heard)
        self._here: tuple[interfaces.Interface, ...] = ()
        self._looked_at = -INTERFACES_EVERY_S
        self.ticked_at = monotonic()
        """The monotonic time of the last tick's end."""
        self._searching = False
        self._searched_at = -math.inf
        """Monotonic time of the last whole search's end."""
        self._away: dict[str, tuple[float, int]] = {}
        """Cameras without pictures: since when (monotonic), and how many extra searches there have been."""
        self._asked: dict[str, float] = {}
        self._introductions: dict[tuple[str, str], tuple[float, Introduction | None]] = {}
        self._gate = asyncio.Semaphore(INTRODUCTIONS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Listen no more, and give up what is being asked."""
        self._ears.close()
        for task in self._tasks:
            task.cancel()

    def sightings(self) -> tuple[Sighting, ...]:
        """Everything known, those that are gone included, by address."""
        ids = {device.service: camera.id for device, camera in reversed(self._where.pairs())}
        return tuple(
            Sighting(
                entry,
                self._introductions.get(_key(entry), (0.0, None))[1],
                None if entry.gone else ids.get(entry.device.service),
            )
            for entry in self._registry.entries()
        )

    async def search_soon(self) -> None:
        """Begin a search. A coroutine, because the scheduler runs plain functions on threads of its own."""
        self._start(self.search())

    async def search(self) -> None:
        """One search on all networks. Does nothing while another one runs."""
        if self._searching:
            return
        self._searching = True
        try:
            devices = await self._find()
            await self._take(devices, whole=True)
        finally:
            self._searching = False

    async def tick(self) -> None:
        """Follow interfaces that come and go and cameras that went away."""
        now = self._monotonic()
        if now - self._looked_at >= INTERFACES_EVERY_S:
            self._looked_at = now
            here = interfaces.every()
            new = set(here) - set(self._here)
            first, self._here = not self._here, here
            await self._ears.follow(here)
            if new and not first:
                log.info("discovery: new on this machine: %s", ", ".join(sorted(f"{one.name} {one.address}" for one in new)))
                self._start(self.search())
        if self._extra_search_due(now):
            self._start(self.search())
        if self._away:
            self._follow()
        self.ticked_at = self._monotonic()

    # Inside

    def _heard(self, message: Message, sender: str) -> None:
        for device in message.devices:
            if message.kind is Kind.BYE:
                self._tell(self._registry.bye(device.endpoint, sender))
                self._follow()
            elif device.is_camera and device.endpoint not in self._ignore:
                self._ask(device, sender)

    def _ask(self, device: Device, sender: str) -> None:
        """A Hello: ask its sender, and whoever was known under this endpoint reference, before anything is believed."""
        now = self._monotonic()
        if now - self._asked.get(sender, -ASK_AGAIN_S) < ASK_AGAIN_S or len(self._asked) > 4 * MAX_ASKING:
            self._asked = {host: at for host, at in self._asked.items() if now - at < ASK_AGAIN_S}
            return
        if len(self._tasks) >= MAX_ASKING:
            return
        self._asked[sender] = now
        known = {entry.device.host for entry in self._registry.entries() if entry.device.endpoint == device.endpoint}
        self._start(self._ask_now(device, [sender, *sorted(known - {sender, ""})]))

    async def _ask_now(self, device: Device, hosts: list[str]) -> None:
        found = await self._find(ASK_S, found_on=(), unicast=hosts)
        if not any(one.endpoint == device.endpoint for one in found) and device.xaddrs:
            found = [*found, device]  # some do not answer a Probe that is sent to them alone
        await self._take(found, whole=False)
        for one, camera in self._where.pairs():
            if one.endpoint == device.endpoint:
                self._owner.seen(camera.id)  # it has just started: no need to wait for the next try

    async def _take(self, devices: list[Device], *, whole: bool) -> None:
        macs = await asyncio.to_thread(neighbours.macs)
        now = self._monotonic()
        own = [interface.address for interface in interfaces.every()]
        others = [device for device in devices if device.endpoint not in self._ignore]
        events = self._registry.seen(others, now, macs, own)
        if whole:
            self._searched_at = now
            events += self._registry.expire(now)
        self._follow()
        self._tell(events)
        self._ask_who_is_new()

    def _follow(self) -> None:
        here = tuple(entry for entry in self._registry.entries() if not entry.gone)
        shared, standing = self._registry.shared_endpoints(), self._owner.standing()
        for move in self._where.survey(here, shared, standing, self._searched_at):
            log.log(
                logging.WARNING if move.is_news else logging.DEBUG,
                "camera %s: found at %s (was at %s, the configuration says %s); following it",
                move.camera.id,
                move.now,
                move.before,
                move.camera.address,
            )
            self._owner.moved(move)
        if self._where.book.dirty:
            self._start(asyncio.to_thread(self._where.book.save))

    def _tell(self, events: Iterable[Event]) -> None:
        events = tuple(events)
        ids = {device.service: camera.id for device, camera in reversed(self._where.pairs())} if events else {}
        for event in events:
            device = event.entry.device
            log.info("discovery: %s %s (%s)", event.change.value, device.address, device.name or device.hardware or "unnamed")
            if event.change is not Change.GONE and device.service in ids:
                self._owner.seen(ids[device.service])

    def _extra_search_due(self, now: float) -> bool:
        away = [one.camera.id for one in self._owner.standing() if one.camera.address is not None and not one.live]
        self._away = {camera_id: self._away.get(camera_id, (now, 0)) for camera_id in away}
        due = False
        for camera_id, (since, done) in self._away.items():
            if done < len(EXTRA_ROUNDS_S) and now - since >= EXTRA_ROUNDS_S[done]:
                self._away[camera_id] = (since, done + 1)
                due = True
        return due

    def _ask_who_is_new(self) -> None:
        now = self._monotonic()
        configured = {device.service for device, _ in self._where.pairs()}
        entries = {_key(entry): entry for entry in self._registry.entries()}
        self._introductions = {key: known for key, known in self._introductions.items() if key in entries}
        for key, entry in entries.items():
            if entry.gone or entry.device.service in configured:
                continue
            asked_at, known = self._introductions.get(key, (-INTRODUCE_AGAIN_S, None))
            if known is None and now - asked_at >= INTRODUCE_AGAIN_S:
                self._introductions[key] = (now, None)
                self._start(self._introduce_one(key, entry.device))

    async def _introduce_one(self, key: tuple[str, str], device: Device) -> None:
        async with self._gate:
            answer = await asyncio.to_thread(self._introduce, device)
        if key in self._introductions:
            self._introductions[key] = (self._introductions[key][0], answer)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("discovery: %s", error, exc_info=error)


def _key(entry: Entry) -> tuple[str, str]:
    return entry.device.endpoint, entry.device.service
