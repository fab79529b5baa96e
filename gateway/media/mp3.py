"""What the header of an MPEG audio layer III frame says (ISO/IEC 11172-3 section 2.4.1.3, 13818-3). Pure."""

from __future__ import annotations

from dataclasses import dataclass

HEADER_BYTES = 4
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""By version: MPEG-1, MPEG-2, and the MPEG-2.5 that FLV's "MP3 8 kHz" is."""
_LAYER_3 = 1
_MPEG1, _MONO = 3, 3


@dataclass(frozen=True, slots=True)
class Mp3Header:
    """Form of one frame."""

    rate: int
    channels: int
    samples: int


def header(frame: bytes) -> Mp3Header | None:
    """The header at the start of `frame`; None where there is none."""
    if len(frame) < HEADER_BYTES or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return None
    version, layer, rate = frame[1] >> 3 & 3, frame[1] >> 1 & 3, frame[2] >> 2 & 3
    if version not in _RATES_HZ or layer != _LAYER_3 or rate == 3:
        return None
    channels = 1 if frame[3] >> 6 == _MONO else 2
    return Mp3Header(_RATES_HZ[version][rate], channels, 1152 if version == _MPEG1 else 576)
