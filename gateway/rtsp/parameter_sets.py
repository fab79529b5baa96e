"""Parameter sets out of decoder configuration records (ISO/IEC 14496-15: avcC 5.3.3.1, hvcC 8.3.3.1). Pure.

RTSP needs them twice: in the SDP, and in front of every keyframe, where cameras repeat them for late joiners.
"""

from __future__ import annotations

from dataclasses import dataclass

H265_VPS, H265_SPS, H265_PPS = 32, 33, 34


class ConfigurationError(ValueError):
    """The record is cut short or of another version."""


@dataclass(frozen=True, slots=True)
class AvcConfiguration:
    """H.264: `profile_level` is profile, constraint flags and level, as in `profile-level-id`."""

    profile_level: bytes
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HevcConfiguration:
    """H.265 parameter sets."""

    vps: tuple[bytes, ...]
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


def parse_avcc(record: bytes) -> AvcConfiguration:
    """Read an AVCDecoderConfigurationRecord. Raises ConfigurationError."""
    reader = _Reader(record)
    version, *profile_level = reader.take(4)
    if version != 1:
        raise ConfigurationError("not an avcC record")
    reader.take(1)
    sps = tuple(reader.take(reader.integer(2)) for _ in range(reader.integer(1) & 0x1F))
    pps = tuple(reader.take(reader.integer(2)) for _ in range(reader.integer(1)))
    return AvcConfiguration(bytes(profile_level), sps, pps)


def parse_hvcc(record: bytes) -> HevcConfiguration:
    """Read an HEVCDecoderConfigurationRecord. Raises ConfigurationError."""
    reader = _Reader(record)
    if reader.take(22)[0] != 1:
        raise ConfigurationError("not an hvcC record")
    found: dict[int, list[bytes]] = {}
    for _ in range(reader.integer(1)):
        nal_type = reader.integer(1) & 0x3F
        found.setdefault(nal_type, []).extend(reader.take(reader.integer(2)) for _ in range(reader.integer(2)))
    return HevcConfiguration(*(tuple(found.get(kind, ())) for kind in (H265_VPS, H265_SPS, H265_PPS)))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, count: int) -> bytes:
        end = self._offset + count
        if end > len(self._data):
            raise ConfigurationError("configuration record cut short")
        part = self._data[self._offset : end]
        self._offset = end
        return part

    def integer(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")
