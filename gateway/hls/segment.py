"""Parts and segments as the window keeps them and the playlist lists them. Event loop only.

Durations are whole microseconds: parts add up to their segment exactly, and no rounding can push one over its target.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.media.fragment import Fragment


@dataclass(frozen=True, slots=True)
class Part:
    """One partial segment: one `moof+mdat`."""

    duration_us: int
    independent: bool
    """Begins with a frame that decoding can start from."""
    fragment: Fragment

    @property
    def payload(self) -> bytes:
        """Its bytes."""
        return self.fragment.payload


@dataclass(slots=True)
class Segment:
    """A segment; it grows by parts until it is `complete` and never changes afterwards."""

    msn: int
    map_index: int
    """Number of its initialisation segment."""
    discontinuity: bool
    """Carries EXT-X-DISCONTINUITY."""
    program_date_time: float
    """Unix seconds of its first picture."""
    parts: list[Part] = field(default_factory=list)
    duration_us: int = 0
    size: int = 0
    complete: bool = False

    @property
    def independent(self) -> bool:
        """Decoding can start at its beginning."""
        return bool(self.parts) and self.parts[0].independent

    def add(self, part: Part) -> None:
        """Append the next part."""
        self.parts.append(part)
        self.duration_us += part.duration_us
        self.size += part.fragment.size

    def payload(self) -> bytes:
        """The whole segment: its parts one after the other, so that both hold identical samples."""
        return b"".join([part.payload for part in self.parts])


def segment_name(msn: int) -> str:
    """File name of a segment."""
    return f"s{msn}.m4s"


def part_name(msn: int, index: int) -> str:
    """File name of a part, known before the part exists (EXT-X-PRELOAD-HINT)."""
    return f"s{msn}.p{index}.m4s"


def map_name(index: int) -> str:
    """File name of an initialisation segment."""
    return f"init-{index}.mp4"
