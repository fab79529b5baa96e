"""How long a subscription lasts and where it is, whatever the camera says."""

from __future__ import annotations

from typing import Any

import pytest
import zeep
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.onvif import reader, subscription
from gateway.onvif.reader import Node
from gateway.onvif.schema import wsdl_directory
from gateway.onvif.subscription import LEASE_S, RENEW_GAP_S, UNKNOWN_LEASE_S, Times

SERVICE = "http://192.168.1.64/onvif/event_service"
NOW = 1000.0


def answer(address: str = "http://192.168.1.64/onvif/sub?Idx=0", times: str = "", parameters: str = "") -> Node:
    reply = reader.parse(
        f'<s:Envelope xmlns:s="urn:s"><t:CreatePullPointSubscriptionResponse xmlns:t="urn:t" xmlns:a="urn:a">'
        f"<t:SubscriptionReference><a:Address>{address}</a:Address>{parameters}</t:SubscriptionReference>{times}"
        "</t:CreatePullPointSubscriptionResponse></s:Envelope>".encode()
    )
    assert reply is not None
    return reply.children[0]


def times(current: str, end: str) -> str:
    return f"<CurrentTime>{current}</CurrentTime><TerminationTime>{end}</TerminationTime>"


def made(node: Node) -> subscription.Subscription:
    held = subscription.created(node, SERVICE, NOW)
    assert held is not None
    return held


@pytest.mark.parametrize(
    ("said", "used"),
    [
        ("http://192.168.1.64/onvif/sub?Idx=0", "http://192.168.1.64/onvif/sub?Idx=0"),
        ("http://192.168.1.64:1025/event-0", "http://192.168.1.64:1025/event-0"),  # Tapo: another port each time
        ("http://10.9.8.7:8888/onvif/sub", "http://192.168.1.64/onvif/sub"),  # behind NAT
        ("http://0.0.0.0:80/onvif/sub", "http://192.168.1.64/onvif/sub"),
        ("http://192.168.1.64:8106:8106/onvif/Subscription", "http://192.168.1.64:8106/onvif/Subscription"),  # HA #92603
        ("http:///onvif/sub", "http://192.168.1.64/onvif/sub"),
        ("", "http://192.168.1.64/onvif/event_service"),
        (" http://192.168.1.64/a\n ", "http://192.168.1.64/a"),
    ],
)
def test_address_keeps_the_host_that_works(said: str, used: str) -> None:
    assert made(answer(said)).address == used


def test_end_is_taken_from_the_cameras_own_clock() -> None:
    """A clock that is years off tells lengths rightly."""
    held = made(answer(times=times("2000-01-01T00:00:00Z", "2000-01-01T00:10:00Z")))
    assert (held.ends, held.times) == (NOW + 600, Times.RELATIVE)
    assert not held.renew_due(NOW + 200)
    assert held.renew_due(NOW + 301)


def test_camera_that_reads_ten_minutes_as_ten_seconds_gets_absolute_times() -> None:
    held = made(answer(times=times("2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z")))
    assert held.times is Times.ABSOLUTE
    assert not held.renew_due(NOW + RENEW_GAP_S - 1), "Tapo cameras crash when asked too often"
    assert held.renew_due(NOW + RENEW_GAP_S)
    renewed = held.after_renew(answer(times=times("2026-01-01T00:00:20Z", "2026-01-01T00:10:20Z")), NOW + 20)
    assert renewed.ends == NOW + 620


def test_renew_that_is_misread_or_refused_leads_to_the_next_way() -> None:
    held = made(answer(times=times("2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z")))
    misread = held.after_renew(answer(times=times("2026-01-01T00:05:00Z", "2026-01-01T00:05:10Z")), NOW + 300)
    assert misread.times is Times.ABSOLUTE
    refused = held.after_refused_renew(NOW + 300)
    assert refused.times is Times.ABSOLUTE
    assert refused.after_refused_renew(NOW + 320).times is Times.NONE
    assert not refused.after_refused_renew(NOW + 320).renew_due(NOW + 599)


def test_camera_without_times_is_renewed_by_the_usual_minute() -> None:
    for text in ("", times("now", "later"), times("2026-01-01T00:00:00Z", "")):
        assert made(answer(times=text)).ends == NOW + UNKNOWN_LEASE_S


def test_each_answer_that_tells_a_new_end_counts() -> None:
    held = made(answer(times=times("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")))
    later = held.heard(answer(times=times("2026-01-01T00:00:50Z", "2026-01-01T00:01:50Z")), NOW + 50)
    assert later.ends == NOW + 110
    assert held.heard(answer(), NOW + 50) == held


def test_reference_parameters_keep_their_namespaces() -> None:
    """Axis finds the subscription by them alone."""
    parameters = (
        '<a:ReferenceParameters><d:SubscriptionId xmlns:d="http://www.axis.com/2009/event" x="1">7 &amp; 8</d:SubscriptionId>'
        "</a:ReferenceParameters>"
    )
    header = subscription.addressing("urn:action", "urn:to", "id", made(answer(parameters=parameters)).parameters)
    tree = etree.fromstring(f"<h>{header}</h>")
    found = tree.find("{http://www.axis.com/2009/event}SubscriptionId")
    assert found is not None
    assert (found.text, found.get("x")) == ("7 & 8", "1")
    assert found.get(f"{{{subscription.ADDRESSING_NS}}}IsReferenceParameter") == "true"


def test_answer_without_an_address_is_none() -> None:
    assert subscription.created(Node("X", {}, "", ()), SERVICE, NOW) is None


@pytest.fixture(scope="module")
def official() -> Any:
    class Offline(zeep.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.session.close()

    return zeep.Client(str(wsdl_directory() / "events.wsdl"), transport=Offline(), settings=zeep.Settings(strict=True))


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (subscription.create_request(), "InitialTerminationTime", "PT600S"),
        (subscription.pull_request(), "MessageLimit", 50),
        (subscription.renew_request(Times.RELATIVE, lambda: 0.0), "TerminationTime", "PT600S"),
        (subscription.renew_request(Times.ABSOLUTE, lambda: 0.0), "TerminationTime", "1970-01-01T00:10:00Z"),
        (subscription.unsubscribe_request(), None, None),
    ],
)
def test_requests_fit_the_schema(official: Any, text: str, name: str | None, value: object) -> None:
    body = etree.fromstring(text)
    parsed = official.get_element(body.tag).parse(body, official.wsdl.types)
    assert name is None or getattr(parsed, name) == value
    assert LEASE_S == 600


words = st.sampled_from(
    ["SubscriptionReference", "Address", "ReferenceParameters", "CurrentTime", "TerminationTime", "Any", "x:y"]
)
texts = st.sampled_from(
    ["", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00", "http://[", "<&>"]
) | st.text(st.characters(exclude_categories=["C"]), max_size=6)
trees = st.recursive(
    st.builds(Node, words, st.dictionaries(st.sampled_from(["a", "Id"]), texts, max_size=2), texts, st.just(())),
    lambda inner: st.builds(Node, words, st.just({}), texts, st.lists(inner, max_size=4).map(tuple), texts),
    max_leaves=12,
)


@given(trees)
def test_any_answer_is_survived(reply: Node) -> None:
    held = subscription.created(reply, SERVICE, NOW)
    if held is not None:
        assert held.address.startswith("http://192.168.1.64")
        assert held.ends >= NOW
        held.heard(reply, NOW).after_renew(reply, NOW).renew_due(NOW)
