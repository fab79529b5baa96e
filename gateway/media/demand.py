"""Who watches a stream right now. Lets on-demand sources and lazy outputs start and stop. Event loop only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class Hold:
    """One viewer's claim on a stream. Release it exactly once; releasing again is harmless."""

    __slots__ = ("_demand", "_kind")

    def __init__(self, demand: Demand, kind: str) -> None:
        self._demand: Demand | None = demand
        self._kind = kind

    def release(self) -> None:
        """Give the claim back."""
        if self._demand is not None:
            demand, self._demand = self._demand, None
            demand._release(self._kind)


class Demand:
    """Counts viewers by output (`rtmp`, `hls`, `ws`, ...) and tells when the first comes and the last leaves."""

    def __init__(self, dropped: Counter[str] | None = None) -> None:
        self._counts: Counter[str] = Counter()
        self.dropped: Counter[str] = dropped if dropped is not None else Counter()
        """Writes left out, by output, because a viewer was too slow for them. Since the gateway started."""
        self._listeners: list[Callable[[bool], None]] = []

    @property
    def active(self) -> bool:
        """Someone is watching."""
        return self._counts.total() > 0

    def count(self, kind: str) -> int:
        """Viewers of one output."""
        return self._counts[kind]

    def hold(self, kind: str) -> Hold:
        """Claim the stream for one viewer."""
        first = not self.active
        self._counts[kind] += 1
        if first:
            self._tell(True)
        return Hold(self, kind)

    def on_change(self, listener: Callable[[bool], None]) -> None:
        """Call `listener(True)` when the first viewer comes, `listener(False)` when the last one has left."""
        self._listeners.append(listener)

    def off_change(self, listener: Callable[[bool], None]) -> None:
        """Call it no longer; unknown ones are ignored."""
        self._listeners = [other for other in self._listeners if other != listener]

    def _release(self, kind: str) -> None:
        self._counts[kind] -= 1
        if not self.active:
            self._tell(False)

    def _tell(self, active: bool) -> None:
        for listener in self._listeners:
            listener(active)
