"""What is sent to move a camera fits the official schema, and what cameras answer is understood."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import zeep
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.onvif import ptz, reader
from gateway.onvif.client import PTZ_NS, SCHEMA_NS
from gateway.onvif.ptz import ASSUMED, Axes, Preset, PtzAbilities, Range, Vector
from gateway.onvif.reader import Node
from gateway.onvif.schema import wsdl_directory

CAN = PtzAbilities("Profile_1", ASSUMED, ASSUMED, ASSUMED, True, 10)


@pytest.fixture(scope="module")
def official() -> Any:
    class Offline(zeep.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.session.close()

    return zeep.Client(str(wsdl_directory() / "ptz.wsdl"), transport=Offline(), settings=zeep.Settings(strict=True))


@pytest.mark.parametrize(
    ("operation", "inner"),
    [
        ("ContinuousMove", ptz.continuous_move(CAN, Vector(0.5, -1, 0.25), timeout_s=2.0)),
        ("ContinuousMove", ptz.continuous_move(CAN, Vector(0.5), zoom=False)),
        ("AbsoluteMove", ptz.absolute_move(CAN, Vector(1, 1, 1), zoom=True)),
        ("RelativeMove", ptz.relative_move(CAN, Vector(0.1))),
        ("Stop", ptz.stop(CAN)),
        ("Stop", ptz.stop(CAN, flags=False)),
        ("GetPresets", ptz.for_profile(CAN)),
        ("GotoPreset", ptz.for_preset(CAN, "a<b&c")),
        ("SetPreset", ptz.set_preset(CAN, "Gate & yard", "3")),
        ("RemovePreset", ptz.for_preset(CAN, "3")),
        ("GotoHomePosition", ptz.for_profile(CAN)),
        ("GetStatus", ptz.for_profile(CAN)),
    ],
)
def test_requests_fit_the_schema(official: Any, operation: str, inner: str) -> None:
    body = f'<q:{operation} xmlns:q="{PTZ_NS}" xmlns:t="{SCHEMA_NS}">{inner}</q:{operation}>'
    parsed = official.get_element(f"{{{PTZ_NS}}}{operation}").parse(etree.fromstring(body), official.wsdl.types)
    assert parsed.ProfileToken == "Profile_1"


def spaces(**more: str) -> str:
    generic = "http://www.onvif.org/ver10/tptz"
    velocity = "<XRange><Min>-1</Min><Max>1</Max></XRange><YRange><Min>-0.5</Min><Max>0.5</Max></YRange>"
    found = {
        "ContinuousPanTiltVelocitySpace": f"<URI>{generic}/PanTiltSpaces/VelocityGenericSpace</URI>{velocity}",
        "ContinuousZoomVelocitySpace": f"<URI>{generic}/ZoomSpaces/VelocityGenericSpace</URI>"
        "<XRange><Min>-0.499</Min><Max>0.499</Max></XRange>",
        **more,
    }
    return "".join(f"<{name}>{inner}</{name}>" for name, inner in found.items() if inner)


def node(inner: str, token: str = "n", extra: str = "") -> Node:
    text = f'<Envelope><PTZNode token="{token}"><SupportedPTZSpaces>{inner}</SupportedPTZSpaces>{extra}</PTZNode></Envelope>'
    found = reader.parse(text.encode())
    assert found is not None
    return found.children[0]


def test_speeds_are_scaled_to_what_the_camera_takes() -> None:
    can = ptz.abilities("p", None, [node(spaces())])
    assert 'x="-1" y="0.25"' in ptz.continuous_move(can, Vector(-1, 0.5, 0))
    assert '<t:Zoom x="0.499"/>' in ptz.continuous_move(can, Vector(zoom=1.0))
    assert not can.absolute
    assert (can.pan_tilt, can.zoom, can.home, can.max_presets) == (True, True, False, 0)


def test_requests_name_no_space_and_no_axis_the_camera_has_not() -> None:
    """ "space not supported by the PTZ node" (pz #47); a zoom that is not there (fr #10184)."""
    zoom_less = ptz.abilities("p", None, [node(spaces(ContinuousZoomVelocitySpace=""))])
    text = ptz.continuous_move(zoom_less, Vector(1, 0, 1))
    assert "Zoom" not in text
    assert "space" not in text
    zoom_only = ptz.abilities("p", None, [node(spaces(ContinuousPanTiltVelocitySpace=""))])
    assert "PanTilt" not in ptz.continuous_move(zoom_only, Vector(1, 0, 1))
    assert zoom_only.zoom
    assert not zoom_only.pan_tilt


def test_fixed_camera_with_an_empty_node_cannot_be_steered() -> None:
    assert not ptz.abilities("p", None, [node("")])


def test_camera_with_a_broken_node_is_believed_to_move() -> None:
    assert ptz.abilities("p", None, []).continuous == ASSUMED


def test_the_configurations_own_space_counts() -> None:
    """A camera whose default is degrees gets degrees, because requests name no space."""
    degrees = (
        "<URI>http://www.onvif.org/ver10/tptz/PanTiltSpaces/SphericalPositionSpaceDegrees</URI>"
        "<XRange><Min>-180</Min><Max>180</Max></XRange><YRange><Min>0</Min><Max>90</Max></YRange>"
    )
    configuration = reader.parse(
        b"<Envelope><NodeToken>n</NodeToken><DefaultAbsolutePantTiltPositionSpace>http://www.onvif.org/ver10/tptz/PanTiltSpaces/"
        b"SphericalPositionSpaceDegrees</DefaultAbsolutePantTiltPositionSpace></Envelope>"
    )
    can = ptz.abilities("p", configuration, [node("", "other"), node(spaces(AbsolutePanTiltPositionSpace=degrees))])
    assert 'x="90" y="45"' in ptz.absolute_move(can, Vector(0.5, 0), zoom=False)


@given(st.floats(-1, 1), st.floats(-1000, 1000), st.floats(0.01, 1000))
def test_places_go_there_and_back(part: float, low: float, width: float) -> None:
    axis = Range(low, low + width)
    assert low - 1e-6 <= axis.place(part) <= low + width + 1e-6
    assert axis.part(axis.place(part)) == pytest.approx(part, abs=1e-3)


@given(st.floats(-1, 1), st.sampled_from([(-1, 1), (0, 1), (-0.2, 0.4), (-100, 100)]))
def test_speed_keeps_its_direction(part: float, bounds: tuple[float, float]) -> None:
    speed = Range(*bounds).speed(part)
    assert speed * part >= 0
    assert abs(speed) <= max(map(abs, bounds))


def test_presets_without_token_or_name() -> None:
    reply = reader.parse(
        b'<Envelope><Preset token="1"><Name> Gate </Name></Preset><Preset><Name>x</Name></Preset><Preset token="2"/>'
        b'<Preset token="1"><Name>again</Name></Preset></Envelope>'
    )
    assert reply is not None
    assert ptz.parse_presets(reply) == (Preset("1", "Gate"), Preset("2", "2"))


@pytest.mark.parametrize(
    ("inner", "position", "moving"),
    [
        ("", None, None),
        ("<Position/>", None, None),
        ('<Position><PanTilt x="0.5" y="nan"/><Zoom x="x"/></Position>', Vector(0.5, 0, 0), None),
        ("<MoveStatus><PanTilt>IDLE</PanTilt><Zoom>MOVING</Zoom></MoveStatus>", None, True),
        ("<MoveStatus><PanTilt>idle</PanTilt></MoveStatus>", None, False),
        ("<MoveStatus><PanTilt>UNKNOWN</PanTilt></MoveStatus>", None, None),
    ],
)
def test_status_as_far_as_it_is_told(inner: str, position: Vector | None, moving: bool | None) -> None:
    reply = reader.parse(f"<Envelope><PTZStatus>{inner}</PTZStatus></Envelope>".encode())
    assert reply is not None
    assert ptz.parse_status(reply, CAN) == ptz.PtzStatus(position, moving)


names = st.sampled_from(
    ["PTZNode", "SupportedPTZSpaces", "ContinuousPanTiltVelocitySpace", "URI", "XRange", "Min", "Max", "Preset", "Name",
     "Position", "PanTilt", "Zoom", "MoveStatus", "MaximumNumberOfPresets", "NodeToken"]
)  # fmt: skip
texts = st.sampled_from(["", "1", "-1", "1e999", "nan", "true", "IDLE", "x"]) | st.text(max_size=4)
trees = st.recursive(
    st.builds(Node, names, st.dictionaries(st.sampled_from(["token", "x", "y"]), texts, max_size=2), texts, st.just(())),
    lambda inner: st.builds(Node, names, st.just({}), texts, st.lists(inner, max_size=4).map(tuple)),
    max_leaves=12,
)


@given(trees, st.lists(trees, max_size=2))
def test_any_answer_gives_requests_that_are_xml(configuration: Node, nodes: list[Node]) -> None:
    can = ptz.abilities("<p>", configuration, nodes)
    ptz.parse_presets(configuration)
    ptz.parse_status(configuration, can)
    for pan, zoom in itertools.product((-1.0, 0.0, 1.0), repeat=2):
        for inner in (
            ptz.continuous_move(can, Vector(pan, pan, zoom), timeout_s=1.5),
            ptz.absolute_move(can, Vector(pan, pan, zoom), zoom=True),
            ptz.relative_move(can, Vector(pan, pan, zoom)),
        ):
            etree.fromstring(f'<q:X xmlns:q="{PTZ_NS}" xmlns:t="{SCHEMA_NS}">{inner}</q:X>')
    assert isinstance(can.continuous, Axes)
