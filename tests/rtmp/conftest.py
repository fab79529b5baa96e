"""Media for the RTMP tests: small pictures with sound, encoded by PyAV and taken apart into canonical frames."""

from __future__ import annotations

import asyncio
import functools
import io
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))

from own_thread import on_own_thread

from gateway.media.frame import Frame
from gateway.media.state import State, Status
from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.rtmp import amf0, chunk
from gateway.rtmp.chunk import ChunkReader, Message, encode_message
from gateway.rtmp.handshake import ClientHandshake

SAMPLE_RATE = 48_000
_ENCODERS = {
    Codec.H264: ("libx264", {"preset": "ultrafast", "tune": "zerolatency"}),
    Codec.H265: ("libx265", {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none:pools=1"}),
    Codec.AV1: ("libsvtav1", {"preset": "12", "svtav1-params": "lookahead=0"}),
    Codec.AAC: ("aac", {}),
    Codec.OPUS: ("libopus", {}),
}
_CODEC_STRINGS = {
    Codec.H264: "avc1.42C00A",
    Codec.H265: "hvc1.1.6.L30.90",
    Codec.AV1: "av01.0.00M.08",
    Codec.AAC: "mp4a.40.2",
    Codec.OPUS: "opus",
}


@dataclass(frozen=True)
class Media:
    """Frames of `seconds` that can be played in a loop for ever: times start at 0, the first frame is a keyframe."""

    frames: tuple[Frame, ...]
    seconds: float

    @property
    def video(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.kind is Kind.VIDEO]

    @property
    def audio(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.kind is Kind.AUDIO]

    def loop(self, start_s: float = 0.0) -> Iterator[Frame]:
        """Every frame, over and over, `dts` going on from `start_s` for ever."""
        turn = 0
        while True:
            for frame in self.frames:
                offset = round((start_s + turn * self.seconds) * frame.config.clock_rate)
                yield replace(frame, dts=frame.dts + offset, pts=frame.pts + offset)
            turn += 1


MakeMedia = Callable[..., Media]


@functools.cache
@on_own_thread
def make_media(
    video: Codec | None = Codec.H264,
    audio: Codec | None = Codec.AAC,
    *,
    seconds: int = 2,
    fps: int = 25,
    gop: int = 25,
    b_frames: int = 0,
    noise: bool = False,
    width: int = 160,
    height: int = 120,
) -> Media:
    """Encode a moving picture and a tone. The mp4 muxer gives length-prefixed payloads and the ISO configurations."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        tracks = [_video(out, video, seconds, fps, gop, b_frames, noise, (width, height))] if video else []
        tracks += [_audio(out, audio, seconds)] if audio else []
        for packets in tracks:
            out.mux(packets)
    file.seek(0)
    frames: list[Frame] = []
    with av.open(file) as source:
        configs = {stream.index: _config(stream, video, audio) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None or packet.pts is None:
                continue
            config = configs[packet.stream.index]
            scale = packet.time_base * config.clock_rate
            frames.append(
                Frame(
                    config=config,
                    dts=round(packet.dts * scale),
                    pts=round(packet.pts * scale),
                    duration=round((packet.duration or 0) * scale),
                    keyframe=packet.is_keyframe or config.kind is Kind.AUDIO,
                    discontinuity=False,
                    wall=0.0,
                    payload=bytes(packet),
                )
            )
    shifts = {config: min(frame.dts for frame in frames if frame.config is config) for config in configs.values()}
    shifted = [
        replace(frame, dts=frame.dts - shifts[frame.config], pts=frame.pts - shifts[frame.config])
        for frame in frames
        if 0 <= frame.seconds - shifts[frame.config] / frame.config.clock_rate < seconds
    ]
    shifted.sort(key=lambda frame: (frame.seconds, frame.kind is Kind.AUDIO))
    return Media(tuple(shifted), float(seconds))


def _video(
    out: av.container.OutputContainer,
    codec: Codec,
    seconds: int,
    fps: int,
    gop: int,
    b_frames: int,
    noise: bool,
    size: tuple[int, int],
) -> list[av.Packet]:
    name, options = _ENCODERS[codec]
    if b_frames:
        options = {key: value for key, value in options.items() if key != "tune"}
    stream = out.add_stream(name, rate=fps, options=options)
    width, height = size
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.gop_size = gop
    stream.codec_context.max_b_frames = b_frames
    stream.codec_context.time_base = Fraction(1, fps)
    if codec is Codec.H265:
        stream.codec_context.codec_tag = "hvc1"
    random = np.random.default_rng(1)
    packets = []
    for number in range(seconds * fps):
        picture = np.full((height, width, 3), 40, np.uint8)
        if noise:
            picture = random.integers(0, 255, (height, width, 3), np.uint8)
        picture[:, (number * 2) % width :][:, :16] = (200, number % 256, 90)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, fps)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _audio(out: av.container.OutputContainer, codec: Codec, seconds: int) -> list[av.Packet]:
    name, options = _ENCODERS[codec]
    stream = out.add_stream(name, rate=SAMPLE_RATE, options=options)
    stream.codec_context.layout = "mono"
    sample_format = "fltp" if codec is Codec.AAC else "s16"
    stream.codec_context.format = sample_format
    size = 1024 if codec is Codec.AAC else 960
    packets = []
    for start in range(0, seconds * SAMPLE_RATE + 4 * size, size):
        tone = np.sin(np.arange(start, start + size) * (2 * np.pi * 440 / SAMPLE_RATE)) * 0.2
        samples = tone.astype(np.float32) if codec is Codec.AAC else (tone * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format=sample_format, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _config(stream: av.stream.Stream, video: Codec | None, audio: Codec | None) -> TrackConfig:
    context = stream.codec_context
    extradata = context.extradata or b""
    if stream.type == "video":
        assert video is not None
        return TrackConfig(video, 90_000, extradata, _CODEC_STRINGS[video], width=context.width, height=context.height)
    assert audio is not None
    return TrackConfig(audio, SAMPLE_RATE, extradata, _CODEC_STRINGS[audio], sample_rate=SAMPLE_RATE, channels=1)


class Camera:
    """Pushes media into a stream: all of a moment at once, or in real time."""

    def __init__(self, stream: Stream, media: Media, start_s: float = 0.0) -> None:
        self.stream = stream
        self.media = media
        self._frames = media.loop(start_s)
        self._start_s = start_s
        self._next = next(self._frames)
        stream.begin(frozenset(frame.kind for frame in media.frames))
        stream.set_status(Status(State.LIVE, since=0.0))

    def push(self, until_s: float) -> None:
        """Push what lies before `until_s`, counted from the start."""
        due = []
        while self._next.seconds - self._start_s < until_s - 1e-9:
            due.append(self._next)
            self._next = next(self._frames)
        self.stream.push(due)

    async def run(self) -> None:
        """Push in real time until cancelled."""
        began = time.monotonic()
        while True:
            self.push(time.monotonic() - began)
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def media() -> MakeMedia:
    """`media(Codec.H264, Codec.AAC, seconds=2, ...)`, encoded once per test run."""
    return make_media


@pytest.fixture(scope="session")
def camera() -> type[Camera]:
    """`camera(stream, media)`."""
    return Camera


class WirePlayer:
    """A player without a socket: makes what a client sends and reads what a server answers."""

    def __init__(self, *, digest: bool = False) -> None:
        self.handshake = ClientHandshake(digest=digest)
        self.reader = ChunkReader(partial_bytes=32 * 1024 * 1024)
        self.messages: list[Message] = []

    def hello(self) -> bytes:
        return self.handshake.start()

    def feed(self, data: bytes) -> bytes:
        """Take what the server sent; return what the handshake wants to send."""
        if self.handshake.done:
            self.messages += self.reader.feed(data)
            return b""
        out = self.handshake.feed(data)
        if self.handshake.done:
            self.messages += self.reader.feed(self.handshake.rest)
        return out

    def command(self, *values: amf0.Value, stream_id: int = 0, type_id: int = chunk.COMMAND) -> bytes:
        body = amf0.encode(*values)
        return encode_message(3, type_id, stream_id, 0, body, chunk_bytes=128)

    def connect(self, app: str = "live", **more: amf0.Value) -> bytes:
        info = {"app": app, "tcUrl": f"rtmp://127.0.0.1/{app}", "flashVer": "LNX 9,0,124,2"} | more
        return self.command("connect", 1.0, info)

    def play(self, name: str) -> bytes:
        return self.command("createStream", 2.0, None) + self.command("play", 0.0, None, name, -2000.0, stream_id=1)

    def replies(self, name: str) -> list[list[amf0.Value]]:
        """Decoded commands of that name among what was received."""
        decoded = [amf0.decode(message.payload) for message in self.messages if message.type_id == chunk.COMMAND]
        return [values for values in decoded if values[0] == name]

    def codes(self) -> list[amf0.Value]:
        """Status codes received, in order."""
        return [values[3]["code"] for values in self.replies("onStatus")]

    def media(self, type_id: int) -> list[Message]:
        return [message for message in self.messages if message.type_id == type_id]


@pytest.fixture(scope="session")
def player() -> type[WirePlayer]:
    """`player()` makes a new one."""
    return WirePlayer
