"""The attendant against a simulated camera: it hears, it renews, and it never leaves a subscription behind."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from gateway.config.model import Secret
from gateway.device import attendant as module
from gateway.device.attendant import Attendant
from gateway.device.bus import EventBus
from gateway.device.device import CameraDevice
from gateway.onvif import subscription
from gateway.onvif.events import Kind


class Heard:
    """A sink that remembers."""

    def __init__(self):
        self.known = None
        self.reports = []
        self.losses = 0

    def facts(self, facts):
        self.known = facts

    def messages(self, messages):
        self.reports += [(message.kind, message.on) for message in messages if not message.initial]

    def lost(self):
        self.losses += 1


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def attending(simulated, heard):
    """Start attendants; all are stopped in the end."""
    started = []

    def start(link=None):
        attendant = Attendant(link or simulated.link(), heard)
        attendant.start()
        started.append(attendant)
        return attendant

    yield start
    for attendant in started:
        stop(attendant)


def stop(attendant, within_s=8.0):
    attendant.stop()
    attendant.thread.join(within_s)
    assert not attendant.thread.is_alive(), "it must give way within the gateway's stop deadline"


def listeners(simulated):
    return simulated.call(lambda: simulated.camera.events.subscriptions)


def report(simulated, what, on):
    simulated.call(lambda: simulated.camera.events.report(what, on))


@pytest.fixture
def quick(monkeypatch):
    """Minutes become moments."""
    monkeypatch.setattr(module, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(module, "PULL_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "POKE_GAP_S", 0.0)


def test_it_learns_what_the_camera_is_and_hears_what_it_reports(simulated, attending, heard, until):
    attendant = attending()
    until(lambda: attendant.subscribed)
    assert heard.known.description.model == "Virtual Camera"
    assert heard.known.ptz.continuous
    assert abs(heard.known.clock_offset_s) < 2
    assert heard.known.interfaces[0].addresses == ("127.0.0.1/24",)
    report(simulated, "motion", True)
    until(lambda: heard.reports == [(Kind.MOTION, True)])
    report(simulated, "motion", False)
    report(simulated, "input", True)
    until(lambda: heard.reports[1:] == [(Kind.MOTION, False), (Kind.DIGITAL_INPUT, True)])


def test_news_comes_at_once_and_not_with_the_next_round(simulated, attending, heard, until):
    attendant = attending()
    until(lambda: attendant.subscribed)
    time.sleep(0.1)  # the long poll is under way
    for on in (True, False, True):
        count = len(heard.reports)
        report(simulated, "tamper", on)
        until(lambda count=count: len(heard.reports) > count, subscription.PULL_S / 2)


def test_stopping_gives_the_subscription_back_from_inside_a_long_poll(simulated, attending, heard, until):
    attendant = attending()
    until(lambda: attendant.subscribed)
    time.sleep(0.1)
    began = time.monotonic()
    stop(attendant)
    assert time.monotonic() - began < subscription.PULL_S / 2
    assert listeners(simulated) == 0
    assert simulated.camera.events.asked[-1] == "Unsubscribe"
    assert heard.losses == 1


def test_twenty_starts_and_stops_leave_nothing_behind(simulated, heard, until):
    for _ in range(20):
        attendant = Attendant(simulated.link(), heard)
        attendant.start()
        until(lambda attendant=attendant: attendant.subscribed)
        stop(attendant)
    assert listeners(simulated) == 0


def test_stop_at_any_moment_leaves_nothing_behind(simulated, heard):
    """While it connects, learns, subscribes, or pulls for the first time."""
    for step in range(15):
        attendant = Attendant(simulated.link(), heard)
        attendant.start()
        time.sleep(step * 0.004)
        stop(attendant)
    assert listeners(simulated) == 0


def test_camera_that_says_a_wrong_host_is_heard_all_the_same(simulated, attending, heard, until):
    simulated.camera.events.quirks.names_wrong_host = True
    attendant = attending()
    until(lambda: attendant.subscribed)
    report(simulated, "motion", True)
    until(lambda: heard.reports == [(Kind.MOTION, True)])
    stop(attendant)
    assert listeners(simulated) == 0


def test_reference_parameters_go_back_as_they_came(simulated, attending, heard, until):
    simulated.camera.events.quirks.wants_reference = True
    attendant = attending()
    until(lambda: attendant.subscribed)
    report(simulated, "motion", True)
    until(lambda: heard.reports == [(Kind.MOTION, True)])
    stop(attendant)
    assert listeners(simulated) == 0


def test_camera_that_misreads_relative_times_is_renewed_by_an_absolute_one(simulated, attending, heard, until, monkeypatch):
    monkeypatch.setattr(subscription, "RENEW_GAP_S", 0.0)
    simulated.camera.events.quirks.relative_lease_s = 10.0
    attendant = attending()
    until(lambda: "Renew" in simulated.camera.events.asked)
    report(simulated, "motion", True)
    until(lambda: heard.reports == [(Kind.MOTION, True)])
    (held,) = simulated.camera.events._held.values()
    assert held.ends - time.monotonic() > 500
    assert attendant.subscribed


def test_camera_without_renew_goes_on(simulated, attending, heard, until, monkeypatch):
    monkeypatch.setattr(subscription, "RENEW_GAP_S", 0.0)
    simulated.camera.events.quirks.knows_renew = False
    simulated.camera.events.quirks.relative_lease_s = 30.0
    simulated.camera.events.quirks.answers_at_once = True
    attendant = attending()
    until(lambda: "Renew" in simulated.camera.events.asked)
    report(simulated, "motion", True)
    until(lambda: heard.reports == [(Kind.MOTION, True)])
    assert attendant.subscribed
    assert simulated.camera.events.asked.count("Renew") <= 2, "once relative, once absolute, then no more"


def test_camera_whose_places_are_taken_is_left_alone(simulated, attending, heard, until):
    simulated.camera.events.quirks.places = 0
    attendant = attending()
    until(lambda: attendant.trouble)
    assert "maximum number of subscriptions reached" in attendant.trouble
    assert heard.known is not None, "it can be steered all the same"
    time.sleep(0.2)
    assert simulated.camera.events.asked.count("CreatePullPointSubscription") == 1


def test_camera_that_forgets_us_is_subscribed_to_again(simulated, attending, heard, until, quick):
    attendant = attending()
    until(lambda: attendant.subscribed)
    simulated.call(simulated.camera.events.forget)
    until(lambda: heard.losses == 1)
    until(lambda: attendant.subscribed)
    report(simulated, "motion", True)
    until(lambda: heard.reports == [(Kind.MOTION, True)])
    assert listeners(simulated) == 1


def test_camera_that_refuses_to_be_pulled_is_given_its_place_back(simulated, attending, heard, until, quick):
    simulated.camera.events.quirks.drops_pulls = True
    attendant = attending()
    until(lambda: simulated.camera.events.asked.count("Unsubscribe") >= 2)
    stop(attendant)
    assert listeners(simulated) == 0


def test_events_can_be_switched_off(simulated, attending, heard, until):
    link = simulated.link()
    link.camera = replace(link.camera, events=False)
    attendant = attending(link)
    until(lambda: heard.known is not None)
    time.sleep(0.05)
    assert simulated.camera.events.asked == []
    stop(attendant)


def test_wrong_password_is_tried_once(simulated, attending, heard, until, quick):
    link = simulated.link()
    link.camera = replace(link.camera, password=Secret("wrong"))
    attendant = attending(link)
    until(lambda: "refused" in attendant.trouble)
    first = attendant.trouble
    time.sleep(0.3)  # several retries
    assert attendant.trouble == first
    with pytest.raises(Exception, match="refused"):
        link.open()
    stop(attendant)


def test_one_thread_per_camera(simulated, attending, until):
    before = threading.active_count()
    attendants = [attending() for _ in range(4)]
    until(lambda: all(attendant.subscribed for attendant in attendants))
    assert threading.active_count() == before + 4
    assert listeners(simulated) == 4


def test_only_what_holds_a_subscription_is_waited_for(simulated, attending, heard, until):
    attendant = attending()
    until(lambda: attendant.subscribed)
    assert attendant.stop() == [attendant.thread]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        link = simulated.link()
        link.camera = replace(link.camera, address=f"127.0.0.1:{mute.getsockname()[1]}")
        lonely = Attendant(link, heard)
        lonely.start()
        accepted, _ = mute.accept()
        with accepted:
            assert lonely.stop() == []
    lonely.thread.join(5)
    assert not lonely.thread.is_alive()


def test_clock_that_is_set_while_we_listen_costs_no_event(simulated, heard, until):
    simulated.camera.clock_offset_s = 3600.0
    loop = SimpleNamespace(call_soon_threadsafe=lambda what: what())
    bus, events = EventBus(), []
    bus.subscribe(events.append)
    device = CameraDevice(simulated.link(), bus, loop)
    device.shows_pictures()
    until(lambda: device.listening)
    assert abs(device.set_clock()) < 3
    for on in (True, False, True):
        count = len(events)
        report(simulated, "motion", on)
        until(lambda count=count: len(events) > count)
    for thread in device.stop():
        thread.join(5)
    assert listeners(simulated) == 0
    assert simulated.camera.events.asked.count("CreatePullPointSubscription") == 1
