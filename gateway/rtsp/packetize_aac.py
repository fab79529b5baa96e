"""AAC into RTP payloads, mode AAC-hbr (RFC 3640 section 3.3.6). Pure.

One access unit per packet: aggregating would save a few bytes and cost tens of milliseconds.
"""

from __future__ import annotations

from gateway.rtsp.rtp import MAX_PAYLOAD_BYTES

SIZE_BITS, INDEX_BITS = 13, 3
MAX_UNIT_BYTES = (1 << SIZE_BITS) - 1
"""What the AU header's size field can say; AAC itself stays below 768 bytes per channel."""
_HEADERS_LENGTH_BITS = (SIZE_BITS + INDEX_BITS).to_bytes(2, "big")


def packetize_aac(unit: bytes, limit: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of one access unit, fragmented if it must be; nothing for one too large to be announced.

    Every fragment's header holds the size of the whole unit (RFC 3640 section 3.2.3).
    """
    if not unit or len(unit) > MAX_UNIT_BYTES:
        return []
    header = _HEADERS_LENGTH_BITS + (len(unit) << INDEX_BITS).to_bytes(2, "big")
    step = limit - len(header)
    return [header + unit[offset : offset + step] for offset in range(0, len(unit), step)]
