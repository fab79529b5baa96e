"""Audio that browsers and RTMP cannot carry (G.711, G.726, PCM, MP3) to AAC.

One transcoder per session, used and owned by its reader thread; one of the few modules that know PyAV. Cost: about 0.4 % of
an x86 core for 8 kHz mono.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from gateway.media import aac
from gateway.media.track import TrackConfig

TRANSCODED = frozenset(
    {"pcm_mulaw", "pcm_alaw", "adpcm_g726", "adpcm_g726le", "adpcm_g722", "pcm_s16be", "pcm_s16le", "mp3", "mp2"}
)
"""Decoder names, as libavcodec calls them, of the codecs that are transcoded."""

RATE_HZ = 16_000
"""Speech bandwidth: telephone audio (8 kHz) fits with room, and every AAC decoder takes it."""
BIT_RATE = 32_000
RESYNC_S = 0.12
"""Input further off its expected time than this (lost packets, a camera that pauses) moves the output's clock."""


class AacTranscoder:
    """Decodes packets of one audio stream and encodes them as AAC-LC, mono, 16 kHz."""

    def __init__(self, decoder_name: str, rate: int, channels: int) -> None:
        decoder = av.CodecContext.create(decoder_name, "r")
        if not isinstance(decoder, AudioCodecContext):
            raise TypeError(f"{decoder_name} is not an audio codec")
        decoder.sample_rate = rate
        # RTSP leaves the layout unspecified ("1 channels"), which libavformat and libavcodec refuse in places
        decoder.layout = "mono" if channels <= 1 else "stereo"
        self._decoder = decoder
        encoder = av.CodecContext.create("aac", "w")
        if not isinstance(encoder, AudioCodecContext):
            raise TypeError("aac is not an audio codec")
        encoder.sample_rate = RATE_HZ
        encoder.layout = "mono"
        encoder.format = "fltp"
        encoder.bit_rate = BIT_RATE
        encoder.open()
        self._encoder = encoder
        self._resampler = AudioResampler(format="fltp", layout="mono", rate=RATE_HZ, frame_size=aac.SAMPLES_PER_FRAME)
        self._start_s: float | None = None
        self._samples_in = 0
        self._frames_out = 0
        self.config: TrackConfig = aac.track_config(encoder.extradata or b"")

    def feed(self, data: bytes, at_s: float) -> Iterator[tuple[bytes, float]]:
        """Decode one packet whose first sample belongs to `at_s` (seconds of the timeline); yields AAC frames and times."""
        expected = None if self._start_s is None else self._start_s + self._samples_in / RATE_HZ
        if expected is None:
            self._start_s = at_s
        elif abs(at_s - expected) > RESYNC_S:
            self._start_s = (self._start_s or 0.0) + at_s - expected
        for decoded in self._decoder.decode(av.Packet(data)):
            decoded.pts = None
            self._samples_in += decoded.samples * RATE_HZ // decoded.sample_rate
            for block in self._resampler.resample(decoded):
                block.pts = None
                for packet in self._encoder.encode(block):
                    yield bytes(packet), self._time_of_next()

    def _time_of_next(self) -> float:
        # the encoder's first frame holds only its priming samples
        at = (self._start_s or 0.0) + (self._frames_out - 1) * aac.SAMPLES_PER_FRAME / RATE_HZ
        self._frames_out += 1
        return at
