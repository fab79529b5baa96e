"""The lookout with networks, clocks and devices that are made up."""

from __future__ import annotations

import asyncio

from gateway.config.model import Camera
from gateway.onvif import interfaces
from gateway.onvif.media import DeviceDescription, Introduction
from gateway.onvif.wsdiscovery import Device, Kind, Message
from gateway.sources import lookout as module
from gateway.sources.address_book import AddressBook
from gateway.sources.lookout import EXTRA_ROUNDS_S, Lookout
from gateway.sources.whereabouts import Standing, Whereabouts

CAM = Camera("cam", "Cam", address="10.0.0.5", username="admin")


def device(host, endpoint="urn:uuid:cam"):
    return Device(
        endpoint, host, (f"http://{host}/onvif/device_service",), ("NetworkVideoTransmitter",), name="Gate", hardware="X"
    )


class Ears:
    """Announcements that the test makes."""

    def __init__(self, heard):
        self.heard = heard
        self.followed = []
        self.closed = False

    async def follow(self, here):
        self.followed.append(tuple(here))

    def close(self):
        self.closed = True


class Scene:
    """A lookout and everything around it."""

    def __init__(self):
        self.live = False
        self.now = 0.0
        self.answers = []
        self.asked = []
        self.moves = []
        self.appeared = []
        self.introduced = []
        self.where = Whereabouts(AddressBook(), mac_of=lambda host: "", who_is=lambda host, port: None)
        self.where.configure([CAM])
        self.lookout = Lookout(
            self,
            self.where,
            find=self.find,
            introduce=self.introduce,
            announcements=self.ears_of,
            monotonic=lambda: self.now,
        )

    def ears_of(self, heard):
        self.ears = Ears(heard)
        return self.ears

    async def find(self, timeout_s=None, *, found_on=None, unicast=()):
        self.asked.append(tuple(unicast))
        return list(self.answers)

    def introduce(self, one):
        self.introduced.append(one.address)
        return Introduction("ACME", "C1", "S1", needs_password=True)

    def known(self):
        """The camera has given pictures where the configuration says."""
        self.where.learn(CAM, "10.0.0.5", 80, DeviceDescription("ACME", "C1", "", "S1", ()), tuple)
        self.live = True
        self.answers = [device("10.0.0.5")]

    def hello(self, one, sender):
        self.ears.heard(Message(Kind.HELLO, "", (one,)), sender)

    async def settle(self):
        while self.lookout._tasks:
            await asyncio.gather(*self.lookout._tasks, return_exceptions=True)

    # lookout.Owner

    def standing(self):
        return [Standing(CAM, self.live)]

    def moved(self, move):
        self.moves.append(move.now)

    def seen(self, camera_id):
        self.appeared.append(camera_id)


def play(scenario):
    async def main():
        scene = Scene()
        try:
            await scenario(scene)
        finally:
            scene.lookout.stop()
        assert scene.ears.closed

    asyncio.run(main())


def test_camera_that_says_hello_elsewhere_is_followed_without_a_search():
    async def scenario(scene):
        scene.known()
        await scene.lookout.search()
        scene.live = False
        scene.answers = [device("10.0.0.77")]
        scene.hello(device("10.0.0.77"), "10.0.0.77")
        await scene.settle()
        assert scene.asked == [(), ("10.0.0.77", "10.0.0.5")], "its old place is asked too: it may be a twin"
        assert scene.moves == ["10.0.0.77"]

    play(scenario)


def test_hello_of_a_camera_that_does_not_answer_probes_sent_to_it_alone():
    async def scenario(scene):
        scene.known()
        await scene.lookout.search()
        scene.live = False
        scene.answers = []
        scene.hello(device("10.0.0.77"), "10.0.0.77")
        await scene.settle()
        assert scene.moves == ["10.0.0.77"]

    play(scenario)


def test_twin_that_starts_does_not_take_the_place_of_a_camera_that_still_answers():
    async def scenario(scene):
        scene.known()
        await scene.lookout.search()
        scene.live = False
        scene.answers = [device("10.0.0.5"), device("10.0.0.77")]
        scene.hello(device("10.0.0.77"), "10.0.0.77")
        await scene.settle()
        assert scene.moves == []
        assert len(scene.lookout.sightings()) == 2

    play(scenario)


def test_flood_of_hellos_is_answered_by_a_few_questions():
    async def scenario(scene):
        for number in range(500):
            scene.hello(
                device(f"10.0.{number >> 8}.{number & 255}", f"urn:uuid:{number}"), f"10.9.{number >> 8}.{number & 255}"
            )
            scene.hello(device("10.0.0.77"), "10.0.0.77")
        await scene.settle()
        assert len(scene.asked) <= module.MAX_ASKING

    play(scenario)


def test_picture_that_stops_after_the_hello_is_followed_too():
    """The session at the old address lives on for seconds after DHCP moved the camera."""

    async def scenario(scene):
        scene.known()
        await scene.lookout.search()
        scene.answers = [device("10.0.0.77")]
        scene.hello(device("10.0.0.77"), "10.0.0.77")
        await scene.settle()
        assert scene.moves == []
        scene.live = False
        await scene.lookout.tick()
        assert scene.moves == ["10.0.0.77"]

    play(scenario)


def test_camera_that_goes_away_is_searched_for_at_once_and_then_ever_less():
    async def scenario(scene):
        scene.known()
        await scene.lookout.search()
        scene.live = False
        times = []
        for second in range(400):
            scene.now = float(second)
            before = len(scene.asked)
            await scene.lookout.tick()
            await scene.settle()
            if len(scene.asked) > before:
                times.append(second)
        assert times == [int(at) for at in EXTRA_ROUNDS_S]

    play(scenario)


def test_interface_that_appears_is_listened_and_searched_on(monkeypatch):
    here = [interfaces.Interface("lo", "127.0.0.1")]
    monkeypatch.setattr(interfaces, "every", lambda: tuple(here))

    async def scenario(scene):
        scene.live = True
        await scene.lookout.tick()
        assert scene.asked == []
        here.append(interfaces.Interface("wlan0", "192.168.7.2"))
        scene.now = 10.0
        await scene.lookout.tick()
        await scene.settle()
        assert scene.ears.followed[-1] == tuple(here)
        assert len(scene.asked) == 1
        here.pop()
        scene.now = 20.0
        await scene.lookout.tick()
        assert scene.ears.followed[-1] == tuple(here)

    play(scenario)


def test_new_devices_are_asked_once_who_they_are_and_configured_cameras_never():
    async def scenario(scene):
        scene.known()
        scene.answers = [device("10.0.0.5"), device("10.0.0.9", "urn:uuid:new")]
        for _ in range(3):
            await scene.lookout.search()
            await scene.settle()
        assert scene.introduced == ["10.0.0.9"]
        cam, new = scene.lookout.sightings()
        assert (cam.camera_id, cam.introduction) == ("cam", None)
        assert (new.camera_id, new.introduction.manufacturer) == (None, "ACME")

    play(scenario)


def test_camera_that_is_seen_again_is_tried_and_goodbye_marks_it_as_gone():
    async def scenario(scene):
        scene.answers = [device("10.0.0.5")]
        await scene.lookout.search()
        assert scene.appeared == ["cam"]
        scene.ears.heard(Message(Kind.BYE, "", (Device("urn:uuid:cam", "", ()),)), "10.0.0.5")
        (gone,) = scene.lookout.sightings()
        assert (gone.entry.gone, gone.camera_id) == (True, None)

    play(scenario)


def test_clock_that_is_set_makes_nobody_gone(monkeypatch):
    """A box without a clock of its own hears what time it is minutes after its start: 56 years pass at once."""

    async def scenario(scene):
        scene.answers = [device("10.0.0.5")]
        await scene.lookout.search()
        monkeypatch.setattr("time.time", lambda: 4e9)
        scene.answers = [device("10.0.0.6", "urn:uuid:other")]
        await scene.lookout.search()
        assert [one.entry.gone for one in scene.lookout.sightings()] == [False, False]
        scene.now += 200.0
        await scene.lookout.search()
        assert [one.entry.gone for one in scene.lookout.sightings()] == [True, False]

    play(scenario)


def test_camera_that_has_just_started_is_tried_at_once():
    async def scenario(scene):
        scene.known()
        await scene.lookout.search()
        scene.appeared.clear()
        scene.hello(device("10.0.0.5"), "10.0.0.5")
        await scene.settle()
        assert scene.appeared == ["cam"]

    play(scenario)


def test_gateway_does_not_find_itself():
    async def scenario(scene):
        scene.lookout._ignore = frozenset({"urn:uuid:us"})
        scene.answers = [device("10.0.0.1", "urn:uuid:us"), device("10.0.0.9", "urn:uuid:new")]
        scene.hello(device("10.0.0.1", "urn:uuid:us"), "10.0.0.1")
        await scene.lookout.search()
        await scene.settle()
        assert [one.entry.device.endpoint for one in scene.lookout.sightings()] == ["urn:uuid:new"]
        assert len(scene.asked) == 1

    play(scenario)


def test_only_one_search_runs_at_a_time():
    async def scenario(scene):
        gate = asyncio.Event()

        async def slow(*args, **more):
            scene.asked.append(())
            await gate.wait()
            return []

        scene.lookout._find = slow
        await scene.lookout.search_soon()
        await scene.lookout.search_soon()
        await asyncio.sleep(0)
        gate.set()
        await scene.settle()
        assert len(scene.asked) == 1

    play(scenario)


def test_search_that_fails_is_told_and_the_next_one_works(caplog):
    async def scenario(scene):
        async def broken(*args, **more):
            raise OSError("the network is a teapot")

        scene.lookout._find, good = broken, scene.lookout._find
        await scene.lookout.search_soon()
        await scene.settle()
        await asyncio.sleep(0)
        assert "teapot" in caplog.text
        scene.lookout._find = good
        scene.answers = [device("10.0.0.5")]
        await scene.lookout.search()
        assert len(scene.lookout.sightings()) == 1

    play(scenario)


def test_printer_that_says_hello_is_left_alone():
    async def scenario(scene):
        scene.hello(Device("urn:uuid:p", "10.0.0.9", ("http://10.0.0.9/print",)), "10.0.0.9")
        assert not scene.lookout._tasks

    play(scenario)
