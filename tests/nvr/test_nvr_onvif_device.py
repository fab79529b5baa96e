"""The gateway's own ONVIF device: zeep with the official WSDLs, strict about the schemas, and its HTTP route."""

from __future__ import annotations

import asyncio
import datetime
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import zeep
import zeep.exceptions
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from werkzeug.security import generate_password_hash
from zeep.wsse.username import UsernameToken

from gateway.config.model import Camera, Onvif, RtspDefaults, Secret
from gateway.http.access import Access
from gateway.media.frame import Frame
from gateway.media.h264 import track_config
from gateway.media.state import State, Status
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.nvr.logins import Logins
from gateway.nvr.onvif_device import OnvifDevice, identity_of
from gateway.onvif.face.http_face import HttpRequest, HttpResponse
from gateway.onvif.face.soap import SOAP, TDS
from gateway.sources.camera import CameraSource

WSDL = Path(sysconfig.get_path("purelib")) / "wsdl"
ONVIF = Onvif(True, "nvr", Secret("p<w&d"))
SPS = bytes.fromhex("6742c01ed900a02ff9610000030001000003003c8f162e48")
PPS = bytes.fromhex("68cb83cb20")
H264 = track_config([SPS], [PPS])
CALL = f'<e:Envelope xmlns:e="{SOAP}"><e:Body><GetScopes xmlns="{TDS}"/></e:Body></e:Envelope>'.encode()


class Box:
    """A gateway's device without a network: what zeep posts goes straight into the route."""

    def __init__(self, access: Access, *cameras: Camera) -> None:
        self.loop = asyncio.new_event_loop()
        self.cameras = [CameraSource(camera, RtspDefaults(), lambda _: ("", None), self.loop) for camera in cameras]
        self.pictures: dict[str, bytes] = {"yard": b"\xff\xd8picture"}
        self.now = 1_790_000_000.0
        self.offset_s = 0.0

        async def snapshot(stream_id: str) -> bytes | None:
            return self.pictures.get(stream_id)

        self.device = OnvifDevice(
            identity_of("Warehouse & 3", access.installation),
            Logins(ONVIF, access, lambda: self.now),
            lambda: self.cameras,
            rtsp_port=lambda: 8554,
            snapshot=snapshot,
            clock=lambda: datetime.datetime.now(datetime.UTC).timestamp() + self.offset_s,
        )
        self.last: HttpResponse | None = None

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> HttpResponse:
        request = HttpRequest(method, path, path, {}, headers, body, "box.lan", 8000, "192.0.2.9")
        self.last = self.loop.run_until_complete(self.device.handle(request))
        return self.last

    def show(self, index: int, stream: int, config: TrackConfig) -> None:
        """A keyframe has come on a stream."""
        source = self.cameras[index].sources[stream]
        source.stream.begin(frozenset({Kind.VIDEO}))
        source.stream.push([Frame(config, 0, 0, 3600, True, False, 0.0, b"\0\0\0\1\x65")])
        source.stream.set_status(Status(State.LIVE, since=1.0))

    def service(self, wsdl: str, binding: str, path: str, password: str | None = "p<w&d") -> Any:
        wsse = None
        if password is not None:
            wsse = UsernameToken("nvr", password, use_digest=True, timestamp_token=None, zulu_timestamp=True)
        wire = Wire(self)
        client = zeep.Client(str(WSDL / wsdl), wsse=wsse, transport=wire, settings=zeep.Settings(strict=True))
        wire.session.close()
        return client.create_service(binding, f"http://box.lan:8000{path}")

    def media(self, **options: Any) -> Any:
        binding = "{http://www.onvif.org/ver10/media/wsdl}MediaBinding"
        return self.service("media.wsdl", binding, "/onvif/media_service", **options)

    def devicemgmt(self, **options: Any) -> Any:
        binding = "{http://www.onvif.org/ver10/device/wsdl}DeviceBinding"
        return self.service("devicemgmt.wsdl", binding, "/onvif/device_service", **options)


class Wire(zeep.Transport):
    """zeep's transport, without one."""

    def __init__(self, box: Box) -> None:
        super().__init__()
        self._box = box

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> Any:
        answer = self._box.ask("POST", "/" + address.split("/", 3)[3], message)

        class _Answer:
            encoding = "utf-8"
            status_code = answer.status
            content = answer.body
            headers = {"Content-Type": "application/soap+xml"}  # noqa: RUF012  # what zeep reads of a response

        return _Answer


@pytest.fixture
def make_box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "admin.hash").write_text(generate_password_hash("right", method="scrypt:1024:8:1"))
    access, _ = Access.open(tmp_path)
    boxes: list[Box] = []

    def make(*cameras: Camera) -> Box:
        yard = Camera("yard", "Yard <1>", rtsp="rtsp://127.0.0.1:1/x", sub="rtsp://127.0.0.1:1/y")
        boxes.append(Box(access, *(cameras or (yard, Camera("gate", "Gate", rtsp="rtsp://127.0.0.1:1/z")))))
        return boxes[-1]

    yield make
    for box in boxes:
        box.loop.close()
    access.close()


def test_every_stream_is_a_profile_before_it_was_ever_seen(make_box: Callable[..., Box]) -> None:
    box = make_box()
    profiles = box.media().GetProfiles()
    assert [(one.token, one.Name) for one in profiles] == [
        ("yard", "Yard <1>"), ("yard.sub", "Yard <1> (sub)"), ("gate", "Gate"),
    ]  # fmt: skip
    assert [one.VideoSourceConfiguration.SourceToken for one in profiles] == ["yard", "yard", "gate"]
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    assert box.media().GetStreamUri(setup, "yard.sub").Uri == "rtsp://box.lan:8554/live/yard.sub"
    assert box.media().GetSnapshotUri("yard").Uri == "http://box.lan:8000/onvif/snapshot/yard"


def test_what_has_been_seen_is_told_as_it_is(make_box: Callable[..., Box]) -> None:
    box = make_box()
    box.show(0, 0, H264)
    encoder = box.media().GetProfile("yard").VideoEncoderConfiguration
    assert (encoder.Resolution.Width, encoder.Resolution.Height) == (H264.width, H264.height)
    assert encoder.H264.H264Profile == "Baseline"
    source = next(one for one in box.media().GetVideoSources() if one.token == "yard")
    assert source.Resolution.Width == H264.width


def test_pictures_that_rtsp_cannot_carry_are_not_offered(make_box: Callable[..., Box]) -> None:
    box = make_box()
    box.show(1, 0, TrackConfig(Codec.AV1, 90_000, b"\x81", "av01", width=640, height=360))
    assert [one.token for one in box.media().GetProfiles()] == ["yard", "yard.sub"]


def test_zeep_reads_all_the_rest_strictly(make_box: Callable[..., Box]) -> None:
    box = make_box()
    media, device = box.media(), box.devicemgmt()
    assert [one.token for one in media.GetVideoSourceConfigurations()] == ["yard-view", "gate-view"]
    assert media.GetVideoSourceConfiguration("gate-view").SourceToken == "gate"
    assert media.GetVideoSourceConfigurationOptions(ProfileToken="gate").VideoSourceTokensAvailable == ["gate"]
    assert media.GetVideoEncoderConfiguration("yard.sub-video").Resolution.Width == 640
    assert media.GetVideoEncoderConfigurationOptions(ProfileToken="yard").H264.FrameRateRange.Max == 25
    assert media.GetGuaranteedNumberOfVideoEncoderInstances("yard-view").TotalNumber == 2
    assert media.GetAudioSources() == []
    assert media.GetMetadataConfigurations() == []
    assert media.GetServiceCapabilities().ProfileCapabilities.MaximumNumberOfProfiles == 3
    with pytest.raises(zeep.exceptions.Fault, match="configuration does not exist"):
        media.GetVideoEncoderConfiguration("nobody")
    assert device.GetDeviceInformation()["Model"] == "Camera Gateway"
    assert device.GetCapabilities(Category="Media").Events is None
    with pytest.raises(zeep.exceptions.Fault, match="category is not supported"):
        device.GetCapabilities(Category="Imaging Nonsense")
    assert device.GetNetworkProtocols()[0].Port == [8000]
    assert device.GetDiscoveryMode() == "Discoverable"
    assert device.GetServices(IncludeCapability=True)[0].Capabilities is not None
    assert [user.UserLevel for user in device.GetUsers()] == ["User"]
    assert device.GetDNS().FromDHCP is False


def test_zeep_pulls_events_strictly(make_box: Callable[..., Box]) -> None:
    box = make_box()
    box.show(0, 0, H264)
    space = "http://www.onvif.org/ver10/events/wsdl"
    events = box.service("events.wsdl", f"{{{space}}}EventBinding", "/onvif/event_service")
    assert events.GetEventProperties().FixedTopicSet is True
    reference = events.CreatePullPointSubscription(InitialTerminationTime="PT60S").SubscriptionReference
    path = reference.Address._value_1.removeprefix("http://box.lan:8000")
    point = box.service("events.wsdl", f"{{{space}}}PullPointSubscriptionBinding", path)
    pulled = point.PullMessages(Timeout=datetime.timedelta(seconds=5), MessageLimit=10)
    assert len(pulled.NotificationMessage) == 2
    assert box.last is not None
    document = etree.fromstring(box.last.body)
    assert [topic.text for topic in document.iter("{*}Topic")] == ["tns1:VideoSource/SignalLoss"] * 2
    values = [item.get("Value") for item in document.iter("{*}SimpleItem")]
    assert values == ["yard", "false", "gate", "true"], "the yard is live, the gate is not"


def test_a_disabled_camera_is_listed_and_not_missed(make_box: Callable[..., Box]) -> None:
    box = make_box(Camera("off", "Off", rtsp="rtsp://127.0.0.1:1/x", enabled=False))
    assert [one.token for one in box.media().GetProfiles()] == ["off"]
    events = box.service("events.wsdl", "{http://www.onvif.org/ver10/events/wsdl}EventBinding", "/onvif/event_service")
    path = events.CreatePullPointSubscription().SubscriptionReference.Address._value_1.removeprefix("http://box.lan:8000")
    point = box.service("events.wsdl", "{http://www.onvif.org/ver10/events/wsdl}PullPointSubscriptionBinding", path)
    assert point.PullMessages(Timeout=datetime.timedelta(0), MessageLimit=10).NotificationMessage == []


def test_the_longest_id_still_makes_a_token(make_box: Callable[..., Box]) -> None:
    longest = "a" * 63
    box = make_box(Camera(longest, "A", rtsp="rtsp://127.0.0.1:1/x", sub="rtsp://127.0.0.1:1/y"))
    main, sub = box.media().GetProfiles()
    assert main.token == longest
    assert len(sub.token) == 64
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    assert box.media().GetStreamUri(setup, sub.token).Uri.endswith(f"/live/{longest}.sub")


def test_the_admin_and_passwords_in_clear_are_refused(make_box: Callable[..., Box]) -> None:
    box = make_box()
    with pytest.raises(zeep.exceptions.Fault, match="not authorized"):
        box.devicemgmt(password="right").GetDeviceInformation()
    assert box.last is not None
    assert box.last.status == 400
    answer = box.ask("POST", "/onvif/device_service", CALL)
    assert answer.status == 401
    assert [value.partition(" ")[0] for name, value in answer.headers if name == "WWW-Authenticate"] == ["Digest"]


def test_guessing_is_slowed_down_and_right_clients_elsewhere_are_not(make_box: Callable[..., Box]) -> None:
    box = make_box()
    for _ in range(6):
        with pytest.raises(zeep.exceptions.Fault, match="not authorized"):
            box.devicemgmt(password="guess").GetDeviceInformation()
    with pytest.raises(zeep.exceptions.Fault, match="too many wrong passwords"):
        box.devicemgmt().GetDeviceInformation()


def test_a_token_is_good_once(make_box: Callable[..., Box]) -> None:
    box = make_box()
    posted: list[bytes] = []
    ask = box.ask
    box.ask = lambda method, path, body=b"", **more: (posted.append(body), ask(method, path, body, **more))[1]  # type: ignore[method-assign]
    box.devicemgmt().GetScopes()
    assert ask("POST", "/onvif/device_service", posted[-1]).status == 400


def test_a_snapshot_needs_the_login(make_box: Callable[..., Box]) -> None:
    box = make_box()
    refused = box.ask("GET", "/onvif/snapshot/yard")
    assert refused.status == 401
    assert {value.partition(" ")[0] for name, value in refused.headers if name == "WWW-Authenticate"} == {"Digest", "Basic"}
    basic = "Basic bnZyOnA8dyZk"
    picture = box.ask("GET", "/onvif/snapshot/yard", authorization=basic)
    assert (picture.status, picture.body) == (200, b"\xff\xd8picture")
    assert box.ask("GET", "/onvif/snapshot/nobody", authorization=basic).status == 404


def test_the_route_takes_calls_only(make_box: Callable[..., Box]) -> None:
    box = make_box()
    assert box.ask("GET", "/onvif/device_service").status == 405
    assert box.ask("POST", "/", CALL).status == box.ask("GET", "/").status == 404


@given(st.binary(max_size=300))
def test_any_body_is_answered(body: bytes) -> None:
    access = type("NoAccess", (), {"installation": "0" * 40, "anonymous_viewing": False, "is_viewing_token": lambda *_: False})
    box = Box(access())  # type: ignore[arg-type]
    try:
        assert box.ask("POST", "/onvif/x", body).status in (400, 401, 500)
    finally:
        box.loop.close()


def test_the_identity_outlives_restarts_and_differs_between_boxes() -> None:
    assert identity_of("A", "ab" * 20) == identity_of("A", "ab" * 20)
    assert identity_of("A", "ab" * 20).endpoint != identity_of("A", "cd" * 20).endpoint
    assert len(identity_of("A", "ab" * 20).mac) == 17
