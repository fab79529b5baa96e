from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.bits import BitstreamError
from gateway.media.track import Codec
from gateway.rtmp import av1


def test_the_record_of_a_real_encoder(media):
    record = media(Codec.AV1, None).video[0].config.extradata
    config = av1.track_config(record)
    assert (config.width, config.height, config.extradata) == (160, 120, record)
    assert config.codec_string.startswith("av01.0.0")


def test_a_record_without_sequence_header_leaves_the_size_open():
    config = av1.track_config(bytes.fromhex("81 28 d0 00"))
    assert (config.codec_string, config.width) == ("av01.1.08H.10", 0)


def test_temporal_delimiters_are_left_out():
    assert av1.sample(bytes.fromhex("12 00 0a 01 55 32 02 aa bb")) == bytes.fromhex("0a 01 55 32 02 aa bb")
    assert av1.sample(bytes.fromhex("12 00 30 aa bb cc")) == bytes.fromhex("30 aa bb cc")


@pytest.mark.parametrize(
    "garbage", ["", "81", "01 00 00 00", "81 00 00 00 0a ff", "81 00 00 00 0a 01 00", "81 00 00 00 0a" + "80" * 9]
)
def test_garbage_is_refused(garbage):
    with pytest.raises(BitstreamError):
        av1.track_config(bytes.fromhex(garbage))


@given(st.binary(max_size=60))
def test_random_bytes_raise_nothing_else(data):
    for read in (av1.sample, lambda rest: av1.track_config(b"\x81\0\0\0" + rest)):
        try:
            read(data)
        except BitstreamError:
            pass
