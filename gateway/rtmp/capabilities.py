"""What a client says it can do beyond plain RTMP, and what we answer (Enhanced RTMP v2, "NetConnection connect command").

Version 1 knows `fourCcList`, a list of codecs; version 2 adds maps from codec to bits (decode, encode, forward) and the
bits of `capsEx`. Publishers announce what they may send, players what they can show, in the same fields. FFmpeg's players
announce nothing in any version, so saying nothing does not mean "knows nothing": `play_policy` decides about those.

Pure; called by `session`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.rtmp import amf0

DECODE, FORWARD = 1, 4
"""Bits of the info maps."""
RECONNECT, MODEX = 1, 4
"""Bits of capsEx. Multitrack (2) is not offered: of several tracks only the first is served, and an encoder should know."""
ANY = "*"

_VIDEO = {"avc1": FORWARD, "hvc1": FORWARD, "av01": FORWARD}
_AUDIO = {"mp4a": FORWARD, "Opus": FORWARD, ".mp3": DECODE}
"""MP3 is taken and leaves as AAC."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One client's."""

    enhanced: bool = False
    """It speaks of Enhanced RTMP at all."""
    fourccs: frozenset[str] = frozenset()
    """Codecs it can take; `*` for all."""
    reconnects: bool = False
    """It understands a request to connect anew."""

    def takes(self, fourcc: str) -> bool:
        """It has announced that it can take this codec."""
        return fourcc in self.fourccs or ANY in self.fourccs


def announced(info: Mapping[str, amf0.Value]) -> Capabilities:
    """Read the command object of `connect`; fields of a wrong type count as absent."""
    found: set[str] = set()
    listed = info.get("fourCcList")
    if isinstance(listed, list):
        found.update(entry for entry in listed if isinstance(entry, str))
    for name in ("videoFourCcInfoMap", "audioFourCcInfoMap"):
        entries = info.get(name)
        if isinstance(entries, Mapping):
            found.update(code for code, flags in entries.items() if _bits(flags) & (DECODE | FORWARD))
    caps = _bits(info.get("capsEx"))
    enhanced = any(name in info for name in ("fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"))
    return Capabilities(enhanced, frozenset(found), bool(caps & RECONNECT))


def offered() -> dict[str, amf0.Value]:
    """Our side, for the properties of `connect`'s result; only for clients that are `enhanced`.

    No server is obliged to list what it takes, but encoders that look for a codec before they send it look here.
    """
    return {
        "fourCcList": [*_VIDEO, *_AUDIO],
        "videoFourCcInfoMap": {code: float(bits) for code, bits in _VIDEO.items()},
        "audioFourCcInfoMap": {code: float(bits) for code, bits in _AUDIO.items()},
        "capsEx": float(RECONNECT | MODEX),
    }


def _bits(flags: amf0.Value) -> int:
    return int(flags) if isinstance(flags, float) and flags.is_integer() and 0 <= flags < 1 << 32 else 0
