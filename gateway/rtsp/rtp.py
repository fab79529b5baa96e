"""RTP packets of one track in one session (RFC 3550 section 5.1). Pure; used on the event loop."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence

from gateway.media.track import TrackConfig

MAX_PAYLOAD_BYTES = 1400
"""Fits an Ethernet frame with room for a VPN's or PPPoE's overhead. The same over TCP, so that a frame is cut once."""
HEADER_BYTES = 12

_HEADER = struct.Struct("!BBHII")
_VERSION_2 = 0x80
_MARKER = 0x80


class RtpSender:
    """Numbers and stamps the packets of one track for one viewer. `base` is what `pts` 0 becomes, modulo 2^32."""

    __slots__ = ("base", "clock_rate", "octets", "packets", "payload_type", "sequence", "ssrc")

    def __init__(self, payload_type: int, clock_rate: int, *, ssrc: int, sequence: int, base: int) -> None:
        self.payload_type = payload_type
        self.clock_rate = clock_rate
        self.ssrc = ssrc
        self.sequence = sequence
        """Of the next packet."""
        self.base = base
        self.packets = 0
        self.octets = 0
        """Payload bytes sent, for sender reports."""

    @classmethod
    def random(cls, payload_type: int, config: TrackConfig) -> RtpSender:
        """A sender with random identifiers, as RFC 3550 asks; the sequence starts low, so that it does not wrap at once."""
        return cls(
            payload_type,
            config.clock_rate,
            ssrc=secrets.randbits(32),
            sequence=secrets.randbits(15),
            base=secrets.randbits(32),
        )

    def timestamp(self, pts: int) -> int:
        """RTP timestamp of `pts` (ticks of `clock_rate`)."""
        return (self.base + pts) & 0xFFFFFFFF

    def packetise(self, payloads: Sequence[bytes], pts: int, *, marked: bool) -> list[bytes]:
        """One packet per payload, all of one moment; the last one carries the marker if `marked`."""
        timestamp = self.timestamp(pts)
        sequence = self.sequence
        last = len(payloads) - 1
        packets = []
        for index, payload in enumerate(payloads):
            kind = self.payload_type | _MARKER if marked and index == last else self.payload_type
            packets.append(_HEADER.pack(_VERSION_2, kind, sequence, timestamp, self.ssrc) + payload)
            sequence = (sequence + 1) & 0xFFFF
            self.octets += len(payload)
        self.sequence = sequence
        self.packets += len(packets)
        return packets
