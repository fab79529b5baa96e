"""All that pages and API may know of and ask from the running gateway.

The service implements `GatewayPort`; Flask's worker threads call it. Every value is an immutable snapshot, free of
credentials.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from gateway.device.device import CameraDevice
from gateway.media.state import Status
from gateway.reload.attempt import Attempt
from gateway.reload.reloading import ConfigStatus
from gateway.sources.adoption import Wish

if TYPE_CHECKING:
    from gateway.health.view import HealthView
    from gateway.journal.incident import Incident


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream of a camera as it is right now."""

    id: str
    codec: str | None
    """`h264`, `h265`, `av1`; None until a picture has come."""
    codecs: str
    """RFC 6381 list for browsers, e.g. `avc1.64001F,mp4a.40.2`; empty until known."""
    width: int
    height: int
    fps: float
    audio: str | None
    """`aac`, `opus`, or None."""
    audio_note: str
    """Why there is no audio, or what was done to it (`transcoded from pcmu`); empty if nothing to say."""
    bitrate: float
    """Bits per second."""
    keyframe_interval: float
    """Seconds; 0 until measured."""
    viewers: dict[str, int]
    """By output: `rtmp`, `hls`, `ws`, `rtsp`."""
    status: Status
    on_demand: bool
    """Pulled only while somebody watches."""
    dropped: dict[str, int] = field(default_factory=dict)
    """By output: writes that slow viewers were spared since the stream exists."""


@dataclass(frozen=True, slots=True)
class PushView:
    """A server that one stream of a camera is pushed to. Times are Unix seconds."""

    name: str
    """Given in the configuration; may be empty."""
    url: str
    """Without the key."""
    stream: str
    """Id of the stream."""
    state: Literal["waiting", "connecting", "live", "retrying", "refused"]
    since: float
    reason: str
    code: str
    next_retry: float | None
    sent_bytes: int
    bitrate: float
    dropped: int
    """Messages left out because the server takes less than the stream sends."""


@dataclass(frozen=True, slots=True)
class EventView:
    """Something a camera reported."""

    kind: str
    """`motion`, `tamper`, `digital-input`, ...: `gateway.onvif.events.Kind`."""
    on: bool | None
    """Began or ended; None: happened, and has no end."""
    at: float
    """Unix seconds."""
    source: str
    """Which sensor, input or rule; empty if there is one only."""


@dataclass(frozen=True, slots=True)
class EventsView:
    """What a camera reports."""

    listening: bool
    trouble: str
    """Why not, if it should; free of credentials."""
    active: tuple[EventView, ...]
    """What goes on now, the oldest first; `at` is since when."""
    last: tuple[EventView, ...]
    """The newest first."""


@dataclass(frozen=True, slots=True)
class CameraView:
    """One camera. `urls` are paths or templates with `{host}`."""

    id: str
    name: str
    status: Status
    streams: tuple[StreamView, ...]
    """Main first, then sub if there is one."""
    urls: dict[str, str]
    """`hls`, `rtmp`, `rtmps`, `rtsp`, `snapshot`, and `hls_sub`, `rtmp_sub`, ... where there is a sub stream. `{host}` is the
    box's name."""
    source: str
    """Where the picture comes from, redacted: an RTSP URL or an address."""
    picture_at: float | None
    """Unix seconds of the last keyframe, of which a snapshot can be had; None if there never was one."""
    found_at: str = ""
    """The address where discovery found it, while that is not the configured one."""
    pushes: tuple[PushView, ...] = ()
    ptz: bool = False
    """It can be steered."""
    events: EventsView | None = None
    """None for a camera that is not asked over ONVIF."""
    group: str | None = None
    """Where on the site it is, if the configuration says so."""


@dataclass(frozen=True, slots=True)
class WallView:
    """Cameras the admin has put together for the wall."""

    id: str
    name: str
    cameras: tuple[str, ...]
    layout: str | None
    """A layout of the wall (`auto`, `2x2`, `1+5`, ...); None: as the viewer likes it."""

    def limited_to(self, cameras: Collection[str]) -> WallView | None:
        """The view for somebody who sees only these cameras; None if nothing is left of it."""
        kept = tuple(camera for camera in self.cameras if camera in cameras)
        return replace(self, cameras=kept) if kept else None


class Presence(enum.Enum):
    """What a discovered device is to this gateway."""

    NEW = "new"
    """In no configuration."""
    KNOWN = "known"
    MOVED = "moved"
    """A configured camera at another address than the configuration says."""
    GONE = "gone"
    """Has not answered for a while, or said goodbye."""


@dataclass(frozen=True, slots=True)
class DiscoveredView:
    """A device that answered on the LAN."""

    endpoint: str
    address: str
    xaddrs: tuple[str, ...]
    name: str
    hardware: str
    first_seen: float
    last_seen: float
    camera_id: str | None
    """The configured camera this is, if it is one."""
    state: Presence = Presence.NEW
    manufacturer: str = ""
    model: str = ""
    mac: str = ""
    previous_address: str = ""
    """Where it was before; empty if it never moved."""
    needs_password: bool | None = None
    """Whether strangers are refused; None where that is not known."""


@dataclass(frozen=True, slots=True)
class AdoptedView:
    """A camera that was taken over and is served from now on."""

    id: str
    name: str
    file: str
    """Where it is written down, as seen from config.yaml."""
    has_sub: bool


@dataclass(frozen=True, slots=True)
class Readiness:
    """Answer of `/readyz`."""

    ready: bool
    problems: tuple[str, ...]
    pressure: str = "normal"
    """`normal`, `tight` (no new viewers) or `critical` (viewers are sent away)."""
    pressure_reason: str = ""


class GatewayPort(Protocol):
    """Read and command interface for the web. Thread-safe; every call returns within 3 s or raises TimeoutError."""

    site: str
    version: str

    def cameras(self) -> tuple[CameraView, ...]:
        """All configured cameras, in the order of the configuration."""

    def camera(self, camera_id: str) -> CameraView | None:
        """One camera, or None if there is none of that id."""

    def wall_views(self) -> tuple[WallView, ...]:
        """Views of the configuration, in its order."""

    def embedders(self) -> tuple[str, ...]:
        """Origins whose pages may frame `/watch` pages, besides this gateway's own; `*` is everybody."""

    def snapshot(self, camera_id: str, width: int | None) -> bytes | None:
        """JPEG of the last keyframe, at most `width` pixels wide; None if there never was a picture."""

    def discovered(self) -> tuple[DiscoveredView, ...]:
        """What discovery knows: who is here, and who was."""

    def forget_identity(self, camera_id: str) -> bool:
        """A camera was replaced: whatever is at its configured address from now on is the camera. False without such a one."""

    def adopt(self, wish: Wish) -> AdoptedView:
        """Ask a camera and take it into the configuration. Takes as long as the camera does; raises AdoptError."""

    def device(self, camera_id: str) -> CameraDevice | None:
        """The camera as a device that can be steered and asked; None for one that is not given by its ONVIF address.

        Its own methods say which of them block.
        """

    def health(self) -> HealthView:
        """How the gateway, its box and every camera do."""

    def incidents(self, camera: str | None, limit: int, before: int | None = None) -> Sequence[Incident]:
        """What has happened, newest first; `camera` empty: the gateway's own, None: all. `before` is an incident's id.

        Raises TimeoutError, and OSError where the disk does not answer.
        """

    def config_status(self) -> ConfigStatus:
        """The configuration in use, and how the last reading of its files went."""

    def reload_config(self) -> Attempt:
        """Read the configuration's files now. Takes as long as opening ports does, at most 25 s."""
