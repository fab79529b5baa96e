"""What goes over the wall's WebSocket, as values and as bytes. Pure; `design/live-transport.md` describes the protocol.

Binary messages (gateway to page) are records of a fixed head and a payload, one or several to a message. A record is
the same bytes for every viewer of a stream in one format. Text messages are JSON objects with a `type`.

Record, big endian: kind u8, flags u8, channel u16, payload bytes u32, epoch u32, dts i64, pts - dts i32, duration u32,
capture time in Unix milliseconds f64, payload. Times are ticks of the track's clock.
"""

from __future__ import annotations

import enum
import json
import struct
from dataclasses import dataclass

from gateway.media.fragment import fragment, frame_run
from gateway.media.frame import Frame
from gateway.media.init import init_segment
from gateway.media.state import Status
from gateway.media.track import Kind, TrackConfig, Tracks
from gateway.redact import redact

VERSION = 1
MAX_CLIENT_MESSAGE_BYTES = 4096
"""The longest honest message is a subscription of 200 bytes."""
MAX_ID_CHARS = 128
MAX_COUNT = 1 << 53
"""JavaScript counts exactly up to here."""

KEYFRAME = 1
DISCONTINUITY = 2
AUDIO = 4
"""The record belongs to the second track."""

HEAD = struct.Struct(">BBHIIqiId")
_JSON_LENGTH = struct.Struct(">I")
_MAX_EPOCH = 0xFFFFFFFF


class RecordKind(enum.IntEnum):
    """First byte of a record."""

    CONFIG = 1
    FRAME = 2


class Format(enum.Enum):
    """How frames are wrapped."""

    FRAMES = "frames"
    """Bare access units of the video, for WebCodecs."""
    FMP4 = "fmp4"
    """One `moof+mdat` for each frame of the video, for Media Source."""
    FMP4_AUDIO = "fmp4-audio"
    """The same with sound."""

    @property
    def has_audio(self) -> bool:
        """The sound goes along."""
        return self is Format.FMP4_AUDIO


class Bye(enum.Enum):
    """Why the gateway closes a connection."""

    PROTOCOL = "protocol"
    """The page broke the protocol."""
    SESSION_ENDED = "session-ended"
    """The session has ended, or its password was changed."""
    BUSY = "busy"
    """The box is short of resources."""


class BadMessage(Exception):
    """A client sent what is no message of this protocol. The text says why."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Send this stream from its newest keyframe on; if it is already sent, start it anew."""

    stream: str
    format: Format
    focused: bool
    """A viewer looks at this one: on a slow line it goes first."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Send it no longer."""

    stream: str
    format: Format


@dataclass(frozen=True, slots=True)
class Ack:
    """So many bytes of binary messages have arrived since the connection was opened."""

    received: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a ping; `sent` is the page's own clock, echoed in `time_text`."""

    sent: float


ClientMessage = Subscribe | Unsubscribe | Ack | Pong


def parse(data: str | bytes) -> ClientMessage:
    """A client's message. Raises BadMessage for everything else."""
    if isinstance(data, bytes):
        raise BadMessage("clients send text")
    if len(data) > MAX_CLIENT_MESSAGE_BYTES:
        raise BadMessage(f"a message may have {MAX_CLIENT_MESSAGE_BYTES} bytes at most")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise BadMessage("not JSON") from None
    if not isinstance(fields, dict):
        raise BadMessage("not a JSON object")
    kind = fields.get("type")
    if kind == "ack":
        received = fields.get("bytes")
        if not isinstance(received, int) or isinstance(received, bool) or not 0 <= received <= MAX_COUNT:
            raise BadMessage("ack without a count of bytes")
        return Ack(received)
    if kind == "pong":
        sent = fields.get("t")
        if not isinstance(sent, int | float) or isinstance(sent, bool) or not abs(sent) <= MAX_COUNT:
            raise BadMessage("pong without a time")
        return Pong(float(sent))
    if kind in ("subscribe", "unsubscribe"):
        stream = fields.get("stream")
        if not isinstance(stream, str) or not 0 < len(stream) <= MAX_ID_CHARS:
            raise BadMessage(f"{kind} without a stream")
        try:
            wanted = Format(fields.get("format"))
        except ValueError:
            raise BadMessage(f"{kind} with an unknown format") from None
        if kind == "unsubscribe":
            return Unsubscribe(stream, wanted)
        return Subscribe(stream, wanted, fields.get("focused") is True)
    raise BadMessage("unknown type of message")


# --- gateway to page: binary ------------------------------------------------------------------------------------------


def config_record(channel: int, epoch: int, wanted: Format, tracks: Tracks) -> bytes:
    """What a decoder needs from here on: JSON with its length before it, then `extradata` or the init segment.

    Raises ValueError if these tracks cannot be sent in this format.
    """
    video = next((track for track in tracks if track.kind is Kind.VIDEO), None)
    audio = next((track for track in tracks if track.kind is Kind.AUDIO), None) if wanted.has_audio else None
    chosen = tuple(track for track in (video, audio) if track is not None)
    if video is None:
        raise ValueError("the stream has no video")
    blob = video.extradata if wanted is Format.FRAMES else init_segment(chosen)
    text = json.dumps(
        {
            "mime": f'video/mp4; codecs="{",".join(track.codec_string for track in chosen)}"',
            "video": _track(video),
            "audio": _track(audio) if audio is not None else None,
        }
    ).encode()
    payload = _JSON_LENGTH.pack(len(text)) + text + blob
    return HEAD.pack(RecordKind.CONFIG, 0, channel, len(payload), epoch & _MAX_EPOCH, 0, 0, 0, 0.0) + payload


def frame_record(channel: int, epoch: int, wanted: Format, frame: Frame, sequence: int) -> bytes:
    """One frame. `sequence` numbers the fragments of a channel. Raises ValueError for times out of range."""
    audio = frame.kind is Kind.AUDIO
    payload = frame.payload
    if wanted is not Format.FRAMES:
        payload = fragment(sequence, (frame_run(2 if audio else 1, frame),))
    flags = (KEYFRAME if frame.keyframe else 0) | (DISCONTINUITY if frame.discontinuity else 0) | (AUDIO if audio else 0)
    try:
        head = HEAD.pack(
            RecordKind.FRAME, flags, channel, len(payload), epoch & _MAX_EPOCH,
            frame.dts, frame.pts - frame.dts, frame.duration, frame.wall * 1000,
        )  # fmt: skip
    except struct.error as error:
        raise ValueError(f"frame at {frame.dts}: {error}") from None
    return head + payload


@dataclass(frozen=True, slots=True)
class Record:
    """A record as a page reads it."""

    kind: RecordKind
    flags: int
    channel: int
    epoch: int
    dts: int
    offset: int
    duration: int
    wall_ms: float
    payload: bytes


def read_records(data: bytes) -> list[Record]:
    """The records of a binary message: what `live-messages.js` does, for tests and tools. Raises BadMessage."""
    records: list[Record] = []
    at = 0
    while at < len(data):
        if len(data) - at < HEAD.size:
            raise BadMessage("a record's head is cut off")
        kind, flags, channel, length, epoch, dts, offset, duration, wall_ms = HEAD.unpack_from(data, at)
        at += HEAD.size
        if len(data) - at < length:
            raise BadMessage("a record's payload is cut off")
        try:
            known = RecordKind(kind)
        except ValueError:
            raise BadMessage(f"unknown kind of record {kind}") from None
        payload = data[at : at + length]
        records.append(Record(known, flags, channel, epoch, dts, offset, duration, wall_ms, payload))
        at += length
    return records


# --- gateway to page: text --------------------------------------------------------------------------------------------


def hello_text(now: float, heartbeat_s: float) -> str:
    """First message of all. Times that pages get are Unix milliseconds, except in a state, which is the API's."""
    return _text("hello", version=VERSION, now=now * 1000, heartbeat_ms=round(heartbeat_s * 1000))


def subscribed_text(stream: str, wanted: Format, channel: int, catch_up: int) -> str:
    """The stream comes on this channel; its first `catch_up` pictures are past: to be decoded, not shown."""
    return _text("subscribed", stream=stream, format=wanted.value, channel=channel, catch_up=catch_up)


def refused_text(stream: str, wanted: Format, code: str, reason: str) -> str:
    """The stream does not come."""
    return _text("refused", stream=stream, format=wanted.value, code=code, reason=redact(reason))


def dropped_text(channel: int, frames: int) -> str:
    """So many pictures of this channel were left out, because the line was too slow; a keyframe follows."""
    return _text("dropped", channel=channel, frames=frames)


def state_text(stream: str, status: Status) -> str:
    """The state of a source, with the fields of the API."""
    return _text(
        "state",
        stream=stream,
        state=status.state.value,
        since=status.since,
        reason=redact(status.reason),
        code=status.code,
        next_retry=status.next_retry,
    )


def ping_text(now: float) -> str:
    """To be answered with `pong`."""
    return _text("ping", now=now * 1000)


def time_text(sent: float, now: float) -> str:
    """Answer to `pong`: the page learns the gateway's clock."""
    return _text("time", t=sent, now=now * 1000)


def bye_text(reason: Bye) -> str:
    """Last message of all."""
    return _text("bye", code=reason.value)


def _text(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


def _track(track: TrackConfig) -> dict[str, object]:
    return {
        "codec": track.codec_string,
        "clock": track.clock_rate,
        "width": track.width,
        "height": track.height,
        "channels": track.channels,
    }
