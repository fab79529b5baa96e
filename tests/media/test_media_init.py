"""Init segments: what the boxes say, and that libavformat reads from them what went in."""

import io
import struct

import av
import pytest

from gateway.media.init import init_segment
from gateway.media.track import Codec, TrackConfig

AVCC = bytes.fromhex("0164000cffe100166764000cacb20282f420000003002000000651e2854901000668ebc3cb22c0fdf8f800")
H264 = TrackConfig(Codec.H264, 90_000, AVCC, "avc1.64000C", width=320, height=176)
AAC = TrackConfig(Codec.AAC, 48_000, bytes.fromhex("1190"), "mp4a.40.2", sample_rate=48_000, channels=2)
OPUS_HEAD = b"OpusHead" + struct.pack("<BBHIhB", 1, 2, 312, 48_000, 0, 0)
OPUS = TrackConfig(Codec.OPUS, 48_000, OPUS_HEAD, "opus", sample_rate=48_000, channels=2)
CONTAINERS = {"moov", "trak", "mdia", "minf", "stbl", "mvex"}


def tree(data: bytes) -> list[tuple[str, bytes]]:
    """All boxes, depth first."""
    found, at = [], 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        kind, body = name.decode(), data[at + 8 : at + size]
        assert len(body) == size - 8
        found.append((kind, body))
        if kind in CONTAINERS:
            found += tree(body)
        at += size
    return found


def all_of(data: bytes, kind: str) -> list[bytes]:
    return [body for name, body in tree(data) if name == kind]


def test_timescales_are_the_clock_rates_exactly() -> None:
    odd = TrackConfig(Codec.AAC, 44_100, bytes.fromhex("1210"), "mp4a.40.2", sample_rate=44_100, channels=2)
    data = init_segment((H264, odd))
    assert [struct.unpack_from(">I", mdhd, 12)[0] for mdhd in all_of(data, "mdhd")] == [90_000, 44_100]


def test_no_samples_no_durations_no_edit_lists() -> None:
    data = init_segment((H264, AAC))
    assert not all_of(data, "edts")
    assert all(struct.unpack_from(">I", mdhd, 16)[0] == 0 for mdhd in all_of(data, "mdhd"))
    assert all(body[4:] == bytes(len(body) - 4) for kind in ("stts", "stsc", "stsz", "stco") for body in all_of(data, kind))
    assert [struct.unpack_from(">I", trex, 4)[0] for trex in all_of(data, "trex")] == [1, 2]


def test_brand_is_one_that_hls_asks_for() -> None:
    [ftyp] = all_of(init_segment((H264,)), "ftyp")
    assert ftyp[:4] == b"iso6"


def test_audio_alone_is_track_one() -> None:
    [tkhd] = all_of(init_segment((AAC,)), "tkhd")
    assert struct.unpack_from(">I", tkhd, 12)[0] == 1


@pytest.mark.parametrize(("codec", "entry"), [(Codec.H264, b"avc1"), (Codec.H265, b"hvc1"), (Codec.AV1, b"av01")])
def test_sample_entry_is_the_one_players_expect(codec: Codec, entry: bytes) -> None:
    [stsd] = all_of(init_segment((TrackConfig(codec, 90_000, AVCC, "", width=64, height=64),)), "stsd")
    assert stsd[12:16] == entry
    assert AVCC in stsd


def test_opus_header_is_turned_to_big_endian() -> None:
    [stsd] = all_of(init_segment((OPUS,)), "stsd")
    assert stsd.endswith(b"dOps" + struct.pack(">BBHIhB", 0, 2, 312, 48_000, 0, 0))


def test_opus_channel_mapping_is_carried() -> None:
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 3, 312, 48_000, 0, 1) + bytes([2, 1, 0, 2, 1])
    track = TrackConfig(Codec.OPUS, 48_000, head, "opus", sample_rate=48_000, channels=3)
    assert all_of(init_segment((track,)), "stsd")[0].endswith(bytes([1, 2, 1, 0, 2, 1]))


def test_libavformat_reads_back_what_went_in() -> None:
    with av.open(io.BytesIO(init_segment((H264, AAC)))) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert bytes(video.codec_context.extradata or b"") == AVCC
        assert (video.codec_context.width, video.codec_context.height) == (320, 176)
        assert (video.time_base.denominator, audio.time_base.denominator) == (90_000, 48_000)
        assert bytes(audio.codec_context.extradata or b"") == AAC.extradata
        assert (audio.codec_context.sample_rate, audio.codec_context.layout.nb_channels) == (48_000, 2)


def test_high_sample_rates_do_not_overflow_the_entry() -> None:
    track = TrackConfig(Codec.AAC, 96_000, bytes.fromhex("1010"), "mp4a.40.2", sample_rate=96_000, channels=2)
    with av.open(io.BytesIO(init_segment((track,)))) as container:
        assert container.streams.audio[0].codec_context.sample_rate == 96_000


@pytest.mark.parametrize(
    "track",
    [
        TrackConfig(Codec.PCMU, 8000, b"", "", sample_rate=8000, channels=1),
        TrackConfig(Codec.H264, 90_000, b"", ""),
        TrackConfig(Codec.AAC, 48_000, b"", "mp4a.40.2"),
        TrackConfig(Codec.OPUS, 48_000, b"OpusTags", "opus"),
    ],
)
def test_what_fmp4_cannot_hold_is_refused(track: TrackConfig) -> None:
    with pytest.raises(ValueError, match=track.codec.value):
        init_segment((track,))


def test_no_tracks_no_segment() -> None:
    with pytest.raises(ValueError, match="at least one track"):
        init_segment(())
