"""Sound whose packets are their payload: G.711, G.722, PCM (RFC 3551) and Opus (RFC 7587). Pure; reader threads."""

from __future__ import annotations

from gateway.rtsp.client.access_unit import NOTHING, AccessUnit

_OPUS_TICKS_PER_MS = 48
_OPUS_MS = ((10, 20, 40, 60), (10, 20), (2.5, 5, 10, 20))
"""Frame lengths of SILK, hybrid and CELT configurations (RFC 6716 table 2)."""


class PlainDepacketiser:
    """See `access_unit.Depacketiser`. `bytes_per_tick` makes lengths out of sizes; 0: Opus, which says its length itself."""

    def __init__(self, bytes_per_tick: int) -> None:
        self.dropped = 0
        self._bytes_per_tick = bytes_per_tick

    middle = b""

    def go_on(self, parts: list[bytes]) -> None:
        """See `Depacketiser.go_on`: never called."""

    @property
    def partial(self) -> bool:
        """See `Depacketiser.partial`."""
        return False

    def push(self, payload: bytes, timestamp: int, marker: bool, gap: bool) -> tuple[AccessUnit, ...] | list[AccessUnit]:
        """See `Depacketiser.push`."""
        if not payload:
            return NOTHING
        duration = len(payload) // self._bytes_per_tick if self._bytes_per_tick else opus_duration(payload)
        return [AccessUnit(timestamp, [payload], duration)]


def opus_duration(packet: bytes) -> int:
    """Length of an Opus packet in ticks of 48 kHz (RFC 6716 section 3.1)."""
    configuration, code = packet[0] >> 3, packet[0] & 3
    lengths = _OPUS_MS[0 if configuration < 12 else 1 if configuration < 16 else 2]
    milliseconds = lengths[configuration % len(lengths)]
    frames = (1, 2, 2)[code] if code < 3 else (packet[1] & 63 if len(packet) > 1 else 1)
    return round(milliseconds * frames * _OPUS_TICKS_PER_MS)
