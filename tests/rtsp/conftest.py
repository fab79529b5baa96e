"""Footage for the RTSP tests: real encoders' frames in the form the gateway carries them, and a stream that plays them."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
import pytest

from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import VIDEO_CLOCK_HZ, Codec, TrackConfig

FPS = 25
GOP_FRAMES = 25


@dataclasses.dataclass(frozen=True)
class Footage:
    """Frames of one track, a whole number of GOPs, that can be repeated for ever."""

    config: TrackConfig
    frames: tuple[Frame, ...]
    ticks: int
    """Length of one repetition."""

    def endless(self) -> Iterator[Frame]:
        for repetition in itertools.count():
            shift = repetition * self.ticks
            for frame in self.frames:
                yield dataclasses.replace(frame, dts=frame.dts + shift, pts=frame.pts + shift)


def nal_units(annex_b: bytes) -> list[bytes]:
    """Split at start codes."""
    units = annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [unit for unit in units if unit]


def length_prefixed(units: list[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def make_avcc(sps: bytes, pps: bytes) -> bytes:
    lengths = len(sps).to_bytes(2, "big"), len(pps).to_bytes(2, "big")
    return b"\x01" + sps[1:4] + b"\xff\xe1" + lengths[0] + sps + b"\x01" + lengths[1] + pps


def make_hvcc(vps: bytes, sps: bytes, pps: bytes) -> bytes:
    plain = sps.replace(b"\0\0\3", b"\0\0")
    arrays = b"".join(
        bytes((0x80 | kind, 0, 1)) + len(unit).to_bytes(2, "big") + unit for kind, unit in ((32, vps), (33, sps), (34, pps))
    )
    return b"\x01" + plain[3:15] + b"\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f\x03" + arrays


@functools.cache
def video(codec: Codec, *, b_frames: int = 0, width: int = 320, height: int = 240, noise: bool = False) -> Footage:
    """Two GOPs of one second. `noise` makes keyframes of many packets."""
    name = {Codec.H264: "libx264", Codec.H265: "libx265"}[codec]
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS, 1)
    context.options = {"preset": "ultrafast", "threads": "1"}
    if codec is Codec.H264:
        context.options |= {"x264-params": f"keyint={GOP_FRAMES}:min-keyint={GOP_FRAMES}:scenecut=0:bframes={b_frames}"}
    else:
        settings = f"keyint={GOP_FRAMES}:min-keyint={GOP_FRAMES}:scenecut=0:bframes={b_frames}:open-gop=0:log-level=none"
        context.options |= {"x265-params": f"{settings}:pools=none:frame-threads=1"}
    generator = np.random.default_rng(1)
    packets: list[av.Packet] = []
    for index in range(2 * GOP_FRAMES):
        picture = np.full((height, width, 3), index * 4 % 256, dtype=np.uint8)
        if noise:
            picture[:] = generator.integers(0, 256, picture.shape, dtype=np.uint8)
        image = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        image.pts, image.time_base = index, Fraction(1, FPS)
        packets += context.encode(image)
    packets += context.encode(None)
    packets = [packet for packet in packets if packet.size]
    parameter_kinds = {Codec.H264: (7, 8), Codec.H265: (32, 33, 34)}[codec]
    unwanted = {Codec.H264: (9,), Codec.H265: (35,)}[codec]
    sets: dict[int, bytes] = {}
    bodies = []
    for packet in packets:
        units = nal_units(bytes(packet))
        kinds = [unit[0] & 0x1F if codec is Codec.H264 else unit[0] >> 1 & 0x3F for unit in units]
        sets |= {kind: unit for kind, unit in zip(kinds, units, strict=True) if kind in parameter_kinds}
        kept = [u for k, u in zip(kinds, units, strict=True) if k not in parameter_kinds and k not in unwanted]
        bodies.append(length_prefixed(kept))
    record = make_avcc if codec is Codec.H264 else make_hvcc
    extradata = record(*(sets[kind] for kind in parameter_kinds))
    config = TrackConfig(codec, VIDEO_CLOCK_HZ, extradata, "test", width=width, height=height)
    step = VIDEO_CLOCK_HZ // FPS
    delay = -min(packet.dts for packet in packets if packet.dts is not None)
    frames = tuple(
        Frame(
            config,
            dts=((packet.dts or 0) + delay) * step,
            pts=((packet.pts or 0) + delay) * step,
            duration=step,
            keyframe=packet.is_keyframe,
            discontinuity=False,
            wall=0.0,
            payload=body,
        )
        for packet, body in zip(packets, bodies, strict=True)
    )
    return Footage(config, frames, 2 * GOP_FRAMES * step)


@functools.cache
def aac(sample_rate: int = 48_000) -> Footage:
    """About two seconds of a tone."""
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = sample_rate, "mono", "fltp"
    context.time_base = Fraction(1, sample_rate)
    context.open()
    extradata = bytes(context.extradata or b"")
    payloads: list[bytes] = []
    for index in range(94):
        tone = np.sin(np.arange(index * 1024, index * 1024 + 1024) * 2 * math.pi * 440 / sample_rate) * 0.3
        sound = av.AudioFrame.from_ndarray(tone.astype(np.float32).reshape(1, -1), format="fltp", layout="mono")
        sound.sample_rate, sound.pts = sample_rate, index * 1024
        payloads += [bytes(packet) for packet in context.encode(sound)]
    config = TrackConfig(Codec.AAC, sample_rate, extradata, "mp4a.40.2", sample_rate=sample_rate, channels=1)
    return _sound(config, payloads, 1024)


@functools.cache
def g711(codec: Codec = Codec.PCMU) -> Footage:
    """A second of 20 ms frames."""
    config = TrackConfig(codec, 8000, b"", "", sample_rate=8000, channels=1)
    return _sound(config, [bytes((index, 255 - index)) * 80 for index in range(50)], 160)


def _sound(config: TrackConfig, payloads: list[bytes], step: int) -> Footage:
    frames = tuple(
        Frame(config, index * step, index * step, step, True, False, 0.0, payload) for index, payload in enumerate(payloads)
    )
    return Footage(config, frames, len(payloads) * step)


class Player:
    """Pushes footage into a stream, at the pace of its timestamps or at once."""

    def __init__(self, stream: Stream, *tracks: Footage) -> None:
        self.stream = stream
        self.tracks = tracks
        self.epoch = time.time()
        stream.begin(frozenset(track.config.kind for track in tracks))
        merged = [track.endless() for track in tracks]
        self._heads = [(next(one), one) for one in merged]

    def next(self) -> Frame:
        self._heads.sort(key=lambda head: head[0].seconds)
        frame, source = self._heads[0]
        self._heads[0] = (next(source), source)
        return dataclasses.replace(frame, wall=self.epoch + frame.pts / frame.config.clock_rate)

    def push(self, seconds: float) -> None:
        """Push everything up to `seconds` on the timeline, at once."""
        while min(head[0].seconds for head in self._heads) < seconds:
            self.stream.push([self.next()])

    async def run(self) -> None:
        """Push in real time until cancelled."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        while True:
            self.push(loop.time() - start)
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def video_footage() -> Callable[..., Footage]:
    return video


@pytest.fixture(scope="session")
def aac_footage() -> Callable[..., Footage]:
    return aac


@pytest.fixture(scope="session")
def g711_footage() -> Callable[..., Footage]:
    return g711


@pytest.fixture(scope="session")
def make_player() -> type[Player]:
    return Player
