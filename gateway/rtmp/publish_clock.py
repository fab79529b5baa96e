"""Repairs a publisher's time, before anything else sees it.

RTMP is kinder than RTSP: decoding times are on the wire and both tracks share one clock, so nothing has to be guessed, and
sound keeps its place under the picture even where a server in between delivers one of them in a burst. What remains:

- Times are milliseconds modulo 2^32, and encoders start them anywhere.
- Encoders restart their clock, jump, or stamp a single frame far away. One odd frame moves nothing; the second one in a row
  moves the anchor. A track that follows the other one's jump takes over its new anchor and stays in sync.
- Small steps back squeeze video; sound that lies in the past is dropped, except a batch that shares one timestamp.
- Negative composition times put decoding earlier, never the picture later: lip sync stays exact.
- An encoder that comes back goes on where it left, after the time it was away.

Both kinds of source go on along one `media.timestamps.Timeline`. Within a connection they share nothing: cameras give
presentation times alone, and their tracks join by arrival.

Pure: arrival times are passed in. One `PublishClock` per connection; event loop only.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.media.timestamps import DEFAULT_FRAME_S, JUMP_BACK_S, JUMP_FORWARD_S, Stamp, Timeline
from gateway.media.track import VIDEO_CLOCK_HZ, Kind

_TICKS_PER_MS = VIDEO_CLOCK_HZ // 1000
_JUMP_BACK = round(JUMP_BACK_S * VIDEO_CLOCK_HZ)
_JUMP_FORWARD = round(JUMP_FORWARD_S * VIDEO_CLOCK_HZ)
_APART = 5 * VIDEO_CLOCK_HZ
"""Tracks further apart than this, both just arrived, do not share a clock. Relays that start with a burst stay below."""
_MAX_COMPOSITION_MS = 5000
"""No encoder reorders over more than a second or two; beyond it the field is garbage."""
_BATCH_FRAMES = 3
"""Sound frames sent together under one timestamp."""


@dataclass(slots=True)
class _Track:
    offset: int
    out: int
    arrival: float
    last_dts: int
    frame: int = round(DEFAULT_FRAME_S * VIDEO_CLOCK_HZ)
    suspect: int | None = None


class PublishClock:
    """Times of one publisher. All ticks are of 90 kHz, for sound too."""

    def __init__(self, timeline: Timeline, arrival: float) -> None:
        """For a publisher whose first frame arrived at `arrival` (monotonic seconds)."""
        self.resumed = timeline.started
        """The stream had pictures before this publisher."""
        self._timeline = timeline
        self._floor = _ticks(timeline.end_s) - 1
        self._base = _ticks(timeline.resume_s(arrival))
        self._last_ms: int | None = None
        self._tracks: dict[Kind, _Track] = {}
        self._lead_ms = 0

    def video(self, timestamp: int, composition_ms: int, arrival: float) -> Stamp:
        """Times of a picture. `timestamp` is the message's, its decoding time in milliseconds modulo 2^32."""
        track, out, moved = self._place(Kind.VIDEO, timestamp, arrival)
        composition_ms = max(-_MAX_COMPOSITION_MS, min(composition_ms, _MAX_COMPOSITION_MS))
        self._lead_ms = max(self._lead_ms, -composition_ms)
        dts = out - self._lead_ms * _TICKS_PER_MS
        if dts <= track.last_dts:
            dts = track.last_dts + 1
            self._timeline.counts.squeezed += 1
        gap = dts - track.last_dts
        if 1 < gap < _JUMP_FORWARD and track.last_dts > self._floor:
            track.frame = gap
        track.last_dts = dts
        pts = max(dts, out + composition_ms * _TICKS_PER_MS)
        self._timeline.advance((dts + track.frame) / VIDEO_CLOCK_HZ, arrival)
        return Stamp(dts, pts, track.frame, moved)

    def audio(self, timestamp: int, duration: int, arrival: float) -> Stamp | None:
        """Times of a sound frame of `duration` ticks. None: it lies in the past and must be dropped."""
        track, out, moved = self._place(Kind.AUDIO, timestamp, arrival)
        track.frame = duration
        if out <= track.last_dts:
            if track.last_dts - out > _BATCH_FRAMES * duration or track.last_dts == self._floor:
                self._timeline.counts.silenced += 1
                return None
            out = track.last_dts + duration
        track.last_dts = out
        self._timeline.advance((out + duration) / VIDEO_CLOCK_HZ, arrival)
        return Stamp(out, out, duration, moved)

    def _place(self, kind: Kind, timestamp: int, arrival: float) -> tuple[_Track, int, bool]:
        """The track, the place of this time on the timeline, and whether the encoder's clock has just been left."""
        source = self._unwrap(timestamp) * _TICKS_PER_MS
        peer = next((track for of, track in self._tracks.items() if of is not kind), None)
        track = self._tracks.get(kind)
        moved = False
        if track is None:
            offset = self._base - source
            if peer is not None:
                by_arrival = peer.out + _ticks(arrival - peer.arrival)
                shared = abs(source + peer.offset - by_arrival) <= _APART
                offset = peer.offset if shared else by_arrival - source
            track = self._tracks[kind] = _Track(offset, source + offset, arrival, self._floor)
            return track, track.out, False
        arrived = _ticks(max(0.0, arrival - track.arrival))
        out = source + track.offset
        if not _follows(out - track.out, arrived):
            self._timeline.counts.jumps += 1
            bridged = track.out + max(track.frame, arrived)
            if peer is not None and peer.offset != track.offset and _follows(source + peer.offset - track.out, arrived):
                track.offset, moved = peer.offset, True
            elif track.suspect is not None and abs(source - track.suspect) <= _JUMP_BACK:
                track.offset, moved = bridged - source, True
            else:
                track.suspect = source
                track.out, track.arrival = bridged, arrival
                return track, bridged, False
            out = source + track.offset
        if peer is not None and peer.out - out > _APART:
            by_arrival = peer.out + _ticks(arrival - peer.arrival)
            track.offset += by_arrival - out
            out, moved = by_arrival, True
        track.suspect = None
        track.out, track.arrival = out, arrival
        return track, out, moved

    def _unwrap(self, timestamp: int) -> int:
        last = self._last_ms
        if last is not None:
            step = (timestamp - last) & 0xFFFFFFFF
            timestamp = last + (step - (1 << 32) if step >= 1 << 31 else step)
        self._last_ms = timestamp
        return timestamp


def _follows(step: int, arrived: int) -> bool:
    return -_JUMP_BACK <= step <= arrived + _JUMP_FORWARD


def _ticks(seconds: float) -> int:
    return round(seconds * VIDEO_CLOCK_HZ)
