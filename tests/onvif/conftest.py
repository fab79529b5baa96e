"""A small ONVIF camera for the tests, with the faults of real ones as switches. It checks signatures by itself."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate

import pytest

USERNAME, PASSWORD = "viewer", "pass:w/rd#1"
ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
TT = "http://www.onvif.org/ver10/schema"
TRT = "http://www.onvif.org/ver10/media/wsdl"
TR2 = "http://www.onvif.org/ver20/media/wsdl"
TDS = "http://www.onvif.org/ver10/device/wsdl"
REALM = "IP Camera(C1234)"


@dataclass
class Request:
    """What arrived."""

    operation: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def carries_password(self) -> bool:
        return "UsernameToken" in self.body or "authorization" in self.headers


@dataclass
class Camera:
    """A camera on 127.0.0.1. Set the switches before it is asked; look at `requests` afterwards."""

    password: str = PASSWORD
    auth: str = "wsse"
    """`wsse`, `digest` (HTTP Digest only), `none`."""
    clock_offset_s: float = 0.0
    """Of the clock that signatures are checked with."""
    reported_offset_s: float | None = None
    """Of the clock that GetSystemDateAndTime tells; the same unless set."""
    date_xml: str | None = None
    time_needs_password: bool = False
    services_need_password: bool = False
    services_supported: bool = True
    media: tuple[str, ...] = ("1",)
    xaddr: Callable[[str], str] = field(default=lambda path: f"http://10.9.8.7:80{path}")
    """What it believes its services' addresses are."""
    stream_uri: Callable[[str], str] = field(default=lambda token: f"rtsp://10.9.8.7:554/{token}")
    snapshot_uri: str = "http://10.9.8.7/snap.jpg?user=viewer&password=secret&ch=1"
    html_refusal: bool = False
    fault_xml: str | None = None
    """The Fault used for refusals."""
    prefix: bytes = b""
    """Garbage before the XML."""
    http_prefix: bytes = b""
    """Garbage before the status line."""
    body_override: dict[str, bytes] = field(default_factory=dict)
    drip: bool = False
    """Send the answer one byte every 50 ms."""
    close_after: bool = False
    """Promise keep-alive, and close after every answer."""
    not_found: bool = False
    nonce: str = "n1"
    strict_paths: bool = False
    """Answers each operation only at its own service's address, with 404 elsewhere."""
    breaks_on_addressing: bool = False
    """Drops the connection when it sees WS-Addressing."""
    snapshot_fault: bool = False
    hardware_address: str = ""
    """Empty: GetNetworkInterfaces is not implemented."""
    username: str = USERNAME
    certificate: str = ""
    """Path of a PEM file with key: speaks TLS."""

    requests: list[Request] = field(default_factory=list)
    port: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]

    def attempts(self) -> int:
        return sum(request.carries_password for request in self.requests)

    # Answers

    def answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        device_operation = request.operation.startswith(("GetSystem", "GetServices", "GetCap", "GetDeviceI", "GetNetwork"))
        elsewhere = self.strict_paths and device_operation != request.path.endswith("device_service")
        if self.not_found or elsewhere:
            return 404, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Not here</body></html>"
        open_operations = set()
        if not self.time_needs_password:
            open_operations.add("GetSystemDateAndTime")
        if not self.services_need_password:
            open_operations |= {"GetServices", "GetCapabilities"}
        if request.operation not in open_operations and not self.admitted(request):
            return self.refuse()
        if request.operation in self.body_override:
            return 200, {}, self.body_override[request.operation]
        body = getattr(self, f"do_{request.operation}", self.unsupported)(request)
        status = 500 if ":Fault>" in body else 200
        return status, {"Content-Type": "application/soap+xml"}, self.prefix + wrap(body)

    def refuse(self) -> tuple[int, dict[str, str], bytes]:
        if self.auth == "digest":
            challenge = f'Digest realm="{REALM}", qop="auth", nonce="{self.nonce}", algorithm=MD5'
            return 401, {"WWW-Authenticate": challenge}, b"<!DOCTYPE html><html>401</html>"
        if self.html_refusal:
            return 401, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html>Unauthorized</html>"
        fault = self.fault_xml or (
            "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode>"
            "</s:Code><s:Reason><s:Text>Sender not Authorized</s:Text></s:Reason></s:Fault>"
        )
        return 400, {"Content-Type": "application/soap+xml"}, wrap(fault)

    def admitted(self, request: Request) -> bool:
        if self.auth == "none":
            return True
        if self.auth == "digest":
            return self.digest_right(request)
        return self.token_right(request)

    def token_right(self, request: Request) -> bool:
        def value(name: str) -> str:
            match = re.search(rf"<ws\w+:{name}(?:\s[^>]*)?>([^<]*)</", request.body)
            return match.group(1) if match else ""

        if value("Username") != self.username:
            return False
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value("Created")):
            return False
        created = datetime.fromisoformat(value("Created")).timestamp()
        if abs(created - (time.time() + self.clock_offset_s)) > 5:
            return False
        text = base64.b64decode(value("Nonce")) + value("Created").encode() + self.password.encode()
        return value("Password") == base64.b64encode(hashlib.sha1(text).digest()).decode()

    def digest_right(self, request: Request) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]*)', request.headers.get("authorization", "")))
        if given.get("nonce") != self.nonce:
            return False

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        ha1, ha2 = md5(f"{USERNAME}:{REALM}:{self.password}"), md5(f"POST:{request.path}")
        return given.get("response") == md5(f"{ha1}:{self.nonce}:{given['nc']}:{given['cnonce']}:auth:{ha2}")

    def unsupported(self, request: Request) -> str:
        return (
            "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>ter:ActionNotSupported</s:Value>"
            "</s:Subcode></s:Code><s:Reason><s:Text>Optional Action Not Implemented</s:Text></s:Reason></s:Fault>"
        )

    def do_GetSystemDateAndTime(self, request: Request) -> str:  # noqa: N802  # the operation's name
        date = self.date_xml
        if date is None:
            offset = self.clock_offset_s if self.reported_offset_s is None else self.reported_offset_s
            at = datetime.fromtimestamp(time.time() + offset, UTC)
            date = (
                f"<t:UTCDateTime><t:Time><t:Hour>{at.hour}</t:Hour><t:Minute>{at.minute}</t:Minute>"
                f"<t:Second>{at.second}</t:Second></t:Time><t:Date><t:Year>{at.year}</t:Year>"
                f"<t:Month>{at.month}</t:Month><t:Day>{at.day}</t:Day></t:Date></t:UTCDateTime>"
            )
        return (
            f'<d:GetSystemDateAndTimeResponse xmlns:d="{TDS}" xmlns:t="{TT}"><d:SystemDateAndTime>{date}'
            "</d:SystemDateAndTime></d:GetSystemDateAndTimeResponse>"
        )

    def do_GetServices(self, request: Request) -> str:  # noqa: N802
        if not self.services_supported:
            return self.unsupported(request)
        entries = [(TDS, "/onvif/device_service")]
        entries += [(TRT, "/onvif/Media")] if "1" in self.media else []
        entries += [(TR2, "/onvif/Media2")] if "2" in self.media else []
        inner = "".join(
            f"<d:Service><d:Namespace>{ns}</d:Namespace><d:XAddr>{self.xaddr(path)}</d:XAddr></d:Service>"
            for ns, path in entries
        )
        return f'<d:GetServicesResponse xmlns:d="{TDS}">{inner}</d:GetServicesResponse>'

    def do_GetCapabilities(self, request: Request) -> str:  # noqa: N802
        return (
            f'<d:GetCapabilitiesResponse xmlns:d="{TDS}" xmlns:t="{TT}"><d:Capabilities>'
            f"<t:Media><t:XAddr>{self.xaddr('/onvif/Media')}</t:XAddr></t:Media>"
            "</d:Capabilities></d:GetCapabilitiesResponse>"
        )

    def do_GetDeviceInformation(self, request: Request) -> str:  # noqa: N802
        return (
            f'<d:GetDeviceInformationResponse xmlns:d="{TDS}"><d:Manufacturer>ACME</d:Manufacturer>'
            "<d:Model>C1234</d:Model><d:FirmwareVersion>1.2</d:FirmwareVersion><d:SerialNumber>S1</d:SerialNumber>"
            "</d:GetDeviceInformationResponse>"
        )

    def do_GetNetworkInterfaces(self, request: Request) -> str:  # noqa: N802
        if not self.hardware_address:
            return self.unsupported(request)
        return (
            f'<d:GetNetworkInterfacesResponse xmlns:d="{TDS}" xmlns:t="{TT}"><d:NetworkInterfaces token="eth0"><t:Info>'
            f"<t:Name>eth0</t:Name><t:HwAddress>{self.hardware_address}</t:HwAddress></t:Info></d:NetworkInterfaces>"
            "</d:GetNetworkInterfacesResponse>"
        )

    def do_GetProfiles(self, request: Request) -> str:  # noqa: N802
        if "Media2" in request.path:
            return f'<m:GetProfilesResponse xmlns:m="{TR2}" xmlns:t="{TT}">{PROFILES2}</m:GetProfilesResponse>'
        return f'<m:GetProfilesResponse xmlns:m="{TRT}" xmlns:t="{TT}">{PROFILES1}</m:GetProfilesResponse>'

    def do_GetStreamUri(self, request: Request) -> str:  # noqa: N802
        token = re.search(r"ProfileToken>([^<]*)<", request.body)
        uri = self.stream_uri(token.group(1) if token else "")
        if "Media2" in request.path:
            return f'<m:GetStreamUriResponse xmlns:m="{TR2}"><m:Uri>{uri}</m:Uri></m:GetStreamUriResponse>'
        return (
            f'<m:GetStreamUriResponse xmlns:m="{TRT}" xmlns:t="{TT}"><m:MediaUri><t:Uri>{uri}</t:Uri>'
            "</m:MediaUri></m:GetStreamUriResponse>"
        )

    def do_GetSnapshotUri(self, request: Request) -> str:  # noqa: N802
        if self.snapshot_fault:
            return self.unsupported(request)
        uri = self.snapshot_uri.replace("&", "&amp;")
        return (
            f'<m:GetSnapshotUriResponse xmlns:m="{TRT}" xmlns:t="{TT}"><m:MediaUri><t:Uri>{uri}</t:Uri>'
            "</m:MediaUri></m:GetSnapshotUriResponse>"
        )

    def do_SetSynchronizationPoint(self, request: Request) -> str:  # noqa: N802
        return f'<m:SetSynchronizationPointResponse xmlns:m="{TRT}"/>'


def _profile1(token: str, codec: str, width: int, height: int, fps: int) -> str:
    return (
        f'<m:Profiles token="{token}" fixed="true"><t:Name>{token} name</t:Name>'
        '<t:VideoSourceConfiguration token="vs"><t:SourceToken>VS1</t:SourceToken></t:VideoSourceConfiguration>'
        f'<t:VideoEncoderConfiguration token="ve"><t:Encoding>{codec}</t:Encoding>'
        f"<t:Resolution><t:Width>{width}</t:Width><t:Height>{height}</t:Height></t:Resolution>"
        f"<t:RateControl><t:FrameRateLimit>{fps}</t:FrameRateLimit><t:BitrateLimit>4096</t:BitrateLimit>"
        "</t:RateControl></t:VideoEncoderConfiguration></m:Profiles>"
    )


def _profile2(token: str, codec: str, width: int, height: int, fps: float) -> str:
    return (
        f'<m:Profiles token="{token}"><m:Name>{token} name</m:Name><m:Configurations>'
        '<m:VideoSource token="vs"><t:SourceToken>VS1</t:SourceToken></m:VideoSource>'
        f'<m:VideoEncoder token="ve" GovLength="50"><t:Encoding>{codec}</t:Encoding>'
        f"<t:Resolution><t:Width>{width}</t:Width><t:Height>{height}</t:Height></t:Resolution>"
        f"<t:RateControl><t:FrameRateLimit>{fps}</t:FrameRateLimit><t:BitrateLimit>2048</t:BitrateLimit>"
        "</t:RateControl></m:VideoEncoder></m:Configurations></m:Profiles>"
    )


PROFILES1 = _profile1("main", "H264", 1920, 1080, 25) + _profile1("sub", "H264", 640, 360, 15)
PROFILES2 = _profile2("main", "H265", 3840, 2160, 20.0) + _profile2("sub", "H264", 640, 360, 12.5)


def wrap(body: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{ENVELOPE}" '
        f'xmlns:ter="http://www.onvif.org/ver10/error"><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def _serve(camera: Camera, listener: socket.socket) -> None:
    while not camera.stopped.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_converse, args=(camera, connection), daemon=True).start()


def _converse(camera: Camera, plain: socket.socket) -> None:
    try:
        connection = _encrypted(camera, plain) if camera.certificate else plain
    except OSError:
        plain.close()
        return
    with connection, connection.makefile("rb") as stream:
        try:
            while _one_request(camera, connection, stream):
                pass
        except OSError:
            pass


def _encrypted(camera: Camera, plain: socket.socket) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(camera.certificate)
    return context.wrap_socket(plain, server_side=True)


def _one_request(camera: Camera, connection: socket.socket, stream) -> bool:
    line = stream.readline()
    if not line:
        return False
    headers = {}
    while (field_line := stream.readline().strip()) != b"":
        name, _, value = field_line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0))).decode()
    named = re.search(r"Body>\s*<(?:\w+:)?(\w+)", body)
    request = Request(named.group(1) if named else "", line.split()[1].decode(), headers, body)
    camera.requests.append(request)
    if camera.breaks_on_addressing and "addressing" in body:
        return False
    status, extra, payload = camera.answer(request)
    date = formatdate(time.time() + camera.clock_offset_s, usegmt=True)
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(payload)}", f"Date: {date}"]
    head += [f"{name}: {value}" for name, value in extra.items()]
    answer = camera.http_prefix + ("\r\n".join(head) + "\r\n\r\n").encode() + payload
    if camera.drip:
        for index in range(len(answer)):
            connection.sendall(answer[index : index + 1])
            if camera.stopped.wait(0.05):
                return False
        return False
    connection.sendall(answer)
    return not camera.close_after


@pytest.fixture
def camera() -> Iterator[Camera]:
    """A running camera that behaves, until a switch is set."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        device = Camera(port=listener.getsockname()[1])
        server = threading.Thread(target=_serve, args=(device, listener), daemon=True)
        server.start()
        yield device
        device.stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        server.join(2)
