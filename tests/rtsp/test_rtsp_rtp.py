"""RTP headers: numbering, stamps and wrap-around."""

from __future__ import annotations

import struct

from gateway.media.track import Codec, TrackConfig
from gateway.rtsp.rtp import RtpSender


def header(packet: bytes) -> tuple[int, bool, int, int, int]:
    first, kind, sequence, timestamp, ssrc = struct.unpack("!BBHII", packet[:12])
    assert first == 0x80
    return kind & 0x7F, bool(kind & 0x80), sequence, timestamp, ssrc


def test_packets_of_one_frame_share_a_stamp_and_the_last_is_marked() -> None:
    sender = RtpSender(96, 90_000, ssrc=7, sequence=10, base=100)
    packets = sender.packetise([b"a", b"bc"], 3600, marked=True)
    assert [header(packet) for packet in packets] == [(96, False, 10, 3700, 7), (96, True, 11, 3700, 7)]
    assert [packet[12:] for packet in packets] == [b"a", b"bc"]
    assert (sender.packets, sender.octets) == (2, 3)


def test_sequence_and_stamp_wrap() -> None:
    sender = RtpSender(0, 8000, ssrc=7, sequence=0xFFFF, base=0xFFFFFFFF)
    first, second = sender.packetise([b"a", b"b"], 2, marked=False)
    assert header(first) == (0, False, 0xFFFF, 1, 7)
    assert header(second)[2] == 0


def test_a_negative_pts_is_a_moment_before_the_base() -> None:
    assert RtpSender(96, 90_000, ssrc=1, sequence=1, base=100).timestamp(-200) == 0xFFFFFFFF - 99


def test_random_senders_differ() -> None:
    config = TrackConfig(Codec.PCMU, 8000, b"", "")
    first, second = (RtpSender.random(0, config) for _ in range(2))
    assert (first.ssrc, first.base) != (second.ssrc, second.base)
    assert first.sequence < 0x8000
