"""AAC: AudioSpecificConfig and ADTS headers (ISO/IEC 14496-3 sections 1.6.2.1 and 1.A.2.2). Pure."""

from __future__ import annotations

from gateway.media.bits import BitReader, BitstreamError
from gateway.media.track import Codec, TrackConfig

SAMPLES_PER_FRAME = 1024
SAMPLE_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
_ESCAPE = 31
_SINGLE_ELEMENT, _ELEMENT_PAIR, _END = 0, 1, 7


def track_config(asc: bytes) -> TrackConfig:
    """Track of an AudioSpecificConfig. Raises BitstreamError when it is empty (some encoders send none) or garbage."""
    r = BitReader(asc)
    object_type = r.u(5)
    if object_type == _ESCAPE:
        object_type = 32 + r.u(6)
    rate = _sample_rate(r)
    channel_configuration = r.u(4)
    if not 1 <= channel_configuration < len(_CHANNELS):
        raise BitstreamError(f"AAC channel configuration {channel_configuration} is not supported")
    if object_type in (5, 29):
        _sample_rate(r)  # SBR: samples come at twice the core rate, frames still last 1024 core samples
    return TrackConfig(
        codec=Codec.AAC,
        clock_rate=rate,
        extradata=asc,
        codec_string=f"mp4a.40.{object_type}",
        sample_rate=rate,
        channels=_CHANNELS[channel_configuration],
    )


def audio_specific_config(object_type: int, rate: int, channels: int) -> bytes:
    """AudioSpecificConfig of plain AAC (object type 2 = LC)."""
    index = SAMPLE_RATES_HZ.index(rate)
    return ((object_type << 11) | (index << 7) | (_CHANNELS.index(channels) << 3)).to_bytes(2, "big")


def silent_unit(channels: int) -> bytes:
    """One LC access unit without any spectral data, for one or two channels (ISO/IEC 14496-3 tables 4.4 to 4.8)."""
    element = {1: _SINGLE_ELEMENT, 2: _ELEMENT_PAIR}[channels]
    ics_info = "".join(("0", "00", "0", "000000", "0"))  # reserved, one long window, sine shape, max_sfb 0, no prediction
    gain, tools = "00000000", "000"  # neither pulses nor noise shaping nor gain control
    bits = f"{element:03b}0000"  # instance tag 0
    if channels == 1:
        bits += gain + ics_info + tools
    else:
        bits += "1" + ics_info + "00" + 2 * (gain + tools)  # common_window; no mid/side stereo
    bits += f"{_END:03b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def is_adts(data: bytes) -> bool:
    """The frame carries an ADTS header."""
    return len(data) > 7 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0


def strip_adts(data: bytes) -> tuple[bytes, bytes]:
    """AudioSpecificConfig and raw access unit of one ADTS frame. Raises BitstreamError when it is damaged."""
    index = (data[2] >> 2) & 15
    channels = ((data[2] & 1) << 2) | (data[3] >> 6)
    size = ((data[3] & 3) << 11) | (data[4] << 3) | (data[5] >> 5)
    header = 7 if data[1] & 1 else 9
    if index >= len(SAMPLE_RATES_HZ) or size <= header or size > len(data):
        raise BitstreamError("damaged ADTS header")
    asc = ((((data[2] >> 6) + 1) << 11) | (index << 7) | (channels << 3)).to_bytes(2, "big")
    return asc, data[header:size]


def _sample_rate(r: BitReader) -> int:
    index = r.u(4)
    if index == 15:
        return r.u(24)
    if index >= len(SAMPLE_RATES_HZ):
        raise BitstreamError("reserved AAC sample rate")
    return SAMPLE_RATES_HZ[index]
