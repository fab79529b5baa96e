"""Publishes an FLV file the way OBS's librtmp does, written down from its wire traffic.

    python obs_publisher.py FILE.flv rtmp://HOST:PORT/APP/KEY [--loop]

What makes it worth having beside real encoders: it sends SetChunkSize before `connect`, compresses message headers against the
previous message of the chunk stream, puts sound, picture and metadata on one and the same chunk stream, and once it streams it
reads nothing any more: no pong, no acknowledgement. Standard library only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 4096
CSID_CONTROL, CSID_COMMAND, CSID_MEDIA = 2, 3, 4
SET_CHUNK_SIZE, AUDIO, VIDEO, DATA, COMMAND = 1, 8, 9, 18, 20
ANSWER_S = 10.0
_TAG_HEADER, _FILE_HEADER = 11, 13


@dataclass
class Tag:
    """One FLV tag: type, milliseconds, body."""

    kind: int
    time: int
    body: bytes


def tags(flv: bytes) -> Iterator[Tag]:
    """The tags of a file."""
    at = _FILE_HEADER
    while at + _TAG_HEADER <= len(flv):
        size = int.from_bytes(flv[at + 1 : at + 4], "big")
        when = int.from_bytes(flv[at + 4 : at + 7], "big") | flv[at + 7] << 24
        yield Tag(flv[at] & 31, when, flv[at + _TAG_HEADER : at + _TAG_HEADER + size])
        at += _TAG_HEADER + size + 4


def is_header(tag: Tag) -> bool:
    """A sequence header, which OBS sends once."""
    first = tag.body[0]
    if tag.kind == VIDEO:
        return first & 15 == 0 if first & 0x80 else tag.body[1] == 0
    return tag.kind == AUDIO and (first & 15 == 0 if first >> 4 == 9 else tag.body[1] == 0)


def looped(all_tags: list[Tag]) -> Iterator[Tag]:
    """The media of the file over and over, its time going on."""
    media = [tag for tag in all_tags if not is_header(tag)]
    video = [tag.time for tag in media if tag.kind == VIDEO] or [tag.time for tag in media]
    length = max(video) - min(video) + round((max(video) - min(video)) / (len(video) - 1))
    # sound that lasts longer than the picture would go back in time
    start = min(tag.time for tag in media)
    media = sorted((tag for tag in media if tag.time - start < length), key=lambda tag: tag.time)
    for turn in itertools.count():
        for tag in media:
            yield Tag(tag.kind, tag.time + turn * length, tag.body)


def amf(*values: object) -> bytes:
    """Numbers, strings, null and objects in AMF0."""
    out = b""
    for value in values:
        if value is None:
            out += b"\x05"
        elif isinstance(value, str):
            out += b"\x02" + struct.pack(">H", len(value.encode())) + value.encode()
        elif isinstance(value, dict):
            pairs = (struct.pack(">H", len(key)) + key.encode() + amf(inner) for key, inner in value.items())
            out += b"\x03" + b"".join(pairs) + b"\0\0\x09"
        else:
            out += b"\0" + struct.pack(">d", value)
    return out


class Wire:
    """librtmp's writer: the shortest header that says what changed since the last message of the chunk stream."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._chunk = 128
        self._last: dict[int, Tag] = {}

    def set_chunk_size(self) -> None:
        """Announce and use OBS's chunk size."""
        self.send(CSID_CONTROL, Tag(SET_CHUNK_SIZE, 0, CHUNK.to_bytes(4, "big")))
        self._chunk = CHUNK

    def send(self, csid: int, message: Tag, stream: int = 0, *, large: bool = True) -> None:
        """Send a message; `large` for those that librtmp gives a whole header whatever went before."""
        last = self._last.get(csid)
        self._last[csid] = message
        if large or last is None:
            form, value = 0, message.time
        else:
            value = message.time - last.time
            form = 1 if (last.kind, len(last.body)) != (message.kind, len(message.body)) else 2 if value else 3
        extended = value >= 0xFFFFFF and form < 3
        header = bytes((form << 6 | csid,))
        if form < 3:
            header += min(value, 0xFFFFFF).to_bytes(3, "big")
        if form < 2:
            header += len(message.body).to_bytes(3, "big") + bytes((message.kind,))
        if form == 0:
            header += stream.to_bytes(4, "little")
        tail = value.to_bytes(4, "big") if extended else b""
        parts = [message.body[at : at + self._chunk] for at in range(0, len(message.body), self._chunk)]
        between = bytes((0xC0 | csid,)) + tail
        self._sock.sendall(header + tail + between.join(parts))


def connect(url: str) -> tuple[socket.socket, Wire]:
    """Handshake and commands until the server says that the stream has started. Raises OSError with its refusal."""
    parts = urlsplit(url)
    app, _, name = parts.path.lstrip("/").partition("/")
    key = f"{name}?{parts.query}" if parts.query else name
    sock = socket.create_connection((parts.hostname or "", parts.port or 1935), ANSWER_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    hello = bytes(8) + os.urandom(1528)
    sock.sendall(b"\x03" + hello)
    answer = _exactly(sock, 1 + 2 * 1536)
    sock.sendall(answer[1:1537])
    wire = Wire(sock)
    wire.set_chunk_size()
    address = f"rtmp://{parts.netloc}/{app}"
    who = {"app": app, "type": "nonprivate", "flashVer": "FMLE/3.0 (compatible; FMSc/1.0)", "swfUrl": address, "tcUrl": address}
    _call(wire, "connect", 1.0, who)
    _wait(sock, b"NetConnection.Connect.Success")
    _call(wire, "releaseStream", 2.0, None, key)
    _call(wire, "FCPublish", 3.0, None, key)
    _call(wire, "createStream", 4.0, None)
    _wait(sock, b"\x02\x00\x07_result\x00" + struct.pack(">d", 4.0))
    wire.send(CSID_MEDIA, Tag(COMMAND, 0, amf("publish", 5.0, None, key, "live")), 1)
    _wait(sock, b"NetStream.Publish.Start")
    return sock, wire


def publish(file: Path, url: str, *, loop: bool) -> None:
    """Send the file in real time."""
    all_tags = list(tags(file.read_bytes()))
    sock, wire = connect(url)
    for tag in all_tags:
        if tag.kind == DATA:
            wire.send(CSID_MEDIA, Tag(DATA, 0, amf("@setDataFrame") + tag.body), 1)
        elif is_header(tag):
            wire.send(CSID_MEDIA, Tag(tag.kind, 0, tag.body), 1)
    began = time.monotonic()
    media = looped(all_tags) if loop else (tag for tag in all_tags if not is_header(tag))
    for tag in media:
        if tag.kind not in (AUDIO, VIDEO):
            continue
        time.sleep(max(0.0, began + tag.time / 1000 - time.monotonic()))
        _throw_away(sock)
        wire.send(CSID_MEDIA, tag, 1, large=False)
    _call(wire, "FCUnpublish", 6.0, None, "")
    _call(wire, "deleteStream", 7.0, None, 1.0)
    sock.close()


def _call(wire: Wire, *values: object) -> None:
    wire.send(CSID_COMMAND, Tag(COMMAND, 0, amf(*values)))


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise OSError("closed in the handshake")
        data += more
    return data


def _wait(sock: socket.socket, what: bytes) -> None:
    """Read until the server has said it. Good enough: no answer of interest is longer than a chunk."""
    seen = b""
    while what not in seen:
        more = sock.recv(4096)
        if not more or b"NetStream.Publish.BadName" in seen + more:
            raise OSError(f"refused: {(seen + more)[-200:]!r}")
        seen += more


def _throw_away(sock: socket.socket) -> None:
    while select.select([sock], [], [], 0)[0]:
        if not sock.recv(4096):
            raise OSError("the server closed the connection")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("url")
    parser.add_argument("--loop", action="store_true")
    arguments = parser.parse_args()
    try:
        publish(arguments.file, arguments.url, loop=arguments.loop)
    except OSError as error:
        sys.exit(f"obs_publisher: {error}")
