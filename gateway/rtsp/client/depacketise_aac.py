"""AAC out of RTP (RFC 3640, modes AAC-hbr and AAC-lbr). Pure; reader threads."""

from __future__ import annotations

from gateway.media import aac
from gateway.media.bits import BitReader
from gateway.rtsp.client.access_unit import NOTHING, AccessUnit
from gateway.rtsp.client.description import Media

MAX_FRAME_BYTES = 8192
"""6144 bits per channel and frame are the most an encoder may use."""
_HBR_SIZE_BITS, _HBR_INDEX_BITS = 13, 3


class AacDepacketiser:
    """See `access_unit.Depacketiser`. The fields' widths are from the description, `None` where it does not give them."""

    def __init__(
        self,
        size_bits: int = _HBR_SIZE_BITS,
        index_bits: int | None = _HBR_INDEX_BITS,
        frame_ticks: int = aac.SAMPLES_PER_FRAME,
    ) -> None:
        """`frame_ticks` is the length of a frame on the RTP clock."""
        self.dropped = 0
        self._frame_ticks = frame_ticks
        self._size_bits = size_bits
        self._index_bits = index_bits
        self._parts: list[bytes] = []
        self._missing = 0
        self._timestamp = 0

    @classmethod
    def of(cls, media: Media) -> AacDepacketiser:
        """As the description says. Some cameras leave out the widths, or the one of the index."""
        low = media.parameters.get("mode", "").lower() == "aac-lbr"
        size = media.number("sizelength", 6 if low else _HBR_SIZE_BITS)
        index = media.number("indexlength", -1)
        try:
            core_rate = aac.track_config(bytes.fromhex(media.parameters.get("config", ""))).clock_rate
        except ValueError:
            core_rate = 0
        # HE-AAC counts at twice the rate of its core, and some cameras at a rate of their own
        frame_ticks = aac.SAMPLES_PER_FRAME * media.clock_rate // (core_rate or media.clock_rate)
        return cls(min(max(size, 1), 32), index if 0 <= index <= 32 else (2 if low else None), frame_ticks)

    middle = b""

    def go_on(self, parts: list[bytes]) -> None:
        """See `Depacketiser.go_on`: never called."""

    @property
    def partial(self) -> bool:
        """See `Depacketiser.partial`. Sound is never worth waiting for."""
        return False

    def push(self, payload: bytes, timestamp: int, marker: bool, gap: bool) -> tuple[AccessUnit, ...] | list[AccessUnit]:
        """See `Depacketiser.push`."""
        if gap and self._parts:
            self._give_up()
        if len(payload) < 2:
            return NOTHING
        header_bits = payload[0] << 8 | payload[1]
        at = 2 + (header_bits + 7) // 8
        each = self._size_bits + self._width_of_index(header_bits)
        if header_bits < each or at >= len(payload):
            return NOTHING
        reader = BitReader(payload[2:at])
        sizes = []
        for _ in range(header_bits // each):
            sizes.append(reader.u(self._size_bits))
            reader.skip(each - self._size_bits)
        if self._parts or (len(sizes) == 1 and sizes[0] > len(payload) - at):
            return self._fragment(payload[at:], sizes[0], timestamp, marker)
        units = []
        for number, size in enumerate(sizes):
            unit = payload[at : at + size]
            at += size
            if len(unit) != size or not unit:
                self.dropped += 1
                break
            units.append(AccessUnit((timestamp + number * self._frame_ticks) & 0xFFFFFFFF, [unit], self._frame_ticks))
        return units

    def _width_of_index(self, header_bits: int) -> int:
        if self._index_bits is not None:
            return self._index_bits
        # not told: cameras that leave it out send it nevertheless, unless the headers do not come out even
        sent = header_bits % (self._size_bits + _HBR_INDEX_BITS) == 0 or header_bits % self._size_bits != 0
        return _HBR_INDEX_BITS if sent else 0

    def _fragment(self, part: bytes, size: int, timestamp: int, marker: bool) -> tuple[AccessUnit, ...] | list[AccessUnit]:
        if self._parts and timestamp != self._timestamp:
            self._give_up()
        if not self._parts:
            self._timestamp, self._missing = timestamp, size
        if self._missing > MAX_FRAME_BYTES or len(part) > self._missing:
            self._give_up()
            return NOTHING
        self._parts.append(part)
        self._missing -= len(part)
        if self._missing > 0 and not marker:
            return NOTHING
        if self._missing:
            self._give_up()
            return NOTHING
        unit, self._parts = b"".join(self._parts), []
        return [AccessUnit(timestamp, [unit], self._frame_ticks)]

    def _give_up(self) -> None:
        self._parts = []
        self._missing = 0
        self.dropped += 1
