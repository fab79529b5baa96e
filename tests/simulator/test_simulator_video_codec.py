"""What leaves the encoder must be canonical: parameter sets outside, length-prefixed units, decodable from a keyframe."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from av.video.frame import VideoFrame

from gateway.media import annexb, h264, h265
from gateway.media.frame import Frame
from gateway.media.track import Codec
from gateway.simulator.picture import Painter
from gateway.simulator.video_codec import Sample, VideoEncoder, VideoSpec

Decode = Callable[[Iterable[Frame]], list[VideoFrame]]


def encode(spec: VideoSpec, count: int, keyframes: frozenset[int] = frozenset()) -> tuple[VideoEncoder, list[Sample]]:
    encoder = VideoEncoder(spec)
    painter = Painter(encoder.layout, "Test", spec.caption)
    samples: list[Sample] = []
    for number in range(count):
        painter.paint(encoder.planes, 1_790_000_000 + number / spec.fps, number)
        samples += encoder.encode(number * 3600, keyframe=number in keyframes)
    return encoder, samples + encoder.flush()


def frames(encoder: VideoEncoder, samples: list[Sample]) -> list[Frame]:
    return [Frame(encoder.config, s.dts, s.pts, 3600, s.keyframe, False, 0.0, s.payload) for s in samples]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("bframes", [0, 2])
def test_samples_are_canonical_and_decode(codec: Codec, bframes: int, decode: Decode):
    spec = VideoSpec(codec, 192, 108, 25, 10, 200_000, bframes)
    encoder, samples = encode(spec, 25)
    assert len(samples) == 25
    assert (encoder.config.width, encoder.config.height) == (192, 108)
    assert samples[0].keyframe
    assert [sample.dts for sample in samples] == sorted({sample.dts for sample in samples})
    assert all(sample.pts >= sample.dts for sample in samples)
    assert any(sample.pts > sample.dts for sample in samples) == bool(bframes)
    in_sample = h264.in_sample if codec is Codec.H264 else h265.in_sample
    for sample in samples:
        units = annexb.split_lengths(sample.payload)
        assert units
        assert all(in_sample(unit) for unit in units)
    pictures = decode(frames(encoder, samples))
    assert [picture.pts for picture in pictures] == [number * 3600 for number in range(25)]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_keyframes_come_with_every_gop_and_on_request(codec: Codec):
    _, samples = encode(VideoSpec(codec, 192, 108, 25, 20, 200_000), 40, frozenset({7}))
    assert [sample.pts // 3600 for sample in samples if sample.keyframe] == [0, 7, 27]


def test_one_picture_in_gives_one_sample_at_once_without_bframes():
    encoder = VideoEncoder(VideoSpec(Codec.H264, 192, 108))
    assert len(encoder.encode(0, keyframe=False)) == 1


def test_the_picture_is_rich_enough_to_reach_the_bit_rate():
    _, samples = encode(VideoSpec(Codec.H264, 640, 360, 15, 30, 500_000), 150)
    second_half = samples[75:]
    bits_per_s = sum(len(sample.payload) for sample in second_half) * 8 / (len(second_half) / 15)
    assert 350_000 < bits_per_s < 700_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"codec": Codec.AV1},
        {"width": 641},
        {"height": 32},
        {"fps": 0},
        {"gop": 0},
        {"bframes": 9},
        {"bitrate": 1},
    ],
)
def test_settings_no_encoder_takes_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=r"."):
        VideoSpec(**wrong)  # type: ignore[arg-type]  # wrong on purpose
