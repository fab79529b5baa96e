"""H.265 out of RTP (RFC 7798). Pure; reader threads."""

from __future__ import annotations

from gateway.media import h265
from gateway.rtsp.client.depacketise_nal import NalDepacketiser

AP, FU, PACI = 48, 49, 50
_START, _END = 0x80, 0x40
_FIRST_SLICE = 0x80
"""first_slice_segment_in_pic_flag: the first bit of a slice header."""
_PREFIX_SEI = 39


class H265Depacketiser(NalDepacketiser):
    """See `access_unit.Depacketiser`. `numbered`: packets carry decoding order numbers (`sprop-max-don-diff` above 0)."""

    _header_bytes = 2

    def __init__(self, numbered: bool = False) -> None:
        super().__init__()
        self._don = 2 if numbered else 0

    def _take(self, payload: bytes) -> None:
        if len(payload) < 3:
            return
        kind = h265.nal_type(payload)
        don = self._don
        if kind == FU:
            flags = payload[2]
            if flags & _START:
                header = bytes((payload[0] & 0x81 | (flags & 63) << 1, payload[1]))
                self._begin_fragments(header, payload[3 + don :], payload[:2] + bytes((flags & 63,)))
            else:
                self._go_on(payload[3:])
            if flags & _END:
                self._end_fragments()
        elif kind < AP:
            if payload.startswith((b"\0\0\1", b"\0\0\0\1")):
                self._add_byte_stream(payload)
                return
            self._end_fragments()
            self._add(payload[:2] + payload[2 + don :] if don else payload)
        elif kind == AP:
            self._end_fragments()
            self._add_aggregate(payload, 2 + don, skip=don // 2)

    def _begins(self, payload: bytes) -> bool:
        if len(payload) < 6 + self._don:
            return False
        kind = h265.nal_type(payload)
        if kind == FU:
            return bool(payload[2] & _START and payload[3 + self._don] & _FIRST_SLICE)
        if kind == AP:
            kind = (payload[4 + self._don] >> 1) & 63
        elif kind < 32:
            return bool(payload[2 + self._don] & _FIRST_SLICE)
        return kind in (h265.NAL_VPS, h265.NAL_SPS, h265.NAL_AUD, _PREFIX_SEI)

    def _is_slice(self, unit: bytes) -> bool:
        return h265.is_slice(unit)
