"""H.265 into RTP payloads: single NAL units, fragmentation units, aggregated parameter sets (RFC 7798).

Pure. Without DONL fields, for frames are sent in decoding order (`sprop-max-don-diff` is 0 by default).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.media import h265
from gateway.rtsp.packetize_nal import Packing, packetize
from gateway.rtsp.rtp import MAX_PAYLOAD_BYTES

AGGREGATION, FRAGMENTATION = 48, 49


def packetize_h265(units: Iterable[bytes], parameter_sets: Sequence[bytes], limit: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of one access unit's NAL units, `parameter_sets` first; at most `limit` bytes each."""
    return packetize(_PACKING, units, parameter_sets, limit)


def _header(packet_type: int, nals: Sequence[bytes]) -> bytes:
    """Payload header: lowest layer and temporal id of the units inside (RFC 7798 section 4.4.2)."""
    layer = min((nal[0] & 1) << 5 | nal[1] >> 3 for nal in nals)
    temporal = min(nal[1] & 7 for nal in nals)
    return bytes((packet_type << 1 | layer >> 5, (layer & 0x1F) << 3 | temporal))


_PACKING = Packing(
    2,
    h265.nal_type,
    lambda nals: _header(AGGREGATION, nals),
    lambda nal: _header(FRAGMENTATION, (nal,)),
)
