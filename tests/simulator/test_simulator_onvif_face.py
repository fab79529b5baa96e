"""The ONVIF face as an independent client sees it: zeep with the official WSDLs, strict about the schemas."""

from __future__ import annotations

import asyncio
import hashlib
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import zeep
import zeep.exceptions
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from zeep.wsse.username import UsernameToken

from gateway.http.authenticator import Authenticator, Gatekeeper, RefuseAll, Scheme, digest_response, parse_parameters
from gateway.media.track import Codec
from gateway.onvif.face import soap
from gateway.onvif.face.device import DEVICE_PATH
from gateway.onvif.face.face import OnvifAnswer, OnvifRequest
from gateway.onvif.face.media import MEDIA2_PATH, MEDIA_PATH
from gateway.onvif.face.profiles import MediaProfile
from gateway.simulator.onvif_face import camera_face, identity_of, profile_of
from gateway.simulator.video_codec import VideoSpec

WSDL = Path(sysconfig.get_path("purelib")) / "wsdl"
USERS = {"admin": "secret"}
MAIN = profile_of("main", "Main stream", "/main", VideoSpec(), Codec.AAC)
SUB = profile_of("sub", "Sub <stream>", "/sub", VideoSpec(width=640, height=360, fps=15, gop=30), Codec.PCMU)


class Device:
    """A face without a network: what zeep posts goes straight in."""

    def __init__(self, *profiles: MediaProfile, auth: bool = True, clock_offset_s: float = 0.0) -> None:
        self.profiles = profiles or (MAIN, SUB)
        self.gatekeeper: Gatekeeper | None = Authenticator(USERS, schemes=(Scheme.DIGEST,)) if auth else None
        self.synchronised: list[str] = []
        self.last: OnvifAnswer | None = None
        self.face = camera_face(
            identity_of("Front door & yard"),
            lambda: self.profiles,
            USERS,
            lambda: self.gatekeeper,
            rtsp_port=lambda: 5554,
            synchronise=self.synchronised.append,
            clock=lambda: time.time() + clock_offset_s,
        )

    def call(self, body: bytes, path: str = DEVICE_PATH, authorization: str | None = None) -> OnvifAnswer:
        self.last = asyncio.run(self.face.handle(OnvifRequest(body, path, authorization, "192.0.2.7", 8000)))
        return self.last

    def content(self, namespace: str, operation: str, arguments: str = "") -> etree._Element:
        inner = f'<x:{operation} xmlns:x="{namespace}">{arguments}</x:{operation}>'
        answer = self.call(f'<e:Envelope xmlns:e="{soap.SOAP}"><e:Body>{inner}</e:Body></e:Envelope>'.encode())
        return etree.fromstring(answer.body)


class Response:
    """What zeep wants to see of an HTTP response."""

    encoding = "utf-8"

    def __init__(self, answer: OnvifAnswer) -> None:
        self.status_code = answer.status
        self.content = answer.body
        self.headers = {"Content-Type": "application/soap+xml"}


class Wire(zeep.Transport):
    """zeep's transport, without one."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self._device = device

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> Response:
        return Response(self._device.call(message, "/" + address.split("/", 3)[3]))


def service(device: Device, wsdl: str, binding: str, path: str, password: str | None = "secret"):
    wsse = None
    if password is not None:
        wsse = UsernameToken("admin", password, use_digest=True, timestamp_token=None, zulu_timestamp=True)
    wire = Wire(device)
    client = zeep.Client(str(WSDL / wsdl), wsse=wsse, transport=wire, settings=zeep.Settings(strict=True))
    wire.session.close()
    return client.create_service(binding, f"http://192.0.2.7:8000{path}")


def device_service(device: Device, **options):
    return service(device, "devicemgmt.wsdl", "{http://www.onvif.org/ver10/device/wsdl}DeviceBinding", DEVICE_PATH, **options)


def media_service(device: Device, **options):
    return service(device, "media.wsdl", "{http://www.onvif.org/ver10/media/wsdl}MediaBinding", MEDIA_PATH, **options)


@pytest.fixture
def device() -> Device:
    """A camera with an H.264 main and sub profile."""
    return Device()


def test_zeep_reads_the_device_service(device: Device):
    client = device_service(device)
    moment = client.GetSystemDateAndTime().UTCDateTime
    now = time.gmtime()
    assert (moment.Date.Year, moment.Time.Hour) == (now.tm_year, now.tm_hour)
    information = client.GetDeviceInformation()
    assert information["Manufacturer"] == "Camera Gateway"
    assert information["SerialNumber"] == identity_of("Front door & yard").serial
    assert client.GetCapabilities().Media.XAddr == "http://192.0.2.7:8000/onvif/media_service"
    services = client.GetServices(IncludeCapability=False)
    assert [entry.XAddr.rsplit("/", 1)[1] for entry in services] == ["device_service", "media_service", "media2_service"]
    assert [user.Username for user in client.GetUsers()] == ["admin"]
    assert "onvif://www.onvif.org/name/Front%20door%20%26%20yard" in [scope.ScopeItem for scope in client.GetScopes()]
    assert client.GetHostname().Name == "front-door-yard"
    interface = client.GetNetworkInterfaces()[0]
    assert interface.Info.HwAddress.startswith("02:")
    assert interface.IPv4.Config.Manual[0].Address == "192.0.2.7"
    assert client.GetServiceCapabilities().Security.UsernameToken is True


def test_zeep_reads_the_media_service(device: Device):
    client = media_service(device)
    main, sub = client.GetProfiles()
    assert (main.token, sub.token) == ("main", "sub")
    assert sub.Name == "Sub <stream>"
    assert (main.VideoEncoderConfiguration.Resolution.Width, main.VideoEncoderConfiguration.Encoding) == (1280, "H264")
    assert main.VideoEncoderConfiguration.RateControl.BitrateLimit == 2000
    assert (main.AudioEncoderConfiguration.Encoding, sub.AudioEncoderConfiguration.Encoding) == ("AAC", "G711")
    assert client.GetProfile(ProfileToken="sub").VideoEncoderConfiguration.RateControl.FrameRateLimit == 15
    assert client.GetVideoSources()[0].Resolution.Height == 720
    assert len(client.GetVideoEncoderConfigurations()) == 2
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    assert client.GetStreamUri(StreamSetup=setup, ProfileToken="sub").Uri == "rtsp://192.0.2.7:5554/sub"
    assert client.GetSnapshotUri(ProfileToken="main").Uri == "http://192.0.2.7:8000/snapshot.jpg"
    client.SetSynchronizationPoint(ProfileToken="main")
    assert device.synchronised == ["main"]
    assert client.GetServiceCapabilities().StreamingCapabilities.RTP_RTSP_TCP is True


def test_media1_has_no_word_for_h265_and_media2_has():
    device = Device(profile_of("main", "Main", "/main", VideoSpec(Codec.H265), Codec.AAC), auth=False)
    profile = media_service(device, password=None).GetProfiles()[0]
    assert profile.VideoEncoderConfiguration is None
    assert media_service(device, password=None).GetVideoEncoderConfigurations() == []
    modern = device.content(soap.TR2, "GetProfiles", "<x:Type>VideoEncoder</x:Type>")
    assert next(modern.iter("{*}Encoding")).text == "H265"
    assert next(modern.iter(f"{{{soap.TR2}}}VideoEncoder")).get("GovLength") == "50"
    assert not list(modern.iter(f"{{{soap.TR2}}}VideoSource")), "only the configurations that were asked for"


def test_media2_answers():
    device = Device(auth=False)
    everything = device.content(soap.TR2, "GetProfiles", "<x:Type>All</x:Type>")
    assert [profile.get("token") for profile in everything.iter(f"{{{soap.TR2}}}Profiles")] == ["main", "sub"]
    one = device.content(soap.TR2, "GetProfiles", "<x:Token>sub</x:Token>")
    assert [profile.get("token") for profile in one.iter(f"{{{soap.TR2}}}Profiles")] == ["sub"]
    uri = device.content(soap.TR2, "GetStreamUri", "<x:Protocol>RTSP</x:Protocol><x:ProfileToken>main</x:ProfileToken>")
    assert next(uri.iter("{*}Uri")).text == "rtsp://192.0.2.7:5554/main"
    assert len(list(device.content(soap.TR2, "GetVideoEncoderConfigurations").iter("{*}Configurations"))) == 2


def test_a_wrong_password_is_a_not_authorized_fault(device: Device):
    with pytest.raises(zeep.exceptions.Fault) as caught:
        device_service(device, password="guess").GetDeviceInformation()
    assert any("NotAuthorized" in str(code) for code in caught.value.subcodes)
    assert device.last is not None
    assert device.last.status == 400


def test_without_a_token_only_harmless_calls_are_answered(device: Device):
    client = device_service(device, password=None)
    client.GetSystemDateAndTime()
    client.GetCapabilities()
    with pytest.raises(zeep.exceptions.Fault, match="not authorized"):
        client.GetDeviceInformation()
    assert device.last is not None
    assert device.last.status == 401
    assert dict(device.last.headers)["WWW-Authenticate"].startswith("Digest ")


def test_http_digest_opens_what_a_token_would(device: Device):
    body = f'<e:Envelope xmlns:e="{soap.SOAP}"><e:Body><GetScopes xmlns="{soap.TDS}"/></e:Body></e:Envelope>'.encode()
    challenge = parse_parameters(dict(device.call(body).headers)["WWW-Authenticate"].partition(" ")[2]) or {}
    secret = hashlib.md5(f"admin:{challenge['realm']}:secret".encode()).hexdigest()
    response = digest_response(secret, "POST", DEVICE_PATH, challenge["nonce"])
    header = (
        f'Digest username="admin", realm="{challenge["realm"]}", nonce="{challenge["nonce"]}", '
        f'uri="{DEVICE_PATH}", response="{response}"'
    )
    assert device.call(body, authorization=header).status == 200
    assert device.call(body, authorization=header.replace(response, "0" * 32)).status == 401


def test_a_camera_that_refuses_logins_refuses_right_ones_too(device: Device):
    device.gatekeeper = RefuseAll()
    with pytest.raises(zeep.exceptions.Fault, match="not authorized"):
        device_service(device).GetDeviceInformation()


def test_a_camera_with_a_wrong_clock_says_so_and_refuses_our_time():
    device = Device(clock_offset_s=7200)
    client = device_service(device)
    hour = client.GetSystemDateAndTime().UTCDateTime.Time.Hour
    assert hour == time.gmtime(time.time() + 7200).tm_hour
    with pytest.raises(zeep.exceptions.Fault, match="not authorized"):
        client.GetDeviceInformation()


def test_unknown_operations_and_profiles_are_the_faults_onvif_names(device: Device):
    with pytest.raises(zeep.exceptions.Fault) as caught:
        device_service(device).SystemReboot()
    assert any("ActionNotSupported" in str(code) for code in caught.value.subcodes)
    with pytest.raises(zeep.exceptions.Fault, match="does not exist"):
        media_service(device).GetProfile(ProfileToken="third")
    multicast = {"Stream": "RTP-Multicast", "Transport": {"Protocol": "UDP"}}
    with pytest.raises(zeep.exceptions.Fault, match="multicast"):
        media_service(device).GetStreamUri(StreamSetup=multicast, ProfileToken="main")


def test_addresses_over_ipv6_are_bracketed():
    device = Device(auth=False)
    body = f'<e:Envelope xmlns:e="{soap.SOAP}"><e:Body><GetCapabilities xmlns="{soap.TDS}"/></e:Body></e:Envelope>'.encode()
    answer = asyncio.run(device.face.handle(OnvifRequest(body, DEVICE_PATH, None, "fe80::1", 80)))
    assert b"http://[fe80::1]:80/onvif/media_service" in answer.body


@given(st.binary(max_size=400))
def test_any_body_is_answered_with_soap(body: bytes):
    answer = Device().call(body, MEDIA2_PATH)
    assert answer.status in (400, 401, 500)
    assert etree.fromstring(answer.body).tag == f"{{{soap.SOAP}}}Envelope"


def test_identity_depends_on_the_name_alone():
    assert identity_of("Yard") == identity_of("Yard")
    assert identity_of("Yard").endpoint != identity_of("Gate").endpoint
    assert identity_of("Yard").mac != identity_of("Gate").mac
