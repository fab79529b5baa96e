"""Length-prefixed NAL units, the form frames carry them in. Pure."""

from __future__ import annotations

from collections.abc import Iterator

PREFIX_BYTES = 4


def split_nal_units(access_unit: bytes) -> Iterator[bytes]:
    """Yield the NAL units of a frame's payload. Empty ones are left out; one cut short is given as far as it goes."""
    offset = 0
    while offset + PREFIX_BYTES < len(access_unit):
        start = offset + PREFIX_BYTES
        offset = start + int.from_bytes(access_unit[start - PREFIX_BYTES : start], "big")
        if offset > start:
            yield access_unit[start:offset]
