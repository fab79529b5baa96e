"""A discovered device is told apart from its neighbours on the same host."""

import pytest

from gateway.config.model import Camera
from gateway.onvif.wsdiscovery import Device
from gateway.sources.identity import pairs


def device(address, *xaddrs):
    return Device(f"urn:{address}", address, xaddrs or (f"http://{address}/onvif/device_service",))


def camera(name, **source):
    return Camera(name, name, **source)


def matched(devices, cameras):
    return [(one.address, other.id) for one, other in pairs(devices, cameras)]


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
    assert pairs([one], [camera("a", address="10.0.0.5"), camera("p"), camera("r", rtsp="rtsp://10.0.0.6/")]) == []
