"""The Transport header: alternatives, missing parameters, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.transport import (
    InterleavedChannels,
    UdpPorts,
    UnsupportedTransport,
    Wanted,
    choose_transport,
    describe_interleaved,
    describe_udp,
)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=2-3", InterleavedChannels(2, 3)),
        ("RTP/AVP/TCP;interleaved=4", InterleavedChannels(4, 5)),
        ("RTP/AVP/TCP;unicast", None),
        ("RTP/AVP;unicast;client_port=5000-5001", UdpPorts(5000, 5001)),
        ("rtp/avp/udp;client_port=5000;mode=play", UdpPorts(5000, 5001)),
        ('RTP/AVP;multicast, RTP/AVP;unicast;client_port=5000-5001;mode="PLAY"', UdpPorts(5000, 5001)),
        ("RTP/SAVP;unicast;client_port=1-2,RTP/AVP/TCP;interleaved=0-1", InterleavedChannels(0, 1)),
        ("RTP/AVP;unicast;destination=10.0.0.9;client_port=7000-7001", UdpPorts(7000, 7001)),
    ],
)
def test_the_first_usable_alternative_is_taken(header: str, wanted: Wanted) -> None:
    assert choose_transport(header) == wanted


@pytest.mark.parametrize(
    "header",
    [
        "",
        "RTP/AVP;multicast",
        "RTP/AVP;unicast",
        "RTP/AVP;unicast;client_port=0-1",
        "RTP/AVP;unicast;client_port=70000-70001",
        "RTP/AVP;unicast;client_port=5000-5000",
        "RTP/AVP/TCP;interleaved=255",
        "RTP/AVP/TCP;interleaved=0-1;mode=record",
        "RTP/SAVP;client_port=5000-5001",
    ],
)
def test_what_cannot_be_served_is_unsupported(header: str) -> None:
    with pytest.raises(UnsupportedTransport):
        choose_transport(header)


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.text(max_size=100))
def test_no_header_raises_anything_else(header: str) -> None:
    try:
        choose_transport(header)
    except UnsupportedTransport:
        pass


def test_answers_repeat_what_was_asked_for() -> None:
    assert describe_interleaved(InterleavedChannels(0, 1), 0xA) == "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0000000A"
    udp = describe_udp(UdpPorts(5000, 5001), UdpPorts(6000, 6001), 0xA)
    assert udp == "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;ssrc=0000000A"
