"""H.264 out of RTP (RFC 6184), all packetisation modes as far as cameras use them. Pure; reader threads."""

from __future__ import annotations

from gateway.media import h264
from gateway.rtsp.client.depacketise_nal import NalDepacketiser

STAP_A, STAP_B, MTAP16, MTAP24, FU_A, FU_B = 24, 25, 26, 27, 28, 29
_START, _END = 0x80, 0x40
_FIRST_MACROBLOCK = 0x80
"""first_mb_in_slice is 0: the first bit of a slice header."""


class H264Depacketiser(NalDepacketiser):
    """See `access_unit.Depacketiser`."""

    _header_bytes = 1

    def _take(self, payload: bytes) -> None:
        kind = payload[0] & 31
        if kind in (FU_A, FU_B):
            if len(payload) < 3:
                return
            flags = payload[1]
            if flags & _START:
                header = bytes((payload[0] & 0xE0 | flags & 31,))
                first = payload[4:] if kind == FU_B else payload[2:]
                self._begin_fragments(header, first, bytes((payload[0] & 0xE0 | FU_A, flags & 31)))
            else:
                self._go_on(payload[2:])
            if flags & _END:
                self._end_fragments()
        elif 0 < kind < STAP_A:
            self._end_fragments()
            self._add(payload)
        elif kind == STAP_A:
            self._end_fragments()
            self._add_aggregate(payload, 1)
        elif kind == STAP_B:
            self._end_fragments()
            self._add_aggregate(payload, 3)
        elif payload.startswith((b"\0\0\1", b"\0\0\0\1")):
            self._add_byte_stream(payload)

    def _begins(self, payload: bytes) -> bool:
        if len(payload) < 4:
            return False
        kind = payload[0] & 31
        if kind == FU_A:
            return bool(payload[1] & _START and payload[2] & _FIRST_MACROBLOCK)
        if kind == STAP_A:
            return payload[3] & 31 in (h264.NAL_SEI, h264.NAL_SPS, h264.NAL_AUD)
        if h264.is_slice(payload):
            return bool(payload[1] & _FIRST_MACROBLOCK)
        return kind in (h264.NAL_SEI, h264.NAL_SPS, h264.NAL_AUD)

    def _is_slice(self, unit: bytes) -> bool:
        return h264.is_slice(unit)
