"""An ONVIF camera, asked. Blocking, on worker threads; nothing happens before the first call.

The order is what makes most cameras work: the time, anonymously (signatures depend on it); the services, with the host
kept that is known to work; Media2 if there is one (only that tells H.265 truly), else Media1.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from xml.sax.saxutils import escape

from gateway.camera_tls import ANYBODY, CameraTrust
from gateway.errors import NoVideo, ProtocolError, SourceError, TimedOut, Unreachable, WrongCredentials
from gateway.onvif import addresses, clock, media, neighbours, ports
from gateway.onvif.deadline import Deadline
from gateway.onvif.media import DeviceDescription, Introduction, Profile
from gateway.onvif.reader import Node
from gateway.onvif.schema import Service, Wsdl
from gateway.onvif.session import Session
from gateway.onvif.soap import Credentials, NotSoap, SoapFault
from gateway.onvif.transport import HttpTransport, Timeouts, Transport

log = logging.getLogger(__name__)

DEVICE_NS = "http://www.onvif.org/ver10/device/wsdl"
SCHEMA_NS = "http://www.onvif.org/ver10/schema"
MEDIA1_NS = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2_NS = "http://www.onvif.org/ver20/media/wsdl"
PTZ_NS = "http://www.onvif.org/ver20/ptz/wsdl"
EVENTS_NS = "http://www.onvif.org/ver10/events/wsdl"
_CAPABILITY_NS = {
    "Device": DEVICE_NS,
    "Media": MEDIA1_NS,
    "PTZ": PTZ_NS,
    "Events": EVENTS_NS,
    "Imaging": "http://www.onvif.org/ver20/imaging/wsdl",
}
CALL_DEADLINE_S = 30.0
"""For all requests of one method together, if the caller sets no deadline."""
PORT_SEARCH_CONNECT_S = 2.0
"""When several ports are tried: a camera of the LAN accepts within milliseconds, a filtered port never does."""
_HOST_IS_AWAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN})


class OnvifClient:
    """One camera at `address` (host, host:port or URL, as typed).

    `known_xaddrs` are service addresses from discovery, tried first. Without a port the usual ones are tried.
    `before_password`: see `Session`. All
    methods raise the leaves of `gateway.errors.SourceError`, with messages free of credentials, and ValueError from
    the constructor if `address` is none. Not for use by several threads at once, except that requests queue.
    """

    def __init__(
        self,
        address: str,
        credentials: Credentials | None = None,
        *,
        known_xaddrs: Sequence[str] = (),
        deadline: Deadline | None = None,
        timeouts: Timeouts | None = None,
        transport: Transport | None = None,
        now: Callable[[], float] = time.time,
        before_password: Callable[[str], None] | None = None,
        trust: CameraTrust = ANYBODY,
    ) -> None:
        self._target = addresses.parse_target(address)
        self.label = self._target.netloc
        self._port_typed = self._target.port is not None
        self._candidates = addresses.device_services(self._target, known_xaddrs)
        self._deadline = deadline
        self._now = now
        if timeouts is None:
            searching = len(self._candidates) > 1
            timeouts = Timeouts(connect_s=PORT_SEARCH_CONNECT_S) if searching else Timeouts()
        self._session = Session(
            self.label,
            credentials,
            transport or HttpTransport(self.label, timeouts, trust),
            now=now,
            before_password=before_password,
        )
        self._device_url = ""
        self._services: dict[str, str] = {}
        self._media_ns = ""
        self._profiles: tuple[Profile, ...] = ()

    def __enter__(self) -> OnvifClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The client may be used again."""
        self._session.close()

    @property
    def clock_offset_s(self) -> float:
        """The camera's clock minus ours in seconds; 0 before the first call and where the camera does not tell."""
        return self._session.offset_s

    def clock_was_set(self) -> None:
        """The camera has our time from now on: what follows is signed with it."""
        self._session.offset_s = 0.0

    def services(self) -> dict[str, str]:
        """Address of every service the camera has, by namespace."""
        deadline = self._begin()
        self._open(deadline)
        return dict(self._services)

    def describe(self) -> DeviceDescription:
        """Maker, model, firmware, serial number and the profiles with video. Raises NoVideo if there is none."""
        deadline = self._begin()
        profiles = self._load_profiles(deadline)
        try:
            info = self._device("GetDeviceInformation", deadline)
        except SourceError as error:
            # Broken XML in this answer is common, some users may not ask; the picture does not depend on it.
            if deadline.expired():
                raise
            log.debug("%s", error)
            info = Node("", {}, "", ())
        return DeviceDescription(
            manufacturer=info.text_at("Manufacturer"),
            model=info.text_at("Model"),
            firmware=info.text_at("FirmwareVersion"),
            serial=info.text_at("SerialNumber"),
            profiles=profiles,
        )

    def introduce(self) -> Introduction:
        """Who it is, for a client without credentials: no request carries a password. Raises what opening raises."""
        deadline = self._begin()
        self._open(deadline)
        info, needs_password = Node("", {}, "", ()), False
        try:
            info = self._device("GetDeviceInformation", deadline, anonymous=True)
            self._load_profiles(deadline)
        except WrongCredentials:
            needs_password = True
        except SourceError as error:
            log.debug("%s", error)
        return Introduction(
            manufacturer=info.text_at("Manufacturer"),
            model=info.text_at("Model"),
            serial=info.text_at("SerialNumber"),
            needs_password=needs_password,
        )

    def hardware_addresses(self) -> tuple[str, ...]:
        """The camera's own, as `aa:bb:cc:dd:ee:ff`; empty where it does not tell (many do not, HA config_flow)."""
        deadline = self._begin()
        self._open(deadline)
        try:
            reply = self._device("GetNetworkInterfaces", deadline)
        except (ProtocolError, WrongCredentials) as error:
            log.debug("%s", error)
            return ()
        found = (node.find("HwAddress") for node in reply.all("NetworkInterfaces"))
        return tuple(dict.fromkeys(mac for node in found if node is not None and (mac := neighbours.normal(node.text))))

    def grant(self, seconds: float) -> None:
        """Time for the questions from now on together, for a client that is kept."""
        self._deadline = Deadline(seconds)

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of the device service, once it has answered; before, those of the first candidate."""
        address = addresses.split(self._device_url or self._candidates[0])
        return address.host, address.effective_port

    def profiles(self) -> tuple[Profile, ...]:
        """The profiles with video; asked once."""
        return self._load_profiles(self._begin())

    def stream_uri(self, token: str) -> str:
        """RTSP URL of a profile: host as known to work, no credentials. Raises ProtocolError if the camera has none."""
        deadline = self._begin()
        self._load_profiles(deadline)
        uri = self._stream_uri(token, deadline)
        clean = addresses.clean_stream_uri(uri, self._host) if uri else None
        if clean is None:
            raise ProtocolError(f"{self.label}: the camera gives no RTSP address for profile {token!r}")
        return clean

    def snapshot_uri(self, token: str) -> str | None:
        """HTTP URL of a profile's snapshot without credentials; None if the camera has none that can be used."""
        deadline = self._begin()
        self._load_profiles(deadline)
        try:
            reply = self._media("GetSnapshotUri", deadline, ProfileToken=token)
        except ProtocolError as error:
            log.debug("%s", error)
            return None
        uri = _uri(reply)
        return addresses.clean_snapshot_uri(uri, self._device_url, port_typed=self._port_typed) if uri else None

    def set_synchronization_point(self, token: str) -> None:
        """Ask for a keyframe now. Raises ProtocolError if the camera does not know how."""
        deadline = self._begin()
        self._load_profiles(deadline)
        self._media("SetSynchronizationPoint", deadline, ProfileToken=token)

    def call(
        self, namespace: str, operation: str, inner: str = "", *, action: str = "", url: str = "", addressing: str = ""
    ) -> Node:
        """Call an operation of a service, its arguments written by hand: `inner` is XML with the service's prefix `q` and
        `t` for the ONVIF schema. `url` is another place than the service's own (a subscription). Raises ProtocolError if
        the camera has no such service.
        """
        deadline = self._begin()
        self._open(deadline)
        service = self._services.get(namespace)
        if service is None:
            raise ProtocolError(f"{self.label}: the camera has no service for {operation}")
        body = f'<q:{operation} xmlns:q="{namespace}" xmlns:t="{SCHEMA_NS}">{inner}</q:{operation}>'
        return self.post(url or service, action or f"{namespace}/{operation}", body, deadline, addressing=addressing)

    def post(self, url: str, action: str, body: str, deadline: Deadline | None = None, *, addressing: str = "") -> Node:
        """Send a signed request as it is written. Raises what the session raises."""
        return self._session.call(url, action, body, deadline or self._begin(), addressing=addressing)

    @property
    def _host(self) -> str:
        return addresses.split(self._device_url).host

    def _begin(self) -> Deadline:
        return self._deadline or Deadline(CALL_DEADLINE_S)

    # Opening: which port, what time, which services

    def _open(self, deadline: Deadline) -> None:
        if self._services:
            return
        if not self._device_url:
            self._find_device(deadline)
        self._services = self._ask_services(deadline)

    def _find_device(self, deadline: Deadline) -> None:
        """Ask every candidate for its time; the first that speaks ONVIF is the camera."""
        errors: list[SourceError] = []
        for url in self._open_candidates(deadline):
            try:
                if self._learn_time(url, deadline):
                    self._device_url = url
                    return
            except SourceError as error:
                errors.append(error)
                if deadline.expired() or _host_is_away(error):
                    break
        raise self._no_device(errors)

    def _open_candidates(self, deadline: Deadline) -> tuple[str, ...]:
        """Those at an open port; all of them where there is no choice."""
        if len(self._candidates) == 1:
            return self._candidates
        by_port = {url: addresses.split(url).effective_port for url in self._candidates}
        try:
            found = ports.open_ports(self._target.host, by_port.values(), min(PORT_SEARCH_CONNECT_S, deadline.remaining_s()))
        except OSError:
            return self._candidates[:1]  # which says what is wrong with the name
        return tuple(url for url in self._candidates if by_port[url] in found)

    def _learn_time(self, url: str, deadline: Deadline) -> bool:
        """Set the clock offset from the camera at `url`; True once something there speaks ONVIF."""
        before = self._now()
        self._session.http_date = None
        seconds: float | None = None
        try:
            reply = self._device("GetSystemDateAndTime", deadline, url=url, anonymous=True)
            seconds = clock.camera_time(reply)
        except (SoapFault, WrongCredentials) as error:
            # Axis tells its time to known users only; the Date header will do.
            log.debug("%s", error)
            if isinstance(error, WrongCredentials) and not self._session.refusal_is_onvif:
                raise NotSoap(f"{self.label}: a web server with a password answers, but not ONVIF") from error
        if seconds is None:
            seconds = clock.http_date(self._session.http_date)
        if seconds is not None:
            self._session.offset_s = seconds - (before + self._now()) / 2
        return True

    def _no_device(self, errors: list[SourceError]) -> SourceError:
        if len(self._candidates) == 1 and errors:
            return errors[0]
        for kind in (TimedOut, ProtocolError):
            if (error := next((e for e in errors if isinstance(e, kind)), None)) is not None:
                return kind(f"{error}; is ONVIF switched on in the camera?")
        if errors and _host_is_away(errors[-1]):
            return errors[-1]
        tried = dict.fromkeys(addresses.split(url).effective_port for url in self._candidates)
        ports = ", ".join(str(port) for port in tried)
        return Unreachable(f"{self.label}: nothing answers on port {ports}; is the camera on, with ONVIF switched on?")

    def _ask_services(self, deadline: Deadline) -> dict[str, str]:
        try:
            found = self._with_or_without_password("GetServices", deadline, IncludeCapability=False)
            services = {s.text_at("Namespace"): s.text_at("XAddr") for s in reversed(found.all("Service"))}
        except (SoapFault, NotSoap) as error:
            log.debug("%s", error)
            services = {}
        if MEDIA1_NS not in services and MEDIA2_NS not in services:
            found = self._with_or_without_password("GetCapabilities", deadline, Category=["All"])
            for name, namespace in _CAPABILITY_NS.items():
                if node := found.at("Capabilities", name):
                    services.setdefault(namespace, node.text_at("XAddr"))
        return {
            namespace: addresses.pin_service(xaddr, self._device_url, port_typed=self._port_typed)
            for namespace, xaddr in services.items()
            if namespace
        }

    def _with_or_without_password(self, operation: str, deadline: Deadline, **arguments: object) -> Node:
        """Anonymously first, as the specification allows: costs no attempt, and shows whether HTTP Digest is wanted."""
        try:
            return self._device(operation, deadline, arguments, anonymous=True)
        except WrongCredentials:
            return self._device(operation, deadline, arguments)

    # Profiles

    def _load_profiles(self, deadline: Deadline) -> tuple[Profile, ...]:
        if self._profiles:
            return self._profiles
        self._open(deadline)
        offered = [namespace for namespace in (MEDIA2_NS, MEDIA1_NS) if namespace in self._services]
        failure: ProtocolError | None = None
        for namespace in offered:
            self._media_ns = namespace
            try:
                self._profiles = media.parse_profiles(self._media("GetProfiles", deadline))
            except ProtocolError as error:
                failure = failure or error  # Media2 that is advertised and does not answer: Media1 may
            if self._profiles:
                return self._profiles
        if failure is not None:
            raise failure
        if not offered:
            raise ProtocolError(f"{self.label}: the camera names no media service")
        raise NoVideo(f"{self.label}: the camera has no profile with video")

    def _stream_uri(self, token: str, deadline: Deadline) -> str:
        if self._media_ns == MEDIA1_NS:
            setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
            return _uri(self._media("GetStreamUri", deadline, StreamSetup=setup, ProfileToken=token))
        try:
            return _uri(self._media("GetStreamUri", deadline, Protocol="RTSP", ProfileToken=token))
        except SoapFault:
            return _uri(self._media("GetStreamUri", deadline, Protocol="RtspUnicast", ProfileToken=token))

    # Requests

    def _device(
        self,
        operation: str,
        deadline: Deadline,
        arguments: dict[str, object] | None = None,
        *,
        url: str = "",
        anonymous: bool = False,
    ) -> Node:
        return self._through_wsdl(Wsdl.DEVICE, url or self._device_url, operation, deadline, anonymous, arguments or {})

    def _media(self, operation: str, deadline: Deadline, **arguments: object) -> Node:
        url = self._services[self._media_ns]
        if self._media_ns == MEDIA1_NS:
            return self._through_wsdl(Wsdl.MEDIA, url, operation, deadline, False, arguments)
        return self._session.call(url, f"{MEDIA2_NS}/{operation}", _media2_body(operation, arguments), deadline)

    def _through_wsdl(
        self, wsdl: Wsdl, url: str, operation: str, deadline: Deadline, anonymous: bool, arguments: dict[str, object]
    ) -> Node:
        def post(address: str, action: str, body: str) -> Node:
            return self._session.call(address, action, body, deadline, anonymous=anonymous)

        return Service(wsdl, url, post).call(operation, **arguments)


def _media2_body(operation: str, arguments: dict[str, object]) -> str:
    """onvif-zeep has no WSDL of Media2; its requests are flat lists of texts."""
    if operation == "GetProfiles":
        # Named one by one: some cameras do not know `All`.
        inner = "".join(f"<t:Type>{kind}</t:Type>" for kind in ("VideoSource", "VideoEncoder", "AudioEncoder", "PTZ"))
    else:
        inner = "".join(f"<t:{name}>{escape(str(value))}</t:{name}>" for name, value in arguments.items())
    return f'<t:{operation} xmlns:t="{MEDIA2_NS}">{inner}</t:{operation}>'


def _uri(reply: Node) -> str:
    """Media1 wraps the Uri in a MediaUri, Media2 does not; some cameras leave it out (HA #36069)."""
    node = reply.find("Uri")
    return node.text if node is not None else ""


def _host_is_away(error: SourceError) -> bool:
    """Whether other ports of the same host need not be tried."""
    cause = error.__cause__
    return isinstance(cause, socket.gaierror) or (isinstance(cause, OSError) and cause.errno in _HOST_IS_AWAY)
