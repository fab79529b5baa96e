"""One track of a session with a camera: RTP and RTCP packets in, timed access units out, losses counted (RFC 3550).

Pure; the clock is passed in. Reader threads, once per packet: some 200 times a second and camera, so this is written for
speed where it costs no clarity.
"""

from __future__ import annotations

import secrets
import struct

from gateway.rtsp.client import reports
from gateway.rtsp.client.access_unit import AccessUnit, Depacketiser
from gateway.rtsp.client.reorder import MAX_DROPOUT, ReorderBuffer
from gateway.rtsp.client.reports import Reception, SenderReport

_HEADER = struct.Struct("!BBHII")
_ORIGIN = struct.Struct("!II")
_INTERLEAVED = struct.Struct("!2sH2sH")
"""`$` and channel, size; version and type, sequence number."""
_VERSION = 0xC0
_PADDED, _EXTENDED, _SOURCES = 0x20, 0x10, 0x0F
_MARKER = 0x80
_FIRST_DYNAMIC = 96
PROBATION = 2
"""Packets in a row of another source over UDP before it is believed: the last ones of a former session straggle in."""

Timed = tuple[int, AccessUnit]
"""RTP time, counted on beyond 32 bits, and the access unit."""


class Receiver:
    """See the module."""

    def __init__(
        self,
        depacketiser: Depacketiser,
        payload_type: int,
        clock_rate: int,
        *,
        ordered: bool,
        ssrc: int | None = None,
        ours: int | None = None,
    ) -> None:
        """`ordered`: the transport keeps the order (TCP). `ssrc` is what the camera announced."""
        self.lost = 0
        """Packets that never came."""
        self.ended = False
        """The camera has said good-bye for this track."""
        self.clock_rate = clock_rate
        self.report: tuple[float, int] | None = None
        """Of the last sender report: the camera's wall clock (Unix seconds), and the RTP time of that moment, counted on."""
        self._depacketiser = depacketiser
        self._payload_type = payload_type
        self._matched = False
        self._ordered = ordered
        self._reorder = ReorderBuffer()
        self._ssrc = ssrc
        self._heard = False
        self._stranger: tuple[int, int] | None = None
        self._sequence: int | None = None
        self._cycles = 0
        self._first_sequence = 0
        self.received = 0
        """Packets of the present source."""
        self._reported = (0, 0)
        self._timestamp = 0
        self._time: int | None = None
        self._jitter = 0.0
        self._transit: float | None = None
        self._last_report: tuple[int, float] = (0, 0.0)
        self._ours = secrets.randbits(32) if ours is None else ours

    @property
    def dropped(self) -> int:
        """Access units that had a hole."""
        return self._depacketiser.dropped

    @property
    def partial(self) -> bool:
        """More of an access unit is on its way just now."""
        return self._depacketiser.partial

    @property
    def waiting(self) -> bool:
        """`release` is to be called soon."""
        return self._reorder.waiting

    def rtp(self, packet: bytes, now: float) -> list[Timed]:
        """Take a packet that arrived at `now` (monotonic seconds); what is complete now."""
        if len(packet) <= 12:
            return []
        first, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
        if first & _VERSION != 0x80:
            return []
        if kind & 127 != self._payload_type and not self._is_ours(kind & 127):
            return []
        if ssrc != self._ssrc and not self._accept(ssrc):
            return []
        self._matched = self._heard = True
        if self._ordered:
            return self._in_order(packet, first, kind, sequence, timestamp, self._gap(sequence))
        self._measure_jitter(timestamp, now)
        return self._take_ordered(self._reorder.push(sequence, packet, now))

    def run(self, channel: int, data: bytes, at: int, end: int) -> int:
        """The fast way for the middle of a picture over TCP: takes interleaved packets of `channel` in a row.

        `data[at:end]` begins with a packet. Returns where it stopped: at the first packet that is anything else, or not whole.
        """
        middle = self._depacketiser.middle
        if not middle or self._sequence is None or self._ssrc is None:
            return at
        lead = bytes((0x24, channel))
        kind = bytes((0x80, self._payload_type))
        tail = _ORIGIN.pack(self._timestamp, self._ssrc) + middle
        skip = 8 + len(tail)
        sequence = self._sequence
        parts = []
        while at + skip <= end:
            found, size, kind_found, number = _INTERLEAVED.unpack_from(data, at)
            stop = at + 4 + size
            if stop > end or number != (sequence + 1) & 0xFFFF or found != lead or kind_found != kind:
                break
            if data[at + 8 : at + skip] != tail or stop <= at + skip:
                break
            parts.append(data[at + skip : stop])
            if number == 0:
                self._cycles += 0x10000
            sequence = number
            at = stop
        if parts:
            self._sequence = sequence
            self.received += len(parts)
            self._depacketiser.go_on(parts)
        return at

    def release(self, now: float) -> list[Timed]:
        """What has waited long enough for packets that are missing."""
        return self._take_ordered(self._reorder.release(now))

    def rtcp(self, packet: bytes, now: float) -> None:
        """Take a compound of the camera."""
        for part in reports.parse(packet):
            if isinstance(part, SenderReport):
                self._last_report = (part.middle, now)
                if self._time is not None and (self._ssrc is None or part.ssrc == self._ssrc):
                    self.report = (part.wall, self._time + _signed(part.rtp - self._time))
            elif self._heard and part.ssrc == self._ssrc:
                self.ended = True

    def receiver_report(self, now: float) -> bytes:
        """Our report about this track."""
        if self._sequence is None or self._ssrc is None:
            return reports.receiver_report(self._ours, None)
        highest = self._cycles + self._sequence
        expected = highest - self._first_sequence + 1
        lost = max(0, expected - self.received)
        expected_before, lost_before = self._reported
        self._reported = (expected, lost)
        interval = expected - expected_before
        fraction = max(0, min(255, 256 * (lost - lost_before) // interval)) if interval > 0 else 0
        middle, at = self._last_report
        delay = round((now - at) * 65536) if middle else 0
        seen = Reception(self._ssrc, fraction, lost, highest, round(self._jitter * self.clock_rate), middle, delay)
        return reports.receiver_report(self._ours, seen)

    # Inside

    def _is_ours(self, payload_type: int) -> bool:
        """Some cameras send another dynamic type than they describe: the first one that comes is meant."""
        if self._matched or payload_type < _FIRST_DYNAMIC:
            return False
        self._payload_type = payload_type
        return True

    def _accept(self, ssrc: int) -> bool:
        """A packet of another source than before: the camera has started anew, or announced another one than it sends."""
        if self._heard and not self._ordered:
            count = self._stranger[1] + 1 if self._stranger is not None and self._stranger[0] == ssrc else 1
            self._stranger = (ssrc, count)
            if count < PROBATION:
                return False
        self._ssrc = ssrc
        self._stranger = None
        self._sequence = None
        self._reorder.restart()
        self._cycles = 0
        self.received = 0
        self._reported = (0, 0)
        self.report = None
        return True

    def _gap(self, sequence: int) -> int:
        """Packets missing in front of this one."""
        last, self._sequence = self._sequence, sequence
        self.received += 1
        if last is None:
            self._first_sequence = sequence
            return 0
        ahead = (sequence - last - 1) & 0xFFFF
        if sequence < last and ahead < 0x8000:
            self._cycles += 0x10000
        # TCP never swaps: a step back, or a huge one, is a camera that counts in its own way
        return ahead if ahead <= MAX_DROPOUT else 0

    def _take_ordered(self, ready: list[tuple[int, bytes]]) -> list[Timed]:
        done: list[Timed] = []
        for _, packet in ready:
            first, kind, sequence, timestamp, _ = _HEADER.unpack_from(packet)
            done += self._in_order(packet, first, kind, sequence, timestamp, self._gap(sequence))
        return done

    def _in_order(self, packet: bytes, first: int, kind: int, sequence: int, timestamp: int, gap: int) -> list[Timed]:
        self.lost += gap
        self._timestamp = timestamp
        at, end = 12, len(packet)
        if first & (_PADDED | _EXTENDED | _SOURCES):
            at += 4 * (first & _SOURCES)
            if first & _EXTENDED and at + 4 <= end:
                at += 4 + 4 * (packet[at + 2] << 8 | packet[at + 3])
            if first & _PADDED:
                end -= packet[-1]
            if at >= end:
                return []  # nothing but padding: it keeps firewalls open
        units = self._depacketiser.push(packet[at:end], timestamp, bool(kind & _MARKER), gap > 0)
        return [(self._count_on(unit.timestamp), unit) for unit in units] if units else []

    def _count_on(self, timestamp: int) -> int:
        last = self._time
        self._time = timestamp if last is None else last + _signed(timestamp - last)
        return self._time

    def _measure_jitter(self, timestamp: int, now: float) -> None:
        """RFC 3550 section 6.4.1, in seconds."""
        transit = now - timestamp / self.clock_rate
        if self._transit is not None and abs(transit - self._transit) < 1.0:
            self._jitter += (abs(transit - self._transit) - self._jitter) / 16
        self._transit = transit


def _signed(difference: int) -> int:
    """A difference of 32-bit times as the nearest one."""
    return ((difference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
