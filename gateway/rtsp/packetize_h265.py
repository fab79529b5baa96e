"""H.265 into RTP payloads: single NAL units, fragmentation units, aggregated parameter sets (RFC 7798).

Pure. Without DONL fields, for frames are sent in decoding order (`sprop-max-don-diff` is 0 by default).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.rtsp.nal import split_nal_units
from gateway.rtsp.rtp import MAX_PAYLOAD_BYTES

AGGREGATION, FRAGMENTATION = 48, 49
_START, _END = 0x80, 0x40
_HEADER_BYTES = 2


def packetize_h265(access_unit: bytes, parameter_sets: Sequence[bytes], limit: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of one access unit (length-prefixed NAL units), `parameter_sets` first; at most `limit` bytes each."""
    payloads = _aggregate(parameter_sets, limit)
    for nal in split_nal_units(access_unit):
        if len(nal) <= limit:
            payloads.append(nal)
        else:
            payloads.extend(_fragment(nal, limit))
    return payloads


def _aggregate(nals: Sequence[bytes], limit: int) -> list[bytes]:
    usable = [nal for nal in nals if len(nal) >= _HEADER_BYTES]
    if len(usable) < 2 or _HEADER_BYTES + sum(2 + len(nal) for nal in usable) > limit:
        return [part for nal in usable for part in ([nal] if len(nal) <= limit else _fragment(nal, limit))]
    return [_header(AGGREGATION, usable) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in usable)]


def _header(packet_type: int, nals: Sequence[bytes]) -> bytes:
    """Payload header: lowest layer and temporal id of the units inside (RFC 7798 section 4.4.2)."""
    layer = min((nal[0] & 1) << 5 | nal[1] >> 3 for nal in nals)
    temporal = min(nal[1] & 7 for nal in nals)
    return bytes((packet_type << 1 | layer >> 5, (layer & 0x1F) << 3 | temporal))


def _fragment(nal: bytes, limit: int) -> Iterator[bytes]:
    header = _header(FRAGMENTATION, [nal])
    nal_type = nal[0] >> 1 & 0x3F
    step = limit - _HEADER_BYTES - 1
    for offset in range(_HEADER_BYTES, len(nal), step):
        part = nal[offset : offset + step]
        flags = (_START if offset == _HEADER_BYTES else 0) | (_END if offset + step >= len(nal) else 0)
        yield header + bytes((flags | nal_type,)) + part
