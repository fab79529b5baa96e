"""Cuts a stream's frames into RTP payloads, once for all viewers. Event loop only.

What differs between viewers (sequence number, SSRC, time base) is in the twelve bytes in front; the payloads of the
newest frame of each track are kept, so that the second and every further viewer finds them ready.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.media import annexb, h264, h265
from gateway.media.bits import BitstreamError
from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.rtsp.packetize_aac import packetize_aac
from gateway.rtsp.packetize_g711 import packetize_g711
from gateway.rtsp.packetize_h264 import packetize_h264
from gateway.rtsp.packetize_h265 import packetize_h265
from gateway.rtsp.rtp import MAX_PAYLOAD_BYTES

log = logging.getLogger(__name__)

CARRIED = frozenset({Codec.H264, Codec.H265, Codec.AAC, Codec.PCMU, Codec.PCMA})
"""Codecs that can be sent over RTP here."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Payloads that share one moment, `pts` ticks; the last one gets the RTP marker if `marked`."""

    pts: int
    payloads: Sequence[bytes]
    marked: bool


class Payloader:
    """One per stream."""

    def __init__(self) -> None:
        self._newest: dict[Kind, tuple[Frame, list[Burst]]] = {}
        self._sets: tuple[TrackConfig, tuple[bytes, ...]] | None = None

    def cut(self, frame: Frame) -> list[Burst]:
        """The payloads of a frame whose codec is one of `CARRIED`; empty for any other."""
        newest = self._newest.get(frame.kind)
        if newest is not None and newest[0] is frame:
            return newest[1]
        bursts = self._cut(frame)
        self._newest[frame.kind] = (frame, bursts)
        return bursts

    def _cut(self, frame: Frame) -> list[Burst]:
        config = frame.config
        match config.codec:
            case Codec.H264:
                units = annexb.split_lengths(frame.payload)
                return [Burst(frame.pts, packetize_h264(units, self._parameter_sets(frame)), marked=True)]
            case Codec.H265:
                units = annexb.split_lengths(frame.payload)
                return [Burst(frame.pts, packetize_h265(units, self._parameter_sets(frame)), marked=True)]
            case Codec.AAC:
                return [Burst(frame.pts, packetize_aac(frame.payload), marked=True)]
            case Codec.PCMU | Codec.PCMA:
                channels = max(1, config.channels)
                limit = MAX_PAYLOAD_BYTES - MAX_PAYLOAD_BYTES % channels
                chunks = packetize_g711(frame.payload, limit)
                # The marker says that speech begins after silence, which a microphone's stream never tells.
                return [
                    Burst(frame.pts + index * limit // channels, [chunk], marked=False) for index, chunk in enumerate(chunks)
                ]
            case _:
                return []

    def _parameter_sets(self, frame: Frame) -> tuple[bytes, ...]:
        if not frame.keyframe:
            return ()
        if self._sets is None or self._sets[0] is not frame.config:
            self._sets = (frame.config, parameter_sets(frame.config))
        return self._sets[1]


def parameter_sets(config: TrackConfig) -> tuple[bytes, ...]:
    """What goes in front of a video track's keyframes, in decoding order; empty if the record cannot be read."""
    read = h264.parameter_sets if config.codec is Codec.H264 else h265.parameter_sets
    try:
        return tuple(unit for kind in read(config.extradata) for unit in kind)
    except BitstreamError as error:
        log.warning("no parameter sets for %s: %s", config.codec.value, error)
        return ()
