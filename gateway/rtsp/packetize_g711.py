"""G.711 into RTP payloads: the samples as they are (RFC 3551 section 4.5.14). Pure."""

from __future__ import annotations

from gateway.rtsp.rtp import MAX_PAYLOAD_BYTES


def packetize_g711(samples: bytes, limit: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of one frame of samples. At 8 kHz `limit` is 175 ms, and sources send 20 to 40 ms."""
    return [samples[offset : offset + limit] for offset in range(0, len(samples), limit)]
