"""RTP and RTCP inside the RTSP connection (RFC 2326 section 10.12). Event loop only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.rtsp.message import interleaved_prefix
from gateway.rtsp.session import SetupTrack
from gateway.rtsp.transport import InterleavedChannels

HIGH_WATER_BYTES = 512 * 1024
LOW_WATER_BYTES = 128 * 1024
"""What waits in the transport cannot be dropped any more; the rest waits in the frame queue, where it can."""


class InterleavedSink:
    """Writes packets into the connection; the connection keeps `ready` in step with the transport."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.ready = True
        self.written = 0
        """Bytes handed to the transport."""

    def send_rtp(self, track: SetupTrack, packets: Sequence[bytes]) -> None:
        """One write per frame."""
        channel = _channels(track).rtp
        parts = []
        for packet in packets:
            parts.append(interleaved_prefix(channel, len(packet)))
            parts.append(packet)
        self._write(b"".join(parts))

    def send_rtcp(self, track: SetupTrack, packet: bytes) -> None:
        """Write a report."""
        self._write(interleaved_prefix(_channels(track).rtcp, len(packet)) + packet)

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self.written += len(data)
        self._transport.write(data)


def _channels(track: SetupTrack) -> InterleavedChannels:
    if not isinstance(track.channels, InterleavedChannels):
        raise TypeError("the track was set up over UDP")
    return track.channels
