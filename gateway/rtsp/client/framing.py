"""Cuts what a camera sends into RTP packets, answers and requests (RFC 2326 sections 4 and 10.12).

The server's parser (`rtsp.message`) ends a connection at the first defect; a camera with defects is still the camera. So
this one is tolerant: it finds its way back to the stream over junk, takes any line ending, and skips what is no header. It is
also the fast one: one camera sends some 200 packets a second. Pure; reader threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from gateway.errors import ProtocolError
from gateway.rtsp.client.refusal import NotUnderstood
from gateway.rtsp.message import INTERLEAVED_MAGIC, Headers, Request, Response

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 256 * 1024
"""An SDP is 1 to 4 kB."""
MAX_JUNK_BYTES = 256 * 1024
"""In a row, while pictures flow: a camera that lost some bytes finds back within a picture."""
MAX_FIRST_JUNK_BYTES = 4096
"""Before the first answer."""

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"RTSP/\d\.\d\s+(\d{3})\s*(.*)")
_REQUEST = re.compile(rb"([A-Z_]{3,16}) (\S{1,2048}) RTSP/1\.\d\r?\n")
_LINE_BREAK = re.compile(r"\r?\n|\r")
_ANSWER = b"RTSP/"

Piece = tuple[int, bytes] | Response | Request
"""A packet with its channel, or a message."""


class Framing:
    """One connection. `channels` are those that were agreed on; empty before."""

    def __init__(self, place: str) -> None:
        """`place` is how the camera is called in errors."""
        self.channels: frozenset[int] = frozenset()
        self.run: Callable[[bytes, int, int], int] | None = None
        """Takes packets in a row itself: given data, where the next packet begins and where the data ends, it answers where it
        stopped. The middle of a picture needs no sorting."""
        self.junk = 0
        """Bytes that were skipped, in all."""
        self._place = place
        self._rest = b""
        self._junk_in_a_row = 0
        self._spoke = False

    @property
    def pending(self) -> bool:
        """Something has begun that is not complete."""
        return bool(self._rest)

    @property
    def spoke(self) -> bool:
        """There was an RTSP message."""
        return self._spoke

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take bytes; yields what is complete now, and must be asked until it ends. Raises ProtocolError if it is not RTSP."""
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while at < end:
            if data[at] == INTERLEAVED_MAGIC:
                if self.run is not None and (stop := self.run(data, at, end)) != at:
                    at = stop
                    continue
                if end - at < (5 if self._junk_in_a_row else 4):
                    break
                if self._junk_in_a_row and not self._plausible(data, at):
                    at = self._skip(data, at)
                    continue
                stop = at + 4 + (data[at + 2] << 8 | data[at + 3])
                if stop > end:
                    break
                yield data[at + 1], data[at + 4 : stop]
                at = stop
                self._junk_in_a_row = 0
                continue
            message, stop = self._message(data, at)
            if message is not None:
                self._spoke = True
                self._junk_in_a_row = 0
                yield message
            elif stop == at:
                break
            at = stop
        self._rest = data[at:] if at else data

    def _message(self, data: bytes, at: int) -> tuple[Response | Request | None, int]:
        """What begins at `at`, and where the next thing begins; (None, `at`) where more bytes are needed."""
        if data.startswith(_ANSWER, at):
            return self._whole(data, at)
        rest = data[at : at + 32]
        if _ANSWER.startswith(rest):
            return None, at
        if data[at] in b"\r\n":
            return None, at + 1
        if rest[:1].isupper() and self._spoke:
            if _REQUEST.match(data, at) is not None:
                return self._whole(data, at)
            if b"\n" not in data[at : at + 2100] and len(data) - at < 2100 and rest.split(b" ")[0].replace(b"_", b"").isupper():
                return None, at
        return None, self._skip(data, at)

    def _whole(self, data: bytes, at: int) -> tuple[Response | Request | None, int]:
        mark = _HEAD_END.search(data, at, at + MAX_HEAD_BYTES)
        if mark is None:
            if len(data) - at > MAX_HEAD_BYTES:
                raise NotUnderstood(f"{self._place} answers with a header that does not end")
            return None, at
        start, *lines = _LINE_BREAK.split(data[at : mark.start()].decode("utf-8", "replace"))
        pairs = (line.partition(":") for line in lines)
        headers = Headers([(name.strip(), value.strip()) for name, colon, value in pairs if colon])
        length = headers.get("Content-Length") or "0"
        size = int(length) if re.fullmatch("[0-9]{1,9}", length) else 0
        if size > MAX_BODY_BYTES:
            raise NotUnderstood(f"{self._place} sends a description of {size} bytes")
        stop = mark.end() + size
        if stop > len(data):
            return None, at
        body = data[mark.end() : stop]
        status = _STATUS.match(start)
        if status is not None:
            return Response(int(status[1]), headers, body, status[2]), stop
        method, _, rest = start.partition(" ")
        if method.startswith("RTSP/"):
            if self._spoke:
                return None, mark.end()  # the tail of something, behind junk
            raise NotUnderstood(f"{self._place} answers with a status that is none")
        return Request(method, rest.partition(" ")[0], headers, body), stop

    def _skip(self, data: bytes, at: int) -> int:
        """Where it may go on behind what is no RTSP."""
        if not self._spoke and data.startswith(b"HTTP/", at):
            raise ProtocolError(f"{self._place} is a web server, not RTSP: the RTSP port is often 554")
        stop = self._next_start(data, at + 1)
        self.junk += stop - at
        self._junk_in_a_row += stop - at
        if self._junk_in_a_row > (MAX_JUNK_BYTES if self._spoke else MAX_FIRST_JUNK_BYTES):
            raise not_rtsp(self._place)
        return stop

    def _plausible(self, data: bytes, at: int) -> bool:
        """The `$` at `at` is one in front of RTP, and no byte of junk."""
        return data[at + 1] in self.channels and data[at + 4] & 0xC0 == 0x80

    def _next_start(self, data: bytes, at: int) -> int:
        answer = data.find(_ANSWER, at)
        packet = at - 1
        while (packet := data.find(b"$", packet + 1)) >= 0:
            if len(data) - packet < 5 or self._plausible(data, packet):
                break
        found = [one for one in (answer, packet) if one >= 0]
        # "RTSP/" may be cut in two by the end of what has come so far
        return min(found) if found else max(at, len(data) - len(_ANSWER) + 1)


def not_rtsp(place: str) -> ProtocolError:
    """The error for a place where something else answers."""
    return ProtocolError(f"what answers on {place} does not speak RTSP")
