"""Where each camera given by `address` is now, and whether a device is that camera at all.

The rule for passwords: a camera's password is sent to a device only if that device is the camera (`identity`), or if nothing
is known of the camera yet, or if nothing at all can be told of the device and it is where the camera was last. Never to a
device that is certainly another one, and never to try it out. design/moving-addresses.md argues this.

Decisions are made on the event loop (`survey`) and by reader threads (`admit`, `place`); what they share is in the address
book, which has a lock, and in values that are replaced as a whole.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.config.model import Camera
from gateway.errors import OtherDevice
from gateway.onvif import addresses, inquiry, neighbours
from gateway.onvif.media import DeviceDescription
from gateway.onvif.registry import Entry
from gateway.onvif.wsdiscovery import Device
from gateway.sources.address_book import AddressBook
from gateway.sources.identity import Identity, Traces, Verdict, at, contradicts, judge, learned, pairs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask a camera: its address, and what discovery knows of its services."""

    address: str
    xaddrs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A configured camera as the survey sees it."""

    camera: Camera
    live: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A camera was found elsewhere."""

    camera: Camera
    before: str
    now: str

    @property
    def is_news(self) -> bool:
        """False if it is where it was last found, after the configured address had its turn."""
        return self.before != self.now


class Whereabouts:
    """Follows the cameras. `mac_of` and `who_is` look at a device without a password."""

    def __init__(
        self,
        book: AddressBook | None = None,
        *,
        mac_of: Callable[[str], str] = neighbours.mac_of,
        who_is: Callable[[str, int], Device | None] = inquiry.who_is,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.book = book if book is not None else AddressBook()
        self._mac_of = mac_of
        self._who_is = who_is
        self._monotonic = monotonic
        self._here: tuple[Entry, ...] = ()
        self._since = -math.inf
        self._cameras: tuple[Camera, ...] = ()
        self._turns = threading.Lock()
        """Held to replace the two values that follow: when a switch fails, the readers of many cameras miss them at once."""
        self._at_configured: frozenset[str] = frozenset()
        """Cameras that are not where they were found last: the configured address has its turn."""
        self._missed_at: dict[str, float] = {}
        """When each camera was last in vain asked where it was known to be: what was seen before is no news."""
        self._ambiguous: frozenset[str] = frozenset()

    # Any thread

    def place(self, camera: Camera) -> Place:
        """Where to ask the camera now."""
        address = self._address(camera)
        return Place(address, next((device.xaddrs for device, one in self.pairs() if one.id == camera.id), ()))

    def host_port(self, camera: Camera) -> tuple[str, int]:
        """Host and port where the camera is asked now; the usual port where none is named."""
        asked = addresses.split(self._address(camera))
        return asked.host, asked.effective_port

    def elsewhere(self, camera: Camera) -> str:
        """The address where the camera is instead of the configured one; empty if it is not."""
        known = self.book.get(camera)
        return known.found if known is not None else ""

    def missed(self, camera: Camera) -> None:
        """It did not answer as it should where it was expected: of two places the other one is next."""
        moved = bool(self.elsewhere(camera))
        with self._turns:
            if moved:
                self._at_configured ^= {camera.id}
            self._missed_at = {**self._missed_at, camera.id: self._monotonic()}

    def pairs(self) -> list[tuple[Device, Camera]]:
        """Every device that is here with every configured camera that it is."""
        cameras = [(camera, self._address(camera)) for camera in self._cameras]
        return pairs((entry.device for entry in self._here), cameras)

    def _address(self, camera: Camera) -> str:
        found = "" if camera.id in self._at_configured else self.elsewhere(camera)
        return found or camera.address or camera.rtsp or ""

    # Reader threads

    def admit(self, camera: Camera, host: str, port: int) -> None:
        """Return if the password may be sent to the device that has just answered at `host`. Raises OtherDevice."""
        known = self.book.get(camera)
        if known is None or not known.identity.known:
            return
        last = addresses.split(known.found or known.configured)
        moved = host != last.host or last.port not in (None, port)
        shared = self.book.shared
        mac = self._mac_of(_numeric(host))
        if mac and mac in known.identity.macs:
            return
        device = self._who_is(host, port)
        mac = mac or self._mac_of(_numeric(host))
        traces = _traces(device, mac)
        verdict = judge(known.identity, traces, shared, moved=moved)
        if verdict is Verdict.OTHER:
            raise OtherDevice(
                f"another device is at {host}{_named(device, mac)}: the password of this camera is not sent to it"
            )
        if moved and verdict is Verdict.UNKNOWN:
            raise OtherDevice(f"nobody knows whether {host} is this camera: its password is not sent there")

    def learn(
        self,
        camera: Camera,
        host: str,
        port: int,
        description: DeviceDescription,
        ask_macs: Callable[[], tuple[str, ...]],
    ) -> None:
        """The device at `host` has let us in: remember it. Raises OtherDevice if it tells that it is another one.

        `ask_macs` asks it for its hardware addresses; only called where the network does not tell.
        """
        known = self.book.get(camera)
        identity = known.identity if known is not None else Identity()
        mac = self._mac_of(_numeric(host))
        macs = () if mac or identity.macs else ask_macs()
        mac = mac or next(iter(macs), "")
        if contradicts(identity, description.serial, mac, self.book.shared):
            raise OtherDevice(f"another device is at {host} (serial number {description.serial} instead of {identity.serial})")
        for one in (*reversed(macs), mac):
            identity = learned(identity, mac=one)
        place = addresses.netloc(host, port)
        entry = next((entry for entry in self._here if at(entry.device, place)), None)
        if entry is not None:
            identity = learned(identity, endpoint=entry.device.endpoint, hardware=entry.device.hardware)
        identity = learned(identity, serial=description.serial)
        self.book.learn(camera, identity, description.manufacturer, description.model)
        self.book.save()

    # Event loop

    def configure(self, cameras: Iterable[Camera]) -> None:
        """The cameras of the configuration."""
        self._cameras = tuple(cameras)
        self.book.retain({camera.id for camera in self._cameras})

    def forget(self, camera_id: str) -> None:
        """Whatever is at the configured address is the camera from now on."""
        self.book.forget(camera_id)
        self._has_its_turn(camera_id)

    def survey(
        self, here: tuple[Entry, ...], shared: Iterable[str], standing: Iterable[Standing], since: float = 0.0
    ) -> list[Move]:
        """Compare what discovery sees with where the cameras should be; which of them have moved.

        A camera that gives pictures has not moved, whoever else claims to be it. Only what was seen at or after `since`, the
        time of the last whole search, tells where a device is.
        """
        cameras = list(standing)
        if (here, since) != (self._here, self._since):
            self._here, self._since = here, since
            self.book.distrust(shared)
            self._learn_from(cameras)
        return [move for one in cameras if (move := self._look_for(one, cameras)) is not None]

    def _learn_from(self, cameras: list[Standing]) -> None:
        """What discovery tells of the cameras that give pictures."""
        live = {one.camera.id for one in cameras if one.live}
        entries = {entry.device.service: entry for entry in self._here}
        for device, camera in self.pairs():
            known = self.book.get(camera)
            if camera.id not in live or camera.address is None or known is None:
                continue
            mac = entries[device.service].mac
            if known.identity.macs and mac and mac not in known.identity.macs:
                continue  # an answer from before it was plugged in here
            identity = learned(known.identity, mac=mac, endpoint=device.endpoint, hardware=device.hardware)
            self.book.learn(camera, identity)

    def _look_for(self, one: Standing, cameras: list[Standing]) -> Move | None:
        camera = one.camera
        known = self.book.get(camera)
        if one.live or camera.address is None or known is None:
            return None
        fresh = (entry for entry in self._here if entry.last_seen >= self._since)
        missed_at = self._missed_at.get(camera.id, -math.inf)
        found = [entry for entry in fresh if entry.last_seen > missed_at and self._is(known.identity, entry)]
        here = self._address(camera)
        if not found or any(_stands_at(entry.device, here) for entry in found):
            return None
        if len(found) > 1 or self._claimed(found[0], camera, cameras):
            if camera.id not in self._ambiguous:
                self._ambiguous |= {camera.id}
                log.warning("camera %s: several devices or cameras look alike, so it is not followed", camera.id)
            return None
        address = found[0].device.address
        if _stands_at(found[0].device, camera.address):
            address = camera.address
        before = known.found or camera.address
        self.book.moved(camera, address)
        self._has_its_turn(camera.id)
        self._ambiguous -= {camera.id}
        return Move(camera, before, address)

    def _has_its_turn(self, camera_id: str) -> None:
        """It is asked where it was found last."""
        with self._turns:
            self._at_configured -= {camera_id}

    def _is(self, identity: Identity, entry: Entry) -> bool:
        traces = _traces(entry.device, entry.mac)
        return not entry.gone and judge(identity, traces, self.book.shared, moved=True) is Verdict.SAME

    def _claimed(self, entry: Entry, camera: Camera, cameras: list[Standing]) -> bool:
        """Whether the device may be another configured camera (not another channel of the same recorder)."""
        for other in cameras:
            if other.camera.id == camera.id or other.camera.address == camera.address:
                continue
            known = self.book.get(other.camera)
            if known is not None and self._is(known.identity, entry):
                return True
            place = addresses.split(self._address(other.camera)).host
            if other.live and place and place == entry.device.host and not _other_port(other.camera, entry.device):
                return True
        return False


def _stands_at(device: Device, address: str) -> bool:
    """Whether the device is at that address; without a port any of the host's is meant."""
    if addresses.split(address).port is not None:
        return at(device, address)
    host = addresses.split(address).host
    return any(addresses.split(text).host == host for text in (device.address, *device.xaddrs))


def _other_port(camera: Camera, device: Device) -> bool:
    """Whether the camera is plainly another device of the same host."""
    port = addresses.split(camera.address or "").port
    return port is not None and port not in device.ports


def _traces(device: Device | None, mac: str) -> Traces:
    if device is None:
        return Traces(mac=mac)
    return Traces(mac=mac or device.mac, endpoint=device.endpoint, hardware=device.hardware)


def _named(device: Device | None, mac: str) -> str:
    words = [word for word in ((device.name or device.hardware) if device is not None else "", mac) if word]
    return f" ({', '.join(words)})" if words else ""


def _numeric(host: str) -> str:
    """The IP address behind a name; blocks for the resolver. The host itself if there is none."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return host
