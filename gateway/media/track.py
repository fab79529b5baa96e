"""What a track is: codec, clock and decoder configuration. Immutable values that travel with every frame.

Used by all threads. A source makes one `TrackConfig` when it learns a track's parameters and puts the *same object* on
every frame until they change, so that outputs notice a change with `is not`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """A stream has at most one track of each kind."""

    VIDEO = "video"
    AUDIO = "audio"

    # Members are compared by identity; enum's own hash is a Python function, and every frame is looked up by its kind.
    __hash__ = object.__hash__


class Codec(enum.Enum):
    """Codecs a frame may carry. Names are the ones users and the API see."""

    H264 = "h264"
    H265 = "h265"
    AV1 = "av1"
    AAC = "aac"
    OPUS = "opus"
    PCMU = "pcmu"
    """G.711 µ-law and A-law exist only on RTSP: the readers transcode them to AAC, the simulator's cameras send them."""
    PCMA = "pcma"

    kind: Kind
    """VIDEO or AUDIO."""

    __hash__ = object.__hash__


for _codec in Codec:
    _codec.kind = Kind.VIDEO if _codec in (Codec.H264, Codec.H265, Codec.AV1) else Kind.AUDIO
del _codec

VIDEO_CLOCK_HZ = 90_000
"""Every video track runs on RTP's clock, whatever its source, so that fMP4 needs no rounding."""


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """A track and what a decoder needs to start on it.

    `extradata` is in ISO-BMFF form: AVCDecoderConfigurationRecord (H.264), HEVCDecoderConfigurationRecord (H.265),
    AV1CodecConfigurationRecord (AV1), AudioSpecificConfig (AAC), OpusHead (Opus), empty (G.711).
    `codec_string` is RFC 6381's, e.g. `avc1.64001F`, `hvc1.1.6.L93.B0`, `mp4a.40.2`; empty for G.711.
    """

    codec: Codec
    clock_rate: int
    """Ticks per second of `dts`, `pts` and `duration`: 90 000 for video, the sample rate for audio."""
    extradata: bytes
    codec_string: str
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0

    @property
    def kind(self) -> Kind:
        """VIDEO or AUDIO."""
        return self.codec.kind


Tracks = tuple[TrackConfig, ...]
"""The tracks of a stream at one moment: video first, then audio if there is any that speaks."""
