"""What the counters have grown by since midnight of the box. Pure; event loop only."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from gateway.media.counts import Counts


@dataclass(frozen=True, slots=True)
class Day:
    """Numbers of one stream."""

    interruptions: int
    failures: dict[str, int]
    repairs: int
    lost: int | None


class Today:
    """Remembers where every counter stood when the day began."""

    def __init__(self) -> None:
        self._date: tuple[int, int] | None = None
        self._began: dict[str, Day] = {}

    def turn(self, wall: float, counts: dict[str, Counts]) -> None:
        """A new day may have begun."""
        local = time.localtime(wall)
        date = (local.tm_year, local.tm_yday)
        if self._date is not None and date != self._date:
            self._began = {stream_id: _now(one) for stream_id, one in counts.items()}
        self._date = date

    def of(self, stream_id: str, counts: Counts) -> Day:
        """The day so far."""
        now, began = _now(counts), self._began.get(stream_id)
        if began is None:
            return now
        failures = Counter(now.failures) - Counter(began.failures)
        lost = now.lost - (began.lost or 0) if now.lost is not None else None
        return Day(now.interruptions - began.interruptions, dict(failures), now.repairs - began.repairs, lost)


def _now(counts: Counts) -> Day:
    repairs = counts.jumps + counts.squeezed + counts.silenced + counts.joined
    return Day(counts.interruptions, dict(counts.failures), repairs, counts.lost)
