"""The gateway as one ONVIF device (Profile S): NVRs find it, log in with its own user, and see every stream as a profile.

`handle` is a native HTTP route on the gateway's own listeners; WS-Discovery has a socket of its own. Event loop only.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from gateway import __version__
from gateway.config.model import Listen
from gateway.errors import ListenError
from gateway.http.authenticator import Verdict
from gateway.http.messages import Request, Response
from gateway.nvr.logins import Logins
from gateway.nvr.profiles import SNAPSHOT_PATH, media_profiles, signals
from gateway.onvif import interfaces
from gateway.onvif.face.device import device_service
from gateway.onvif.face.discovery import Announced, DiscoveryFace
from gateway.onvif.face.events import events_services
from gateway.onvif.face.face import Access, OnvifFace, OnvifRequest
from gateway.onvif.face.identity import DeviceIdentity, endpoint_of
from gateway.onvif.face.media import Catalogue, media_services
from gateway.onvif.face.tokens import TokenJudge
from gateway.sources.camera import CameraSource

log = logging.getLogger(__name__)

PREFIX = "/onvif/"
SOAP_TYPE = ("content-type", "application/soap+xml; charset=utf-8")
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::(?P<port>\d{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NO_CACHE = ("cache-control", "no-store")


class OnvifDevice:
    """The device. `snapshot(stream id)` gives a JPEG, None where there never was a picture; it may take its time."""

    def __init__(
        self,
        identity: DeviceIdentity,
        logins: Logins,
        cameras: Callable[[], Iterable[CameraSource]],
        *,
        http_port: Callable[[str], int | None],
        rtsp_port: Callable[[], int | None],
        snapshot: Callable[[str], Awaitable[bytes | None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`http_port` gives the open port of `http` and `https`."""
        self.identity = identity
        self._http_port = http_port
        self._logins = logins
        self._snapshot = snapshot
        # A keyframe cannot be had from a camera at will, and is not needed: every new viewer starts from the last one.
        catalogue = Catalogue(lambda: media_profiles(cameras()), lambda: rtsp_port() or 0, lambda _token: None)
        services = (*media_services(catalogue), *events_services(lambda: signals(cameras()), clock=clock))
        device = device_service(identity, services, clock=clock, users=logins.users)
        access = Access(TokenJudge(logins.users), logins.for_calls, logins.throttle)
        self._face = OnvifFace((device, *services), access, clock=clock)
        self._announced: tuple[Announced, ...] = ()
        self._discovery = DiscoveryFace(lambda: self._announced)

    async def announce(self, listen: Listen) -> None:
        """Answer WS-Discovery from now on, and say hello."""
        scheme, place = ("http", listen.http) if listen.http is not None else ("https", listen.https)
        number = self._http_port(scheme)
        if place is None or number is None:
            return
        self._announced = (Announced(self.identity, place.host, number, scheme),)
        try:
            await self._discovery.start()
        except ListenError as error:
            # not worth a gateway: NVRs can be given the address by hand
            log.warning("%s; recorders will not find this gateway by themselves", error)

    async def stop(self) -> None:
        """Say goodbye. Harmless if not announced."""
        await self._discovery.stop()

    async def handle(self, request: Request, body: bytes) -> Response:
        """The HTTP route of everything below `PREFIX`."""
        if request.path.startswith(SNAPSHOT_PATH) and request.method in ("GET", "HEAD"):
            return await self._picture(request)
        if request.method != "POST":
            return Response(405, b"ONVIF calls are POST requests\n", (("allow", "POST"), _NO_CACHE))
        place = self._place(request)
        if place is None:
            return Response(400, b"the Host header is malformed\n", (_NO_CACHE,))
        call = OnvifRequest(
            body, request.path, request.headers.get("authorization"), *place, request.scheme, request.client
        )
        answer = await self._face.handle(call)
        headers = tuple((name.lower(), value) for name, value in answer.headers)
        return Response(answer.status, answer.body, (SOAP_TYPE, _NO_CACHE, *headers))

    def _place(self, request: Request) -> tuple[str, int] | None:
        """Host and port by which the client has reached us; None if its Host header is malformed.

        Behind a port forwarding only the client knows them. But libonvif leaves the port out of the header whatever it
        is, and recorders may too: where the host is an address of our own, nothing stands in between.
        """
        match = _HOST.fullmatch(request.headers.get("host", ""))
        if match is None:
            return None
        host = match["ipv6"] or match["name"]
        if match["port"]:
            return host, int(match["port"])
        ours = any(host == interface.address for interface in interfaces.ipv4())
        return host, (self._http_port(request.scheme) if ours else None) or _DEFAULT_PORTS[request.scheme]

    async def _picture(self, request: Request) -> Response:
        gatekeeper = self._logins.for_pictures(request.client)
        target = f"{request.path}?{request.query}" if request.query else request.path
        verdict = gatekeeper.check(request.method, target, request.headers.get("authorization"))
        if verdict is not Verdict.GRANTED:
            challenges = gatekeeper.challenges(stale=verdict is Verdict.STALE)
            return Response(401, b"", (_NO_CACHE, *(("www-authenticate", value) for value in challenges)))
        picture = await self._snapshot(request.path.removeprefix(SNAPSHOT_PATH))
        if picture is None:
            return Response(404, b"there has been no picture yet\n", (_NO_CACHE,))
        return Response(200, picture, (("content-type", "image/jpeg"), _NO_CACHE))


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
