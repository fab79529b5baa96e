"""RTMP's chunk stream (RTMP 1.0 specification, section 5.3): bytes to messages and back, without any I/O.

Reading is as tolerant as the field demands and no more: every basic-header form, type-3 chunks that start a message, extended
timestamps that are or are not repeated on type-3 chunks (OBS before 30.1 leaves them out), any control message on any chunk
stream. Memory follows received bytes, never announced lengths. A header in the middle of a message closes the connection:
changing a length half-way was a heap overflow elsewhere (CVE-2016-10191).

Writing knows one form: a type-0 chunk with the absolute timestamp and type-3 continuations. It costs four bytes more than
type 1, and in exchange the same bytes fit every player and a dropped frame cannot disturb anybody's clock.

Pure; called from the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gateway.rtmp.errors import ChunkError

OUR_CHUNK_BYTES = 65_536
"""Chunk size we announce and write with: few headers, and FFmpeg adopts it for what it publishes to us."""
DEFAULT_CHUNK_BYTES = 128
"""Until a peer announces another one."""
MAX_CHUNK_BYTES = 0xFFFFFF
"""A message is never longer, so neither is a useful chunk; larger announcements are capped."""

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = range(1, 7)
AUDIO, VIDEO = 8, 9
DATA_AMF3, SHARED_OBJECT_AMF3, COMMAND_AMF3 = 15, 16, 17
DATA, SHARED_OBJECT, COMMAND, AGGREGATE = 18, 19, 20, 22

_EXTENDED = 0xFFFFFF
_WRAP = 0xFFFFFFFF
_MEDIA_TYPES = frozenset({AUDIO, VIDEO, AGGREGATE})
_HEADER_BYTES = (11, 7, 3, 0)

_CHUNK_COST_BYTES = 8
_CREDIT_BYTES = 64 * 1024
"""A peer may send chunks of less than `_CHUNK_COST_BYTES` (header included) on average only for this long: with chunk size 1
every byte of theirs costs us a whole turn of the parser."""


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """What one connection may make us hold."""

    media_bytes: int = 8 * 1024 * 1024
    """One audio, video or aggregate message; a 4K keyframe of a generous camera is 2 MiB."""
    other_bytes: int = 64 * 1024
    """One command, data or control message."""
    chunk_streams: int = 64


class Message(NamedTuple):
    """One RTMP message. `timestamp` is in milliseconds modulo 2^32."""

    type_id: int
    stream_id: int
    timestamp: int
    payload: bytes


class _ChunkStream:
    __slots__ = ("active", "extended", "field", "length", "partial", "stream_id", "timestamp", "type_id")

    def __init__(self) -> None:
        self.timestamp = 0
        self.field = 0
        """The last timestamp field: absolute after type 0, a delta after types 1 and 2, added again by a type 3 that starts
        a message. After type 0 that is what the specification says and FFmpeg, librtmp and SRS do."""
        self.extended = False
        self.length = 0
        self.type_id = 0
        self.stream_id = 0
        self.partial = bytearray()
        self.active = False


class ChunkReader:
    """Bytes in, messages out. SetChunkSize and Abort act here and are not passed on."""

    def __init__(self, limits: ChunkLimits | None = None, *, partial_bytes: int = 128 * 1024) -> None:
        self._limits = limits or ChunkLimits()
        self.partial_bytes = partial_bytes
        """Bytes of unfinished messages over all chunk streams. Small for strangers; raise it for an authorised publisher."""
        self._buffer = bytearray()
        self._streams: dict[int, _ChunkStream] = {}
        self._chunk_bytes = DEFAULT_CHUNK_BYTES
        self._current: _ChunkStream | None = None
        self._chunk_left = 0
        self._held = 0
        self._credit = _CREDIT_BYTES

    def feed(self, data: bytes) -> Iterator[Message]:
        """Messages that are complete with `data`. Iterate to the end; the reader is unusable after an error.

        Raises:
            ChunkError: broken framing, or a limit passed.
        """
        self._buffer += data
        position = 0
        try:
            while True:
                stream = self._current
                if stream is None:
                    start = self._header(position)
                    if start < 0:
                        return
                    self._spend(start - position - _CHUNK_COST_BYTES)
                    position = start
                    continue
                taken = min(self._chunk_left, len(self._buffer) - position)
                if taken:
                    stream.partial += self._buffer[position : position + taken]
                    position += taken
                    self._chunk_left -= taken
                    self._held += taken
                    self._spend(taken)
                    if self._held > self.partial_bytes:
                        raise ChunkError(f"unfinished messages hold more than {self.partial_bytes} bytes")
                if self._chunk_left:
                    return
                self._current = None
                if len(stream.partial) == stream.length:
                    message = Message(stream.type_id, stream.stream_id, stream.timestamp, bytes(stream.partial))
                    self._forget(stream)
                    if message.type_id == SET_CHUNK_SIZE:
                        self._set_chunk_size(message.payload)
                    elif message.type_id == ABORT:
                        self._abort(message.payload)
                    else:
                        yield message
        finally:
            del self._buffer[:position]

    def _header(self, position: int) -> int:
        """Parse a chunk header; return where its payload starts, or -1 if bytes are missing."""
        buffer = self._buffer
        end = len(buffer)
        if position >= end:
            return -1
        first = buffer[position]
        form, csid = first >> 6, first & 0x3F
        position += 1
        if csid == 0:
            if position + 1 > end:
                return -1
            csid = 64 + buffer[position]
            position += 1
        elif csid == 1:
            if position + 2 > end:
                return -1
            csid = 64 + buffer[position] + 256 * buffer[position + 1]
            position += 2
        header = position
        position += _HEADER_BYTES[form]
        if position > end:
            return -1
        stream = self._streams.get(csid)
        if form == 3:
            if stream is None:
                raise ChunkError(f"chunk stream {csid} starts without a header")
            skipped = self._repeated_timestamp(stream, position)
            if skipped < 0:
                return -1
            position += skipped
            if not stream.active:
                stream.timestamp = (stream.timestamp + stream.field) & _WRAP
        else:
            field = int.from_bytes(buffer[header : header + 3], "big")
            extended = field == _EXTENDED
            if extended:
                if position + 4 > end:
                    return -1
                field = int.from_bytes(buffer[position : position + 4], "big")
                position += 4
            stream = self._started(stream, csid, form)
            stream.field, stream.extended = field, extended
            # A fresh chunk stream may start with type 1 (librtmp's pings do): its delta counts from zero.
            stream.timestamp = field if form == 0 else (stream.timestamp + field) & _WRAP
            if form <= 1:
                stream.length = int.from_bytes(buffer[header + 3 : header + 6], "big")
                stream.type_id = buffer[header + 6]
            if form == 0:
                stream.stream_id = int.from_bytes(buffer[header + 7 : header + 11], "little")
        if not stream.active:
            limit = self._limits.media_bytes if stream.type_id in _MEDIA_TYPES else self._limits.other_bytes
            if stream.length > limit:
                raise ChunkError(f"message of type {stream.type_id} announces {stream.length} bytes, over {limit}")
            stream.active = True
        self._current = stream
        self._chunk_left = min(self._chunk_bytes, stream.length - len(stream.partial))
        return position

    def _started(self, stream: _ChunkStream | None, csid: int, form: int) -> _ChunkStream:
        if stream is None:
            if form == 2:
                raise ChunkError(f"chunk stream {csid} starts without a length")
            if len(self._streams) >= self._limits.chunk_streams:
                raise ChunkError(f"more than {self._limits.chunk_streams} chunk streams")
            stream = self._streams[csid] = _ChunkStream()
        elif stream.active:
            raise ChunkError(f"new header in the middle of a message on chunk stream {csid}")
        return stream

    def _repeated_timestamp(self, stream: _ChunkStream, position: int) -> int:
        """How many bytes a repeated extended timestamp takes on a type-3 chunk: 4, 0, or -1 while that is undecided."""
        if not stream.extended:
            return 0
        expected = stream.field.to_bytes(4, "big")
        seen = self._buffer[position : position + 4]
        if not expected.startswith(seen):
            return 0
        return 4 if len(seen) == 4 else -1

    def _set_chunk_size(self, payload: bytes) -> None:
        if len(payload) < 4:
            raise ChunkError("SetChunkSize without a size")
        size = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        if size == 0:
            raise ChunkError("SetChunkSize of zero")
        self._chunk_bytes = min(size, MAX_CHUNK_BYTES)

    def _abort(self, payload: bytes) -> None:
        stream = self._streams.get(int.from_bytes(payload[:4], "big")) if len(payload) >= 4 else None
        if stream is not None and stream.active:
            self._forget(stream)

    def _forget(self, stream: _ChunkStream) -> None:
        self._held -= len(stream.partial)
        stream.partial = bytearray()
        stream.active = False

    def _spend(self, balance: int) -> None:
        self._credit = min(self._credit + balance, _CREDIT_BYTES)
        if self._credit < 0:
            raise ChunkError(f"chunks of less than {_CHUNK_COST_BYTES} bytes over and over")


def encode_message(
    csid: int, type_id: int, stream_id: int, timestamp: int, *parts: bytes, chunk_bytes: int = OUR_CHUNK_BYTES
) -> bytes:
    """One message as a type-0 chunk and type-3 continuations.

    `timestamp` is in milliseconds, taken modulo 2^32. From 0xFFFFFF on (4 h 39 min) it is repeated on every continuation:
    without that FFmpeg, librtmp, GStreamer, mpv and VLC all lose the stream.

    Raises:
        ChunkError: more than 0xFFFFFF bytes.
    """
    length = sum(map(len, parts))
    if length > 0xFFFFFF:
        raise ChunkError(f"a message of {length} bytes does not fit RTMP")
    timestamp &= _WRAP
    extended = timestamp.to_bytes(4, "big") if timestamp >= _EXTENDED else b""
    header = b"".join(
        (
            _basic_header(0, csid),
            min(timestamp, _EXTENDED).to_bytes(3, "big"),
            length.to_bytes(3, "big"),
            type_id.to_bytes(1, "big"),
            stream_id.to_bytes(4, "little"),
            extended,
        )
    )
    if length <= chunk_bytes:
        return b"".join((header, *parts))
    continuation = _basic_header(3, csid) + extended
    body = memoryview(b"".join(parts))
    pieces: list[bytes | memoryview] = [header, body[:chunk_bytes]]
    for start in range(chunk_bytes, length, chunk_bytes):
        pieces.append(continuation)
        pieces.append(body[start : start + chunk_bytes])
    return b"".join(pieces)


def _basic_header(form: int, csid: int) -> bytes:
    if csid < 64:
        return bytes((form << 6 | csid,))
    if csid < 320:
        return bytes((form << 6, csid - 64))
    return bytes((form << 6 | 1,)) + (csid - 64).to_bytes(2, "little")
