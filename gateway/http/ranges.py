"""Byte ranges of file responses (RFC 9110 section 14), which players need to seek in a recording. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From `start` up to and without `end`."""

    start: int
    end: int

    def content_range(self, size: int) -> str:
        """Value of the `Content-Range` header."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


class Unsatisfiable(Exception):
    """The range lies outside the file: 416."""


def parse_range(header: str, size: int) -> ByteRange | None:
    """The range a `Range` header asks for of a file of `size` bytes; None means the whole file.

    Several ranges in one request are answered with the whole file, which the RFC allows. Raises Unsatisfiable.
    """
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise Unsatisfiable
    return ByteRange(start, end)
