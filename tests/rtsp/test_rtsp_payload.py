"""Frames cut for all viewers at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from gateway.media.frame import Frame
from gateway.media.track import Codec, TrackConfig
from gateway.rtsp.payload import Payloader, parameter_sets


def test_parameter_sets_come_with_every_keyframe_and_only_there(video_footage: Callable[..., Any]) -> None:
    footage = video_footage(Codec.H264)
    payloader = Payloader()
    for frame in footage.frames:
        (burst,) = payloader.cut(frame)
        assert (burst.payloads[0][0] & 0x1F == 24) is frame.keyframe
        assert burst.marked


def test_a_new_configuration_brings_its_own_parameter_sets(video_footage: Callable[..., Any]) -> None:
    small, large = (video_footage(Codec.H264, width=width).frames[0] for width in (320, 160))
    payloader = Payloader()
    first, second = payloader.cut(small)[0].payloads[0], payloader.cut(large)[0].payloads[0]
    assert first != second
    assert parameter_sets(large.config)[0] in second


def test_the_second_viewer_gets_the_same_bytes_without_work(video_footage: Callable[..., Any]) -> None:
    frame = video_footage(Codec.H265).frames[0]
    payloader = Payloader()
    assert payloader.cut(frame) is payloader.cut(frame)


def test_a_record_that_cannot_be_read_costs_the_parameter_sets_and_not_the_picture() -> None:
    config = TrackConfig(Codec.H264, 90_000, b"\x01", "")
    frame = Frame(config, 0, 0, 0, True, False, 0.0, b"\0\0\0\1\x65")
    assert Payloader().cut(frame)[0].payloads == [b"\x65"]


def test_long_sound_frames_are_stamped_by_their_samples() -> None:
    config = TrackConfig(Codec.PCMA, 8000, b"", "", sample_rate=8000, channels=1)
    frame = Frame(config, 100, 100, 0, True, False, 0.0, bytes(3000))
    bursts = Payloader().cut(frame)
    assert [(burst.pts, len(burst.payloads[0])) for burst in bursts] == [(100, 1400), (1500, 1400), (2900, 200)]
    assert not any(burst.marked for burst in bursts)


def test_a_codec_that_is_not_carried_gives_nothing() -> None:
    config = TrackConfig(Codec.OPUS, 48_000, b"", "", sample_rate=48_000, channels=2)
    frame = Frame(config, 0, 0, 0, True, False, 0.0, b"opus")
    assert Payloader().cut(frame) == []
    assert Payloader().cut(dataclasses.replace(frame, pts=1)) == []
