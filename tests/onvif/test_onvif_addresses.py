"""Addresses as cameras report them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif import addresses
from gateway.onvif.addresses import clean_stream_uri, device_services, parse_target, pin_service, rank_xaddrs, split


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("192.168.1.20", "http://192.168.1.20"),
        ("cam.local:8000", "http://cam.local:8000"),
        ("http://user:p@ss@10.0.0.5/onvif/x", "http://10.0.0.5/onvif/x"),
        ("[fe80::1]:8080", "http://[fe80::1]:8080"),
        ("fd00::20", "http://[fd00::20]"),
        ("https://10.0.0.5/", "https://10.0.0.5"),
    ],
)
def test_typed_addresses(text, url):
    assert parse_target(text).url == url


@pytest.mark.parametrize("text", ["", "   ", "0.0.0.0", "rtsp://10.0.0.5/", "http:///onvif", "a b\nc d?"])
def test_typed_addresses_that_are_none(text):
    if text == "a b\nc d?":
        assert parse_target(text).host == "abcd"  # blanks are what a paste brings along
        return
    with pytest.raises(ValueError, match="address"):
        parse_target(text)


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        ("rtsp://192.168.1.106:8106:8106/s", "rtsp://cam:8106/s"),
        ("rtsp://rtsp://192.168.1.5/live", "rtsp://cam/live"),
        ("192.168.1.5:1935/live", "rtsp://cam:1935/live"),
        ("rtsp://::ffff:192.168.1.123/live", "rtsp://cam/live"),
        ("rtsp:///live", "rtsp://cam/live"),
        ("rtsp://0.0.0.0:554/live", "rtsp://cam:554/live"),
        ("rtsp://u:p@ss@1.2.3.4/a?pwd=1&user=x&ch=2", "rtsp://cam/a?ch=2"),
        ("rtsp://1.2.3.4/a b\r\n/c", "rtsp://cam/ab/c"),
        ("rtsp://1.2.3.4/Streaming/Channels/101?transportmode=unicast", "rtsp://cam/Streaming/Channels/101"),
        ("rtsp://1.2.3.4/Streaming/tracks/101?starttime=1", "rtsp://cam/Streaming/tracks/101?starttime=1"),
        ("http://1.2.3.4/x", None),
        ("", None),
    ],
)
def test_stream_uris(said, clean):
    assert clean_stream_uri(said, "cam") == clean


def test_stream_uri_of_an_ipv6_camera_has_brackets():
    assert clean_stream_uri("rtsp://[fd00::9]:554/a", "fd00::20") == "rtsp://[fd00::20]:554/a"


def test_service_keeps_the_port_the_user_typed():
    assert pin_service("http://10.0.0.5:80/m", "http://nat.example:8081/d", port_typed=True) == "http://nat.example:8081/m"


def test_service_on_another_port_of_the_same_host():
    assert pin_service("http://10.0.0.5:8899/m", "http://10.0.0.5:80/d", port_typed=False) == "http://10.0.0.5:8899/m"
    assert pin_service("http://10.0.0.6:8899/m", "http://10.0.0.5:80/d", port_typed=False) == "http://10.0.0.5:80/m"


def test_usual_ports_come_after_what_discovery_knows():
    found = device_services(parse_target("10.0.0.5"), ["http://10.0.0.9/a", "http://10.0.0.5:2020/onvif/service"])
    assert found[0] == "http://10.0.0.5:2020/onvif/service"
    assert found[1] == "http://10.0.0.5:80/a"
    assert [split(url).port for url in found[2:]] == [80, 8000, 8080, 8899, 2020, 5000, 8999]


def test_typed_port_or_path_is_the_only_one_tried():
    assert device_services(parse_target("10.0.0.5:81")) == ("http://10.0.0.5:81/onvif/device_service",)
    assert device_services(parse_target("http://10.0.0.5/x"), ["http://10.0.0.5:99/y"]) == ("http://10.0.0.5:80/x",)


def test_several_xaddrs_in_one_element_are_ranked():
    text = "https://192.168.1.20/d http://169.254.3.4/d http://[fe80::1]/d http://10.1.1.1/d http://192.168.1.20/d"
    assert rank_xaddrs([text], "192.168.1.20") == (
        "http://192.168.1.20/d",
        "https://192.168.1.20/d",
        "http://10.1.1.1/d",
        "http://169.254.3.4/d",
        "http://[fe80::1]/d",
    )


def test_nowhere_xaddr_gets_the_senders_address():
    assert rank_xaddrs(["http://0.0.0.0:8080/d"], "192.168.1.7") == ("http://192.168.1.7:8080/d",)
    assert rank_xaddrs(["http:///d"], "192.168.1.7") == ("http://192.168.1.7/d",)


@pytest.mark.quirk(4)
def test_sender_is_a_candidate_when_the_xaddr_is_another_network():
    assert rank_xaddrs(["http://10.0.0.4:8000/d"], "192.168.1.7") == (
        "http://192.168.1.7:8000/d",
        "http://10.0.0.4:8000/d",
    )


def test_link_local_ipv6_address_gets_the_interface_it_was_heard_on():
    ranked = rank_xaddrs(["http://[fe80::1]:8000/d"], "fe80::1%eth0")
    assert ranked == ("http://[fe80::1%eth0]:8000/d",)
    assert split(ranked[0]).host == "fe80::1%eth0"
    assert split("http://[fe80::1%25eth0]/d").host == "fe80::1%eth0"
    assert rank_xaddrs(["http://[fe80::1]/d", "http://10.0.0.4/d"], "10.0.0.4")[0] == "http://10.0.0.4/d"


def test_link_local_is_last():
    assert rank_xaddrs(["http://169.254.1.1/d", "http://10.0.0.4/d"], "10.0.0.4")[-1] == "http://169.254.1.1/d"


@given(st.text())
def test_no_text_raises(text):
    addresses.split(text)
    url = clean_stream_uri(text, "cam")
    assert url is None or url.startswith(("rtsp://cam", "rtsps://cam"))
    assert url is None or not any(ch.isspace() for ch in url)
    rank_xaddrs([text], "192.168.1.7")
    assert pin_service(text, "http://10.0.0.5:80/d", port_typed=True).startswith("http://10.0.0.5:80/")


@given(st.lists(st.sampled_from(["http://169.254.1.1/a", "http://10.0.0.1/b", "http://8.8.8.8/c", "https://10.0.0.2"])))
def test_link_local_never_comes_before_others(xaddrs):
    ranked = rank_xaddrs(xaddrs, "10.0.0.9")
    marks = ["169.254" in xaddr for xaddr in ranked]
    assert marks == sorted(marks)
