"""Where cameras are, who has moved, and to whom a password may be sent."""

from __future__ import annotations

import pytest

from gateway.config.model import Camera
from gateway.errors import OtherDevice
from gateway.onvif.media import DeviceDescription
from gateway.onvif.registry import Entry
from gateway.onvif.wsdiscovery import Device
from gateway.sources.address_book import AddressBook
from gateway.sources.whereabouts import Standing, Whereabouts

CAM = Camera("cam", "Cam", address="10.0.0.5", username="admin")
YARD = Camera("yard", "Yard", address="10.0.0.6", username="admin")
MAC, YARD_MAC, STRANGER = "c0:56:e3:00:00:01", "c0:56:e3:00:00:02", "c0:56:e3:00:00:09"


def device(host, endpoint="urn:uuid:cam", hardware="DS-2CD"):
    return Device(endpoint, host, (f"http://{host}/onvif/device_service",), hardware=hardware, name="Gate")


def entry(host, mac="", endpoint="urn:uuid:cam", *, gone=False, hardware="DS-2CD"):
    return Entry(device(host, endpoint, hardware), 1.0, 2.0, gone=gone, mac=mac)


def description(serial="S1"):
    return DeviceDescription("Hikvision", "DS-2CD2043", "5", serial, ())


class Network:
    """Who is where, as the kernel and directed Probes would tell."""

    def __init__(self):
        self.now = 0.0
        self.macs = {}
        self.devices = {}
        self.probed = []

    def who_is(self, host, port):
        self.probed.append(host)
        return self.devices.get(host)

    def whereabouts(self, *cameras):
        mac_of = lambda host: self.macs.get(host, "")  # noqa: E731
        where = Whereabouts(AddressBook(), mac_of=mac_of, who_is=self.who_is, monotonic=lambda: self.now)
        where.configure(cameras or (CAM,))
        return where


@pytest.fixture
def network():
    return Network()


def known(network, *cameras, mac=MAC):
    """A gateway that has had pictures of its cameras."""
    where = network.whereabouts(*cameras)
    for camera, its_mac, serial in zip(cameras or (CAM,), (mac, YARD_MAC), ("S1", "S2"), strict=False):
        host = camera.address.partition(":")[0]
        network.macs[host] = its_mac
        where.learn(camera, host, 80, description(serial), tuple)
    return where


def survey(where, *entries, live=(), cameras=(CAM,), shared=()):
    return where.survey(tuple(entries), shared, [Standing(camera, camera.id in live) for camera in cameras])


def test_camera_that_dhcp_moved_is_followed_and_remembered(network):
    where = known(network)
    (move,) = survey(where, entry("10.0.0.77", MAC))
    assert (move.before, move.now) == ("10.0.0.5", "10.0.0.77")
    assert where.place(CAM).address == "10.0.0.77"
    assert where.place(CAM).xaddrs == ("http://10.0.0.77/onvif/device_service",)
    assert where.elsewhere(CAM) == "10.0.0.77"
    assert survey(where, entry("10.0.0.77", MAC)) == [], "it is said once"


def test_new_endpoint_reference_and_new_address_at_once(network):
    where = known(network)
    (move,) = survey(where, entry("10.0.0.77", MAC, "urn:uuid:made-up-at-start"))
    assert move.now == "10.0.0.77"


def test_back_at_its_configured_address_it_is_no_longer_elsewhere(network):
    where = known(network)
    survey(where, entry("10.0.0.77", MAC))
    (move,) = survey(where, entry("10.0.0.5", MAC))
    assert move.now == "10.0.0.5"
    assert where.elsewhere(CAM) == ""


def test_camera_that_gives_pictures_is_never_taken_elsewhere(network):
    where = known(network)
    assert survey(where, entry("10.0.0.77", MAC), live={"cam"}) == []


def test_camera_that_is_where_it_should_be_has_not_moved_whoever_else_looks_like_it(network):
    where = known(network)
    assert survey(where, entry("10.0.0.5", MAC), entry("10.0.0.77", MAC)) == []


def test_port_that_the_configuration_leaves_out_is_no_move(network):
    where = known(network)
    at_8000 = Entry(Device("urn:uuid:cam", "10.0.0.5:8000", ("http://10.0.0.5:8000/onvif/d",)), 1.0, 2.0, mac=MAC)
    assert survey(where, at_8000) == []


def test_two_cameras_with_the_same_endpoint_reference_are_not_swapped(network):
    where = known(network, CAM, YARD)
    both = (CAM, YARD)
    survey(where, entry("10.0.0.5", MAC), entry("10.0.0.6", YARD_MAC), live={"cam", "yard"}, cameras=both)
    # the first is unplugged; the other one, which has the same endpoint reference, is still there
    assert survey(where, entry("10.0.0.6", YARD_MAC), live={"yard"}, cameras=both, shared=["urn:uuid:cam"]) == []
    # and where the network does not tell hardware addresses
    assert survey(where, entry("10.0.0.6"), live={"yard"}, cameras=both) == []


def test_endpoint_reference_once_seen_twice_is_never_trusted_again(network):
    where = network.whereabouts()
    where.learn(CAM, "10.0.0.5", 80, description(""), tuple)
    survey(where, entry("10.0.0.5"), live={"cam"})
    survey(where, entry("10.0.0.5"), entry("10.0.0.9"), live={"cam"}, shared=["urn:uuid:cam"])
    assert survey(where, entry("10.0.0.9")) == []


def test_two_that_dhcp_swapped_are_told_apart(network):
    where = known(network, CAM, YARD)
    moves = survey(where, entry("10.0.0.6", MAC), entry("10.0.0.5", YARD_MAC, "urn:uuid:yard"), cameras=(CAM, YARD))
    assert {move.camera.id: move.now for move in moves} == {"cam": "10.0.0.6", "yard": "10.0.0.5"}


def test_device_that_two_cameras_could_be_is_left_alone_and_said_once(network, caplog):
    where = known(network, CAM, YARD)
    where.book.learn(YARD, where.book.get(CAM).identity)
    for _ in range(3):
        assert survey(where, entry("10.0.0.77", MAC), cameras=(CAM, YARD)) == []
    assert caplog.text.count("camera cam: several devices or cameras look alike") == 1


def test_all_channels_of_a_recorder_move_together(network):
    channels = tuple(Camera(f"ch{n}", "", address="10.0.0.5", profile=str(n)) for n in (1, 2))
    where = network.whereabouts(*channels)
    network.macs["10.0.0.5"] = MAC
    for channel in channels:
        where.learn(channel, "10.0.0.5", 80, description(), tuple)
    moves = survey(where, entry("10.0.0.77", MAC), cameras=channels)
    assert [move.now for move in moves] == ["10.0.0.77"] * 2


def test_device_at_the_address_of_a_camera_that_gives_pictures_is_that_one(network):
    where = known(network)
    by_url = Camera("wall", "Wall", rtsp="rtsp://10.0.0.77/live")
    where.configure((CAM, by_url))
    assert survey(where, entry("10.0.0.77", MAC), live={"wall"}, cameras=(CAM, by_url)) == []


def test_gone_device_is_no_place(network):
    where = known(network)
    assert survey(where, entry("10.0.0.77", MAC, gone=True)) == []


def test_discovery_teaches_the_endpoint_reference_of_cameras_that_give_pictures(network):
    where = network.whereabouts()
    where.learn(CAM, "10.0.0.5", 80, description(""), tuple)
    survey(where, entry("10.0.0.5"), live={"cam"})
    assert where.book.get(CAM).identity.endpoint == "urn:uuid:cam"
    (move,) = survey(where, entry("10.0.0.77"))
    assert move.now == "10.0.0.77"


def test_after_useless_answers_the_configured_address_has_its_turn_again(network):
    where = known(network)
    where.missed(CAM)
    assert where.place(CAM).address == "10.0.0.5", "there is no other place"
    survey(where, entry("10.0.0.77", MAC))
    where.missed(CAM)
    assert where.place(CAM).address == "10.0.0.5"
    where.missed(CAM)
    assert where.place(CAM).address == "10.0.0.77"


def test_what_was_seen_before_it_was_asked_in_vain_is_no_news(network):
    where = known(network)
    survey(where, entry("10.0.0.77", MAC))
    network.now = 3.0
    where.missed(CAM)
    assert survey(where, entry("10.0.0.77", MAC)) == [], "seen at 2, missed at 3"
    network.now = 1.0
    where.missed(CAM)
    where.missed(CAM)
    (move,) = survey(where, entry("10.0.0.77", MAC))
    assert move.now == "10.0.0.77"


def test_camera_that_returns_where_it_was_found_before_is_asked_there_without_being_news(network):
    where = known(network)
    (move,) = survey(where, entry("10.0.0.77", MAC))
    assert move.is_news
    network.now = 1.0
    where.missed(CAM)
    assert where.place(CAM).address == "10.0.0.5"
    (again,) = survey(where, entry("10.0.0.77", MAC))
    assert (again.now, again.is_news) == ("10.0.0.77", False)
    assert where.place(CAM).address == "10.0.0.77"


# Passwords


def test_first_contact_is_trusted(network):
    network.whereabouts().admit(CAM, "10.0.0.5", 80)
    assert network.probed == []


def test_camera_known_by_its_hardware_address_is_not_asked_twice(network):
    where = known(network)
    where.admit(CAM, "10.0.0.5", 80)
    assert network.probed == []


def test_stranger_at_the_old_address_is_not_given_the_password(network):
    where = known(network)
    network.macs["10.0.0.5"] = STRANGER
    network.devices["10.0.0.5"] = device("10.0.0.5", "urn:uuid:stranger")
    with pytest.raises(OtherDevice, match=r"another device is at 10\.0\.0\.5 \(Gate, c0:56:e3:00:00:09\): the password"):
        where.admit(CAM, "10.0.0.5", 80)


def test_silent_stranger_is_known_by_its_hardware_address(network):
    where = known(network)
    network.macs["10.0.0.5"] = STRANGER
    with pytest.raises(OtherDevice):
        where.admit(CAM, "10.0.0.5", 80)


def test_stranger_of_another_model_behind_a_router(network):
    where = known(network, mac="")
    survey(where, entry("10.0.0.5"), live={"cam"})
    network.devices["10.0.0.5"] = device("10.0.0.5", "urn:uuid:stranger", "IPC-HFW")
    with pytest.raises(OtherDevice):
        where.admit(CAM, "10.0.0.5", 80)


def test_clone_at_another_address_is_not_given_the_password(network):
    where = known(network)
    survey(where, entry("10.0.0.5", MAC), live={"cam"})
    network.macs["10.0.0.77"] = STRANGER
    network.devices["10.0.0.77"] = device("10.0.0.77")
    with pytest.raises(OtherDevice):
        where.admit(CAM, "10.0.0.77", 80)


def test_camera_behind_a_repeater_is_still_the_camera(network):
    where = known(network)
    survey(where, entry("10.0.0.5", MAC), live={"cam"})
    network.macs["10.0.0.5"] = STRANGER
    network.devices["10.0.0.5"] = device("10.0.0.5")
    where.admit(CAM, "10.0.0.5", 80)


def test_nothing_known_of_the_device_at_the_usual_address_is_no_reason_to_give_up(network):
    known(network, mac="").admit(CAM, "10.0.0.5", 80)


def test_configured_address_after_the_camera_was_found_elsewhere_has_to_prove_itself(network):
    where = known(network)
    survey(where, entry("10.0.0.77", MAC))
    network.macs.clear()
    with pytest.raises(OtherDevice, match=r"nobody knows whether 10\.0\.0\.5 is this camera"):
        where.admit(CAM, "10.0.0.5", 80)
    where.admit(CAM, "10.0.0.77", 80)


def test_twin_with_the_same_password_gives_itself_away_by_its_serial_number(network):
    where = known(network, mac="")
    with pytest.raises(OtherDevice, match="serial number S2 instead of S1"):
        where.learn(CAM, "10.0.0.5", 80, description("S2"), tuple)
    assert where.book.get(CAM).identity.serial == "S1"


def test_camera_that_was_replaced_is_taken_after_the_old_one_is_forgotten(network):
    where = known(network)
    network.macs["10.0.0.5"] = STRANGER
    where.forget("cam")
    where.admit(CAM, "10.0.0.5", 80)
    where.learn(CAM, "10.0.0.5", 80, description("S9"), tuple)
    assert where.book.get(CAM).identity.macs == (STRANGER,)


def test_camera_is_asked_for_its_hardware_address_only_where_the_network_does_not_tell(network):
    asked = []

    def ask():
        asked.append(1)
        return (MAC,)

    where = network.whereabouts()
    where.learn(CAM, "10.0.0.5", 80, description(), ask)
    where.learn(CAM, "10.0.0.5", 80, description(), ask)
    assert (where.book.get(CAM).identity.macs, len(asked)) == ((MAC,), 1)
