"""RTSP/1.0 messages and interleaved frames, bytes in and bytes out (RFC 2326 sections 4 to 7, 10.12).

Pure. The connection feeds it whatever TCP delivers; a test feeds it one byte at a time. Text is Latin-1 both ways, so that
any byte a client sends comes back unchanged where it is echoed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

MAX_LINE_BYTES = 4096
"""Cameras' URLs with tokens reach a few hundred bytes; Digest headers stay under 1 kB."""
MAX_HEADERS = 64
MAX_BODY_BYTES = 64 * 1024
"""A body is an SDP or a list of parameters."""
INTERLEAVED_MAGIC = 0x24
VERSION = "RTSP/1.0"

_REQUEST_LINE = re.compile(r"([A-Za-z_]{1,32}) (\S+) RTSP/(\d)\.(\d)")
_STATUS_LINE = re.compile(r"RTSP/1\.[01] (\d{3})(?: (.*))?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:(.*)")
"""Blanks around the value are cut off afterwards: in here a line full of them would cost the square of its length."""
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

REASONS = {
    451: "Parameter Not Understood",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport",
    505: "RTSP Version Not Supported",
    551: "Option Not Supported",
}
"""Reason phrases that RTSP does not share with HTTP (RFC 2326 section 7.1.1)."""


class MessageError(ValueError):
    """The peer does not speak RTSP/1.0. `status` is what to answer before closing; nothing after it can be parsed."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Headers:
    """Header fields in order; names compare without case and may repeat (two `WWW-Authenticate`)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple(fields)

    def get(self, name: str) -> str | None:
        """The first value of `name`, or None."""
        lower = name.lower()
        return next((value for key, value in self._fields if key.lower() == lower), None)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Every value of `name`, in order."""
        lower = name.lower()
        return tuple(value for key, value in self._fields if key.lower() == lower)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        return f"Headers({', '.join(name for name, _ in self._fields)})"


NO_HEADERS = Headers()


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `uri` is as sent: absolute, a bare path, or `*`."""

    method: str
    uri: str
    headers: Headers = NO_HEADERS
    body: bytes = b""

    def encode(self) -> bytes:
        """The request on the wire. Raises ValueError if a field holds a line break."""
        return _encode(f"{self.method} {self.uri} {VERSION}", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """A response."""

    status: int
    headers: Headers = NO_HEADERS
    body: bytes = b""
    reason: str = ""

    def encode(self) -> bytes:
        """The response on the wire. Raises ValueError if a field holds a line break."""
        return _encode(f"{VERSION} {self.status} {self.reason or reason_of(self.status)}", self.headers, self.body)

    def with_headers(self, *fields: tuple[str, str]) -> Response:
        """The same response with `fields` in front."""
        return Response(self.status, Headers((*fields, *self.headers)), self.body, self.reason)


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A packet carried in the RTSP connection itself (RFC 2326 section 10.12)."""

    channel: int
    payload: bytes

    def encode(self) -> bytes:
        """The frame on the wire."""
        return interleaved_prefix(self.channel, len(self.payload)) + self.payload


Message = Request | Response | Interleaved


def interleaved_prefix(channel: int, length: int) -> bytes:
    """The four bytes in front of an interleaved packet. Raises OverflowError above 65 535 bytes."""
    return bytes((INTERLEAVED_MAGIC, channel)) + length.to_bytes(2, "big")


def reason_of(status: int) -> str:
    """Reason phrase of a status code; never empty, because some clients parse for a word there."""
    known = REASONS.get(status)
    if known is not None:
        return known
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class MessageParser:
    """Cuts a byte stream into messages: `feed` bytes, then take what `messages` yields."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._lines: list[str] = []
        self._head: tuple[str, Headers] | None = None
        self._body_length = 0
        self._failed: MessageError | None = None

    @property
    def buffered(self) -> int:
        """Bytes waiting for the rest of their message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        if self._failed is None:
            self._buffer += data

    def messages(self) -> Iterator[Message]:
        """Yield every complete message. Raises MessageError at the first defect, and again ever after."""
        if self._failed is not None:
            raise self._failed
        try:
            while (message := self._next()) is not None:
                yield message
        except MessageError as error:
            self._failed = error
            self._buffer.clear()
            raise

    def _next(self) -> Message | None:
        while True:
            if self._head is not None:
                return self._finish_body(*self._head)
            if not self._lines and self._buffer and self._buffer[0] == INTERLEAVED_MAGIC:
                return self._take_interleaved()
            line = self._take_line()
            if line is None:
                return None
            if line:
                if len(self._lines) > MAX_HEADERS:
                    raise MessageError("too many header fields")
                self._lines.append(line)
            elif self._lines:
                self._head = self._finish_head()

    def _take_interleaved(self) -> Interleaved | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        end = 4 + int.from_bytes(buffer[2:4], "big")
        if len(buffer) < end:
            return None
        frame = Interleaved(buffer[1], bytes(buffer[4:end]))
        del buffer[:end]
        return frame

    def _take_line(self) -> str | None:
        buffer = self._buffer
        end = buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(buffer)
            if len(buffer) > MAX_LINE_BYTES:
                raise MessageError("line too long")
            return None
        if end > MAX_LINE_BYTES:
            raise MessageError("line too long")
        line = buffer[:end].removesuffix(b"\r").decode("latin-1")
        del buffer[: end + 1]
        self._scanned = 0
        if _CONTROL_CHARACTER.search(line):
            raise MessageError("control character in a line")
        if not self._lines and line and not (_REQUEST_LINE.fullmatch(line) or _STATUS_LINE.fullmatch(line)):
            raise MessageError("neither a request nor a status line")
        return line

    def _finish_head(self) -> tuple[str, Headers]:
        start, *rest = self._lines
        self._lines = []
        fields = []
        for line in rest:
            match = _HEADER.fullmatch(line)
            if match is None:
                raise MessageError("malformed header field")
            fields.append((match[1], match[2].strip(" \t")))
        headers = Headers(fields)
        lengths = set(headers.get_all("Content-Length"))
        if len(lengths) > 1 or not all(re.fullmatch(r"[0-9]{1,9}", length) for length in lengths):
            raise MessageError("malformed Content-Length")
        self._body_length = int(lengths.pop()) if lengths else 0
        if self._body_length > MAX_BODY_BYTES:
            raise MessageError("body too large", 413)
        return start, headers

    def _finish_body(self, start: str, headers: Headers) -> Message | None:
        if len(self._buffer) < self._body_length:
            return None
        body = bytes(self._buffer[: self._body_length])
        del self._buffer[: self._body_length]
        self._scanned = 0
        self._head = None
        if status := _STATUS_LINE.fullmatch(start):
            return Response(int(status[1]), headers, body, status[2] or "")
        request = _REQUEST_LINE.fullmatch(start)
        if request is None:
            raise MessageError("neither a request nor a status line")
        if request[3] != "1":
            raise MessageError("only RTSP/1.0 is spoken here", 505)
        return Request(request[1], request[2], headers, body)


def _encode(start: str, headers: Headers, body: bytes) -> bytes:
    fields = [(name, value) for name, value in headers if name.lower() != "content-length"]
    if body:
        fields.append(("Content-Length", str(len(body))))
    lines = [start, *(f"{name}: {value}" for name, value in fields)]
    if any(_CONTROL_CHARACTER.search(line) for line in lines):
        raise ValueError("a header field must not hold a line break")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body
