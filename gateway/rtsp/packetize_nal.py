"""NAL units into RTP payloads: what H.264 (RFC 6184) and H.265 (RFC 7798) have in common. Pure.

Both send a unit that fits as it is, cut one that does not into fragments with a start and an end flag, and put the
parameter sets of a keyframe into one aggregation packet. They differ in the header in front, which is a `Packing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

_START, _END = 0x80, 0x40
_FLAGS_BYTES = 1
_SIZE_BYTES = 2


@dataclass(frozen=True, slots=True)
class Packing:
    """The headers of one codec. A NAL unit's own header has `header_bytes`."""

    header_bytes: int
    nal_type: Callable[[bytes], int]
    aggregation_header: Callable[[Sequence[bytes]], bytes]
    """The payload header of a packet that holds these units."""
    fragment_header: Callable[[bytes], bytes]
    """The payload header of every fragment of this unit; stands for the unit's own."""


def packetize(packing: Packing, units: Iterable[bytes], parameter_sets: Sequence[bytes], limit: int) -> list[bytes]:
    """Payloads of one access unit, `parameter_sets` first; at most `limit` bytes each."""
    payloads = _aggregate(packing, [one for one in parameter_sets if len(one) >= packing.header_bytes], limit)
    for nal in units:
        payloads.extend(_single(packing, nal, limit))
    return payloads


def _single(packing: Packing, nal: bytes, limit: int) -> Iterable[bytes]:
    return (nal,) if len(nal) <= limit else _fragment(packing, nal, limit)


def _aggregate(packing: Packing, nals: Sequence[bytes], limit: int) -> list[bytes]:
    if len(nals) < 2 or packing.header_bytes + sum(_SIZE_BYTES + len(nal) for nal in nals) > limit:
        return [part for nal in nals for part in _single(packing, nal, limit)]
    return [packing.aggregation_header(nals) + b"".join(len(nal).to_bytes(_SIZE_BYTES, "big") + nal for nal in nals)]


def _fragment(packing: Packing, nal: bytes, limit: int) -> Iterator[bytes]:
    header, kind = packing.fragment_header(nal), packing.nal_type(nal)
    step = limit - len(header) - _FLAGS_BYTES
    for offset in range(packing.header_bytes, len(nal), step):
        flags = (_START if offset == packing.header_bytes else 0) | (_END if offset + step >= len(nal) else 0)
        yield header + bytes((flags | kind,)) + nal[offset : offset + step]
