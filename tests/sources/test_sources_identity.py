"""A discovered device is told apart from its neighbours on the same host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import Camera
from gateway.onvif.wsdiscovery import Device
from gateway.sources.identity import Identity, Traces, Verdict, contradicts, judge, learned, pairs


def device(address, *xaddrs):
    return Device(f"urn:{address}", address, xaddrs or (f"http://{address}/onvif/device_service",))


def camera(name, **source):
    return Camera(name, name, **source)


def placed(cameras):
    return [(one, one.address or one.rtsp or "") for one in cameras]


def matched(devices, cameras):
    return [(one.address, other.id) for one, other in pairs(devices, placed(cameras))]


def test_cameras_on_one_host_are_told_apart_by_port():
    devices = [device("127.0.0.1:18502"), device("127.0.0.1:18504")]
    cameras = [camera("b", address="127.0.0.1:18504"), camera("a", address="127.0.0.1:18502")]
    assert matched(devices, cameras) == [("127.0.0.1:18502", "a"), ("127.0.0.1:18504", "b")]


def test_onvif_port_does_not_hide_that_an_rtsp_camera_is_the_same_host():
    for source in ({"rtsp": "rtsp://192.168.1.9:554/live"}, {"address": "192.168.1.9"}):
        assert matched([device("192.168.1.9:8000")], [camera("a", **source)]) == [("192.168.1.9:8000", "a")]


def test_host_alone_does_not_decide_between_several():
    two = [device("127.0.0.1:1"), device("127.0.0.1:2")]
    assert matched(two, [camera("a", rtsp="rtsp://127.0.0.1/live")]) == []
    channels = [camera("a", rtsp="rtsp://10.0.0.5/1"), camera("b", rtsp="rtsp://10.0.0.5/2")]
    assert matched([device("10.0.0.5:8000")], channels) == []


def test_another_port_is_another_camera():
    assert matched([device("10.0.0.5:8000")], [camera("a", address="10.0.0.5:8001")]) == []


def test_host_names_do_not_mind_their_case():
    assert matched([device("Cam.LAN")], [camera("a", address="cam.lan")]) == [("Cam.LAN", "a")]


def test_every_channel_of_a_recorder_is_that_recorder():
    cameras = [camera("a", address="10.0.0.5", profile="1"), camera("b", address="10.0.0.5", profile="2")]
    assert matched([device("10.0.0.5")], cameras) == [("10.0.0.5", "a"), ("10.0.0.5", "b")]


@pytest.mark.parametrize("address", ["[bad", "", "://", "[::1", "a:b:c"])
def test_malformed_address_of_a_device_matches_nothing_and_raises_nothing(address):
    one = Device("urn:x", address, ("http://[bad/",))
    cameras = [camera("a", address="10.0.0.5"), camera("p"), camera("r", rtsp="rtsp://10.0.0.6/")]
    assert pairs([one], placed(cameras)) == []


MAC, REPEATER, STRANGER = "c0:56:e3:00:00:01", "c0:56:e3:00:00:02", "c0:56:e3:00:00:09"
REMEMBERED = Identity((MAC,), "S1", "urn:uuid:1", "DS-2CD")


@pytest.mark.parametrize(
    ("traces", "moved", "verdict"),
    [
        (Traces(mac=MAC, endpoint="urn:uuid:new"), True, Verdict.SAME),
        (Traces(mac=STRANGER, endpoint="urn:uuid:9"), False, Verdict.OTHER),
        (Traces(mac=STRANGER, endpoint="urn:uuid:1"), True, Verdict.OTHER),
        (Traces(mac=REPEATER, endpoint="urn:uuid:1"), False, Verdict.SAME),
        (Traces(endpoint="urn:uuid:1"), True, Verdict.SAME),
        (Traces(endpoint="urn:uuid:0000-c056e3000001"), True, Verdict.SAME),
        (Traces(endpoint="urn:uuid:2", hardware="DS-2CD"), False, Verdict.UNKNOWN),
        (Traces(endpoint="urn:uuid:2", hardware="IPC-HFW"), False, Verdict.OTHER),
        (Traces(serial="S1"), True, Verdict.SAME),
        (Traces(serial="S2", endpoint="urn:uuid:1"), True, Verdict.OTHER),
        (Traces(), False, Verdict.UNKNOWN),
    ],
    ids=[
        "new endpoint reference at every start",
        "stranger",
        "clone elsewhere",
        "moved behind a repeater",
        "no hardware address behind a router",
        "endpoint reference that ends with the hardware address",
        "same model with a new endpoint reference",
        "another model",
        "serial number told to strangers",
        "cloned endpoint reference, another serial number",
        "nothing is told",
    ],
)
def test_who_a_device_is(traces, moved, verdict):
    assert judge(REMEMBERED, traces, moved=moved) is verdict


def test_what_several_have_proves_nothing():
    without_mac = Identity(serial="S1", endpoint="urn:uuid:1")
    shared = frozenset({"S1", "urn:uuid:1"})
    assert judge(without_mac, Traces(endpoint="urn:uuid:1", serial="S1"), shared, moved=True) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("serial", "mac", "other"),
    [("S1", "", False), ("S2", "", True), ("S2", STRANGER, True), ("S2", MAC, False), ("", "", False), ("123456", "", False)],
)
def test_serial_number_told_after_the_login(serial, mac, other):
    assert contradicts(REMEMBERED, serial, mac) is other
    assert not contradicts(REMEMBERED, serial, mac, frozenset({"S1"}))


def test_learning_keeps_what_is_not_told_again():
    after = learned(REMEMBERED, mac=REPEATER, serial="123456")
    assert (after.macs, after.serial, after.endpoint) == ((REPEATER, MAC), "S1", "urn:uuid:1")


@given(
    st.builds(Traces, mac=st.sampled_from(["", MAC, STRANGER]), endpoint=st.sampled_from(["", "urn:uuid:1", "urn:uuid:2"])),
    st.booleans(),
)
def test_another_hardware_address_at_another_place_is_never_the_camera(traces, moved):
    verdict = judge(REMEMBERED, traces, moved=True)
    assert verdict is not Verdict.SAME or traces.mac in ("", MAC)
    assert judge(REMEMBERED, traces, frozenset({"urn:uuid:1"}), moved=moved) is not Verdict.SAME or traces.mac == MAC
