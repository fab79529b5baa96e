"""The configuration as the rest of the gateway sees it: frozen values, every default filled in, every secret resolved.

Units are in the names: `_s` is seconds. Values made here by hand are not checked; `load` checks what comes from a file.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from gateway.camera_tls import ANYBODY, CameraTrust
from gateway.config.addresses import HostPort
from gateway.config.secrets import Secret
from gateway.journal.kinds import IncidentKind

__all__ = [
    "Auth",
    "Camera",
    "Config",
    "Credential",
    "Discovery",
    "Hls",
    "HostPort",
    "Incidents",
    "Listen",
    "Metrics",
    "Onvif",
    "ProxyTrust",
    "Publish",
    "Push",
    "Reload",
    "Role",
    "Rtmp",
    "RtspClient",
    "RtspDefaults",
    "SecondPublisher",
    "Secret",
    "StreamChoice",
    "SubPolicy",
    "Tls",
    "Transport",
    "UnannouncedPicture",
    "User",
    "View",
    "WallLayout",
    "Watch",
    "Webhook",
]


class Transport(enum.Enum):
    """How RTP comes from a camera."""

    TCP = "tcp"
    UDP = "udp"
    AUTO = "auto"
    """TCP first, UDP where the camera does not offer TCP."""


class RtspClient(enum.Enum):
    """Who speaks RTSP with a camera."""

    AUTO = "auto"
    """The gateway's own client, and libavformat where the two do not understand each other."""
    OWN = "own"
    LIBAV = "libav"


class SubPolicy(enum.Enum):
    """When a sub stream is pulled."""

    ON_DEMAND = "on-demand"
    ALWAYS = "always"


class SecondPublisher(enum.Enum):
    """What becomes of a second encoder with the right key while the first one still sends."""

    REFUSE = "refuse"
    REPLACE = "replace"


class UnannouncedPicture(enum.Enum):
    """What RTMP players get of an H.265 or AV1 picture if they do not announce that they can show it."""

    SEND = "send"
    SUB = "sub"
    """The sub stream, if that is H.264."""
    REFUSE = "refuse"


class WallLayout(enum.Enum):
    """How the wall divides the screen; the values are those of `web/static/js/layout.js`."""

    AUTO = "auto"
    ONE = "1"
    TWO = "2x2"
    THREE = "3x3"
    FOUR = "4x4"
    FIVE = "5x5"
    SIX = "6x6"
    ONE_AND_FIVE = "1+5"
    ONE_AND_SEVEN = "1+7"


_HTTPS, _HTTP, _RTMP, _ONVIF = (HostPort("0.0.0.0", port) for port in (8443, 8080, 1935, 8000))


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen; None is off."""

    https: HostPort | None = _HTTPS
    http: HostPort | None = _HTTP
    rtmp: HostPort | None = _RTMP
    rtmps: HostPort | None = None
    rtsp: HostPort | None = None
    http_redirect: bool = True
    """Send people who open a page over plain HTTP to HTTPS."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate that HTTPS and RTMPS show."""

    certificate: Path | None = None
    """None: the box makes one itself."""
    key: Path | None = None
    """None: it stands in `certificate`."""
    hsts_s: float = 0.0
    """Browsers that have been here keep to HTTPS for this long; 0 is off."""


@dataclass(frozen=True, slots=True)
class Reload:
    """How a changed configuration is noticed."""

    watch: bool = True
    """Look at the files every few seconds."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A login to try on discovered cameras."""

    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Discovery:
    """Search for ONVIF devices on the LAN."""

    enabled: bool = True
    interval_s: float = 60.0
    credentials: tuple[Credential, ...] = ()


@dataclass(frozen=True, slots=True)
class RtspDefaults:
    """How cameras are pulled unless they say otherwise."""

    transport: Transport = Transport.TCP
    open_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    client: RtspClient = RtspClient.AUTO


@dataclass(frozen=True, slots=True)
class Hls:
    """Low-latency HLS."""

    part_s: float = 0.2
    segment_s: float = 2.0
    window_s: float = 12.0


@dataclass(frozen=True, slots=True)
class Rtmp:
    """RTMP players."""

    silent_audio: bool = True
    """Give a stream without sound a silent track: players made of FFmpeg open it seconds sooner."""
    h265: UnannouncedPicture = UnannouncedPicture.SEND


class Role(enum.Enum):
    """What a user may do with the cameras he sees."""

    ADMIN = "admin"
    OPERATOR = "operator"
    """Looks and steers."""
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who logs in. Without `cameras` and `groups` he sees all cameras."""

    name: str
    password_hash: Secret
    """As `gateway passwd --hash` prints it."""
    role: Role
    cameras: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    """Cameras of these groups as well."""


@dataclass(frozen=True, slots=True)
class ProxyTrust:
    """A proxy in front of us that may say who its clients are."""

    addresses: tuple[str, ...]
    """Addresses or networks, in CIDR notation."""
    user_header: str = ""
    """Names the user that the proxy has logged in; empty: it says none."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Who may look, and for how long a login lasts."""

    anonymous_viewing: bool = False
    session_idle_s: float = 30 * 86400.0
    """A wall in a guard's room stays logged in over a month's holiday."""
    session_lifetime_s: float = 365 * 86400.0
    proxy: ProxyTrust | None = None


@dataclass(frozen=True, slots=True)
class Onvif:
    """The gateway as an ONVIF device for NVRs. The user opens RTSP too, enabled or not."""

    enabled: bool = False
    username: str = ""
    password: Secret | None = None
    listen: HostPort = _ONVIF


@dataclass(frozen=True, slots=True)
class Publish:
    """A camera that sends to us; it must know the key."""

    key: Secret
    second: SecondPublisher = SecondPublisher.REFUSE


class StreamChoice(enum.Enum):
    """Which stream of a camera."""

    MAIN = "main"
    SUB = "sub"


@dataclass(frozen=True, slots=True)
class Push:
    """A server that one stream is sent to."""

    host: str
    port: int
    app: str = field(repr=False)
    """May end with a query, which is then as secret as `key`."""
    key: Secret
    """Name of the stream there, with its query."""
    tls: bool = False
    username: str | None = None
    password: Secret | None = None
    """For servers that ask for a login (`authmod=adobe`)."""
    stream: StreamChoice = StreamChoice.MAIN
    name: str = ""
    silent_audio: bool = True
    enhanced: bool = False
    """Send H.265, AV1 and Opus although the server does not say that it takes them."""
    verify: bool = True
    """The server's certificate must be good. `ca_file` and `fingerprint` say what is good instead of the system."""
    ca_file: Path | None = None
    fingerprint: str = ""
    """SHA-256 of the certificate, 64 lower-case hexadecimal digits."""

    @property
    def shown(self) -> str:
        """The address without anything secret."""
        scheme, usual = ("rtmps", 443) if self.tls else ("rtmp", 1935)
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == usual else f":{self.port}"
        return f"{scheme}://{host}{port}/{self.app.partition('?')[0]}/***"


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera. Exactly one of `address`, `rtsp` and `publish` is set; `rtsp` and `sub` never hold credentials."""

    id: str
    name: str
    enabled: bool = True
    address: str | None = None
    """ONVIF device: host or host:port."""
    rtsp: str | None = None
    sub: str | None = None
    username: str | None = None
    password: Secret | None = None
    transport: Transport | None = None
    """None: as `Config.rtsp` says."""
    client: RtspClient | None = None
    """None: as `Config.rtsp` says."""
    trust: CameraTrust = ANYBODY
    """Which certificate is good, over rtsps:// and https://."""
    sub_policy: SubPolicy = SubPolicy.ON_DEMAND
    audio: bool = True
    h265: UnannouncedPicture | None = None
    """None: as `Config.rtmp` says."""
    profile: str | None = None
    """ONVIF profile token of the main stream; None: the best one."""
    sub_profile: str | None = None
    events: bool = True
    """Listen to what a camera given by `address` reports."""
    publish: Publish | None = None
    push: tuple[Push, ...] = ()
    group: str | None = None
    """Where on the site it is; the wall offers each group as a view."""


@dataclass(frozen=True, slots=True)
class View:
    """Cameras the admin has put together for the wall, in the order they are shown."""

    id: str
    name: str
    cameras: tuple[str, ...]
    layout: WallLayout | None = None
    """None: as the viewer likes it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """The pages with one camera each."""

    embed: tuple[str, ...] = ()
    """Origins whose pages may show them in a frame, besides this gateway's own; `*` is everybody."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """`/metrics` for Prometheus."""

    allow: tuple[str, ...] = ()
    """Addresses and networks (`192.168.0.0/24`) that may read it without a login."""


@dataclass(frozen=True, slots=True)
class Incidents:
    """The journal of what went wrong."""

    keep_s: float = 90 * 86400.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """A program that is told of incidents."""

    url: str = field(repr=False)
    """Often as secret as a password."""
    name: str
    events: tuple[IncidentKind, ...] = ()
    """Empty: all."""
    secret: Secret | None = None
    verify: bool = True
    """The server's certificate must be good; `ca_file` says what is good instead of the system."""
    ca_file: Path | None = None
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Config:
    """Everything config.yaml and conf.d say."""

    site: str = "Camera Gateway"
    listen: Listen = Listen()
    tls: Tls = Tls()
    reload: Reload = Reload()
    data_dir: Path = Path("data")
    discovery: Discovery = Discovery()
    rtsp: RtspDefaults = RtspDefaults()
    hls: Hls = Hls()
    rtmp: Rtmp = Rtmp()
    auth: Auth = Auth()
    watch: Watch = Watch()
    onvif: Onvif = Onvif()
    metrics: Metrics = Metrics()
    incidents: Incidents = Incidents()
    webhooks: tuple[Webhook, ...] = ()
    cameras: tuple[Camera, ...] = ()
    views: tuple[View, ...] = ()
    users: tuple[User, ...] = ()
    """Besides the built-in admin, whose password is in `data_dir`."""
    warnings: tuple[str, ...] = ()
    """Complete lines about what was read but is not served, in the form of the findings."""
