"""H.264 into RTP payloads: single NAL units, FU-A, and STAP-A for parameter sets (RFC 6184). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.rtsp.nal import split_nal_units
from gateway.rtsp.rtp import MAX_PAYLOAD_BYTES

STAP_A, FU_A = 24, 28
_START, _END = 0x80, 0x40


def packetize_h264(access_unit: bytes, parameter_sets: Sequence[bytes], limit: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of one access unit (length-prefixed NAL units), `parameter_sets` first; at most `limit` bytes each."""
    payloads = _aggregate(parameter_sets, limit)
    for nal in split_nal_units(access_unit):
        if len(nal) <= limit:
            payloads.append(nal)
        else:
            payloads.extend(_fragment(nal, limit))
    return payloads


def _aggregate(nals: Sequence[bytes], limit: int) -> list[bytes]:
    if len(nals) < 2 or 1 + sum(2 + len(nal) for nal in nals) > limit:
        return [part for nal in nals for part in ([nal] if len(nal) <= limit else _fragment(nal, limit))]
    importance = max(nal[0] & 0x60 for nal in nals)
    return [bytes((importance | STAP_A,)) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)]


def _fragment(nal: bytes, limit: int) -> Iterator[bytes]:
    indicator = nal[0] & 0xE0 | FU_A
    nal_type = nal[0] & 0x1F
    step = limit - 2
    for offset in range(1, len(nal), step):
        part = nal[offset : offset + step]
        flags = (_START if offset == 1 else 0) | (_END if offset + step >= len(nal) else 0)
        yield bytes((indicator, flags | nal_type)) + part
