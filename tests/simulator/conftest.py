"""What the simulator's tests share: decoding canonical frames, and waiting for streams without sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest
from av.codec import CodecContext
from av.packet import Packet
from av.video.frame import VideoFrame

from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind, Tracks


class Recorder:
    """A subscriber that keeps everything and can be waited for."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.tracks: list[Tracks] = []
        self._arrived = asyncio.Event()

    def on_tracks(self, tracks: Tracks) -> None:
        self.tracks.append(tracks)

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._arrived.set()

    @property
    def video(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.kind is Kind.VIDEO]

    @property
    def audio(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.kind is Kind.AUDIO]

    async def until(self, condition: Callable[[Recorder], bool], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                self._arrived.clear()
                await self._arrived.wait()


def decode_frames(frames: Iterable[Frame]) -> list[VideoFrame]:
    decoder = None
    pictures: list[VideoFrame] = []
    for frame in frames:
        if decoder is None:
            decoder = CodecContext.create("h264" if frame.config.codec is Codec.H264 else "hevc", "r")
            decoder.extradata = frame.config.extradata
            decoder.thread_type = "NONE"
        packet = Packet(frame.payload)
        packet.pts, packet.dts = frame.pts, frame.dts
        pictures += decoder.decode(packet)
    return pictures + (decoder.decode(None) if decoder is not None else [])


@pytest.fixture
def decode() -> Callable[[Iterable[Frame]], list[VideoFrame]]:
    """Decodes canonical video frames of one configuration."""
    return decode_frames


@pytest.fixture
def recorder() -> type[Recorder]:
    """The class, because an Event wants its loop."""
    return Recorder
