"""A camera of numbers, a page that is no browser, and a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from gateway.live.messages import Record, read_records
from gateway.media.frame import Frame
from gateway.media.state import State, Status
from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind, TrackConfig

VIDEO = TrackConfig(
    Codec.H264, 90_000, bytes.fromhex("0164000cffe100166764000cacb20282f420000003002000000651e2854901000668ebc3cb22c0fdf8f800"),
    "avc1.64000C", width=320, height=176,
)  # fmt: skip
VIDEO_HD = TrackConfig(Codec.H264, 90_000, VIDEO.extradata, "avc1.64001F", width=1280, height=720)
AUDIO = TrackConfig(Codec.AAC, 48_000, bytes.fromhex("1190"), "mp4a.40.2", sample_rate=48_000, channels=2)
LIVE = Status(State.LIVE, since=1_000.0)


def picture(number: int, *, key: bool = False, config: TrackConfig = VIDEO, size: int = 100) -> Frame:
    """Picture `number` of a camera at 25 per second."""
    return Frame(
        config, number * 3600, number * 3600, 3600, key, False, 1_700_000_000 + number / 25, b"%d".ljust(size) % number
    )


def sound(number: int) -> Frame:
    """Sound `number` of 1024 samples."""
    return Frame(AUDIO, number * 1024, number * 1024, 1024, True, False, 1_700_000_000.0, b"sound")


def begun(stream: Stream, *, with_audio: bool = False) -> Stream:
    """A session of `stream` with a keyframe and two pictures."""
    stream.begin(frozenset({Kind.VIDEO, Kind.AUDIO}) if with_audio else frozenset({Kind.VIDEO}))
    if with_audio:
        stream.push([sound(0)])
    stream.push([picture(0, key=True), picture(1), picture(2)])
    stream.set_status(LIVE)
    return stream


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Message:
    """What arrives from a page."""

    def __init__(self, kind: int, data: Any = b"") -> None:
        self.kind = kind
        self.data = data


class Page:
    """The far end of a WebSocket: reads what was sent unless it is `asleep`."""

    def __init__(self) -> None:
        self.accepted = False
        self.closed_with: int | None = -1
        self.texts: list[dict[str, Any]] = []
        self.records: list[Record] = []
        self.received = 0
        self.asleep = False
        self.awake = asyncio.Event()
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()

    # WebSocket
    async def accept(self) -> Page:
        self.accepted = True
        return self

    def close(self, status: int | None = None) -> None:
        self.closed_with = status

    # WebSocketTransport
    async def receive(self) -> Message:
        return await self._inbox.get()

    async def send_bytes(self, data: bytes) -> None:
        if self.asleep:
            await self.awake.wait()
        self.received += len(data)
        self.records += read_records(data)

    async def send_str(self, data: str) -> None:
        self.texts.append(json.loads(data))

    # what a test does with it
    def says(self, **fields: Any) -> None:
        self._inbox.put_nowait(Message(2, json.dumps(fields)))

    def says_raw(self, data: str | bytes) -> None:
        self._inbox.put_nowait(Message(1 if isinstance(data, bytes) else 2, data))

    def leaves(self) -> None:
        self._inbox.put_nowait(Message(0))

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [text for text in self.texts if text["type"] == kind]

    @property
    def pictures(self) -> list[int]:
        """Numbers of the pictures that have arrived, in the format `frames`."""
        return [int(record.payload) for record in self.records if record.kind == 2]


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)
