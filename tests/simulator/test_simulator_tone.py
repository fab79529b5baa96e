"""The looped sound: no seam, a beep at every full second, the right codec."""

from __future__ import annotations

import math
import struct

import pytest
from av.codec import CodecContext
from av.packet import Packet

from gateway.media.track import Codec
from gateway.simulator.tone import Tone, tone

DECODERS = {Codec.AAC: "aac", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}


def samples_of(sound: Tone, repeats: int) -> list[float]:
    decoder = CodecContext.create(DECODERS[sound.config.codec], "r")
    decoder.sample_rate, decoder.layout = sound.config.sample_rate, "mono"
    if sound.config.extradata:
        decoder.extradata = sound.config.extradata
    values: list[float] = []
    for data in sound.frames * repeats:
        for frame in decoder.decode(Packet(data)):
            raw = bytes(frame.planes[0])
            if frame.format.name == "fltp":
                values += struct.unpack(f"<{frame.samples}f", raw[: frame.samples * 4])
            else:
                values += [value / 32768 for value in struct.unpack(f"<{frame.samples}h", raw[: frame.samples * 2])]
    return values


@pytest.mark.parametrize("codec", [Codec.AAC, Codec.PCMU, Codec.PCMA])
def test_beeps_at_every_full_second_over_the_seam_of_the_loop(codec: Codec):
    sound = tone(codec)
    rate = sound.config.clock_rate
    values = samples_of(sound, 2)
    seconds = len(values) // rate
    assert seconds >= int(2 * sound.loop_s) - 1
    for second in range(1, seconds - 1):
        start = second * rate
        beep = math.sqrt(sum(value * value for value in values[start : start + rate * 8 // 100]) / (rate * 8 // 100))
        before = values[start - rate // 10 : start - rate // 100]
        quiet = math.sqrt(sum(value * value for value in before) / len(before))
        assert beep > 0.04 > 0.015 > quiet > 0.003, (second, beep, quiet)


def test_loops_are_whole_seconds():
    for codec in (Codec.AAC, Codec.PCMU, Codec.PCMA):
        assert tone(codec).loop_s == int(tone(codec).loop_s)


def test_the_loop_is_made_once_and_shared():
    assert tone(Codec.AAC) is tone(Codec.AAC)


def test_other_codecs_are_refused():
    with pytest.raises(ValueError, match="opus"):
        tone(Codec.OPUS)
