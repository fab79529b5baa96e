"""Bit reader for parameter sets: fixed-width and Exp-Golomb fields (ITU-T H.264 section 9.1). Pure."""

from __future__ import annotations


class BitstreamError(ValueError):
    """The data ends too early or holds a value no real stream has."""


MAX_GOLOMB_ZEROS = 32
"""ue(v) codes up to 2^32 - 2; a longer run of zeros is garbage."""


class BitReader:
    """Reads most significant bit first from a raw byte sequence payload (no emulation prevention bytes)."""

    __slots__ = ("_bits", "_left")

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def u(self, width: int) -> int:
        """Unsigned integer of `width` bits. Raises BitstreamError past the end."""
        if width > self._left:
            raise BitstreamError("bitstream ends early")
        self._left -= width
        return (self._bits >> self._left) & ((1 << width) - 1)

    def flag(self) -> bool:
        """One bit."""
        return self.u(1) == 1

    def skip(self, width: int) -> None:
        """Pass over `width` bits."""
        self.u(width)

    def ue(self) -> int:
        """Unsigned Exp-Golomb code."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > MAX_GOLOMB_ZEROS:
                raise BitstreamError("Exp-Golomb code too long")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Signed Exp-Golomb code."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def unescape(nal: bytes) -> bytes:
    """The NAL unit without emulation prevention bytes (00 00 03 becomes 00 00)."""
    if b"\x00\x00\x03" not in nal:
        return nal
    out = bytearray()
    start = 0
    while (at := nal.find(b"\x00\x00\x03", start)) >= 0:
        out += nal[start : at + 2]
        start = at + 3
    out += nal[start:]
    return bytes(out)
