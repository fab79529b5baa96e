"""What may be written in config.yaml and conf.d, as pydantic models in the shape of the file. `fields` reads the values,
`camera_schema` says what belongs to a camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, PlainValidator

from gateway.config import addresses, tls_pair, units
from gateway.config.addresses import HostPort
from gateway.config.camera_schema import CameraEntry
from gateway.config.fields import (
    SHORTEST_WINDOW_SEGMENTS,
    ClientName,
    Flag,
    HookUrl,
    Key,
    Label,
    Listener,
    Network,
    Origin,
    Password,
    PasswordFile,
    PictureName,
    Section,
    TransportName,
    choice,
    duration,
    null_is_absent,
    null_is_no_list,
    one_password,
    read_existing_file,
    read_identifier,
    read_path,
    reader,
)
from gateway.config.model import (
    Auth,
    Hls,
    Incidents,
    Listen,
    Onvif,
    Reload,
    Rtmp,
    RtspDefaults,
    WallLayout,
    Webhook,
)
from gateway.config.secrets import Secret
from gateway.config.user_schema import ProxySection, Users
from gateway.journal.kinds import IncidentKind


def _hsts(text: str) -> float:
    if text.lower() in ("off", "false", "no"):
        return 0.0
    value_s = units.seconds(text)
    if not SHORTEST_HSTS_S <= value_s <= LONGEST_HSTS_S:
        raise ValueError(f"must be off, or between {units.written(SHORTEST_HSTS_S)} and {units.written(LONGEST_HSTS_S)}")
    return value_s


SHORTEST_HSTS_S, LONGEST_HSTS_S = 60.0, 2 * 365 * 86400.0


class ListenSection(Section):
    https: Listener = Listen().https
    http: Listener = Listen().http
    rtmp: Listener = Listen().rtmp
    rtmps: Listener = Listen().rtmps
    rtsp: Listener = Listen().rtsp
    http_redirect: Flag = Listen().http_redirect

    def _problems(self) -> Iterator[tuple[str, str]]:
        seen: dict[HostPort, str] = {}
        for key in ("https", "http", "rtmp", "rtmps", "rtsp"):
            place = getattr(self, key)
            if place is None or place.port == 0:
                continue
            if place in seen:
                yield key, f"uses the same address and port as listen.{seen[place]}"
            seen.setdefault(place, key)
        if self.https is None and self.http is None:
            yield "", "https and http are both off, so there would be no wall: leave one of them on"


class TlsSection(Section):
    certificate: Annotated[Path, PlainValidator(read_existing_file)] | None = None
    key: Annotated[Path, PlainValidator(read_existing_file)] | None = None
    hsts: Annotated[float, PlainValidator(reader(_hsts))] | None = None

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.certificate is None:
            if self.key is not None:
                yield "key", 'needs "certificate" beside it'
            return
        problem = tls_pair.problem(self.certificate, self.key)
        if problem:
            yield ("key" if self.key is not None and problem.of_key else "certificate"), problem.message


class ReloadSection(Section):
    watch: Flag = Reload().watch


class CredentialEntry(Section):
    username: Label
    password: Password | None = None
    password_file: PasswordFile | None = None

    def _problems(self) -> Iterator[tuple[str, str]]:
        yield from one_password(self.password, self.password_file)
        if self.password is None and self.password_file is None:
            yield "", "needs a password or a password_file"

    @property
    def secret(self) -> Secret:
        """The password, wherever it came from."""
        return self.password or self.password_file or Secret("")


class DiscoverySection(Section):
    enabled: Flag = True
    interval: Annotated[float, PlainValidator(duration(10, 86400))] = 60.0
    credentials: Annotated[tuple[CredentialEntry, ...], BeforeValidator(null_is_no_list)] = ()


class RtspSection(Section):
    transport: TransportName = RtspDefaults().transport
    client: ClientName = RtspDefaults().client
    open_timeout: Annotated[float, PlainValidator(duration(1, 60))] = RtspDefaults().open_timeout_s
    read_timeout: Annotated[float, PlainValidator(duration(2, 30))] = RtspDefaults().read_timeout_s


class HlsSection(Section):
    part: Annotated[float, PlainValidator(duration(0.1, 1))] = Hls().part_s
    segment: Annotated[float, PlainValidator(duration(1, 10))] = Hls().segment_s
    window: Annotated[float, PlainValidator(duration(4, 120))] = Hls().window_s

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.segment < 2 * self.part:
            yield "segment", f"must be at least two parts long, {units.written(2 * self.part)}"
        least_s = SHORTEST_WINDOW_SEGMENTS * self.segment
        if self.window < least_s:
            yield "window", f"must hold at least {SHORTEST_WINDOW_SEGMENTS} segments, {units.written(least_s)}"


class AuthSection(Section):
    anonymous_viewing: Flag = False
    session_idle: Annotated[float, PlainValidator(duration(300, 400 * 86400))] = Auth().session_idle_s
    session_lifetime: Annotated[float, PlainValidator(duration(300, 3650 * 86400))] = Auth().session_lifetime_s
    proxy: ProxySection | None = None


class RtmpSection(Section):
    silent_audio: Flag = Rtmp().silent_audio
    h265: PictureName = Rtmp().h265


class OnvifSection(Section):
    enabled: Flag = False
    listen: Annotated[HostPort, PlainValidator(reader(addresses.host_port))] = Onvif().listen
    username: Label | None = None
    password: Password | None = None
    password_file: PasswordFile | None = None

    def _problems(self) -> Iterator[tuple[str, str]]:
        yield from one_password(self.password, self.password_file)
        if (self.username is None) is not (self.secret is None):
            yield "", "username and password belong together: give both"
        elif self.enabled and self.secret is None:
            yield "", "needs a username and a password of its own, with which recorders log in"

    @property
    def secret(self) -> Secret | None:
        """The password, wherever it came from."""
        return self.password or self.password_file


class ViewEntry(Section):
    name: Label | None = None
    cameras: Annotated[tuple[Label, ...], BeforeValidator(null_is_no_list)]
    layout: Annotated[WallLayout, PlainValidator(choice(WallLayout))] | None = None

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not self.cameras:
            yield "cameras", "names no camera"
        if len(set(self.cameras)) < len(self.cameras):
            yield "cameras", "names a camera twice"


class WatchSection(Section):
    embed: Annotated[tuple[Origin, ...], BeforeValidator(null_is_no_list)] = ()


class MetricsSection(Section):
    allow: Annotated[tuple[Network, ...], BeforeValidator(null_is_no_list)] = ()


class IncidentsSection(Section):
    keep: Annotated[float, PlainValidator(duration(86400, 3650 * 86400))] = Incidents().keep_s


class WebhookEntry(Section):
    url: HookUrl
    name: Label | None = None
    events: Annotated[
        tuple[Annotated[IncidentKind, PlainValidator(choice(IncidentKind))], ...], BeforeValidator(null_is_no_list)
    ] = ()
    secret: Key | None = None
    secret_file: PasswordFile | None = None
    verify: Flag = True
    ca_file: Annotated[Path, PlainValidator(read_existing_file)] | None = None
    timeout: Annotated[float, PlainValidator(duration(1, 60))] = 10.0

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.secret is not None and self.secret_file is not None:
            yield "secret_file", 'give "secret" or "secret_file", not both'
        if not self.url.startswith("https:") and (self.ca_file is not None or not self.verify):
            yield "ca_file" if self.ca_file is not None else "verify", "is for https only"

    def webhook(self, number: int) -> Webhook:
        """The entry as the gateway uses it; `number` names one without a name."""
        secret = self.secret or self.secret_file
        return Webhook(self.url, self.name or str(number), self.events, secret, self.verify, self.ca_file, self.timeout)


Identifier = Annotated[str, BeforeValidator(read_identifier)]
Cameras = Annotated[dict[Identifier, CameraEntry], BeforeValidator(null_is_absent)]
Views = Annotated[dict[Identifier, ViewEntry], BeforeValidator(null_is_absent)]


class CamerasFile(Section):
    """A file of conf.d."""

    cameras: Cameras = {}  # noqa: RUF012  # pydantic copies defaults


class ConfigFile(Section):
    """config.yaml."""

    site: Label = "Camera Gateway"
    listen: Annotated[ListenSection, BeforeValidator(null_is_absent)] = ListenSection()
    tls: Annotated[TlsSection, BeforeValidator(null_is_absent)] = TlsSection()
    reload: Annotated[ReloadSection, BeforeValidator(null_is_absent)] = ReloadSection()
    data_dir: Annotated[Path, PlainValidator(read_path)] | None = None
    discovery: Annotated[DiscoverySection, BeforeValidator(null_is_absent)] = DiscoverySection()
    rtsp: Annotated[RtspSection, BeforeValidator(null_is_absent)] = RtspSection()
    hls: Annotated[HlsSection, BeforeValidator(null_is_absent)] = HlsSection()
    rtmp: Annotated[RtmpSection, BeforeValidator(null_is_absent)] = RtmpSection()
    auth: Annotated[AuthSection, BeforeValidator(null_is_absent)] = AuthSection()
    watch: Annotated[WatchSection, BeforeValidator(null_is_absent)] = WatchSection()
    onvif: Annotated[OnvifSection, BeforeValidator(null_is_absent)] = OnvifSection()
    metrics: Annotated[MetricsSection, BeforeValidator(null_is_absent)] = MetricsSection()
    incidents: Annotated[IncidentsSection, BeforeValidator(null_is_absent)] = IncidentsSection()
    webhooks: Annotated[tuple[WebhookEntry, ...], BeforeValidator(null_is_no_list)] = ()
    cameras: Cameras = {}  # noqa: RUF012  # pydantic copies defaults
    views: Views = {}  # noqa: RUF012  # pydantic copies defaults
    users: Users = {}  # noqa: RUF012  # pydantic copies defaults

    def _problems(self) -> Iterator[tuple[str, str]]:
        names = [entry.webhook(number).name for number, entry in enumerate(self.webhooks, 1)]
        if len(set(names)) < len(names):
            yield "webhooks", "gives a name twice: logs and metrics could not tell them apart"
        if self.onvif.enabled and self.listen.rtsp is None:
            yield "onvif", 'needs listen.rtsp, because its streams are RTSP: set it to "0.0.0.0:8554"'
        for key in ("https", "http", "rtmp", "rtmps", "rtsp"):
            if self.onvif.enabled and self.onvif.listen == getattr(self.listen, key) and self.onvif.listen.port:
                yield "onvif", f"listens on the same address and port as listen.{key}"
