from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.media.frame import Frame
from gateway.media.track import Codec, TrackConfig
from gateway.rtmp import amf0, flv
from gateway.rtmp.errors import RtmpError


def config(codec: Codec) -> TrackConfig:
    return TrackConfig(codec, 90_000, b"EXTRA", "", width=640, height=360, sample_rate=48_000, channels=2)


def frame(codec: Codec, keyframe: bool = True) -> Frame:
    return Frame(config(codec), 0, 0, 3600, keyframe, False, 0.0, b"payload")


@pytest.mark.parametrize(
    ("codec", "expected"),
    [
        (Codec.H264, b"\x17\x00\x00\x00\x00EXTRA"),
        (Codec.AAC, b"\xaf\x00EXTRA"),
        (Codec.H265, b"\x90hvc1EXTRA"),
        (Codec.AV1, b"\x90av01EXTRA"),
        (Codec.OPUS, b"\x90OpusEXTRA"),
    ],
)
def test_sequence_headers(codec, expected):
    assert flv.sequence_header(config(codec)) == expected


@pytest.mark.parametrize(
    ("codec", "keyframe", "composition", "expected"),
    [
        (Codec.H264, True, 0, b"\x17\x01\x00\x00\x00"),
        (Codec.H264, False, 80, b"\x27\x01\x00\x00\x50"),
        (Codec.H264, False, -1, b"\x27\x01\xff\xff\xff"),
        (Codec.H264, False, -80, b"\x27\x01\xff\xff\xb0"),
        (Codec.H264, False, 1 << 30, b"\x27\x01\x7f\xff\xff"),
        (Codec.H264, False, -(1 << 30), b"\x27\x01\x80\x00\x00"),
        (Codec.AAC, True, 0, b"\xaf\x01"),
        (Codec.H265, True, 0, b"\x93hvc1"),
        (Codec.H265, False, 40, b"\xa1hvc1\x00\x00\x28"),
        (Codec.AV1, True, 0, b"\x91av01"),
        (Codec.AV1, False, 40, b"\xa1av01"),
        (Codec.OPUS, True, 0, b"\x91Opus"),
    ],
)
def test_prefixes_with_signed_composition_time(codec, keyframe, composition, expected):
    assert flv.frame_prefix(frame(codec, keyframe), composition) == expected


@pytest.mark.parametrize("codec", [Codec.PCMA, Codec.PCMU])
def test_g711_has_no_form(codec):
    assert not flv.carries(codec)
    with pytest.raises(RtmpError):
        flv.sequence_header(config(codec))
    with pytest.raises(RtmpError):
        flv.frame_prefix(frame(codec), 0)


def test_metadata_names_legacy_codecs_by_number():
    name, values = amf0.decode(flv.metadata((config(Codec.H264), replace(config(Codec.AAC), channels=1))))
    assert name == "onMetaData"
    assert values["videocodecid"] == 7
    assert values["audiocodecid"] == 10
    assert (values["width"], values["height"]) == (640, 360)
    assert values["audiosamplerate"] == 48_000
    assert values["stereo"] is False


def test_metadata_names_new_codecs_by_fourcc():
    values = amf0.decode(flv.metadata((config(Codec.H265), config(Codec.OPUS))))[1]
    assert values["videocodecid"] == int.from_bytes(b"hvc1", "big")
    assert values["audiocodecid"] == int.from_bytes(b"Opus", "big")


def test_metadata_leaves_out_tracks_that_are_not_there():
    values = amf0.decode(flv.metadata((replace(config(Codec.H264), width=0),)))[1]
    assert set(values) == {"videocodecid", "encoder"}


def test_only_new_codecs_have_a_fourcc_to_announce():
    assert flv.fourcc(Codec.H264) == flv.fourcc(Codec.AAC) == ""
    assert flv.fourcc(Codec.AV1) == "av01"
