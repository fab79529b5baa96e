"""One picture on its way from one source to everybody who watches it.

A `Stream` lives as long as its camera is configured: sources come and go underneath it, and outputs (RTMP relay, LL-HLS
window, WebSocket, snapshots) subscribe above it. It runs on the event loop only; a reader thread hands its frames over
with `loop.call_soon_threadsafe(stream.push, frames)`. One direction, no locks.

What a subscriber may rely on:

- `on_tracks` comes before the first frame and again whenever the tracks or one of their configurations change.
- The first frame after `on_tracks` is a video keyframe (an audio frame in a stream without video).
- Every frame belongs to one of the announced tracks, and `dts` grows strictly within each track, for ever.
- A subscriber that raises is a defect of that subscriber: it is logged, removed, and nobody else notices.

Cost per frame: one dictionary-free pass over the subscribers, no copy.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from gateway.media.counts import Counts
from gateway.media.demand import Demand
from gateway.media.frame import Frame
from gateway.media.gop import GopCache
from gateway.media.meter import Meter
from gateway.media.state import State, Status
from gateway.media.track import Kind, Tracks
from gateway.media.trackset import TrackSet

log = logging.getLogger(__name__)


class Subscriber(Protocol):
    """An output. Called synchronously on the event loop; must return at once and never wait for a viewer."""

    def on_tracks(self, tracks: Tracks) -> None:
        """Start anew with these tracks; a keyframe follows."""

    def on_frame(self, frame: Frame) -> None:
        """Take the next frame."""


class Stream:
    """Fan-out point of one stream id (`front-door`, `front-door.sub`)."""

    def __init__(
        self,
        stream_id: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.id = stream_id
        self.counts = Counts()
        self.demand = Demand(self.counts.dropped)
        self.meter = Meter()
        self.status = Status(State.CONNECTING, since=wall())
        self.last_keyframe: Frame | None = None
        """The newest video keyframe, for snapshots; kept over an outage so that a viewer can be shown the last picture."""
        self.last_keyframe_at = 0.0
        """Unix seconds of its arrival."""
        self._monotonic = monotonic
        self._wall = wall
        self._gop = GopCache()
        self._trackset = TrackSet()
        self._pending: list[Frame] = []
        self._subscribers: list[Subscriber] = []
        self._watchers: list[Callable[[Status], None]] = []
        self._started: set[int] = set()
        self._live = asyncio.Event()

    @property
    def tracks(self) -> Tracks:
        """What outputs offer now: video first, then audio. Empty before the first session."""
        return self._trackset.tracks

    @property
    def coming(self) -> Tracks:
        """What is likely to join `tracks` soon: see `TrackSet.coming`."""
        return self._trackset.coming

    def be_frugal(self, frugal: bool) -> None:
        """Hold less of the past while memory is short."""
        self._gop.be_frugal(frugal)

    @property
    def gop_bytes(self) -> int:
        """Memory held by the GOP cache."""
        return self._gop.size

    @property
    def recent(self) -> list[Frame]:
        """The frames since the last keyframe that every subscriber has got: where one viewer more can start. A copy."""
        return self._gop.frames if self._trackset.settled else []

    def begin(self, expected: frozenset[Kind]) -> None:
        """A source opened a new session that declares these tracks."""
        self._trackset.begin(expected)
        self.meter.reset()
        self._pending = []
        self._gop.clear()

    def push(self, frames: Iterable[Frame]) -> None:
        """Deliver frames in order."""
        now = self._monotonic()
        for frame in frames:
            self._push(frame, now)

    def end(self) -> None:
        """The session is over. Its GOP is past and never shown to a new viewer as if it were live."""
        self._gop.clear()
        self._pending = []
        self._live.clear()

    def set_status(self, status: Status) -> None:
        """Record the source's state and tell whoever watches it."""
        self.counts.observe(self.status, status)
        self.status = status
        for watcher in tuple(self._watchers):
            watcher(status)

    def watch_status(self, watcher: Callable[[Status], None]) -> None:
        """Call `watcher` with every new status. It must not raise."""
        self._watchers.append(watcher)

    def unwatch_status(self, watcher: Callable[[Status], None]) -> None:
        """Call it no longer; unknown ones are ignored."""
        self._watchers = [other for other in self._watchers if other != watcher]

    def subscribe(self, subscriber: Subscriber) -> None:
        """Add an output. It is brought up to date from the GOP cache before this returns."""
        self._subscribers.append(subscriber)
        frames = self.recent
        if frames:
            self._guard(subscriber, self._start, subscriber, frames)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove an output; unknown ones are ignored."""
        self._subscribers = [other for other in self._subscribers if other is not subscriber]
        self._started.discard(id(subscriber))

    async def wait_live(self, timeout_s: float) -> bool:
        """Wait until frames flow. False when `timeout_s` passed first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._live.wait()
        except TimeoutError:
            return False
        return True

    def _push(self, frame: Frame, now: float) -> None:
        self.meter.add(frame, now)
        counts = self.counts
        counts.received += len(frame.payload)
        if frame.kind is Kind.VIDEO:
            counts.frames += 1
            if frame.keyframe:
                self.last_keyframe = frame
                self.last_keyframe_at = self._wall()
        trackset = self._trackset
        was_settled = trackset.settled
        changed = trackset.observe(frame, now)
        if not trackset.settled:
            self._pending.append(frame)
            return
        if changed:
            self._started.clear()
        if was_settled:
            self._deliver(frame)
            return
        pending, self._pending = self._pending, []
        self._live.set()
        for held in pending:
            self._deliver(held)
        self._deliver(frame)

    def _deliver(self, frame: Frame) -> None:
        if not self._trackset.admits(frame):
            return
        self._gop.append(frame)
        starts = (frame.keyframe and frame.kind is Kind.VIDEO) or self.tracks[0].kind is Kind.AUDIO
        for subscriber in tuple(self._subscribers):
            if id(subscriber) in self._started:
                self._guard(subscriber, subscriber.on_frame, frame)
            elif starts:
                self._guard(subscriber, self._start, subscriber, [frame])

    def _start(self, subscriber: Subscriber, frames: list[Frame]) -> None:
        if not any(one is subscriber for one in self._subscribers):
            return  # another output's callback has just removed it
        self._started.add(id(subscriber))
        subscriber.on_tracks(self.tracks)
        for frame in frames:
            subscriber.on_frame(frame)

    def feeds(self, subscriber: Subscriber) -> bool:
        """Whether it still gets frames: an output that raised does not."""
        return any(one is subscriber for one in self._subscribers)

    def _guard(self, subscriber: Subscriber, call: Callable[..., None], *args: object) -> None:
        try:
            call(*args)
        except Exception:
            log.exception("stream %s: output %s failed and was removed", self.id, type(subscriber).__name__)
            self.unsubscribe(subscriber)
