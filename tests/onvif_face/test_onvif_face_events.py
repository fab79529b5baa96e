"""Pull points: an NVR is told which cameras are away, once, and forgets its subscription without harm."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif.face.events import (
    EVENTS_PATH,
    LONGEST_LIFE_S,
    LONGEST_WAIT_S,
    MAX_PULL_POINTS,
    PULL_POINT_PATH,
    PullPoints,
    duration_s,
    events_services,
)
from gateway.onvif.face.face import Access, OnvifAnswer, OnvifFace, OnvifRequest
from gateway.onvif.face.soap import SOAP, TEV, WSA, WSNT, SoapFault, parse_xml, text_of
from gateway.onvif.face.tokens import TokenJudge

MESSAGE = re.compile(r'PropertyOperation="(\w+)".*?Name="Source" Value="(\w+)".*?Name="State" Value="(\w+)"')
START = 1_790_000_000.0


class Device:
    """A device with two cameras whose time passes only while a client waits."""

    def __init__(self) -> None:
        self.now = START
        self.step = 0.0
        """How far its clock was set."""
        self.signals = {"yard": False, "gate": True}
        self.plan: dict[float, dict[str, bool]] = {}
        services = events_services(lambda: self.signals, clock=self._clock, monotonic=lambda: self.now, pause=self._pause)
        self.face = OnvifFace(services, Access(TokenJudge({}), lambda: None), clock=self._clock)

    def _clock(self) -> float:
        return self.now + self.step

    async def _pause(self, seconds: float) -> None:
        self.now += seconds
        for moment in [moment for moment in self.plan if moment <= self.now]:
            self.signals = self.plan.pop(moment)

    def call(self, operation: str, arguments: str = "", path: str = EVENTS_PATH, space: str = TEV) -> OnvifAnswer:
        body = (
            f'<e:Envelope xmlns:e="{SOAP}"><e:Header><w:MessageID xmlns:w="{WSA}">urn:question</w:MessageID></e:Header>'
            f'<e:Body><{operation} xmlns="{space}">{arguments}</{operation}></e:Body></e:Envelope>'
        ).encode()
        return asyncio.run(self.face.handle(OnvifRequest(body, path, None, "192.0.2.7", 80)))

    def subscribe(self, termination: str = "PT60S") -> str:
        wanted = f"<InitialTerminationTime>{termination}</InitialTerminationTime>"
        address = text_of(parse_xml(self.call("CreatePullPointSubscription", wanted).body), "Address")
        assert address is not None
        assert address.startswith(f"http://192.0.2.7:80{PULL_POINT_PATH}")
        return address.removeprefix("http://192.0.2.7:80")

    def pull(self, path: str, timeout: str = "PT5S", limit: int = 10) -> list[tuple[str, str, str]]:
        answer = self.call("PullMessages", f"<Timeout>{timeout}</Timeout><MessageLimit>{limit}</MessageLimit>", path)
        assert answer.status == 200, answer.body
        return MESSAGE.findall(answer.body.decode())


def test_a_new_client_is_told_the_state_of_every_camera_at_once():
    device = Device()
    assert device.pull(device.subscribe()) == [("Initialized", "yard", "false"), ("Initialized", "gate", "true")]
    assert device.now == START


@pytest.mark.parametrize("step", [-1e6, 1e6])
def test_a_clock_that_is_set_ends_no_subscription_and_makes_none_immortal(step: float):
    device = Device()
    path = device.subscribe("PT60S")
    device.pull(path)
    device.step = step
    device.signals = {"yard": True, "gate": True}
    assert device.pull(path) == [("Changed", "yard", "true")]
    device.now += 61
    assert device.call("PullMessages", "<Timeout>PT0S</Timeout>", path).status != 200


def test_a_waiting_client_is_told_when_a_camera_goes_and_returns_nothing_in_vain():
    device = Device()
    path = device.subscribe()
    device.pull(path)
    device.plan = {START + 3: {"yard": True, "gate": True}}
    assert device.pull(path, "PT20S") == [("Changed", "yard", "true")]
    assert START + 3 <= device.now < START + 4
    assert device.pull(path, "PT5S") == []
    device.signals = {"gate": True}
    assert device.pull(path) == [("Deleted", "yard", "true")]


def test_messages_beyond_the_limit_come_with_the_next_call():
    device = Device()
    path = device.subscribe()
    assert [len(device.pull(path, limit=1)) for _ in range(3)] == [1, 1, 0]


def test_a_synchronization_point_tells_everything_again():
    device = Device()
    path = device.subscribe()
    device.pull(path)
    assert device.call("SetSynchronizationPoint", path=path).status == 200
    assert len(device.pull(path)) == 2


def test_subscriptions_end_by_themselves_unless_renewed():
    device = Device()
    lost, kept = device.subscribe("PT10S"), device.subscribe("PT10S")
    device.now += 8
    assert device.call("Renew", "<TerminationTime>PT600S</TerminationTime>", kept, WSNT).status == 200
    device.now += 8
    assert device.call("PullMessages", path=lost).status == 400
    assert len(device.pull(kept)) == 2
    assert device.call("Unsubscribe", path=kept, space=WSNT).status == 200
    assert device.call("Unsubscribe", path=kept, space=WSNT).status == 400


def test_nobody_waits_or_subscribes_for_ever():
    device = Device()
    path = device.subscribe("P30D")
    device.pull(path)
    device.pull(path, "PT10H")
    assert device.now - START == LONGEST_WAIT_S
    device.now = START + LONGEST_LIFE_S
    assert device.call("PullMessages", path=path).status == 400


def test_forgotten_subscriptions_make_room_once_they_have_ended():
    points = PullPoints()
    for _ in range(MAX_PULL_POINTS):
        points.create(START + 10, START)
    with pytest.raises(SoapFault, match="too many"):
        points.create(START + 10, START)
    assert points.create(START + 30, START + 11)


def test_answers_are_addressed_as_event_clients_expect():
    answer = parse_xml(Device().call("GetEventProperties").body)
    assert text_of(answer, "Action") == f"{TEV}/EventPortType/GetEventPropertiesResponse"
    assert text_of(answer, "RelatesTo") == "urn:question"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT60S", 60), ("PT1M", 60), ("P1DT1H1M1.5S", 90061), ("PT0S", 0), ("P", None), ("60", None), ("", None), ("PT-5S", None)],
)
def test_durations(text: str, seconds: float | None):
    assert duration_s(text) == seconds


@given(st.text(st.characters(exclude_characters="<&", exclude_categories=("C",)), max_size=40))
def test_any_termination_time_timeout_or_limit_is_answered(text: str):
    device = Device()
    wanted = f"<InitialTerminationTime>{text}</InitialTerminationTime>"
    assert device.call("CreatePullPointSubscription", wanted).status in (200, 400)
    path = device.subscribe()
    assert device.call("PullMessages", f"<Timeout>{text}</Timeout><MessageLimit>{text}</MessageLimit>", path).status == 200
