"""Repairs what cameras do to time, before anything else sees it.

What comes in is a presentation time in the camera's ticks, or nothing at all. What goes out is a decoding and a
presentation time on the stream's own timeline, which starts once and never goes back, over reconnects and whatever the
camera's clock does:

- The first packet of an RTSP session often has no time (libavformat learns it from the second); it is the keyframe that
  gives the first picture, so it must not be dropped.
- Decoding times are not on the wire in RTSP. They follow from the presentation times and the number of pictures the
  stream may reorder: the smallest of the last `reorder + 1` presentation times.
- A jump (Intelbras DVRs stamp single frames hours away; NTP steps) is made up for: the frame follows its predecessor at
  the distance it arrived. One odd frame moves nothing; the second one in a row moves the anchor and is marked.
- A microphone that speaks up later, or whose clock stood still while it was silent, joins the picture where it arrives.
- Small steps back (an RTCP report that corrects the offset between sound and picture) squeeze video and drop audio.

Pure: arrival times are passed in. One `Timeline` per stream, whatever feeds it; one `SessionTimeline` per RTSP connection,
used by the reader thread. (RTMP publishers send decoding times and have a clock of their own, `rtmp.publish_clock`.)
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from gateway.media.counts import Counts
from gateway.media.track import Kind

START_S = 1.0
"""A timeline starts here, so that decoding times before the first presentation time (16 reordered pictures) stay positive."""
JUMP_FORWARD_S = 5.0
"""Further ahead of its arrival than this, a time stamp is a jump. A Wi-Fi outage of a few seconds stays well below."""
JUMP_BACK_S = 2.0
"""Further back than this is a jump: no stream reorders pictures over seconds."""
START_SLACK_S = 1.0
"""The second packet may be this far from the first, untimed one; beyond it the camera's clock simply does not start at 0."""
SYNC_S = 1.0
"""Two tracks whose clocks differ from their arrival by less than this share a clock; lip sync is then exact."""
BEHIND_S = 2.0
"""A track this far behind the other one, both just arrived, has lost its clock."""
MAX_REORDER = 16
DEFAULT_FRAME_S = 0.04


@dataclass(frozen=True, slots=True)
class Stamp:
    """Repaired times in ticks of the track."""

    dts: int
    pts: int
    duration: int
    discontinuity: bool


class Timeline:
    """The time of one stream, for as long as the process lives."""

    def __init__(self, counts: Counts | None = None) -> None:
        """`counts` is where repairs are counted."""
        self.counts = counts or Counts()
        self._end_s = START_S
        self._end_arrival: float | None = None

    @property
    def started(self) -> bool:
        """There was a session before."""
        return self._end_arrival is not None

    @property
    def end_s(self) -> float:
        """Where the last frame of all sessions ended, seconds."""
        return self._end_s

    def resume_s(self, arrival: float) -> float:
        """Where a session begins whose first packet arrived at `arrival` (monotonic seconds): after the last one's end, by
        the time that nothing came."""
        if self._end_arrival is None:
            return self._end_s
        return self._end_s + max(DEFAULT_FRAME_S, arrival - self._end_arrival)

    def open(self, arrival: float) -> SessionTimeline:
        """A new session whose first packet arrived at `arrival`."""
        return SessionTimeline(self, self.resume_s(arrival), resumed=self.started)

    def advance(self, seconds: float, arrival: float) -> None:
        """A frame of some track ends at `seconds`."""
        if seconds > self._end_s:
            self._end_s = seconds
            self._end_arrival = arrival
        elif self._end_arrival is None:
            self._end_arrival = arrival


class SessionTimeline:
    """Times of one connection. Both tracks share its zero."""

    def __init__(self, timeline: Timeline, base_s: float, *, resumed: bool) -> None:
        self.resumed = resumed
        """The stream had pictures before this session."""
        self._timeline = timeline
        self._base_s = base_s
        self._tracks: dict[Kind, _TrackTimeline] = {}

    def stamp(
        self, kind: Kind, rate: int, pts: int | None, arrival: float, *, reorder: int | None = 0, duration: int = 0
    ) -> Stamp | None:
        """Repair one packet's time.

        `pts` is in ticks of `rate` on the camera's clock, None where there is none. `reorder` is the number of pictures
        the stream declares to reorder, None where it says nothing. `duration` is the declared length, 0 if unknown.
        None as the answer: the packet lies in the past of its track and must be dropped (audio only).
        """
        peer = next((other for of, other in self._tracks.items() if of is not kind), None)
        track = self._tracks.get(kind)
        if track is None:
            start_s = self._base_s if peer is None else peer.join(pts, rate, arrival)
            track = self._tracks[kind] = _TrackTimeline(kind, rate, round(start_s * rate), self._timeline.counts)
        stamp = track.stamp(pts, arrival, reorder, duration, peer)
        if stamp is not None:
            self._timeline.advance((stamp.dts + stamp.duration) / rate, arrival)
        return stamp


class _TrackTimeline:
    def __init__(self, kind: Kind, rate: int, base: int, counts: Counts) -> None:
        self._kind = kind
        self._counts = counts
        self._rate = rate
        self._offset = base
        self._frame = round(DEFAULT_FRAME_S * rate)
        self._last_source: int | None = None
        self._last_arrival = 0.0
        self._last_dts: int | None = None
        self._high_pts = base
        self._out_s = base / rate
        self._untimed_start = False
        self._suspect: int | None = None
        self._reorder = 0
        self._declared = False
        self._recent: list[int] = []

    def join(self, pts: int | None, rate: int, arrival: float) -> float:
        """Seconds at which another track's first packet belongs: by the clock if both share one, else by its arrival."""
        by_arrival = self._out_s + arrival - self._last_arrival
        if pts is None:
            return by_arrival
        by_clock = pts / rate + self._offset / self._rate
        return by_clock if abs(by_clock - by_arrival) < SYNC_S else by_arrival

    def stamp(
        self, pts: int | None, arrival: float, reorder: int | None, duration: int, peer: _TrackTimeline | None
    ) -> Stamp | None:
        if duration > 0 and self._kind is Kind.AUDIO:
            self._frame = duration
        self._declared = reorder is not None
        if reorder is not None:
            self._reorder = max(self._reorder, min(reorder, MAX_REORDER))
        out, moved = self._place(pts, arrival)
        if peer is not None and peer._out_s - out / self._rate > BEHIND_S:
            shift = round((peer._out_s + arrival - peer._last_arrival) * self._rate) - out
            self._offset += shift
            self._counts.jumps += 1
            out, moved = out + shift, True
            self._recent.clear()
        self._out_s = out / self._rate
        if self._kind is Kind.AUDIO:
            return self._audio(out, moved)
        return self._video(out, moved)

    def _place(self, pts: int | None, arrival: float) -> tuple[int, bool]:
        """Presentation time on the timeline, and whether the camera's clock has just been left."""
        last, last_arrival = self._last_source, self._last_arrival
        self._last_arrival = arrival
        if last is None:
            self._untimed_start = pts is None
            self._last_source = 0 if pts is None else pts
            self._offset -= self._last_source
            return self._last_source + self._offset, False
        if pts is None:
            self._last_source = last + self._frame
            return self._last_source + self._offset, False
        if self._untimed_start:
            self._untimed_start = False
            if abs(pts - last) > START_SLACK_S * self._rate:
                self._offset += last + self._frame - pts
            self._last_source = pts
            return pts + self._offset, False
        step = pts - last
        arrived = max(0.0, arrival - last_arrival)
        if -JUMP_BACK_S * self._rate <= step <= (arrived + JUMP_FORWARD_S) * self._rate:
            self._suspect = None
            self._last_source = pts
            return pts + self._offset, False
        self._counts.jumps += 1
        bridged = last + max(self._frame, round(arrived * self._rate))
        if self._suspect is None or abs(pts - self._suspect) > JUMP_BACK_S * self._rate:
            self._suspect = pts
            self._last_source = bridged
            return bridged + self._offset, False
        self._suspect = None
        self._offset += bridged - pts
        self._last_source = pts
        self._recent.clear()
        return pts + self._offset, True

    def _audio(self, pts: int, moved: bool) -> Stamp | None:
        if self._last_dts is not None and pts <= self._last_dts:
            self._counts.silenced += 1
            return None
        self._last_dts = pts
        return Stamp(pts, pts, self._frame, moved)

    def _video(self, pts: int, moved: bool) -> Stamp:
        last = self._last_dts
        # Where the stream says how much it reorders, a time that steps back is the camera's clock, and not one picture more.
        if last is not None and pts < self._high_pts and not moved and not self._declared:
            behind = sum(1 for other in self._recent if other > pts)
            self._reorder = min(max(self._reorder, behind), MAX_REORDER)
        recent = self._recent
        insort(recent, pts)
        if len(recent) > self._reorder + 1:
            del recent[: len(recent) - self._reorder - 1]
        missing = self._reorder + 1 - len(recent)
        dts = recent[0] - missing * self._frame
        if last is not None:
            if dts <= last:
                dts = last + 1
                self._counts.squeezed += 1
            gap = dts - last
            if 1 < gap < self._rate * JUMP_FORWARD_S:
                self._frame = gap
        self._last_dts = dts
        self._high_pts = max(self._high_pts, pts)
        return Stamp(dts, max(pts, dts), self._frame, moved)
