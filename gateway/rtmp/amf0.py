"""AMF0, the encoding of RTMP's commands and metadata (Adobe AMF 0 specification, 2007), without any I/O.

Peers that are not yet authenticated send this, so nothing here trusts a length, a count or a depth: decoding costs at most
the limits below and raises nothing but `AmfError`. What has been seen in the field decides leniency: ECMA array counts are
often wrong (only the end marker counts), typed objects and dates occur, references and AMF3 values do not.

Pure; called from the event loop.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.rtmp.errors import AmfError

MAX_DEPTH = 16
"""FFmpeg's limit; real commands nest three deep."""
MAX_VALUES = 1024
"""Values and properties in one message, all levels together."""
MAX_STRING_BYTES = 64 * 1024

_NUMBER, _BOOLEAN, _STRING, _OBJECT = 0x00, 0x01, 0x02, 0x03
_NULL, _UNDEFINED, _REFERENCE, _ECMA_ARRAY = 0x05, 0x06, 0x07, 0x08
_OBJECT_END, _STRICT_ARRAY, _DATE, _LONG_STRING = 0x09, 0x0A, 0x0B, 0x0C
_UNSUPPORTED, _XML, _TYPED_OBJECT, _AMF3 = 0x0D, 0x0F, 0x10, 0x11
_END = b"\x00\x00\x09"


class Undefined(enum.Enum):
    """ActionScript's `undefined`, which is not null."""

    UNDEFINED = "undefined"


UNDEFINED = Undefined.UNDEFINED


@dataclass(frozen=True, slots=True)
class Date:
    """Milliseconds since 1970; the time zone field is unused by the specification."""

    milliseconds: float


class EcmaArray(dict[str, "Value"]):
    """An object that is written as ECMA array, the form players expect of onMetaData."""


Value = float | bool | str | None | Undefined | Date | Mapping[str, "Value"] | Sequence["Value"]
"""Numbers decode to float, objects to dict, ECMA arrays to EcmaArray, strict arrays to list."""


def decode(data: bytes) -> list[Value]:
    """All values of one message body.

    Raises:
        AmfError: truncated, unknown or unsupported types, or past a limit.
    """
    decoder = _Decoder(data)
    values: list[Value] = []
    while decoder.position < len(data):
        values.append(decoder.value(0))
    return values


def encode(*values: Value) -> bytes:
    """The values one after the other.

    Raises:
        AmfError: nested too deep, or a value AMF0 has no form for.
    """
    out: list[bytes] = []
    for value in values:
        _encode(value, out, 0)
    return b"".join(out)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._values = 0
        self.position = 0

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise AmfError(f"AMF0 values are nested deeper than {MAX_DEPTH}")
        self._values += 1
        if self._values > MAX_VALUES:
            raise AmfError(f"AMF0 message holds more than {MAX_VALUES} values")
        marker = self._take(1)[0]
        if marker == _NUMBER:
            return self._number()
        if marker == _BOOLEAN:
            return self._take(1) != b"\0"
        if marker == _STRING:
            return self._text(2)
        if marker in (_LONG_STRING, _XML):
            return self._text(4)
        if marker == _NULL:
            return None
        if marker in (_UNDEFINED, _UNSUPPORTED):
            return UNDEFINED
        if marker == _DATE:
            milliseconds = self._number()
            self._take(2)
            return Date(milliseconds)
        if marker == _STRICT_ARRAY:
            count = int.from_bytes(self._take(4), "big")
            if count > MAX_VALUES:
                raise AmfError(f"AMF0 array of {count} elements; at most {MAX_VALUES} are accepted")
            return [self.value(depth + 1) for _ in range(count)]
        if marker == _OBJECT:
            return self._properties({}, depth)
        if marker == _TYPED_OBJECT:
            self._text(2)
            return self._properties({}, depth)
        if marker == _ECMA_ARRAY:
            self._take(4)
            return self._properties(EcmaArray(), depth)
        if marker == _REFERENCE:
            raise AmfError("AMF0 references are not supported")
        if marker == _AMF3:
            raise AmfError("AMF3 values are not supported")
        raise AmfError(f"unknown AMF0 type 0x{marker:02x}")

    def _properties(self, found: dict[str, Value], depth: int) -> dict[str, Value]:
        while True:
            if self._data[self.position : self.position + 3] == _END:
                self.position += 3
                return found
            if isinstance(found, EcmaArray) and self.position == len(self._data):
                # Some encoders leave the end marker out where the array is the last thing of the message.
                return found
            name = self._text(2)
            found[name] = self.value(depth + 1)

    def _number(self) -> float:
        (number,) = struct.unpack(">d", self._take(8))
        return float(number)

    def _text(self, length_bytes: int) -> str:
        length = int.from_bytes(self._take(length_bytes), "big")
        if length > MAX_STRING_BYTES:
            raise AmfError(f"AMF0 string of {length} bytes; at most {MAX_STRING_BYTES} are accepted")
        # Encoders write metadata in their local encoding. Names of streams are checked where they are used.
        return self._take(length).decode("utf-8", "replace")

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise AmfError("AMF0 message is cut off")
        taken = self._data[self.position : end]
        self.position = end
        return taken


def _encode(value: Value, out: list[bytes], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise AmfError(f"AMF0 values are nested deeper than {MAX_DEPTH}")
    if value is None:
        out.append(bytes((_NULL,)))
    elif isinstance(value, Undefined):
        out.append(bytes((_UNDEFINED,)))
    elif isinstance(value, bool):
        out.append(bytes((_BOOLEAN, value)))
    elif isinstance(value, int | float):
        try:
            out.append(struct.pack(">Bd", _NUMBER, value))
        except (OverflowError, struct.error) as error:
            raise AmfError("a number is too large for AMF0") from error
    elif isinstance(value, str):
        raw = value.encode("utf-8", "replace")
        if len(raw) <= 0xFFFF:
            out.append(struct.pack(">BH", _STRING, len(raw)) + raw)
        else:
            out.append(struct.pack(">BI", _LONG_STRING, len(raw)) + raw)
    elif isinstance(value, Date):
        out.append(struct.pack(">Bdh", _DATE, value.milliseconds, 0))
    elif isinstance(value, Mapping):
        if isinstance(value, EcmaArray):
            out.append(struct.pack(">BI", _ECMA_ARRAY, len(value)))
        else:
            out.append(bytes((_OBJECT,)))
        for name, member in value.items():
            raw = name.encode("utf-8", "replace")
            if len(raw) > 0xFFFF:
                raise AmfError("an AMF0 property name is at most 65535 bytes long")
            out.append(len(raw).to_bytes(2, "big") + raw)
            _encode(member, out, depth + 1)
        out.append(_END)
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        out.append(struct.pack(">BI", _STRICT_ARRAY, len(value)))
        for member in value:
            _encode(member, out, depth + 1)
    else:
        raise AmfError(f"AMF0 has no form for {type(value).__name__}")
