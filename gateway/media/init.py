"""Writes the fMP4 initialisation segment, `ftyp+moov` without samples, from track configurations.

Every LL-HLS `EXT-X-MAP` and every wall configuration message is one. Pure; called on the event loop when tracks change.

Why not libavformat: through PyAV 18.1 a stream that is only muxed (`add_mux_stream`) has no codec context, so its extradata
cannot be set before a packet has passed; a template needs an input file to exist first, and either way the muxer picks its
own audio timescale, adds edit lists for B-frames, and needs the header cut from a file that is being closed. A few
boxes of ISO/IEC 14496-12 are shorter than all of that, exact in their timescales, and cost 20 microseconds.

Sample entries: 14496-15 (`avc1`, and `hvc1` because Apple asks for parameter sets in the sample entry), AV1-ISOBMFF
(`av01`), 14496-14 (`mp4a`), Opus in ISOBMFF 0.6.8 (`Opus`).
"""

from __future__ import annotations

import struct

from gateway.media.track import Codec, Kind, TrackConfig, Tracks

_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_MOVIE_TIMESCALE = 1000
_UNDETERMINED_LANGUAGE = 0x55C4
"""`und` in ISO 639-2/T packed as three 5-bit letters."""
_TRACK_ENABLED_IN_MOVIE = 3
_VIDEO_ENTRY = {Codec.H264: (b"avc1", b"avcC"), Codec.H265: (b"hvc1", b"hvcC"), Codec.AV1: (b"av01", b"av1C")}
_AAC_OBJECT_TYPE = 0x40
_AUDIO_STREAM_TYPE = 0x15
_OPUS_HEAD_BYTES = 19


def init_segment(tracks: Tracks) -> bytes:
    """`ftyp+moov` for these tracks; track ids count from 1 in their order, timescales are their clock rates.

    Raises ValueError for a codec that has no place in fMP4 (G.711) and for a configuration without decoder parameters.
    """
    if not tracks:
        raise ValueError("an init segment needs at least one track")
    ftyp = _box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"iso5", b"mp41")
    numbered = list(enumerate(tracks, start=1))
    mvhd = _full(
        b"mvhd", 0, 0,
        struct.pack(">IIIIIH10x", 0, 0, _MOVIE_TIMESCALE, 0, 0x10000, 0x0100), _UNITY_MATRIX, bytes(24),
        struct.pack(">I", len(tracks) + 1),
    )  # fmt: skip
    traks = [_trak(number, track) for number, track in numbered]
    trexes = [_full(b"trex", 0, 0, struct.pack(">IIIII", number, 1, 0, 0, 0)) for number, _ in numbered]
    return ftyp + _box(b"moov", mvhd, *traks, _box(b"mvex", *trexes))


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _trak(number: int, track: TrackConfig) -> bytes:
    video = track.kind is Kind.VIDEO
    tkhd = _full(
        b"tkhd", 0, _TRACK_ENABLED_IN_MOVIE,
        struct.pack(">IIIII8xhhHH", 0, 0, number, 0, 0, 0, 0 if video else 1, 0 if video else 0x0100, 0), _UNITY_MATRIX,
        struct.pack(">II", track.width << 16, track.height << 16),
    )  # fmt: skip
    mdhd = _full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, track.clock_rate, 0, _UNDETERMINED_LANGUAGE, 0))
    handler = (b"vide", b"video\0") if video else (b"soun", b"audio\0")
    hdlr = _full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, handler[0]), handler[1])
    header = _full(b"vmhd", 0, 1, bytes(8)) if video else _full(b"smhd", 0, 0, bytes(4))
    dinf = _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1)))
    stsd = _full(b"stsd", 0, 0, struct.pack(">I", 1), _video_entry(track) if video else _audio_entry(track))
    none = struct.pack(">I", 0)
    tables = (_full(b"stts", 0, 0, none), _full(b"stsc", 0, 0, none), _full(b"stsz", 0, 0, none, none),
              _full(b"stco", 0, 0, none))  # fmt: skip
    return _box(b"trak", tkhd, _box(b"mdia", mdhd, hdlr, _box(b"minf", header, dinf, _box(b"stbl", stsd, *tables))))


def _video_entry(track: TrackConfig) -> bytes:
    if not track.extradata:
        raise ValueError(f"{track.codec.value} has no decoder configuration yet")
    entry, config = _VIDEO_ENTRY[track.codec]
    head = struct.pack(">6xH16xHHIIIH32xHh", 1, track.width, track.height, 0x480000, 0x480000, 0, 1, 24, -1)
    return _box(entry, head, _box(config, track.extradata))


def _audio_entry(track: TrackConfig) -> bytes:
    if track.codec is Codec.AAC:
        entry, config = b"mp4a", _esds(track.extradata)
    elif track.codec is Codec.OPUS:
        entry, config = b"Opus", _dops(track.extradata)
    else:
        raise ValueError(f"{track.codec.value} cannot be carried in fMP4")
    # The field is 16.16: rates it cannot hold are left zero and come from the decoder configuration.
    rate = track.sample_rate if track.sample_rate <= 0xFFFF else 0
    return _box(entry, struct.pack(">6xH8xHHHHI", 1, track.channels or 2, 16, 0, 0, rate << 16), config)


def _esds(audio_specific_config: bytes) -> bytes:
    if not audio_specific_config:
        raise ValueError("aac has no decoder configuration yet")
    specific = _descriptor(0x05, audio_specific_config)
    stream = _AUDIO_STREAM_TYPE.to_bytes(1, "big")
    decoder = _descriptor(0x04, bytes([_AAC_OBJECT_TYPE]) + stream + bytes(11) + specific)
    return _full(b"esds", 0, 0, _descriptor(0x03, struct.pack(">HB", 0, 0) + decoder + _descriptor(0x06, b"\x02")))


def _descriptor(tag: int, body: bytes) -> bytes:
    # Sizes in the four-byte form every parser knows (14496-1, 8.3.3).
    size = len(body)
    return bytes([tag, 0x80 | size >> 21 & 0x7F, 0x80 | size >> 14 & 0x7F, 0x80 | size >> 7 & 0x7F, size & 0x7F]) + body


def _dops(opus_head: bytes) -> bytes:
    if len(opus_head) < _OPUS_HEAD_BYTES or not opus_head.startswith(b"OpusHead"):
        raise ValueError("opus has no identification header (RFC 7845, 5.1)")
    channels, pre_skip, rate, gain, family = struct.unpack("<BHIhB", opus_head[9:_OPUS_HEAD_BYTES])
    mapping = opus_head[_OPUS_HEAD_BYTES : _OPUS_HEAD_BYTES + 2 + channels] if family else b""
    return _box(b"dOps", struct.pack(">BBHIhB", 0, channels, pre_skip, rate, gain, family), mapping)
