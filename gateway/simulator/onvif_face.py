"""A virtual camera as an ONVIF client sees it: request bytes in, answer bytes out. Pure; the clock is passed in.

Device and Media1 (ver10) and the reading half of Media2 (ver20), enough for NVRs and for our own client to find the
streams. Authentication is that of real cameras: WS-UsernameToken, or HTTP Digest, and none for the calls that ONVIF's
access class PRE_AUTH opens (Core specification 5.9.4). Called on the event loop by the HTTP face.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from gateway.http.authenticator import Gatekeeper, RefuseAll, Verdict
from gateway.media.track import Codec
from gateway.simulator import onvif_documents as documents
from gateway.simulator.onvif_documents import DeviceIdentity, MediaProfile
from gateway.simulator.soap import TDS, TR2, TRT, Call, SoapFault, TokenJudge, envelope, fault, parse_call
from gateway.simulator.video_codec import VideoSpec

DEVICE_PATH = "/onvif/device_service"
MEDIA_PATH = "/onvif/media_service"
MEDIA2_PATH = "/onvif/media2_service"
SNAPSHOT_PATH = "/snapshot.jpg"

ENDPOINT_NAMESPACE = uuid.UUID("b1a2c3f0-6f0e-4c53-9d39-7c1f5a0f6a10")
"""Names become endpoint references in it (RFC 4122 section 4.3); changing it would make every virtual camera a new one."""
_PRE_AUTH = frozenset(
    (TDS, operation)
    for operation in (
        "GetSystemDateAndTime",
        "GetCapabilities",
        "GetServices",
        "GetServiceCapabilities",
        "GetHostname",
        "GetEndpointReference",
    )
) | {(TRT, "GetServiceCapabilities"), (TR2, "GetServiceCapabilities")}

_PREFIXES = {TDS: "tds", TRT: "trt", TR2: "tr2"}


def identity_of(name: str) -> DeviceIdentity:
    """The identity of the camera called `name`: the same today, tomorrow and on any machine."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return DeviceIdentity(
        name=name,
        endpoint=f"urn:uuid:{uuid.uuid5(ENDPOINT_NAMESPACE, name)}",
        serial=f"VC{digest[:10].upper()}",
        mac=":".join(["02", *(digest[at : at + 2] for at in range(10, 20, 2))]),
    )


@dataclass(frozen=True, slots=True)
class OnvifRequest:
    """One HTTP POST. `host` and `port` are the address by which the client reached us; answers name the same host."""

    body: bytes
    path: str
    authorization: str | None
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class OnvifAnswer:
    """Status, body and headers of the answer; the body is always SOAP."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Access:
    """Who may call: the users, judged by token or by HTTP authentication. `gatekeeper` None opens everything."""

    def __init__(self, users: Mapping[str, str], gatekeeper: Callable[[], Gatekeeper | None]) -> None:
        self._judge = TokenJudge(users)
        self._gatekeeper = gatekeeper

    def check(self, call: Call, request: OnvifRequest, now: float) -> OnvifAnswer | None:
        """None if the call may go on, else the refusal."""
        gatekeeper = self._gatekeeper()
        if gatekeeper is None or (call.namespace, call.operation) in _PRE_AUTH:
            return None
        if request.authorization is not None:
            verdict = gatekeeper.check("POST", request.path, request.authorization)
            if verdict is Verdict.GRANTED:
                return None
            return self._challenge(gatekeeper, stale=verdict is Verdict.STALE)
        if call.token is None:
            return self._challenge(gatekeeper, stale=False)
        if not isinstance(gatekeeper, RefuseAll) and self._judge.accepts(call.token, now):
            return None
        refusal = SoapFault("Sender not authorized", "NotAuthorized")
        return OnvifAnswer(refusal.status, fault(refusal))

    def _challenge(self, gatekeeper: Gatekeeper, *, stale: bool) -> OnvifAnswer:
        headers = tuple(("WWW-Authenticate", value) for value in gatekeeper.challenges(stale=stale))
        return OnvifAnswer(401, fault(SoapFault("Sender not authorized", "NotAuthorized")), headers)


class OnvifFace:
    """Answers calls for one camera. `profiles` gives the main profile first."""

    def __init__(
        self,
        identity: DeviceIdentity,
        profiles: Callable[[], tuple[MediaProfile, ...]],
        access: Access,
        *,
        rtsp_port: Callable[[], int],
        synchronise: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`synchronise(profile token)` makes a keyframe; `clock` is the camera's own (Unix seconds), right or wrong."""
        self._identity = identity
        self._profiles = profiles
        self._access = access
        self._rtsp_port = rtsp_port
        self._synchronise = synchronise
        self._clock = clock
        self._operations: dict[tuple[str, str], Callable[[Call, OnvifRequest], str]] = {
            (TDS, "GetSystemDateAndTime"): self._system_date_and_time,
            (TDS, "GetDeviceInformation"): self._device_information,
            (TDS, "GetCapabilities"): self._capabilities,
            (TDS, "GetServices"): self._services,
            (TDS, "GetServiceCapabilities"): self._device_service_capabilities,
            (TDS, "GetScopes"): self._scopes,
            (TDS, "GetHostname"): self._hostname,
            (TDS, "GetNetworkInterfaces"): self._network_interfaces,
            (TDS, "GetEndpointReference"): self._endpoint_reference,
            (TRT, "GetServiceCapabilities"): self._media_service_capabilities,
            (TRT, "GetProfiles"): self._profiles1,
            (TRT, "GetProfile"): self._profile1,
            (TRT, "GetVideoSources"): self._video_sources,
            (TRT, "GetVideoEncoderConfigurations"): self._video_encoders1,
            (TRT, "GetStreamUri"): self._stream_uri1,
            (TRT, "GetSnapshotUri"): self._snapshot_uri1,
            (TRT, "SetSynchronizationPoint"): self._synchronization_point,
            (TR2, "GetProfiles"): self._profiles2,
            (TR2, "GetVideoEncoderConfigurations"): self._video_encoders2,
            (TR2, "GetStreamUri"): self._stream_uri2,
            (TR2, "GetSnapshotUri"): self._snapshot_uri2,
            (TR2, "SetSynchronizationPoint"): self._synchronization_point,
        }

    def handle(self, request: OnvifRequest) -> OnvifAnswer:
        """Answer one request; never raises, whatever the bytes are."""
        try:
            call = parse_call(request.body)
            refusal = self._access.check(call, request, self._clock())
            if refusal is not None:
                return refusal
            content = self._operations.get((call.namespace, call.operation), _not_supported)(call, request)
        except SoapFault as error:
            return OnvifAnswer(error.status, fault(error))
        tag = f"{_PREFIXES[call.namespace]}:{call.operation}Response"
        return OnvifAnswer(200, envelope(f"<{tag}>{content}</{tag}>"))

    # Device

    def _system_date_and_time(self, _call: Call, _request: OnvifRequest) -> str:
        now = datetime.fromtimestamp(int(self._clock()), UTC)
        moment = (
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
            f"<tt:Second>{now.second}</tt:Second></tt:Time>"
            f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
        )
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone>"
            f"<tt:UTCDateTime>{moment}</tt:UTCDateTime><tt:LocalDateTime>{moment}</tt:LocalDateTime>"
            "</tds:SystemDateAndTime>"
        )

    def _device_information(self, _call: Call, _request: OnvifRequest) -> str:
        who = self._identity
        return (
            f"<tds:Manufacturer>{escape(who.manufacturer)}</tds:Manufacturer><tds:Model>{escape(who.model)}</tds:Model>"
            f"<tds:FirmwareVersion>{escape(who.firmware)}</tds:FirmwareVersion>"
            f"<tds:SerialNumber>{who.serial}</tds:SerialNumber><tds:HardwareId>{escape(who.hardware)}</tds:HardwareId>"
        )

    def _capabilities(self, _call: Call, request: OnvifRequest) -> str:
        return (
            f"<tds:Capabilities><tt:Device><tt:XAddr>{_url(request, DEVICE_PATH)}</tt:XAddr></tt:Device>"
            f"<tt:Media><tt:XAddr>{_url(request, MEDIA_PATH)}</tt:XAddr><tt:StreamingCapabilities>"
            "<tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP>"
            "<tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media></tds:Capabilities>"
        )

    def _services(self, _call: Call, request: OnvifRequest) -> str:
        services = ((TDS, DEVICE_PATH, 2), (TRT, MEDIA_PATH, 2), (TR2, MEDIA2_PATH, 2))
        return "".join(
            f"<tds:Service><tds:Namespace>{namespace}</tds:Namespace><tds:XAddr>{_url(request, path)}</tds:XAddr>"
            f"<tds:Version><tt:Major>{major}</tt:Major><tt:Minor>40</tt:Minor></tds:Version></tds:Service>"
            for namespace, path, major in services
        )

    def _device_service_capabilities(self, _call: Call, _request: OnvifRequest) -> str:
        return (
            '<tds:Capabilities><tds:Network NTP="0"/><tds:Security HttpDigest="true" UsernameToken="true"/>'
            '<tds:System DiscoveryBye="true"/></tds:Capabilities>'
        )

    def _scopes(self, _call: Call, _request: OnvifRequest) -> str:
        return "".join(
            f"<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>{scope}</tt:ScopeItem></tds:Scopes>"
            for scope in self._identity.scopes
        )

    def _hostname(self, _call: Call, _request: OnvifRequest) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", self._identity.name.lower()).strip("-") or "camera"
        return (
            f"<tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP><tt:Name>{name[:63]}</tt:Name></tds:HostnameInformation>"
        )

    def _network_interfaces(self, _call: Call, request: OnvifRequest) -> str:
        return documents.network_interface(self._identity, request.host)

    def _endpoint_reference(self, _call: Call, _request: OnvifRequest) -> str:
        return f"<tds:GUID>{self._identity.endpoint}</tds:GUID>"

    # Media1

    def _media_service_capabilities(self, _call: Call, _request: OnvifRequest) -> str:
        return (
            '<trt:Capabilities SnapshotUri="true" Rotation="false" VideoSourceMode="false" OSD="false">'
            '<trt:ProfileCapabilities MaximumNumberOfProfiles="2"/><trt:StreamingCapabilities RTPMulticast="false" '
            'RTP_TCP="true" RTP_RTSP_TCP="true" NonAggregateControl="false"/></trt:Capabilities>'
        )

    def _profiles1(self, _call: Call, _request: OnvifRequest) -> str:
        return "".join(documents.profile1(profile, self._full, "Profiles") for profile in self._profiles())

    def _profile1(self, call: Call, _request: OnvifRequest) -> str:
        return documents.profile1(self._named(call), self._full, "Profile")

    def _video_sources(self, _call: Call, _request: OnvifRequest) -> str:
        return documents.video_source(self._full)

    def _video_encoders1(self, _call: Call, _request: OnvifRequest) -> str:
        return "".join(
            documents.video_encoder1(profile, "trt:Configurations")
            for profile in self._profiles()
            if profile.video.codec is Codec.H264
        )

    def _stream_uri1(self, call: Call, request: OnvifRequest) -> str:
        return self._media_uri(self._stream_uri(call, request))

    def _snapshot_uri1(self, call: Call, request: OnvifRequest) -> str:
        self._named(call)
        return self._media_uri(_url(request, SNAPSHOT_PATH))

    def _synchronization_point(self, call: Call, _request: OnvifRequest) -> str:
        self._synchronise(self._named(call).token)
        return ""

    # Media2

    def _profiles2(self, call: Call, _request: OnvifRequest) -> str:
        wanted = frozenset(call.texts("Type"))
        profiles = (self._named(call),) if call.text("Token") else self._profiles()
        return "".join(documents.profile2(profile, self._full, wanted) for profile in profiles)

    def _video_encoders2(self, _call: Call, _request: OnvifRequest) -> str:
        return "".join(documents.video_encoder2(profile) for profile in self._profiles())

    def _stream_uri2(self, call: Call, request: OnvifRequest) -> str:
        return f"<tr2:Uri>{self._stream_uri(call, request)}</tr2:Uri>"

    def _snapshot_uri2(self, call: Call, request: OnvifRequest) -> str:
        self._named(call)
        return f"<tr2:Uri>{_url(request, SNAPSHOT_PATH)}</tr2:Uri>"

    # Inside

    @property
    def _full(self) -> VideoSpec:
        return self._profiles()[0].video

    def _named(self, call: Call) -> MediaProfile:
        token = call.text("ProfileToken") or call.text("Token")
        for profile in self._profiles():
            if profile.token == token:
                return profile
        raise SoapFault("the media profile does not exist", "InvalidArgVal", "NoProfile")

    def _stream_uri(self, call: Call, request: OnvifRequest) -> str:
        profile = self._named(call)
        if "Multicast" in (call.text("Stream") or "") or call.text("Protocol") == "RtspMulticast":
            raise SoapFault("multicast is not supported", "InvalidArgVal", "InvalidStreamSetup")
        return f"rtsp://{_authority(request.host, self._rtsp_port())}{profile.path}"

    def _media_uri(self, uri: str) -> str:
        return (
            f"<trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
            "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        )


def _not_supported(call: Call, _request: OnvifRequest) -> str:
    raise SoapFault(f"{call.operation} is not implemented", "ActionNotSupported", sender=False)


def _url(request: OnvifRequest, path: str) -> str:
    return f"http://{_authority(request.host, request.port)}{path}"


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
