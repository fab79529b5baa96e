"""H.264 into RTP payloads: single NAL units, FU-A, and STAP-A for parameter sets (RFC 6184). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.media import h264
from gateway.rtsp.packetize_nal import Packing, packetize
from gateway.rtsp.rtp import MAX_PAYLOAD_BYTES

STAP_A, FU_A = 24, 28


def packetize_h264(units: Iterable[bytes], parameter_sets: Sequence[bytes], limit: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of one access unit's NAL units, `parameter_sets` first; at most `limit` bytes each."""
    return packetize(_PACKING, units, parameter_sets, limit)


def _aggregation_header(nals: Sequence[bytes]) -> bytes:
    """The highest importance (nal_ref_idc) of the units inside (RFC 6184 section 5.7.1)."""
    return bytes((max(nal[0] & 0x60 for nal in nals) | STAP_A,))


def _fragment_header(nal: bytes) -> bytes:
    return bytes((nal[0] & 0xE0 | FU_A,))


_PACKING = Packing(1, h264.nal_type, _aggregation_header, _fragment_header)
