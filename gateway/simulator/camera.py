"""A virtual camera: two profiles on an RTSP port, ONVIF and snapshots on an HTTP port, and faults on request.

The composition of the simulator's parts into one device. Event loop only.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.errors import ListenError
from gateway.http.authenticator import Authenticator, Gatekeeper, RefuseAll, Scheme, Verdict
from gateway.media.stream import Stream
from gateway.media.track import Codec
from gateway.onvif.face.face import OnvifRequest
from gateway.onvif.face.http_face import HttpFace, HttpRequest, HttpResponse
from gateway.onvif.face.profiles import Profiles
from gateway.rtsp.mount import Mount
from gateway.rtsp.server import RtspServer
from gateway.simulator.administration_face import AdministrationFace
from gateway.simulator.encoder import StreamEncoder
from gateway.simulator.events_face import EventsFace
from gateway.simulator.faults import Faults, Frozen
from gateway.simulator.onvif_face import SNAPSHOT_PATH, camera_face, identity_of, profile_of
from gateway.simulator.picture import camera_hue
from gateway.simulator.ptz_face import PtzFace, configuration
from gateway.simulator.ptz_head import PtzHead
from gateway.simulator.snapshot import Photographer
from gateway.simulator.video_codec import VideoSpec

log = logging.getLogger(__name__)

MAIN_PATH, SUB_PATH = "/main", "/sub"
DEFAULT_USERNAME = "admin"
DEFAULT_PASSWORD = "camera-demo"
"""Known to everybody, as a camera's factory password is. It protects nothing and is not meant to."""
DEFAULT_SUB = VideoSpec(width=640, height=360, fps=15, gop=30, bitrate=500_000)
SNAPSHOT_SIZE = (640, 360)
REBOOT_DELAY_S = 0.2
"""The answer to SystemReboot gets out before the camera goes dark."""
REBOOT_S = 3.0
"""Real ones take a minute; nobody wants to wait for a simulated one."""
SOAP_TYPE = "application/soap+xml; charset=utf-8"


class Auth(enum.Enum):
    """How a camera's RTSP and HTTP ask for the password. ONVIF calls take a WS-UsernameToken besides, except for NONE."""

    NONE = "none"
    BASIC = "basic"
    DIGEST = "digest"
    BOTH = "both"


_SCHEMES = {
    Auth.BASIC: (Scheme.BASIC,),
    Auth.DIGEST: (Scheme.DIGEST,),
    Auth.BOTH: (Scheme.DIGEST, Scheme.BASIC),
}


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """What a virtual camera is set to. Ports of 0 are picked by the system."""

    name: str = "Camera 1"
    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` for all."""
    rtsp_port: int = 0
    http_port: int = 0
    main: VideoSpec = field(default_factory=VideoSpec)
    sub: VideoSpec | None = DEFAULT_SUB
    audio: Codec | None = Codec.AAC
    auth: Auth = Auth.DIGEST
    username: str = DEFAULT_USERNAME
    password: str = field(default=DEFAULT_PASSWORD, repr=False)
    hue: float | None = None
    """Colour of the picture, 0 to 1; by default made from the name."""
    clock_offset_s: float = 0.0
    """How far the camera's own clock (not the one in the picture) is ahead of ours: real ones are often hours off."""
    max_sessions: int | None = None
    """RTSP sessions per profile; cheap cameras allow two."""
    ptz: bool = True
    """It can be steered. The picture shows where it looks, unless it shares its encoder with other cameras."""


class VirtualCamera:
    """One camera. `encoders` are the pictures of main and sub; without them it makes its own."""

    def __init__(self, spec: CameraSpec, encoders: tuple[StreamEncoder, StreamEncoder | None] | None = None) -> None:
        self.spec = spec
        self.identity = identity_of(spec.name)
        self.faults = Faults()
        self.rtsp_port = spec.rtsp_port
        self.http_port = spec.http_port
        hue = camera_hue(spec.name) if spec.hue is None else spec.hue
        self._own_encoders = encoders is None
        main, sub = encoders or make_encoders(spec, hue)
        self._encoders = [main] if sub is None else [main, sub]
        self.clock_offset_s = spec.clock_offset_s
        self.events = EventsFace(time.monotonic, self._clock)
        administration = AdministrationFace(self._set_clock, self._reboot)
        self._restarting: asyncio.Task[None] | None = None
        self.head = PtzHead()
        self.ptz = PtzFace(self.head, time.monotonic) if spec.ptz else None
        if self.ptz is not None and self._own_encoders:
            for encoder in self._encoders:
                encoder.aim = lambda: self.head.place(time.monotonic())
        paths = (MAIN_PATH, SUB_PATH)[: len(self._encoders)]
        self._mounts: dict[str, Mount] = {}
        for path, encoder in zip(paths, self._encoders, strict=True):
            stream = Stream(f"simulator{path.replace('/', '.')}")
            encoder.feed(stream, self.faults)
            self._mounts[path] = Mount(stream, max_sessions=spec.max_sessions)
        users = {spec.username: spec.password}
        self._gatekeeper = Authenticator(users, schemes=_SCHEMES[spec.auth]) if spec.auth is not Auth.NONE else None
        self._rtsp = RtspServer(lambda path, _query: self._mounts.get(path), self._gatekeeper)
        self._http = HttpFace(self._on_http)
        self._onvif = camera_face(
            self.identity,
            self._profiles,
            users,
            lambda: self._present_gatekeeper,
            rtsp_port=lambda: self.rtsp_port,
            synchronise=self._synchronise,
            clock=self._clock,
            extensions=[face for face in (self.ptz, self.events, administration) if face is not None],
        )
        self._photographer = Photographer(*SNAPSHOT_SIZE, spec.name, hue)
        self.on_presence: Callable[[bool], None] = lambda _present: None
        """Told when the camera goes dark and when it returns (discovery says Hello and Bye)."""

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What is behind `/main` and `/sub`."""
        return tuple(mount.stream for mount in self._mounts.values())

    @property
    def sessions(self) -> int:
        """RTSP sessions set up or playing."""
        return sum(mount.sessions for mount in self._mounts.values())

    async def start(self) -> None:
        """Open the ports. Raises ListenError."""
        self.rtsp_port = await self._rtsp.start(self.spec.host, self.rtsp_port)
        try:
            self.http_port = await self._http.start(self.spec.host, self.http_port)
        except BaseException:
            await self._rtsp.stop()
            raise

    async def stop(self) -> None:
        """Close everything; viewers get a goodbye."""
        if self._restarting is not None:
            self._restarting.cancel()
        await asyncio.gather(self._rtsp.stop(), self._http.stop())
        if self._own_encoders:
            await asyncio.gather(*(encoder.stop() for encoder in self._encoders))

    # Faults

    def drop_sessions(self) -> int:
        """Cut every RTSP connection without a word; how many there were."""
        return self._rtsp.drop_sessions()

    def freeze(self, what: Frozen) -> None:
        """Stop sending video, or everything, with the sessions left open; `Frozen.NOTHING` goes on."""
        self.faults.freeze(what)
        if what is Frozen.NOTHING:
            for encoder in self._encoders:
                encoder.request_keyframe()

    def jump(self, seconds: float) -> None:
        """Move all timestamps by `seconds`, forwards or back. Raises ValueError beyond `faults.MAX_JUMP_S`."""
        self.faults.jump(seconds)

    def resize(self, width: int, height: int) -> None:
        """Change the main profile's picture size in mid-stream. Raises ValueError. Cameras that share an encoder follow."""
        self._encoders[0].resize(width, height)

    def refuse_login(self, refuse: bool) -> None:
        """Turn every user away, those with the right password too. Who is watching stays."""
        self.faults.refuse_login = refuse
        self._rtsp.authenticator = self._present_gatekeeper

    async def go_dark(self) -> None:
        """Vanish as on a power cut: connections are cut, ports closed, no goodbye."""
        if self.faults.dark:
            return
        self.faults.dark = True
        self.events.forget()
        self._rtsp.drop_sessions()
        await asyncio.gather(self._rtsp.stop(), self._http.stop())
        self.on_presence(False)

    async def come_back(self) -> None:
        """Return on the same ports. Raises ListenError if another program has taken one."""
        if not self.faults.dark:
            return
        await self.start()
        self.faults.dark = False
        self.on_presence(True)

    # Inside

    def _clock(self) -> float:
        return time.time() + self.clock_offset_s

    def _set_clock(self, now: float) -> None:
        self.clock_offset_s = now - time.time()

    def _reboot(self) -> None:
        if self._restarting is None or self._restarting.done():
            self._restarting = asyncio.get_running_loop().create_task(self._restart())

    async def _restart(self) -> None:
        await asyncio.sleep(REBOOT_DELAY_S)
        await self.go_dark()
        await asyncio.sleep(REBOOT_S)
        try:
            await self.come_back()
        except ListenError as error:
            log.warning("simulator: %s did not come back: %s", self.spec.name, error)

    @property
    def _present_gatekeeper(self) -> Gatekeeper | None:
        return RefuseAll() if self.faults.refuse_login else self._gatekeeper

    def _profiles(self) -> Profiles:
        names = (("main", "Main stream", MAIN_PATH), ("sub", "Sub stream", SUB_PATH))
        return tuple(
            profile_of(token, name, path, encoder.video, self.spec.audio, configuration() if self.ptz is not None else "")
            for (token, name, path), encoder in zip(names, self._encoders, strict=False)
        )

    def _synchronise(self, token: str) -> None:
        for profile, encoder in zip(self._profiles(), self._encoders, strict=True):
            if profile.token == token:
                encoder.request_keyframe()

    async def _on_http(self, request: HttpRequest) -> HttpResponse:
        if request.path == SNAPSHOT_PATH and request.method in ("GET", "HEAD"):
            return await self._snapshot(request)
        if not request.path.startswith("/onvif/"):
            return HttpResponse(404)
        if request.method != "POST":
            return HttpResponse(405, headers=(("Allow", "POST"),))
        call = OnvifRequest(request.body, request.target, request.headers.get("authorization"), request.host, request.port)
        await self.events.wait(call)
        answer = await self._onvif.handle(call)
        return HttpResponse(answer.status, answer.body, SOAP_TYPE, answer.headers)

    async def _snapshot(self, request: HttpRequest) -> HttpResponse:
        gatekeeper = self._present_gatekeeper
        if gatekeeper is not None:
            verdict = gatekeeper.check(request.method, request.target, request.headers.get("authorization"))
            if verdict is not Verdict.GRANTED:
                challenges = gatekeeper.challenges(stale=verdict is Verdict.STALE)
                return HttpResponse(401, headers=tuple(("WWW-Authenticate", value) for value in challenges))
        return HttpResponse(200, await asyncio.to_thread(self._photographer.take), "image/jpeg")


def make_encoders(spec: CameraSpec, hue: float | None = None) -> tuple[StreamEncoder, StreamEncoder | None]:
    """Encoders for the profiles of `spec`; one pair may serve several cameras."""
    main = StreamEncoder(spec.main, spec.audio, name=spec.name, hue=hue)
    sub = None if spec.sub is None else StreamEncoder(spec.sub, spec.audio, name=spec.name, hue=hue)
    return main, sub
