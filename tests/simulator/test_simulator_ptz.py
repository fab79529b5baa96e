"""The steered camera: its motors, its PTZ service by the official schema, and the mark in its picture."""

from __future__ import annotations

import asyncio

import pytest
import zeep
import zeep.exceptions

from gateway.onvif.face.face import OnvifFace, OnvifRequest
from gateway.onvif.schema import wsdl_directory
from gateway.simulator.onvif_face import camera_face, identity_of, profile_of
from gateway.simulator.picture import AIM_LUMA, Layout, Painter
from gateway.simulator.ptz_face import PTZ_PATH, PtzFace, configuration
from gateway.simulator.ptz_head import CENTRE, TURN_PER_S, PtzHead
from gateway.simulator.video_codec import VideoSpec

SOAP_HEADERS = {"Content-Type": "application/soap+xml"}


class Clock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


class Wire(zeep.Transport):
    """zeep's transport, straight into the face."""

    def __init__(self, face: OnvifFace) -> None:
        super().__init__()
        self.session.close()
        self._face = face

    def post(self, address: str, message: bytes, headers: object):
        answer = asyncio.run(self._face.handle(OnvifRequest(message, PTZ_PATH, None, "192.0.2.7", 8000)))

        class Response:
            status_code = answer.status
            headers = SOAP_HEADERS
            content = answer.body
            encoding = "utf-8"

        return Response()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def head() -> PtzHead:
    return PtzHead()


@pytest.fixture
def ptz(head: PtzHead, clock: Clock):
    """The service as zeep sees it, strict about the schema."""
    face = PtzFace(head, clock)
    main = profile_of("main", "Main", "/main", VideoSpec(), None, configuration())
    onvif = camera_face(
        identity_of("Yard"), lambda: (main,), {}, lambda: None, rtsp_port=lambda: 554, synchronise=lambda _token: None,
        clock=clock, extensions=[face],
    )  # fmt: skip
    wire = Wire(onvif)
    client = zeep.Client(str(wsdl_directory() / "ptz.wsdl"), transport=wire, settings=zeep.Settings(strict=True))
    return client.create_service("{http://www.onvif.org/ver20/ptz/wsdl}PTZBinding", "http://192.0.2.7:8000/onvif/ptz_service")


def test_zeep_steers_it(ptz, head: PtzHead, clock: Clock):
    (node,) = ptz.GetNodes()
    assert node.HomeSupported and node.MaximumNumberOfPresets == 16
    (configured,) = ptz.GetConfigurations()
    assert configured.NodeToken == node.token
    ptz.ContinuousMove(ProfileToken="main", Velocity={"PanTilt": {"x": 1, "y": -0.5}}, Timeout="PT10S")
    clock.now += 1
    assert head.place(clock.now) == (TURN_PER_S, -TURN_PER_S / 2, 0)
    assert ptz.GetStatus("main").MoveStatus.PanTilt == "MOVING"
    ptz.Stop("main", PanTilt=True, Zoom=True)
    clock.now += 1
    assert head.place(clock.now) == (TURN_PER_S, -TURN_PER_S / 2, 0)
    token = ptz.SetPreset("main", PresetName="Gate & yard")
    ptz.GotoHomePosition("main")
    clock.now += 10
    assert head.place(clock.now) == CENTRE
    assert [(preset.token, preset.Name) for preset in ptz.GetPresets("main")] == [(token, "Gate & yard")]
    ptz.GotoPreset("main", token)
    clock.now += 10
    assert ptz.GetStatus("main").Position.PanTilt.x == TURN_PER_S
    ptz.RelativeMove("main", {"PanTilt": {"x": -0.1, "y": 0}, "Zoom": {"x": 0.3}})
    ptz.AbsoluteMove("main", {"Zoom": {"x": 1}})
    clock.now += 10
    assert head.place(clock.now)[2] == 1
    ptz.RemovePreset("main", token)
    with pytest.raises(zeep.exceptions.Fault, match="preset"):
        ptz.GotoPreset("main", token)


def test_it_stops_by_itself_after_the_timeout(ptz, head: PtzHead, clock: Clock):
    ptz.ContinuousMove(ProfileToken="main", Velocity={"PanTilt": {"x": 0.5, "y": 0}}, Timeout="PT1S")
    clock.now += 30
    assert head.place(clock.now)[0] == pytest.approx(0.5 * TURN_PER_S)
    assert not head.moving(clock.now)


def test_motors_stop_at_their_limits(head: PtzHead, clock: Clock):
    head.run((1, 1, 1), clock.now)
    assert head.place(clock.now + 1000) == (1, 1, 1)
    head.stop(clock.now + 1000, zoom=False)
    assert head.place(clock.now + 2000) == (1, 1, 1)
    with pytest.raises(ValueError, match="reach"):
        head.go((0, 0, -1), clock.now)


def test_presets_run_out(ptz, head: PtzHead):
    for _ in range(16):
        ptz.SetPreset("main")
    with pytest.raises(zeep.exceptions.Fault, match="maximum"):
        ptz.SetPreset("main")


def mark(painter: Painter, layout: Layout, aim: tuple[float, float, float] | None) -> tuple[float, float, int] | None:
    """Centre and area of the mark in a painted picture."""
    chroma = layout.chroma_stride * layout.height // 2
    planes = (bytearray(layout.luma_stride * layout.height), bytearray(chroma), bytearray(chroma))
    painter.paint(planes, 1_790_000_000.0, 3, aim)
    unit = layout.height // 18
    found = [
        (x, y)
        for y in range(unit * 7)
        for x in range(unit * 13, layout.width)
        if planes[0][y * layout.luma_stride + x] >= AIM_LUMA
    ]
    if not found:
        return None
    return sum(x for x, _ in found) / len(found), sum(y for _, y in found) / len(found), len(found)


def test_picture_shows_where_it_looks():
    layout = Layout.tight(640, 360)
    painter = Painter(layout, "Yard", "")
    assert mark(painter, layout, None) is None
    centre, right, up, close = (mark(painter, layout, aim) for aim in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)))
    assert right[0] > centre[0] + 100
    assert up[1] < centre[1] - 30
    assert close[2] > 3 * centre[2]
    for corner in ((-1, -1, 1), (1, 1, 1)):
        assert mark(painter, layout, corner) is not None


@pytest.mark.parametrize("size", [(360, 640), (90, 160)])
def test_picture_without_room_for_the_mark_stays_whole(size: tuple[int, int]):
    layout = Layout.tight(*size)
    assert mark(Painter(layout, "Yard", ""), layout, (1, 1, 1)) is None
