"""What H.264 and H.265 over RTP have in common: when a picture is complete, and what becomes of one with a hole. Pure.

A picture ends with the marker bit, and is then handed over at once: that is a frame's time earlier than where a parser waits
for the next picture. Cameras that never set it, or set it on every slice or parameter set, exist; so it also ends where
the timestamp changes, and never before it has a slice.

A picture with a hole is dropped and counted, for decoders of browsers give up on half a slice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.media import annexb
from gateway.rtsp.client.access_unit import NOTHING, AccessUnit

MAX_PICTURE_BYTES = 8 * 1024 * 1024
"""Keyframes of a 4K camera are below 2 MB."""
MAX_UNITS = 2048


class NalDepacketiser(ABC):
    """See `access_unit.Depacketiser`."""

    def __init__(self) -> None:
        self.dropped = 0
        self.middle = b""
        self._timestamp: int | None = None
        self._units: list[bytes] = []
        self._fragments: list[bytes] = []
        self._size = 0
        self._has_slice = False
        self._damaged = False

    @property
    def partial(self) -> bool:
        """See `Depacketiser.partial`."""
        return self._timestamp is not None

    def push(self, payload: bytes, timestamp: int, marker: bool, gap: bool) -> tuple[AccessUnit, ...] | list[AccessUnit]:
        """See `Depacketiser.push`."""
        done: list[AccessUnit] | tuple[AccessUnit, ...] = NOTHING
        if timestamp != self._timestamp:
            self._end_fragments()
            # parameter sets that carry the time of the picture before theirs are no picture
            if self._has_slice or self._damaged or gap:
                self._damaged |= gap and self._timestamp is not None  # its tail may be missing
                done = self._finish()
            self._timestamp = timestamp
            self._damaged = gap and not self._begins(payload)
        elif gap:
            self._damaged = True
            self._fragments.clear()
            self.middle = b""
        self._size += len(payload)
        if self._size > MAX_PICTURE_BYTES or len(self._units) > MAX_UNITS:
            self._give_up()
        elif payload:
            self._take(payload)
        if marker and not self._fragments and (self._has_slice or self._damaged):
            return [*done, *self._finish()] if done else self._finish()
        return done

    def go_on(self, parts: list[bytes]) -> None:
        """See `Depacketiser.go_on`."""
        self._size += sum(map(len, parts))
        self._fragments += parts
        if self._size > MAX_PICTURE_BYTES:
            self._give_up()

    def _give_up(self) -> None:
        self._damaged = True
        self._units.clear()
        self._fragments.clear()
        self.middle = b""

    def _finish(self) -> list[AccessUnit] | tuple[AccessUnit, ...]:
        """The picture that ends here, unless it is damaged or empty."""
        self._end_fragments()
        timestamp, units, damaged = self._timestamp, self._units, self._damaged
        self._timestamp = None
        self._units = []
        self._size = 0
        self._has_slice = self._damaged = False
        if damaged:
            self.dropped += 1
            return NOTHING
        return [AccessUnit(timestamp, units)] if units and timestamp is not None else NOTHING

    def _add(self, unit: bytes) -> None:
        unit = unit.rstrip(b"\0")  # no NAL unit ends in a zero; some cameras pad
        if len(unit) > self._header_bytes:
            self._units.append(unit)
            self._has_slice = self._has_slice or self._is_slice(unit)

    def _add_aggregate(self, payload: bytes, at: int, skip: int = 0) -> None:
        """NAL units with 16-bit sizes in front, each with `skip` bytes of decoding order before the next size."""
        end = len(payload)
        while at + 2 <= end:
            size = payload[at] << 8 | payload[at + 1]
            at += 2
            if size == 0:
                continue
            if at + size > end:
                self._damaged = True
                return
            self._add(payload[at : at + size])
            at += size + skip

    def _add_byte_stream(self, payload: bytes) -> None:
        """A packet that holds start codes, against the standard."""
        for unit in annexb.split(payload):
            self._add(unit)

    def _begin_fragments(self, header: bytes, first: bytes, middle: bytes) -> None:
        self._end_fragments()  # the end of the former one was not marked
        self._fragments = [header, first]
        self.middle = middle

    def _go_on(self, part: bytes) -> None:
        if self._fragments:
            self._fragments.append(part)
        else:
            self._damaged = True  # its beginning is missing

    def _end_fragments(self) -> None:
        if self._fragments:
            unit, self._fragments = b"".join(self._fragments), []
            self.middle = b""
            self._add(unit)

    _header_bytes: int

    @abstractmethod
    def _take(self, payload: bytes) -> None:
        """Unpack one packet's payload."""

    @abstractmethod
    def _begins(self, payload: bytes) -> bool:
        """The payload is plainly the first of a picture."""

    @abstractmethod
    def _is_slice(self, unit: bytes) -> bool:
        """The NAL unit carries picture data."""
