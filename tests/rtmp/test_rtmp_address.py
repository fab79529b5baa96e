from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtmp.address import parse_address

HOST = "rtmp://cams.example:1935"


@pytest.mark.parametrize(
    ("app", "tc_url", "name"),
    [
        ("live", f"{HOST}/live", "front-door"),
        ("live", f"{HOST}/live", "/front-door"),
        ("live/", f"{HOST}/live/", "front-door"),
        ("/live", f"{HOST}/live", "front-door/"),
        ("live/front-door", f"{HOST}/live/front-door", ""),
        ("live//front-door", f"{HOST}/live//front-door", ""),
        ("live/_definst_", f"{HOST}/live/_definst_", "front-door"),
        ("live", f"{HOST}/live", "mp4:front-door"),
        ("live", f"{HOST}/live", "flv:front-door"),
        ("", f"{HOST}/live", "front-door"),
        ("", f"{HOST}/live/front-door", ""),
        ("live", "", "front-door"),
    ],
)
def test_forms_of_clients_mean_the_same_stream(app, tc_url, name):
    address = parse_address(app, tc_url, name)
    assert (address.app, address.name, dict(address.params)) == ("live", "front-door", {})


@pytest.mark.parametrize(
    ("app", "tc_url", "name"),
    [
        ("live", f"{HOST}/live", "front-door?token=a%2Fb"),
        ("live?token=a%2Fb", f"{HOST}/live?token=a%2Fb", "front-door"),
        ("live", f"{HOST}/live?token=a%2Fb", "front-door"),
        ("live/front-door?token=a/b", f"{HOST}/live/front-door?token=a/b", ""),
    ],
)
def test_query_may_be_on_name_app_or_url(app, tc_url, name):
    address = parse_address(app, tc_url, name)
    assert (address.app, address.name, dict(address.params)) == ("live", "front-door", {"token": "a/b"})


def test_query_of_the_stream_name_wins():
    address = parse_address("live?user=b&extra=1", f"{HOST}/live?user=c", "x?user=a&user=z")
    assert dict(address.params) == {"user": "a", "extra": "1"}


def test_sub_stream_keeps_its_dot():
    assert parse_address("live", "", "front-door.sub").name == "front-door.sub"


@pytest.mark.parametrize(
    "name", ["", "..", "a/../b", "a..b", "a\0b", "a b", "a\r\nb", "<script>", "$(id)", "a/b", "\ufffd", "-x", "x" * 129]
)
def test_names_that_could_do_harm_are_empty(name):
    assert parse_address("live", "", name).name == ""


def test_application_that_could_do_harm_is_empty():
    assert parse_address("li\nve", "", "x").app == ""


def test_one_component_is_an_application_without_a_stream():
    address = parse_address("front-door", f"{HOST}/front-door", "")
    assert (address.app, address.name) == ("front-door", "")


def test_credentials_are_not_in_the_repr():
    assert "hunter2" not in repr(parse_address("live", "", "x?pass=hunter2"))


def test_parameter_flood_is_ignored():
    assert dict(parse_address("live", "", "x?" + "&".join(f"k{n}=v" for n in range(100))).params) == {}


@given(st.text(), st.text(), st.text())
def test_any_text_gives_safe_names(app, tc_url, name):
    address = parse_address(app, tc_url, name)
    for text in (address.app, address.name):
        assert text == "" or (text.isascii() and text.isprintable() and "/" not in text and ".." not in text)
