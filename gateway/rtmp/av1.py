"""AV1 as Enhanced RTMP carries it: configuration record, open bitstream units, and the track they describe.

Sources: AV1 bitstream specification sections 5.3 and 5.5; AV1 Codec ISO Media File Format Binding sections 2.3 and 5.
Pure; called from the event loop.
"""

from __future__ import annotations

from gateway.media.bits import BitReader, BitstreamError
from gateway.media.track import VIDEO_CLOCK_HZ, Codec, TrackConfig

_SEQUENCE_HEADER, _TEMPORAL_DELIMITER = 1, 2
_RECORD_BYTES = 4
_SIZE_WITHIN_BYTES = 512
"""The picture's size stands in the first few hundred bytes of a sequence header, whatever comes before it."""
_MARKER_AND_VERSION = 0x81
_MAX_LEVEL_WITHOUT_TIER = 7


def track_config(record: bytes) -> TrackConfig:
    """Track of an AV1CodecConfigurationRecord. Raises BitstreamError on garbage.

    Without a sequence header in the record the picture's size is unknown (0).
    """
    if len(record) < _RECORD_BYTES or record[0] != _MARKER_AND_VERSION:
        raise BitstreamError("not an AV1CodecConfigurationRecord")
    profile, level = record[1] >> 5, record[1] & 31
    tier = "H" if record[2] & 0x80 else "M"
    depth = (12 if record[2] & 0x20 else 10) if record[2] & 0x40 else 8
    headers = [unit for kind, unit, _ in units(record[_RECORD_BYTES:]) if kind == _SEQUENCE_HEADER]
    width, height = _size(headers[0][:_SIZE_WITHIN_BYTES]) if headers else (0, 0)
    return TrackConfig(
        codec=Codec.AV1,
        clock_rate=VIDEO_CLOCK_HZ,
        extradata=record,
        codec_string=f"av01.{profile}.{level:02}{tier}.{depth:02}",
        width=width,
        height=height,
    )


def sample(data: bytes) -> bytes:
    """The temporal unit without its delimiters. Raises BitstreamError on garbage."""
    return b"".join(whole for kind, _, whole in units(data) if kind != _TEMPORAL_DELIMITER)


def units(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Type, payload and whole of each OBU. Raises BitstreamError where one runs over the end."""
    found = []
    at = 0
    while at < len(data):
        header = data[at]
        start = at + (2 if header & 4 else 1)
        size = len(data) - start
        if header & 2:
            size, start = _leb128(data, start)
        if size < 0 or start + size > len(data):
            raise BitstreamError("OBU runs over the end")
        found.append((header >> 3 & 15, data[start : start + size], data[at : start + size]))
        at = start + size
    return found


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, at
    raise BitstreamError("OBU size ends early")


def _size(header: bytes) -> tuple[int, int]:
    r = BitReader(header)
    r.skip(4)
    if r.flag():
        r.skip(5)
    else:
        delay_bits = _timing(r)
        delays = r.flag()
        for _ in range(r.u(5) + 1):
            r.skip(12)
            if r.u(5) > _MAX_LEVEL_WITHOUT_TIER:
                r.skip(1)
            if delay_bits and r.flag():
                r.skip(2 * delay_bits + 1)
            if delays and r.flag():
                r.skip(4)
    width_bits, height_bits = r.u(4) + 1, r.u(4) + 1
    return r.u(width_bits) + 1, r.u(height_bits) + 1


def _timing(r: BitReader) -> int:
    """Pass over timing and decoder model; return the length of the model's delays, 0 where there is none."""
    if not r.flag():
        return 0
    r.skip(64)
    if r.flag():
        r.ue()
    if not r.flag():
        return 0
    delay_bits = r.u(5) + 1
    r.skip(42)
    return delay_bits
