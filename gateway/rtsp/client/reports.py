"""RTCP on the receiving side (RFC 3550 section 6): what cameras tell of their clocks, and what we tell them. Pure.

Some cameras end a session that sends no receiver reports, whatever keep-alives it sends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, BYE = 200, 201, 202, 203
_CNAME = 1
_VERSION_2 = 0x80
_NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 (NTP) to 1970 (Unix)."""
_CNAME_TEXT = b"gateway"


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`rtp` (32 bits) was the time of the stream's clock at `wall`, Unix seconds of the camera's clock."""

    ssrc: int
    wall: float
    rtp: int
    middle: int
    """Middle 32 bits of the NTP time, for our answer."""


@dataclass(frozen=True, slots=True)
class Bye:
    """A source ends."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class Reception:
    """What a receiver report says of one source."""

    ssrc: int
    fraction_lost: int
    """Of 256, since the last report."""
    lost: int
    highest: int
    """Sequence number with wraps in the upper 16 bits."""
    jitter: int
    last_report: int = 0
    delay: int = 0
    """1/65536 s since the last sender report."""


def parse(data: bytes) -> Iterator[SenderReport | Bye]:
    """What matters in a compound; stops quietly at the first defect."""
    at = 0
    while at + 8 <= len(data) and data[at] & 0xC0 == _VERSION_2:
        kind, length = data[at + 1], 4 * (1 + (data[at + 2] << 8 | data[at + 3]))
        if at + length > len(data):
            return
        if kind == SENDER_REPORT and length >= 28:
            ssrc, seconds, fraction, rtp = struct.unpack_from("!IIII", data, at + 4)
            wall = seconds - _NTP_EPOCH_S + fraction / 2**32
            yield SenderReport(ssrc, wall, rtp, (seconds & 0xFFFF) << 16 | fraction >> 16)
        elif kind == BYE and data[at] & 31:
            yield Bye(int.from_bytes(data[at + 4 : at + 8], "big"))
        at += length


def receiver_report(ours: int, seen: Reception | None) -> bytes:
    """RR with its SDES. `ours` is our SSRC; without `seen` it is empty."""
    body = struct.pack("!I", ours)
    if seen is not None:
        lost = max(-0x800000, min(0x7FFFFF, seen.lost)) & 0xFFFFFF
        body += struct.pack(
            "!IIIIII",
            seen.ssrc,
            seen.fraction_lost << 24 | lost,
            seen.highest & 0xFFFFFFFF,
            seen.jitter & 0xFFFFFFFF,
            seen.last_report,
            seen.delay & 0xFFFFFFFF,
        )
    report = struct.pack("!BBH", _VERSION_2 | (seen is not None), RECEIVER_REPORT, len(body) // 4) + body
    chunk = struct.pack("!IBB", ours, _CNAME, len(_CNAME_TEXT)) + _CNAME_TEXT + b"\0"
    chunk += bytes(-len(chunk) % 4)
    return report + struct.pack("!BBH", _VERSION_2 | 1, SOURCE_DESCRIPTION, len(chunk) // 4) + chunk
