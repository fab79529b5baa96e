"""The gateway as one ONVIF device (Profile S): NVRs find it, log in with its own user, and see every stream as a profile.

It has a listener of its own, see `onvif.face.http_face`, and a socket for WS-Discovery. Event loop only.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from gateway import __version__
from gateway.config.model import HostPort
from gateway.errors import ListenError
from gateway.http.authenticator import Verdict
from gateway.nvr.logins import Logins
from gateway.nvr.profiles import SNAPSHOT_PATH, media_profiles, signals
from gateway.onvif import interfaces
from gateway.onvif.face.device import device_service
from gateway.onvif.face.discovery import Announced, DiscoveryFace
from gateway.onvif.face.events import events_services
from gateway.onvif.face.face import Access, OnvifFace, OnvifRequest
from gateway.onvif.face.http_face import HttpFace, HttpRequest, HttpResponse
from gateway.onvif.face.identity import DeviceIdentity, endpoint_of
from gateway.onvif.face.media import Catalogue, media_services
from gateway.onvif.face.tokens import TokenJudge
from gateway.sources.camera import CameraSource

log = logging.getLogger(__name__)

PREFIX = "/onvif/"
SOAP_TYPE = "application/soap+xml; charset=utf-8"


class OnvifDevice:
    """The device. `snapshot(stream id)` gives a JPEG, None where there never was a picture; it may take its time."""

    def __init__(
        self,
        identity: DeviceIdentity,
        logins: Logins,
        cameras: Callable[[], Iterable[CameraSource]],
        *,
        rtsp_port: Callable[[], int | None],
        snapshot: Callable[[str], Awaitable[bytes | None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.port: int | None = None
        """The open port."""
        self._snapshot = snapshot
        self._clock = clock
        # A keyframe cannot be had from a camera at will, and is not needed: every new viewer starts from the last one.
        catalogue = Catalogue(lambda: media_profiles(cameras()), lambda: rtsp_port() or 0, lambda _token: None)
        self._services = (*media_services(catalogue), *events_services(lambda: signals(cameras()), clock=clock))
        self.configure(identity, logins)
        self._http = HttpFace(self.handle)
        self._announced: tuple[Announced, ...] = ()
        self._discovery = DiscoveryFace(lambda: self._announced)

    def configure(self, identity: DeviceIdentity, logins: Logins) -> None:
        """Be this device, for these users, from the next call on."""
        self.identity = identity
        self._logins = logins
        device = device_service(identity, self._services, clock=self._clock, users=logins.users)
        access = Access(TokenJudge(logins.users), logins.for_calls, logins.throttle)
        self._face = OnvifFace((device, *self._services), access, clock=self._clock)

    async def start(self, listen: HostPort) -> None:
        """Listen, answer WS-Discovery, and say hello. Raises ListenError if the port cannot be had."""
        self.port = await self._http.start(listen.host, listen.port)
        log.info("onvif: listening on %s:%s", listen.host, self.port)
        await self.announce(HostPort(listen.host, self.port))

    async def open(self, place: HostPort) -> OnvifDoor:
        """Open a port, which belongs to the caller; `announce` tells of it. Raises ListenError."""
        face = HttpFace(self.handle)
        port = await face.start(place.host, place.port)
        log.info("onvif: listening on %s:%s", place.host, port)
        return OnvifDoor(face, port)

    async def announce(self, place: HostPort | None) -> None:
        """Be found at `place`, whose port is open; None: say goodbye, and be found no longer."""
        await self._discovery.stop()
        if place is None:
            self.port, self._announced = None, ()
            return
        self.port = place.port
        self._announced = (Announced(self.identity, place.host, place.port),)
        try:
            await self._discovery.start()
        except ListenError as error:
            # not worth a gateway: NVRs can be given the address by hand
            log.warning("%s; recorders will not find this gateway by themselves", error)

    async def stop(self) -> None:
        """Say goodbye and close. Harmless if not started."""
        await self._discovery.stop()
        await self._http.stop()
        self.port = None

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one HTTP request."""
        if request.path.startswith(SNAPSHOT_PATH) and request.method in ("GET", "HEAD"):
            return await self._picture(request)
        if not request.path.startswith(PREFIX):
            return HttpResponse(404)
        if request.method != "POST":
            return HttpResponse(405, headers=(("Allow", "POST"),))
        call = OnvifRequest(
            request.body,
            request.target,
            request.headers.get("authorization"),
            request.host,
            request.port,
            client=request.client,
        )
        answer = await self._face.handle(call)
        presented = call.authorization is not None or b"UsernameToken" in request.body
        if presented and (answer.status == 401 or b"NotAuthorized" in answer.body):
            self._logins.note_refusal(request.client, "onvif")
        return HttpResponse(answer.status, answer.body, SOAP_TYPE, answer.headers)

    async def _picture(self, request: HttpRequest) -> HttpResponse:
        gatekeeper = self._logins.for_pictures(request.client)
        verdict = gatekeeper.check(request.method, request.target, request.headers.get("authorization"))
        if verdict is not Verdict.GRANTED:
            challenges = gatekeeper.challenges(stale=verdict is Verdict.STALE)
            return HttpResponse(401, headers=tuple(("WWW-Authenticate", value) for value in challenges))
        picture = await self._snapshot(request.path.removeprefix(SNAPSHOT_PATH))
        if picture is None:
            return HttpResponse(404, b"there has been no picture yet\n")
        return HttpResponse(200, picture, "image/jpeg")


class OnvifDoor:
    """One open port of the device."""

    def __init__(self, face: HttpFace, port: int) -> None:
        self._face = face
        self.port = port

    async def close(self) -> None:
        """Listen no longer; calls under way are cut."""
        await self._face.stop()


def identity_of(site: str, installation: str) -> DeviceIdentity:
    """Who this gateway is: the same over restarts and updates, another one on every box."""
    return DeviceIdentity(
        name=site,
        endpoint=endpoint_of(f"gateway {installation}"),
        serial=f"CG{installation[:12].upper()}",
        mac=_mac() or ":".join(["02", *(installation[at : at + 2] for at in range(0, 10, 2))]),
        manufacturer="Camera Gateway",
        model="Camera Gateway",
        firmware=__version__,
        hardware="camera-gateway",
    )


def _mac() -> str | None:
    """Hardware address of the first real interface; None where there is none (a container without network)."""
    for interface in interfaces.ipv4():
        if interface.address.startswith("127."):
            continue
        try:
            text = Path("/sys/class/net", interface.name, "address").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", text):
            return text
    return None
