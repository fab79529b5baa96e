"""Parameter sets out of real encoders' records, and out of damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.track import Codec
from gateway.rtsp.parameter_sets import ConfigurationError, parse_avcc, parse_hvcc


def test_avcc_of_a_real_encoder(video_footage: Callable[..., Any]) -> None:
    avc = parse_avcc(video_footage(Codec.H264).config.extradata)
    assert [unit[0] & 0x1F for unit in (*avc.sps, *avc.pps)] == [7, 8]
    assert avc.profile_level == avc.sps[0][1:4]


def test_hvcc_of_a_real_encoder(video_footage: Callable[..., Any]) -> None:
    hevc = parse_hvcc(video_footage(Codec.H265).config.extradata)
    assert [unit[0] >> 1 for unit in (*hevc.vps, *hevc.sps, *hevc.pps)] == [32, 33, 34]


@pytest.mark.parametrize("parse", [parse_avcc, parse_hvcc])
@settings(deadline=None)  # a loaded machine is not a defect
@given(st.binary(max_size=60))
def test_garbage_is_a_configuration_error(parse: Callable[[bytes], object], record: bytes) -> None:
    for data in (record, b"\x01" + record):
        try:
            parse(data)
        except ConfigurationError:
            pass
