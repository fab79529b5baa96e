"""The sliding window of one stream: its segments, parts and init segments, in memory. Event loop only, no I/O.

A `media.stream.Subscriber`. Lives as long as the process, over all sessions of its camera: media sequence numbers and
discontinuity numbers only ever grow. Media sequence numbers start from the Unix time in seconds, because segments are on
average rarer than one per second: after a restart of the gateway the numbers are higher than any a player has seen, also
when the restart changed TARGETDURATION. (Counting from time / TARGETDURATION can go backwards: a window with a target of
3 s and segments of 2 s outruns it.) Players that see a lower number freeze until it has caught up. Discontinuity numbers
start from the hours since 2026: hls.js 1.7.4 keeps an array indexed by them and walks it, so that numbers the size of
Unix time hang the page (seen: minutes at full load before the first picture).

What leaves the playlist stays fetchable for its own duration plus that of the longest playlist (6.2.2), measured in media
time: while a camera is away nothing expires. Memory is bounded by `MAX_WINDOW_BYTES`, which wins over every other rule.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from gateway.hls.cutter import Cut, Cutter, Pace
from gateway.hls.segment import Part, Segment
from gateway.hls.silence import KeptSound
from gateway.media.fragment import Fragment
from gateway.media.frame import Frame
from gateway.media.init import init_segment
from gateway.media.track import Tracks

log = logging.getLogger(__name__)

DISCONTINUITY_EPOCH_S = 1_767_225_600
"""2026-01-01."""
DISCONTINUITY_UNIT_S = 3600
"""A camera may lose its session once an hour on average before a restart of the gateway could lower the number."""
MIN_SEGMENTS = 6
"""Apple's players want six segments (authoring specification 8.11)."""
MIN_TARGET_DURATIONS = 3
"""A playlist must not be shorter than this many target durations (6.2.2)."""
UNWATCHED_AFTER_US = 30_000_000
"""Nobody has asked for the playlist for this long: it shrinks to the shortest the draft allows, and grows again in use."""
MAX_WINDOW_BYTES = 64 * 1024 * 1024
"""12 s of window and as much again for stragglers at 20 Mbit/s; sixteen such windows still fit a Pi of 4 GB."""
PDT_STEP_S = 1.0
"""A program date this far from the media timeline is a clock that was set: it is followed at once, smaller errors slowly."""
PDT_WEIGHT = 0.1


class Position(NamedTuple):
    """How far the playlist has come: last complete segment, parts of it, parts of the open one after it."""

    last_msn: int
    last_parts: int
    open_parts: int


class Window:
    """Segments of one stream. `changed` is called after every change that a waiting client may care about."""

    def __init__(
        self,
        pace: Pace,
        window_s: float,
        *,
        first_number: int,  # Unix time in whole seconds
        changed: Callable[[], None],
        run_id: str = "",
        completed: Callable[[float], None] | None = None,
    ) -> None:
        """`completed` is told, once the parts are there, when the frame arrived that completed them (`Frame.wall`)."""
        self.run_id = run_id or secrets.token_hex(4)
        """Part of every media URL: a cache can never answer with what an earlier process, or this camera before it was
        changed in the configuration, called by the same name."""
        self.cutter = Cutter(pace)
        self.frugal = False
        """Memory is short: no longer than the standard asks for, whoever watches."""
        self.tracks: Tracks = ()
        """Of the newest part; empty before the first."""
        self.refusal = ""
        """Why this stream cannot be served as HLS; empty if it can."""
        self.first_number = first_number
        self.media_sequence = first_number
        self.discontinuity_sequence = max(0, first_number - DISCONTINUITY_EPOCH_S) // DISCONTINUITY_UNIT_S
        self.version = 0
        """Grows with every change of the playlist."""
        self._window_us = round(window_s * 1e6)
        self._changed = changed
        self._completed = completed
        self._listed: deque[Segment] = deque()
        self._retired: deque[tuple[Segment, int]] = deque()
        """Segments out of the playlist with the media time (microseconds) until which they stay fetchable."""
        self._maps: dict[int, bytes] = {}
        self._map_index = 0
        self._epoch = 0
        self._sequence = 0
        self._started_before = False
        self._target_us = 0
        self._now_us = 0
        self._listed_us = 0
        self._longest_us = 0
        self._size = 0
        self._seen_us: int | None = None
        self._pdt: tuple[float, int] | None = None
        self._sound = KeptSound()

    def successor(self, pace: Pace, window_s: float, changed: Callable[[], None]) -> Window:
        """An empty window cut at another pace, whose numbers go on where this one's end. This one promises nothing more."""
        window = Window(pace, window_s, first_number=self.next_part[0] + 1, changed=changed, completed=self._completed)
        listed = sum(segment.discontinuity for segment in self._listed)
        window.discontinuity_sequence = self.discontinuity_sequence + listed
        window._started_before = self._started_before
        window.frugal = self.frugal
        return window

    @property
    def length_s(self) -> float:
        """How much is kept, as it was asked for."""
        return self._window_us / 1e6

    def set_length(self, window_s: float) -> None:
        """Keep this much from the next segment on."""
        self._window_us = round(window_s * 1e6)

    # -- Subscriber

    def on_tracks(self, tracks: Tracks) -> None:
        """Start anew with these tracks."""
        self._apply(self.cutter.start(self._sound.tracks(tracks, keep=self._in_use)))

    def on_frame(self, frame: Frame) -> None:
        """Take the next frame."""
        cuts = [cut for one in self._sound.frames(frame) for cut in self.cutter.add(one)]
        if cuts:
            self._apply(cuts)
            if self._completed is not None:
                self._completed(frame.wall)

    # -- what clients see

    def seen(self) -> None:
        """A client is given the playlist as it is now: what it promises and names must hold."""
        self.cutter.seal()
        self.watched()

    def watched(self) -> None:
        """Somebody is interested: keep the whole window."""
        self._seen_us = self._now_us

    @property
    def ready(self) -> bool:
        """There is a playlist to serve: both targets are known and a segment is complete."""
        return self.cutter.settled and self.cutter.part_target_us > 0 and bool(self._listed) and self._listed[0].complete

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The listed segments, oldest first; the last one may be open."""
        return tuple(self._listed)

    @property
    def independent(self) -> bool:
        """Every listed segment begins with a keyframe."""
        return all(segment.independent for segment in self._listed if segment.parts)

    @property
    def position(self) -> Position:
        """Where the playlist ends."""
        if not self._listed:
            return Position(self.media_sequence - 1, 0, 0)
        last = self._listed[-1]
        if last.complete:
            return Position(last.msn, len(last.parts), 0)
        before = len(self._listed[-2].parts) if len(self._listed) > 1 else 0
        return Position(last.msn - 1, before, len(last.parts))

    @property
    def next_part(self) -> tuple[int, int]:
        """MSN and index of the part that comes next (EXT-X-PRELOAD-HINT)."""
        position = self.position
        return position.last_msn + 1, position.open_parts

    @property
    def size(self) -> int:
        """Bytes of media held, listed and retired."""
        return self._size

    @property
    def newest_map(self) -> int:
        """Number of the newest initialisation segment; they count from 1."""
        return self._map_index

    def map(self, index: int) -> bytes | None:
        """An initialisation segment."""
        return self._maps.get(index)

    def segment(self, msn: int) -> Segment | None:
        """A segment, listed, open or retired; None if unknown or expired."""
        if self._listed and msn >= self._listed[0].msn:
            index = msn - self._listed[0].msn
            return self._listed[index] if index < len(self._listed) else None
        return next((segment for segment, _ in self._retired if segment.msn == msn), None)

    def bit_rates(self) -> tuple[int, int]:
        """Peak and average bits per second of the complete listed segments; (0, 0) without any."""
        complete = [segment for segment in self._listed if segment.complete]
        if not complete:
            return 0, 0
        # a segment that a broken session left at a few pictures is all keyframe, and no measure of what a network must carry
        least_us = self.cutter.target_duration * 500_000
        usual = [segment for segment in complete if segment.duration_us >= least_us] or complete
        peak = max(segment.size * 8e6 / segment.duration_us for segment in usual)
        average = sum(segment.size for segment in complete) * 8e6 / sum(segment.duration_us for segment in complete)
        return round(peak), round(average)

    def park(self) -> None:
        """The stream is left: forget the media, keep the numbers. A later viewer never sees the past as live."""
        self._apply(self.cutter.flush())
        self._forget()
        self._changed()

    # -- inside

    def _apply(self, cuts: list[Cut]) -> None:
        if self.cutter.part_target_us != self._target_us:
            # Only possible while no client has seen the playlist: parts of another length cannot stay in it.
            self._target_us = self.cutter.part_target_us
            self._forget()
        for cut in cuts:
            self._take(cut)
        if cuts:
            self.version += 1
            self._changed()

    def _take(self, cut: Cut) -> None:
        if cut.epoch != self._epoch and not self._open_epoch(cut):
            return
        if not self._listed or self._listed[-1].complete:
            self._open_segment(cut)
        segment = self._listed[-1]
        self._sequence += 1
        media = Fragment(self._sequence, cut.runs)
        segment.add(Part(cut.duration_us, cut.independent, media))
        self._size += media.size
        self._now_us += cut.duration_us
        if cut.ends_segment:
            segment.complete = True
            self._listed_us += segment.duration_us
            self._longest_us = max(self._longest_us, self._listed_us)
            self._slide()

    def _open_epoch(self, cut: Cut) -> bool:
        try:
            init = init_segment(cut.tracks)
        except ValueError as error:
            if not self.refusal:
                log.warning("hls: stream cannot be served: %s", error)
            self.refusal = f"this stream cannot be served as HLS: {error}"
            return False
        if self._listed and not self._listed[-1].complete:
            self._listed[-1].complete = True
            self._listed_us += self._listed[-1].duration_us
        self.refusal = ""
        self._epoch = cut.epoch
        self.tracks = cut.tracks
        self._map_index += 1
        self._maps[self._map_index] = init
        self._pdt = None
        return True

    def _open_segment(self, cut: Cut) -> None:
        msn = self._listed[-1].msn + 1 if self._listed else self.media_sequence
        newest = self._listed[-1] if self._listed else None
        discontinuity = self._started_before and (newest is None or newest.map_index != self._map_index)
        self._started_before = True
        self._listed.append(Segment(msn, self._map_index, discontinuity, self._program_date(cut.wall)))

    def _program_date(self, wall: float) -> float:
        if self._pdt is not None:
            date, at_us = self._pdt
            expected = date + (self._now_us - at_us) / 1e6
            if abs(wall - expected) < PDT_STEP_S:
                wall = expected + PDT_WEIGHT * (wall - expected)
        self._pdt = (wall, self._now_us)
        return wall

    @property
    def _in_use(self) -> bool:
        return self._seen_us is not None and self._now_us - self._seen_us < UNWATCHED_AFTER_US

    def _slide(self) -> None:
        shortest_us = MIN_TARGET_DURATIONS * self.cutter.target_duration * 1_000_000
        in_use = self._in_use
        segments = MIN_SEGMENTS if in_use else 0
        window_us = max(self._window_us, shortest_us) if in_use and not self.frugal else shortest_us
        while len(self._listed) > segments:
            if self._listed_us - self._listed[0].duration_us < window_us:
                break
            self._retire()
        while self._size > MAX_WINDOW_BYTES and self._retired:
            self._drop()
        while self._size > MAX_WINDOW_BYTES and len(self._listed) > 1:
            self._retire()
            self._drop()
        while self._retired and self._retired[0][1] < self._now_us:
            self._drop()

    def _retire(self) -> None:
        segment = self._listed.popleft()
        self._listed_us -= segment.duration_us
        self.media_sequence = segment.msn + 1
        if segment.discontinuity:
            self.discontinuity_sequence += 1
        listed_for_us = self._listed_us + segment.duration_us
        known = self._seen_us is not None and self._now_us - self._seen_us <= listed_for_us
        # Nobody can ask for a segment that no served playlist has named: a camera without viewers holds half the memory.
        self._retired.append((segment, self._now_us + segment.duration_us + self._longest_us if known else 0))

    def _drop(self) -> None:
        segment, _ = self._retired.popleft()
        self._size -= segment.size
        oldest = self._retired[0][0] if self._retired else self._listed[0] if self._listed else None
        if oldest is not None:
            for index in [index for index in self._maps if index < oldest.map_index]:
                del self._maps[index]

    def _forget(self) -> None:
        """Empty the playlist; numbers go on, and what comes next is a discontinuity."""
        if self._listed:
            self.media_sequence = self._listed[-1].msn + 1
            self.discontinuity_sequence += sum(segment.discontinuity for segment in self._listed)
        self._listed.clear()
        self._retired.clear()
        self._maps = {index: init for index, init in self._maps.items() if index == self._map_index}
        self._size = self._listed_us = 0
        self._pdt = None
        self.version += 1
