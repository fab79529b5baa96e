"""RTCP: what we report about our streams, and the little we read of a viewer's reports (RFC 3550 section 6). Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.rtsp.rtp import RtpSender

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, BYE = 200, 201, 202, 203
_CNAME = 1
_VERSION_2 = 0x80
_NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 (NTP) to 1970 (Unix)."""


def sender_report(sender: RtpSender, cname: str, wall: float, pts: float) -> bytes:
    """SR and SDES: the picture of `pts` (ticks) was taken at `wall` (Unix seconds)."""
    ntp = int((wall + _NTP_EPOCH_S) * 65536) << 16 & 0xFFFFFFFFFFFFFFFF
    body = struct.pack(
        "!IQIII",
        sender.ssrc,
        ntp,
        sender.timestamp(round(pts)),
        sender.packets & 0xFFFFFFFF,
        sender.octets & 0xFFFFFFFF,
    )
    return _packet(SENDER_REPORT, 0, body) + _source_description(sender.ssrc, cname)


def goodbye(sender: RtpSender, cname: str) -> bytes:
    """The track ends here: an empty receiver report (every compound begins with a report), SDES and BYE."""
    ssrc = sender.ssrc.to_bytes(4, "big")
    return _packet(RECEIVER_REPORT, 0, ssrc) + _source_description(sender.ssrc, cname) + _packet(BYE, 1, ssrc)


@dataclass(frozen=True, slots=True)
class RtcpPacket:
    """One packet of a compound: its type and the SSRC it speaks for."""

    packet_type: int
    ssrc: int


def parse_rtcp(data: bytes) -> Iterator[RtcpPacket]:
    """Yield the packets of a compound; stops quietly at the first defect, for RTCP is never worth an error."""
    offset = 0
    while offset + 8 <= len(data):
        if data[offset] & 0xC0 != _VERSION_2:
            return
        length = 4 * (1 + int.from_bytes(data[offset + 2 : offset + 4], "big"))
        if length < 8 or offset + length > len(data):
            return
        yield RtcpPacket(data[offset + 1], int.from_bytes(data[offset + 4 : offset + 8], "big"))
        offset += length


def is_alive_sign(data: bytes) -> bool:
    """The compound holds a receiver report: the viewer is there and listening."""
    return any(packet.packet_type in (SENDER_REPORT, RECEIVER_REPORT) for packet in parse_rtcp(data))


def _source_description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    chunk = struct.pack("!IBB", ssrc, _CNAME, len(name)) + name + b"\0"
    return _packet(SOURCE_DESCRIPTION, 1, chunk + bytes(-len(chunk) % 4))


def _packet(packet_type: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", _VERSION_2 | count, packet_type, len(body) // 4) + body
