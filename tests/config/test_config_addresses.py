"""Where credentials end in URLs, and what is a host."""

from __future__ import annotations

import pytest

from gateway.config.addresses import HostPort, device_address, host_port, push_url, source_url
from gateway.config.secrets import Secret


@pytest.mark.parametrize(
    ("text", "url", "username", "password"),
    [
        (
            "rtsp://admin:12345@192.168.10.215/h264/ch1/main/av_stream",
            "192.168.10.215/h264/ch1/main/av_stream",
            "admin",
            "12345",
        ),
        ("rtsp://192.168.1.2/live", "192.168.1.2/live", None, None),
        ("rtsp://192.168.1.2", "192.168.1.2", None, None),
        ("rtsp://192.168.1.2:8554/a?b=c#d", "192.168.1.2:8554/a?b=c#d", None, None),
        ("rtsp://admin@192.168.1.2/live", "192.168.1.2/live", "admin", None),
        ("rtsp://admin:@192.168.1.2/live", "192.168.1.2/live", "admin", ""),
        ("rtsp://a:p@ss@192.168.1.2/live", "192.168.1.2/live", "a", "p@ss"),
        ("rtsp://a:p:ss@192.168.1.2/live", "192.168.1.2/live", "a", "p:ss"),
        ("rtsp://a:p/s#s?@192.168.1.2/live", "192.168.1.2/live", "a", "p/s#s?"),
        ("rtsp://a:p/s@1@192.168.1.2:554/live", "192.168.1.2:554/live", "a", "p/s@1"),
        ("rtsp://a:#@cam.lan", "cam.lan", "a", "#"),
        ("rtsp://a:p%40s%25@192.168.1.2/live%20x", "192.168.1.2/live%20x", "a", "p@s%"),
        ("rtsp://192.168.1.2/live@main", "192.168.1.2/live@main", None, None),
        ("rtsp://a:b@192.168.1.2/live@10.0.0.1/x", "192.168.1.2/live@10.0.0.1/x", "a", "b"),
        ("rtsp://cam.lan/live@-2x-/main", "cam.lan/live@-2x-/main", None, None),
        ("rtsp://a:b@[fe80::1%25eth0]:554/x", "[fe80::1%25eth0]:554/x", "a", "b"),
        ("rtsp://[2001:db8::1]/x", "[2001:db8::1]/x", None, None),
        ("rtsp://cam_1.lan./x", "cam_1.lan./x", None, None),
    ],
)
def test_credentials_are_cut_out(text: str, url: str, username: str | None, password: str | None) -> None:
    found = source_url(text, str)
    assert found.url == f"rtsp://{url}"
    assert found.username == username
    assert found.password == (None if password is None else Secret(password))


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:12/3@cam/live",
        "rtsp://admin:12@b/3@192.168.1.2/live",
        "rtsp://admin:p@ss/w@192.168.1.2/live",
        "rtsp://cam/live@main",
    ],
)
def test_nothing_is_guessed_where_two_readings_fit(text: str) -> None:
    with pytest.raises(ValueError, match="cannot tell where the password ends"):
        source_url(text, str)


@pytest.mark.parametrize(
    "text", ["rtsp://", "rtsp:///x", "rtsp://a:b@/x", "rtsp://192.168.1.300/x", "rtsp://a:0/x", "rtsp://[::1/x"]
)
def test_a_url_without_a_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has no valid host"):
        source_url(text, str)


def test_a_password_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="no user name"):
        source_url("rtsp://:pw@192.168.1.2/", str)


def test_a_space_in_a_url_is_refused() -> None:
    with pytest.raises(ValueError, match="spaces"):
        source_url("rtsp://192.168.1.2/a b", str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.0:8443", HostPort("0.0.0.0", 8443)),
        ("[::]:80", HostPort("::", 80)),
        ("box.lan:0", HostPort("box.lan", 0)),
    ],
)
def test_listening_addresses(text: str, expected: HostPort) -> None:
    assert host_port(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["", "8080", ":8080", "1.2.3:80", "::1:80", "a b:80", "0.0.0.0:", "0.0.0.0:x"])
def test_wrong_listening_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        host_port(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("192.168.1.2", None), ("cam.lan:8000", None), ("fe80::1", "[fe80::1]"), ("[fe80::1]:80", None)],
)
def test_device_addresses(text: str, expected: str | None) -> None:
    assert device_address(text) == (expected or text)


def test_push_urls_keep_what_they_hold() -> None:
    assert push_url("rtmp://user:key@media.example:1936/app/name") == "rtmp://user:key@media.example:1936/app/name"
    with pytest.raises(ValueError, match="no valid host"):
        push_url("rtmp:///app")
