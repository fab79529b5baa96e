"""One stream on its way to HLS clients: its window, who waits for it, its rendered playlists. Event loop only.

Everything rendered is kept until the window changes: 500 viewers of a camera cost one rendering and one compression per part.
A channel nobody watches renders nothing.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Callable

from gateway.hls.cutter import Pace
from gateway.hls.playlist import SKIP_TARGETS, MediaPlaylist, media_playlist, multivariant_playlist
from gateway.hls.viewers import Viewers
from gateway.hls.window import Window
from gateway.media.demand import Hold
from gateway.media.state import State
from gateway.media.stream import Stream

log = logging.getLogger(__name__)

IDLE_S = 15.0
"""An on-demand stream is kept this long after the last request: a player that reconnects or a page that reloads finds it."""
IDLE_KIND = "hls-idle"
"""Kind of the claim that bridges it; not a viewer."""
GZIP_LEVEL = 4
"""A 5 kB playlist shrinks to a tenth in 60 microseconds; higher levels gain nothing on text this regular."""
STALE_TARGETS = 3
"""So many target durations after the last part of a camera that is away, its playlist is given to nobody new."""
FORMER_S = 30.0
"""What was listed before a change of the pace stays fetchable this long: twice the longest buffer of a live player."""
MAX_VARIANTS = 256
"""Rendered playlists kept per change, one for each query that clients carry (tokens)."""
_SUFFIX = "\0"
"""Stands for the query in the rendered text; occurs in no playlist."""


class Text:
    """A rendered playlist, compressed when first asked for."""

    __slots__ = ("_gzip", "plain")

    def __init__(self, text: str) -> None:
        self.plain = text.encode()
        self._gzip: bytes | None = None

    @property
    def gzip(self) -> bytes:
        """The same, compressed."""
        if self._gzip is None:
            self._gzip = gzip.compress(self.plain, GZIP_LEVEL, mtime=0)
        return self._gzip


class Channel:
    """A stream id's window for the life of the process, whichever `Stream` object carries it now."""

    def __init__(
        self,
        stream: Stream,
        pace: Pace,
        window_s: float,
        *,
        first_number: int,
        monotonic: Callable[[], float],
        completed: Callable[[float], None] | None = None,
    ) -> None:
        self.stream = stream
        self.window = Window(pace, window_s, first_number=first_number, changed=self._on_change, completed=completed)
        self._pace = pace
        self._former: Window | None = None
        self._former_until = 0.0
        self.viewers = Viewers(stream.demand, monotonic)
        self.attached = False
        self.closed = False
        self._monotonic = monotonic
        self._idle_hold: Hold | None = None
        self._used_at = self._changed_at = monotonic()
        self._pulse = asyncio.Event()
        self._skip_s = window_s
        """A playlist offers delta updates for its whole life or never, whatever becomes of its length."""
        self._rendered: dict[tuple[str, bool], Text] = {}
        self._templates: dict[bool, str] = {}
        self._rendered_version = -1
        self._joined: tuple[Window | None, int, bytes] = (None, -1, b"")
        self.changed: Callable[[], None] | None = None
        """Called after every change, by which a request that waits may be answered; for the express lane."""

    @property
    def stale(self) -> bool:
        """The camera is away, and what is listed was long ago."""
        if self.stream.status.state is State.LIVE or not self.window.segments:
            return False
        return self._monotonic() - self._changed_at > STALE_TARGETS * self.window.cutter.target_duration

    def attach(self) -> None:
        """Start (or go on) cutting the stream."""
        if not self.attached and not self.closed:
            self.attached = True
            self.window.cutter.hint(self.stream.meter.keyframe_interval)
            self.stream.subscribe(self.window)

    def detach(self) -> None:
        """Leave the stream and free the memory; the numbers are kept."""
        if self.attached:
            self.attached = False
            self.stream.unsubscribe(self.window)
            self.window.park()
            self._former = None
        if self._idle_hold is not None:
            hold, self._idle_hold = self._idle_hold, None
            hold.release()

    def forget(self) -> None:
        """What is listed was taken by another camera: nobody is shown it any more. Viewers wait for the new one."""
        if self.attached:
            self.stream.unsubscribe(self.window)
            self.window.park()
            self._former = None
            self.stream.subscribe(self.window)

    def configure(self, pace: Pace, window_s: float) -> None:
        """Cut at this pace and keep this much."""
        if pace == self._pace:
            self.window.set_length(window_s)
            return
        self._skip_s = window_s
        self._succeed(pace, window_s)

    def _succeed(self, pace: Pace, window_s: float) -> None:
        attached = self.attached
        if attached:
            self.stream.unsubscribe(self.window)
            self.attached = False
        self._former, self.window = self.window, self.window.successor(pace, window_s, self._on_change)
        self._former_until = self._monotonic() + FORMER_S
        self._pace = pace
        self._rendered_version, self._joined = -1, (None, -1, b"")
        if attached:
            self.attach()
        self._wake()

    def window_of(self, run: str) -> Window | None:
        """The window whose media have this folder."""
        return next((one for one in (self.window, self._former) if one is not None and one.run_id == run), None)

    def rebind(self, stream: Stream) -> None:
        """The camera was configured anew: same id, another `Stream`."""
        attached = self.attached
        self.detach()
        self.viewers.clear()
        self.stream = stream
        self.viewers = Viewers(stream.demand, self._monotonic)
        if attached:
            self.attach()

    def use(self, *, on_demand: bool) -> None:
        """A client asks for a playlist: keep the stream for it."""
        self._used_at = self._monotonic()
        if on_demand and self._idle_hold is None:
            self._idle_hold = self.stream.demand.hold(IDLE_KIND)
        self.attach()

    def touch(self) -> None:
        """A client was answered."""
        self._used_at = self._monotonic()

    def sweep(self, *, on_demand: bool) -> None:
        """Count the viewers, and leave an on-demand stream nobody has asked for lately. Called about once a second."""
        self.viewers.sweep()
        if self._former is not None and self._monotonic() >= self._former_until:
            self._former = None
        live = self.stream.status.state is State.LIVE
        if self.attached and live and not self.viewers and self.window.cutter.outgrown:
            log.info("stream %s: hls: keyframes come further apart than they did, the playlist is begun anew", self.stream.id)
            self._succeed(self._pace, self.window.length_s)
        if not on_demand:
            if self._idle_hold is not None:
                hold, self._idle_hold = self._idle_hold, None
                hold.release()
        elif self.attached and not self.viewers and self._monotonic() - self._used_at >= IDLE_S:
            log.info("stream %s: hls: nobody has watched for %.0f s, on-demand stream released", self.stream.id, IDLE_S)
            self.detach()

    def close(self) -> None:
        """Wake everyone who waits, for good."""
        self.closed = True
        self.detach()
        self.viewers.clear()
        self._wake()

    async def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `condition()` holds, checked at every change. False after `timeout_s` or when the channel closes."""
        if condition():
            return True
        try:
            async with asyncio.timeout(timeout_s):
                while not self.closed:
                    await self._pulse.wait()
                    if not self.closed and condition():
                        return True
        except TimeoutError:
            return condition()
        return False

    def media(self, suffix: str, *, delta: bool = False) -> Text:
        """The media playlist as it is now, or what a delta update leaves of it. From here on its promises hold."""
        self.window.seen()
        self._refresh()
        text = self._rendered.get((suffix, delta))
        if text is None:
            if len(self._rendered) >= MAX_VARIANTS:
                self._rendered.clear()
            text = self._rendered[suffix, delta] = Text(self._template(delta=delta).replace(_SUFFIX, suffix))
        return text

    def _template(self, *, delta: bool) -> str:
        window = self.window
        if delta not in self._templates:
            target_s = window.cutter.target_duration
            self._templates[delta] = media_playlist(
                MediaPlaylist(
                    base=f"{window.run_id}/",
                    target_duration=target_s,
                    part_target_us=window.cutter.part_target_us,
                    media_sequence=window.media_sequence,
                    discontinuity_sequence=window.discontinuity_sequence,
                    segments=window.segments,
                    next_part=window.next_part,
                    # a window that never reaches past the Skip Boundary by a segment has nothing to skip
                    skippable=self._skip_s >= (SKIP_TARGETS + 1) * target_s,
                ),
                _SUFFIX,
                delta=delta,
            )
        return self._templates[delta]

    def multivariant(self, suffix: str) -> Text:
        """The multivariant playlist as it is now."""
        window = self.window
        window.cutter.seal()
        peak, average = window.bit_rates()
        interval = window.cutter.frame_interval_s
        return Text(
            multivariant_playlist(
                window.tracks,
                peak=peak,
                average=average,
                frame_rate=1 / interval if interval else 0.0,
                independent=window.independent,
                suffix=suffix,
            )
        )

    def segment_payload(self, window: Window, msn: int) -> bytes | None:
        """A complete segment; None if there is none of that number. The last one joined is kept."""
        segment = window.segment(msn)
        if segment is None or not segment.complete:
            return None
        if self._joined[:2] != (window, msn):
            self._joined = (window, msn, segment.payload())
        return self._joined[2]

    def _refresh(self) -> None:
        if self._rendered_version != self.window.version:
            self._rendered_version = self.window.version
            self._rendered.clear()
            self._templates.clear()

    def _on_change(self) -> None:
        self._changed_at = self._monotonic()
        self._wake()

    def _wake(self) -> None:
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()
        if self.changed is not None:
            self.changed()
