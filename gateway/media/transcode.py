"""Audio that browsers and RTMP cannot carry (G.711, G.726, PCM, MP3) to AAC.

One transcoder per session, used and owned by its reader thread, or by the event loop for a publisher; one of the few modules
that know PyAV. Cost: about 0.4 % of an x86 core for 8 kHz mono.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from gateway.media import aac
from gateway.media.bits import BitstreamError
from gateway.media.track import TrackConfig

RATE_HZ = 16_000
"""Speech bandwidth: telephone audio (8 kHz) fits with room, and every AAC decoder takes it."""
FRAME_S = aac.SAMPLES_PER_FRAME / RATE_HZ
BIT_RATE = 32_000
RESYNC_S = 0.12
"""Input further off its expected time than this (lost packets, a camera that pauses) moves the output's clock."""


class AacTranscoder:
    """Decodes packets of one audio stream and encodes them as AAC-LC, mono, 16 kHz."""

    def __init__(self, decoder: AudioCodecContext) -> None:
        """`decoder` is the stream's own context: only it knows the width of a G.726 sample. Raises av.FFmpegError."""
        # RTSP leaves the layout unspecified ("1 channels"), which the resampler cannot map
        decoder.layout = "stereo" if decoder.channels == 2 else "mono"
        self._decoder = decoder
        self.rate = decoder.sample_rate or 8000
        """Of the decoded sound, Hz."""
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
        self._last_s: float | None = None
        self.config: TrackConfig = aac.track_config(encoder.extradata or b"")

    @classmethod
    def of(cls, codec: str, rate: int, channels: int) -> AacTranscoder:
        """For a codec of libavcodec without a container. Raises BitstreamError if it cannot be opened."""
        try:
            decoder = av.CodecContext.create(codec, "r")
            if not isinstance(decoder, AudioCodecContext):
                raise TypeError(f"{codec} is not an audio codec")
            decoder.sample_rate = rate
            decoder.layout = "stereo" if channels == 2 else "mono"
            return cls(decoder)
        except av.FFmpegError as error:
            raise BitstreamError(f"{codec} cannot be decoded") from error

    def feed(self, data: bytes, at_s: float) -> Iterator[tuple[bytes, float]]:
        """Decode one packet whose first sample belongs to `at_s` (seconds of the timeline); yields AAC frames and times.

        Raises BitstreamError for a damaged packet; the next one may be fed.
        """
        try:
            yield from self._feed(data, at_s)
        except av.FFmpegError as error:
            raise BitstreamError("damaged sound") from error

    def _feed(self, data: bytes, at_s: float) -> Iterator[tuple[bytes, float]]:
        expected = None if self._start_s is None else self._start_s + self._samples_in / self.rate
        if expected is None:
            self._start_s = at_s
        elif abs(at_s - expected) > RESYNC_S:
            self._start_s = (self._start_s or 0.0) + at_s - expected
        for decoded in self._decoder.decode(av.Packet(data)):
            decoded.pts = None
            self._samples_in += decoded.samples
            for block in self._resampler.resample(decoded):
                block.pts = None
                for packet in self._encoder.encode(block):
                    at_out_s = self._time_of_next()
                    # a microphone whose clock runs fast is set back now and then: one frame is left out, none repeats a time
                    if self._last_s is None or at_out_s - self._last_s > 0.9 * FRAME_S:
                        self._last_s = at_out_s
                        yield bytes(packet), at_out_s

    def _time_of_next(self) -> float:
        # the encoder's first frame holds only its priming samples
        at = (self._start_s or 0.0) + (self._frames_out - 1) * FRAME_S
        self._frames_out += 1
        return at
