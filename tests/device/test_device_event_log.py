"""What goes on at a camera, and who is told."""

from __future__ import annotations

import pytest

from gateway.device.bus import CameraEvent, EventBus
from gateway.device.event_log import KEPT, MAX_STATES, Active, EventLog
from gateway.onvif.events import Kind, Message


def message(on: bool | None, kind: Kind = Kind.MOTION, source: str = "") -> Message:
    return Message(kind, on, source, False, "")


@pytest.fixture
def log() -> EventLog:
    return EventLog("yard")


def test_only_changes_are_events(log: EventLog):
    assert log.take(message(False), 1.0) is None, "off at first is no news"
    assert log.take(message(True), 2.0) == CameraEvent("yard", Kind.MOTION, True, 2.0, "")
    assert log.take(message(True), 3.0) is None
    assert log.active == (Active(Kind.MOTION, "", 2.0),)
    assert log.take(message(False), 4.0) == CameraEvent("yard", Kind.MOTION, False, 4.0, "")
    assert log.active == ()
    assert [event.at for event in log.last] == [4.0, 2.0]


def test_what_has_no_end_is_an_event_every_time(log: EventLog):
    for at in (1.0, 2.0):
        assert log.take(message(None, Kind.LINE_CROSSED), at) is not None
    assert log.active == ()


def test_inputs_are_told_apart(log: EventLog):
    log.take(message(True, Kind.DIGITAL_INPUT, "1"), 1.0)
    log.take(message(True, Kind.DIGITAL_INPUT, "2"), 2.0)
    log.take(message(False, Kind.DIGITAL_INPUT, "1"), 3.0)
    assert [one.source for one in log.active] == ["2"]


def test_camera_that_is_lost_moves_no_more(log: EventLog):
    log.take(message(True), 1.0)
    log.take(message(True, Kind.TAMPER), 1.0)
    assert {event.kind for event in log.lost(9.0)} == {Kind.MOTION, Kind.TAMPER}
    assert log.active == ()
    assert log.lost(10.0) == ()


def test_memory_is_bounded(log: EventLog):
    for number in range(1000):
        log.take(message(True, Kind.DIGITAL_INPUT, str(number)), 1.0)
    assert len(log.active) == MAX_STATES
    assert len(log.last) == KEPT


def test_camera_whose_states_never_end_is_still_heard(log: EventLog):
    """Some name every object they see: after 64 of them motion was told no more, for as long as the connection held."""
    for number in range(MAX_STATES):
        log.take(message(True, Kind.DIGITAL_INPUT, str(number)), float(number))
    event = log.take(message(True, Kind.MOTION), 100.0)
    assert event is not None and event.on
    assert [one.source for one in log.active][:2] == ["1", "2"]


def test_listener_that_fails_is_left_out_and_the_others_hear(caplog: pytest.LogCaptureFixture):
    bus, heard = EventBus(), []

    def broken(event: CameraEvent) -> None:
        raise RuntimeError("no")

    event = CameraEvent("yard", Kind.MOTION, True, 1.0, "")
    bus.subscribe(broken)
    end = bus.subscribe(heard.append)
    bus.publish(event)
    bus.publish(event)
    assert heard == [event, event]
    assert caplog.text.count("a listener to camera events failed") == 1
    end()
    end()
    bus.publish(event)
    assert len(heard) == 2
