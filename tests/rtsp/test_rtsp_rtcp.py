"""Sender reports as a receiver reads them, and receiver reports as they come in."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.rtcp import BYE, RECEIVER_REPORT, SENDER_REPORT, goodbye, is_alive_sign, parse_rtcp, sender_report
from gateway.rtsp.rtp import RtpSender


def test_a_report_ties_rtp_time_to_wall_clock() -> None:
    sender = RtpSender(96, 90_000, ssrc=7, sequence=1, base=1000)
    sender.packetise([b"abc", b"d"], 0, marked=True)
    report = sender_report(sender, "cam", 1_700_000_000.25, 9000)
    kind, length, ssrc, seconds, fraction, timestamp, packets, octets = struct.unpack("!xBHIIIIII", report[:28])
    assert (kind, length, ssrc) == (SENDER_REPORT, 6, 7)
    assert seconds + fraction / 2**32 - 2_208_988_800 == pytest.approx(1_700_000_000.25, abs=1e-4)
    assert (timestamp, packets, octets) == (10_000, 2, 4)
    assert [packet.packet_type for packet in parse_rtcp(report)] == [SENDER_REPORT, 202]
    assert len(report) % 4 == 0


def test_goodbye_is_a_whole_compound() -> None:
    data = goodbye(RtpSender(96, 90_000, ssrc=7, sequence=1, base=0), "cam")
    assert [(packet.packet_type, packet.ssrc) for packet in parse_rtcp(data)] == [
        (RECEIVER_REPORT, 7),
        (202, 7),
        (BYE, 7),
    ]


def test_a_receiver_report_is_a_sign_of_life_and_rtp_or_bye_is_not() -> None:
    assert is_alive_sign(b"\x80\xc9\x00\x01\x00\x00\x00\x07")
    assert not is_alive_sign(b"\x81\xcb\x00\x01\x00\x00\x00\x07")
    assert not is_alive_sign(b"\x80\x60\x00\x01" + bytes(20))


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.binary(max_size=100))
def test_garbage_is_nobody_alive_or_a_report_but_never_an_error(data: bytes) -> None:
    assert is_alive_sign(data) in (True, False)
    assert is_alive_sign(b"\x80" + data) in (True, False)
