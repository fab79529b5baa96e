"""Which cameras can be steered, and what is tried when they refuse the usual words."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import ProtocolError, Unreachable
from gateway.onvif import reader
from gateway.onvif.client import PTZ_NS
from gateway.onvif.media import Profile
from gateway.onvif.ptz import ASSUMED, PtzAbilities, Vector
from gateway.onvif.ptz_client import PtzClient, find_abilities
from gateway.onvif.reader import Node
from gateway.onvif.soap import SoapFault

ZOOM = (
    "<ContinuousZoomVelocitySpace><URI>http://www.onvif.org/ver10/tptz/ZoomSpaces/VelocityGenericSpace</URI>"
    "<XRange><Min>-1</Min><Max>1</Max></XRange></ContinuousZoomVelocitySpace>"
)
NOTHING = Node("", {}, "", ())


def parsed(text: str) -> Node:
    found = reader.parse(f"<Envelope>{text}</Envelope>".encode())
    assert found is not None
    return found


def profile(token: str, width: int, configuration: str | None) -> Profile:
    return Profile(
        token, token, "h264", width, width, 25.0, ptz=configuration is not None, ptz_configuration=configuration or ""
    )


class FakeClient:
    """An `OnvifClient` with answers by operation; an exception is raised, a callable is asked with the arguments."""

    label = "10.0.0.9"

    def __init__(self, profiles: tuple[Profile, ...] = (), **answers: Any) -> None:
        self._profiles = profiles
        self.answers = answers
        self.sent: list[tuple[str, str]] = []
        self.has_ptz = True

    def services(self) -> dict[str, str]:
        return {PTZ_NS: "http://10.0.0.9/ptz"} if self.has_ptz else {}

    def profiles(self) -> tuple[Profile, ...]:
        return self._profiles

    def call(self, namespace: str, operation: str, inner: str = "") -> Node:
        assert namespace == PTZ_NS
        self.sent.append((operation, inner))
        answer = self.answers.get(operation, NOTHING)
        if callable(answer) and not isinstance(answer, type):
            answer = answer(inner)
        if isinstance(answer, Exception):
            raise answer
        return answer


BOTH = (profile("main", 1920, "c1"), profile("sub", 640, "c2"))
CONFIGURATIONS = parsed(
    '<PTZConfiguration token="c1"><NodeToken>empty</NodeToken></PTZConfiguration>'
    '<PTZConfiguration token="c2"><NodeToken>zoom</NodeToken></PTZConfiguration>'
)
NODES = parsed(
    '<PTZNode token="empty"><SupportedPTZSpaces/></PTZNode>'
    f'<PTZNode token="zoom"><SupportedPTZSpaces>{ZOOM}</SupportedPTZSpaces></PTZNode>'
)


def find(client: FakeClient, wanted: str | None = None) -> PtzAbilities | None:
    return find_abilities(client, wanted)  # type: ignore[arg-type]  # what it uses of a client


def test_camera_without_the_service_or_without_a_configuration_in_a_profile_is_fixed():
    client = FakeClient(BOTH)
    client.has_ptz = False
    assert find(client) is None
    assert find(FakeClient((profile("main", 1920, None),))) is None


def test_each_profile_has_the_motors_of_its_own_node():
    client = FakeClient(BOTH, GetConfigurations=CONFIGURATIONS, GetNodes=NODES)
    assert find(client) is None, "the largest profile counts, and its node is empty"
    can = find(client, "sub")
    assert can is not None
    assert (can.profile, can.zoom, can.pan_tilt) == ("sub", True, False)


def test_main_profile_without_motors_gives_way_to_one_that_has_them():
    profiles = (profile("main", 1920, None), profile("sub", 640, "c2"))
    can = find(FakeClient(profiles, GetConfigurations=CONFIGURATIONS, GetNodes=NODES), "main")
    assert can is not None
    assert can.profile == "sub"


def test_camera_with_broken_nodes_is_believed_and_one_that_is_away_is_not():
    can = find(FakeClient(BOTH, GetNodes=ProtocolError("x"), GetConfigurations=ProtocolError("x")))
    assert can is not None
    assert can.continuous == ASSUMED
    with pytest.raises(Unreachable):
        find(FakeClient(BOTH, GetNodes=Unreachable("x")))


@pytest.fixture
def steer():
    """A client for a camera that can do everything, with what it sent."""

    def make(**answers: Any) -> tuple[PtzClient, FakeClient]:
        fake = FakeClient(BOTH, **answers)
        return PtzClient(fake, PtzAbilities("main", ASSUMED, ASSUMED, ASSUMED, True, 9)), fake  # type: ignore[arg-type]

    return make


def fault(*_: object) -> SoapFault:
    return SoapFault(("Sender", "InvalidArgVal"), "not supported")


def test_timeout_that_is_refused_is_left_out_from_then_on(steer):
    client, fake = steer(ContinuousMove=lambda inner: fault() if "Timeout" in inner else NOTHING)
    client.move(Vector(1), 2.0)
    client.move(Vector(0.5), 2.0)
    assert ["Timeout" in inner for _, inner in fake.sent] == [True, False, False]


def test_move_that_is_refused_for_another_reason_is_no_reason_to_leave_out_timeouts(steer):
    client, fake = steer(ContinuousMove=fault())
    for _ in range(2):
        with pytest.raises(SoapFault):
            client.move(Vector(1), 2.0)
    assert ["Timeout" in inner for _, inner in fake.sent] == [True, False, True, False]


def test_stop_flags_that_are_refused_are_left_out(steer):
    client, fake = steer(Stop=lambda inner: fault() if "Zoom" in inner else NOTHING)
    client.stop()
    assert len(fake.sent) == 2


def test_idle_zoom_is_left_out_but_one_that_ran_is_told_to_stand(steer):
    client, fake = steer()
    for speed in (Vector(1), Vector(zoom=1), Vector(1), Vector(1)):
        client.move(speed, 2.0)
    assert ["Zoom" in inner for _, inner in fake.sent] == [False, True, True, False]


def test_token_of_a_new_preset_is_the_cameras(steer):
    client, _ = steer(SetPreset=parsed("<PresetToken>7</PresetToken>"))
    assert client.set_preset("Gate") == "7"
    client, _ = steer()
    assert client.set_preset("Gate", "3") == "3"
