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


ENVIRONMENT = {"${KEY}": "a/b?c", "${PASS}": "p@s/s", "${URL}": "rtmp://media.example/live/yard"}


def expand(text: str) -> str:
    for name, value in ENVIRONMENT.items():
        text = text.replace(name, value)
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtmp://media.example/live/yard", (False, "media.example", 1935, "live", "yard", None, None)),
        ("rtmps://live.example/rtmp/FB-1?s=2&t=/x", (True, "live.example", 443, "rtmp", "FB-1?s=2&t=/x", None, None)),
        ("RTMP://[fe80::1]:1936/a/b/c", (False, "fe80::1", 1936, "a/b", "c", None, None)),
        ("rtmp://media.example/live/${KEY}", (False, "media.example", 1935, "live", "a/b?c", None, None)),
        ("${URL}", (False, "media.example", 1935, "live", "yard", None, None)),
        ("rtmp://u:${PASS}@media.example/live/yard", (False, "media.example", 1935, "live", "yard", "u", "p@s/s")),
        ("rtmp://u:p%40s@media.example/live/yard", (False, "media.example", 1935, "live", "yard", "u", "p@s")),
        ("rtmp://media.example/live", (False, "media.example", 1935, "", "live", None, None)),
    ],
)
def test_push_urls_are_cut_as_obs_cuts_them(text: str, expected: tuple[object, ...]) -> None:
    found = push_url(text, expand)
    password = found.password.reveal() if found.password else None
    assert (found.tls, found.host, found.port, found.app, found.name.reveal(), found.username, password) == expected


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("rtmp:///app", "no valid host"),
        ("http://media.example/live/x", "must start with rtmp:// or rtmps://"),
        ("rtmp://media.example/live/a b", "spaces or control"),
    ],
)
def test_push_urls_that_are_none(text: str, finding: str) -> None:
    with pytest.raises(ValueError, match=finding):
        push_url(text, expand)
