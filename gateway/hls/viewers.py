"""Counts the viewers of a stream. HLS has no sessions: whoever fetched within the last seconds is watching. Event loop only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.media.demand import Demand, Hold

VIEWER_S = 10.0
"""A player asks at least once per part while it plays and every target duration while it stalls."""
AWAY_S = 30.0
"""A viewer that was sent away is refused for so long; by then it has let go, or is looked at anew."""
MAX_VIEWERS = 4096
"""More distinct clients than any box can serve: beyond this they are not told apart."""

KIND = "hls"
"""Kind of the claims on `Demand`."""

Key = tuple[str, ...]
"""Address, User-Agent and query token of a client."""


class Viewer:
    """One client. While it has requests it is here."""

    __slots__ = ("hold", "requests", "seen")

    def __init__(self, hold: Hold) -> None:
        self.hold = hold
        self.requests = 0
        self.seen = 0.0


class Viewers:
    """Clients of one stream, each holding one claim on its demand."""

    def __init__(self, demand: Demand, monotonic: Callable[[], float]) -> None:
        self._demand = demand
        self._monotonic = monotonic
        self._viewers: dict[tuple[str, ...], Viewer] = {}
        self._away: dict[tuple[str, ...], float] = {}
        """Sent away, until when."""

    def __len__(self) -> int:
        return len(self._viewers)

    def knows(self, key: Key) -> bool:
        """Whether this client watches already, and was not sent away."""
        return tuple(key) in self._viewers

    def was_sent_away(self, key: Key) -> bool:
        """Whether this client has to stay away for the moment."""
        return self._away.get(tuple(key), 0.0) > self._monotonic()

    def shed(self, count: int) -> int:
        """Send the newest away for a while; how many went. HLS has no connection to close: they are refused."""
        until = self._monotonic() + AWAY_S
        self._away = {name: end for name, end in self._away.items() if end > self._monotonic()}
        newest = [name for name in reversed(self._viewers) if name not in self._away][:count]
        self._away.update(dict.fromkeys(newest, until))
        return len(newest)

    @contextmanager
    def present(self, key: Key) -> Iterator[None]:
        """The client is here while its request lasts, and for `VIEWER_S` after."""
        viewer = self.seen(key)
        viewer.requests += 1
        try:
            yield
        finally:
            viewer.requests -= 1
            viewer.seen = self._monotonic()

    def seen(self, key: Key) -> Viewer:
        """The client asks for something now."""
        viewer = self._viewers.get(key)
        if viewer is None:
            if len(self._viewers) >= MAX_VIEWERS:
                key = ()
            viewer = self._viewers.get(key)
            if viewer is None:
                viewer = self._viewers[key] = Viewer(self._demand.hold(KIND))
        viewer.seen = self._monotonic()
        return viewer

    def sweep(self) -> None:
        """Let go of the clients that have left."""
        oldest = self._monotonic() - VIEWER_S
        for name, viewer in list(self._viewers.items()):
            if viewer.requests == 0 and viewer.seen < oldest:
                del self._viewers[name]
                viewer.hold.release()

    def clear(self) -> None:
        """Let go of all."""
        for viewer in self._viewers.values():
            viewer.hold.release()
        self._viewers.clear()
