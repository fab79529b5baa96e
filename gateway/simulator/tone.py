"""The sound of a virtual camera: a quiet tone with a beep at every full second, encoded once and played in a loop.

The sound repeats every second and the codec's frames fit a whole number of times into `Tone.loop_s`, so one loop of
frames serves every camera for ever and audio costs nothing while it plays. The loop starts at multiples of its length
in Unix time: the beep is heard when the picture's clock shows a full second. Made on any thread, then immutable.
"""

from __future__ import annotations

import array
import functools
import math
from dataclasses import dataclass

from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec import CodecContext

from gateway.media import aac
from gateway.media.track import Codec, TrackConfig

AAC_RATE_HZ = 16_000
"""What cameras use; 125 AAC frames of 1024 samples are 8 s to the sample."""
AAC_BITRATE = 32_000
G711_RATE_HZ = 8_000
G711_FRAME_SAMPLES = 320
"""40 ms, as many cameras send."""
TONE_HZ, TONE_LEVEL = 220, 0.01
BEEP_HZ, BEEP_LEVEL, BEEP_S = 880, 0.12, 0.08
"""Both frequencies are whole, so that every second sounds the same and the loop has no seam."""


@dataclass(frozen=True, slots=True)
class Tone:
    """A loop of encoded frames, each `frame_ticks` samples long."""

    config: TrackConfig
    frame_ticks: int
    frames: tuple[bytes, ...]

    @property
    def loop_s(self) -> float:
        """Seconds until it starts anew."""
        return self.frame_ticks * len(self.frames) / self.config.clock_rate


@functools.cache
def tone(codec: Codec) -> Tone:
    """The tone in AAC, PCMU or PCMA. Encodes on the first call (tens of milliseconds). Raises ValueError for others."""
    if codec is Codec.AAC:
        return _aac_tone()
    if codec in (Codec.PCMU, Codec.PCMA):
        return _g711_tone(codec)
    raise ValueError(f"a virtual camera cannot send {codec.value}")


def _second(rate: int) -> bytes:
    """One second of 16-bit samples; the beep is at its start, faded in and out against clicks."""
    samples = array.array("h")
    beep = round(BEEP_S * rate)
    for n in range(rate):
        value = TONE_LEVEL * math.sin(2 * math.pi * TONE_HZ * n / rate)
        if n < beep:
            fade = math.sin(math.pi * n / beep)
            value += BEEP_LEVEL * fade * math.sin(2 * math.pi * BEEP_HZ * n / rate)
        samples.append(round(value * 32767))
    return samples.tobytes()


def _aac_tone() -> Tone:
    encoder = _encoder("aac", AAC_RATE_HZ, "fltp")
    encoder.bit_rate = AAC_BITRATE
    encoder.open()
    count = AAC_RATE_HZ * 8 // aac.SAMPLES_PER_FRAME
    pcm = array.array("h", _second(AAC_RATE_HZ) * 8)
    size = aac.SAMPLES_PER_FRAME
    packets: list[bytes] = []
    # The loop is encoded twice and the second time counts: by then the encoder knows what was before the first frame.
    for index in range(2 * count + 2):
        at = index % count * size
        frame = AudioFrame(format="fltp", layout="mono", samples=size)
        frame.sample_rate = AAC_RATE_HZ
        frame.pts = index * size
        frame.planes[0].update(array.array("f", (value / 32768 for value in pcm[at : at + size])).tobytes())
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    # The encoder's first packet is its priming: a decoder gives the samples from n * 1024 on with packet n + 1.
    config = aac.track_config(aac.audio_specific_config(2, AAC_RATE_HZ, 1))
    return Tone(config, size, tuple(packets[count + 1 : 2 * count + 1]))


def _g711_tone(codec: Codec) -> Tone:
    encoder = _encoder("pcm_mulaw" if codec is Codec.PCMU else "pcm_alaw", G711_RATE_HZ, "s16")
    frame = AudioFrame(format="s16", layout="mono", samples=G711_RATE_HZ)
    frame.sample_rate = G711_RATE_HZ
    frame.pts = 0
    frame.planes[0].update(_second(G711_RATE_HZ))
    data = b"".join(bytes(packet) for packet in encoder.encode(frame))
    config = TrackConfig(codec, G711_RATE_HZ, b"", "", sample_rate=G711_RATE_HZ, channels=1)
    step = G711_FRAME_SAMPLES
    return Tone(config, step, tuple(data[at : at + step] for at in range(0, len(data), step)))


def _encoder(name: str, rate: int, sample_format: str) -> AudioCodecContext:
    encoder = CodecContext.create(name, "w")
    if not isinstance(encoder, AudioCodecContext):
        raise TypeError(f"{name} is not an audio encoder")
    encoder.sample_rate = rate
    encoder.layout = "mono"
    encoder.format = sample_format
    return encoder
