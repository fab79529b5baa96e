"""What a proxy says is believed of our own proxies only, and of them only their own words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.proxy import TrustedProxies
from gateway.config.model import ProxyTrust
from gateway.http.messages import Request

PROXIES = TrustedProxies(ProxyTrust(("127.0.0.1/32", "10.0.0.0/24", "fd00::/64"), "x-forwarded-user"))


def request(client: str, **headers: str) -> Request:
    return Request("GET", "/", "", {name.replace("_", "-"): value for name, value in headers.items()}, client, "http")


def test_a_proxy_says_who_came_how() -> None:
    seen = PROXIES.resolve(
        request("10.0.0.2", x_forwarded_for="203.0.113.9", x_forwarded_proto="https", x_forwarded_user="anna")
    )
    assert (seen.client, seen.scheme, seen.user) == ("203.0.113.9", "https", "anna")


def test_anybody_else_is_taken_for_himself_whatever_he_says() -> None:
    sent = request("10.0.1.2", x_forwarded_for="127.0.0.1", x_forwarded_proto="https", x_forwarded_user="admin")
    assert PROXIES.resolve(sent) is sent


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("", "127.0.0.1"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("admin, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, nonsense", "127.0.0.1"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("10.0.0.7, 10.0.0.8", "10.0.0.7"),
    ],
)
def test_the_last_address_that_is_no_proxy_counts(forwarded: str, client: str) -> None:
    assert PROXIES.resolve(request("127.0.0.1", x_forwarded_for=forwarded)).client == client


@given(
    st.sampled_from(["127.0.0.1", "10.0.0.7", "10.0.1.7", "?"]),
    st.lists(st.sampled_from(["10.0.0.7", "203.0.113.9", "198.51.100.1, 10.0.0.3", "nonsense", ""]), max_size=3),
    st.lists(st.sampled_from(["https", "http", "HTTPS ", "https, http", "ftp", ""]), max_size=3),
)
def test_the_express_lane_takes_nobody_for_somebody_else(peer: str, forwarded: list[str], protos: list[str]) -> None:
    fields = {"x-forwarded-for": forwarded, "x-forwarded-proto": protos}
    headers: Any = SimpleNamespace(get_all=fields.__getitem__)
    joined = {name.replace("-", "_"): ", ".join(values) for name, values in fields.items() if values}
    seen = PROXIES.resolve(request(peer, **joined))
    assert PROXIES.resolve_fields(peer, "http", headers) == (seen.client, seen.scheme)


@pytest.mark.parametrize("said", ["anna, admin", "", "  ", "a" * 129])
def test_a_user_header_that_may_be_the_client_s_own_names_nobody(said: str) -> None:
    assert PROXIES.resolve(request("127.0.0.1", x_forwarded_user=said)).user == ""


def test_without_a_user_header_nobody_is_named() -> None:
    proxies = TrustedProxies(ProxyTrust(("127.0.0.1/32",)))
    assert proxies.resolve(request("127.0.0.1", x_forwarded_user="admin")).user == ""


@given(st.text(max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_no_header_is_an_error(forwarded: str, scheme: str, user: str) -> None:
    seen = PROXIES.resolve(request("127.0.0.1", x_forwarded_for=forwarded, x_forwarded_proto=scheme, x_forwarded_user=user))
    assert seen.scheme in ("http", "https")
