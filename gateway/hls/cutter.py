"""Decides where parts and segments end. Pure: frames in, `Cut`s out. Called by the window on the event loop.

Rules kept for every cut, whatever the camera does (draft-pantos-hls-rfc8216bis 4.4.4.9, 6.2.1):

- No part is longer than PART-TARGET, and none shorter than 85 % of it except the last of its segment.
- A part begins with a keyframe or holds none, unless keyframes come faster than parts; a segment begins with a keyframe unless
  the next one would come later than TARGETDURATION allows.
- Durations are exact: a part is closed by the frame that starts the next one.

How jitter is kept out: a frame's *decode* time may lie up to `lag` before its dts without any effect on what is seen,
because the composition offset gives it back. Boundaries are therefore put `SLACK` before the frame that starts the
part, and moved within [0, PART-TARGET] of it where the rules ask for it; the frames in between are spread evenly.

When frames come further apart than PART-TARGET (a camera at night, a short stall), the boundaries fall behind; once they
are more than one part behind, the part is declared PART-TARGET long and filler parts follow for the rest of the time. A filler
carries the audio of its time and no picture: an audio traf, or a video traf that says it is empty. The picture's sample
lasts its true time, so a player's buffer has no hole, the declared durations add up to real time and no promise of the
playlist is broken. Tried with hls.js 1.7.4 in Chromium on a camera falling from 25 to 2.5 frames per second: with audio,
fillers play on at an unchanged latency; without, playback stutters until its buffer has grown. Parts with GAP=YES stopped
it for good, parts declared shorter than they are for 18 s; parts longer than PART-TARGET are reported to fail on iOS.

Cost: together with writing the fragment about 50 microseconds per part of 5 pictures and 9 audio frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from gateway.hls import pace
from gateway.hls.audio import AudioQueue
from gateway.media.fragment import Sample, TrackRun
from gateway.media.frame import Frame
from gateway.media.track import Kind, Tracks

MIN_SHARE = 0.85
"""Least share of PART-TARGET a part may last (4.4.4.9)."""
SLACK_SHARE = 0.125
"""Of PART-TARGET: how far a boundary lies before its frame, so that it can be moved both ways."""
MAX_STALL_S = 10.0
"""A longer silence between two frames is a new epoch rather than a row of fillers."""
MEASURE_FRAMES = 12
MEASURE_S = 0.8
MEASURE_MIN_INTERVALS = 3
"""The frame interval is taken from 12 distances, or fewer when those already span 0.8 s: a 5 fps camera must not wait 3 s."""
INTERVAL_WEIGHT = 8
"""How many frames the running estimate of the frame interval averages over; a lost frame is not taken for a new rate."""
SETTLE_S = 4.5
"""No second keyframe for this long: the GOP is a long one, TARGETDURATION becomes the ceiling."""
MAX_SEGMENT_BYTES = 32 * 1024 * 1024
"""A segment is cut without a keyframe before it grows beyond this (25 Mbit/s for 10 s)."""
ORIGIN_S = 10
"""Added to all decode times, so that slack and sources that begin below zero never make one negative."""
MAX_OFFSET = 0x7FFFFFFF
"""Largest composition offset trun can hold."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What the configuration asks for, in seconds."""

    part_s: float = 0.2
    segment_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Cut:
    """One finished part. The cut after one that `ends_segment` starts the next segment."""

    epoch: int
    """Grows with every new session or change of tracks: new EXT-X-MAP, EXT-X-DISCONTINUITY."""
    tracks: Tracks
    runs: tuple[TrackRun, ...]
    duration_us: int
    independent: bool
    wall: float
    """`Frame.wall` of its first frame."""
    ends_segment: bool


class Cutter:
    """Cuts the frames of one stream, over all its sessions. Feed `start`, then `add`."""

    def __init__(self, pace_wanted: Pace) -> None:
        self._pace = pace_wanted
        self._tracks: Tracks = ()
        self._lead = Kind.VIDEO
        self._clock = 1
        self._epoch = 0
        self._shift_s: int | None = None
        self._audio: AudioQueue | None = None
        self._waiting: list[Frame] = []
        self._part: list[Frame] = []
        self._part_bytes = 0
        self._part_start = 0
        self._segment_start = 0
        self._epoch_start = 0
        self._sounded_until_s = Fraction(0)
        """Where the sound of the last epoch that had any ended, shifted."""
        self._segment_bytes = 0
        self._interval = 0.0
        self._target = 0
        self._least = 0
        self._slack = 0
        self._last_key: int | None = None
        self._first_lead: int | None = None
        self._longest_s = 0.0
        self._last_gops_s = (0.0, 0.0)
        self._sealed = False
        self.part_target_us = 0
        """PART-TARGET; 0 until the frame interval is known."""
        self.target_duration = pace.target_duration(pace_wanted.segment_s, pace_wanted.part_s)
        """TARGETDURATION; may still change until `settled` and `seal`ed."""
        self.settled = False
        """PART-TARGET and TARGETDURATION rest on a measurement."""

    @property
    def frame_interval_s(self) -> float:
        """Typical distance of video frames; 0 until known and for streams without video."""
        return self._interval / self._clock if self._lead is Kind.VIDEO else 0.0

    @property
    def pending_bytes(self) -> int:
        """Payload held for parts that are not closed yet."""
        waiting = sum(len(frame.payload) for frame in self._waiting)
        return waiting + self._part_bytes + (self._audio.size if self._audio else 0)

    @property
    def outgrown(self) -> bool:
        """GOPs have become longer than the promised TARGETDURATION holds: segments have to be cut without a keyframe."""
        gop_s = min(self._last_gops_s)  # one alone was a keyframe that got lost, or a stall
        return gop_s > 0 and self._fitting(pace.segment_length(gop_s, self._pace.segment_s)) > self.target_duration

    def seal(self) -> None:
        """A client has seen the playlist: from now on both targets are promises."""
        self._sealed = True

    def hint(self, keyframe_interval_s: float) -> None:
        """What was measured on this stream before, so that the first viewer need not wait for a second keyframe."""
        if keyframe_interval_s > 0 and not self.settled and not self._sealed:
            self._measured_gop(keyframe_interval_s)

    def start(self, tracks: Tracks) -> list[Cut]:
        """A new session or new tracks; the next frame is a keyframe. Closes what is open."""
        cuts = self.flush()
        self._tracks = tracks
        lead = tracks[0]
        self._lead = lead.kind
        if lead.clock_rate != self._clock:
            self._clock = lead.clock_rate
            self._interval = 0.0
        self._waiting = []
        if not self._sealed:
            self._target = 0
        elif self.part_target_us:
            self._set_target(self.part_target_us // 1000)
        self._begin_epoch()
        return cuts

    def flush(self) -> list[Cut]:
        """Close the open part and its segment: no frame follows for a while."""
        if not self._part:
            return []
        last = self._part[-1]
        guess = last.duration if last.duration > 0 else round(self._interval)
        return self._end_epoch(last.dts + max(1, min(guess, self._target)))

    def add(self, frame: Frame) -> list[Cut]:
        """Take the next frame; the parts it completes, mostly none."""
        if not self._tracks:
            return []
        if frame.kind is not self._lead:
            self._queue_audio(frame)
            return []
        if self._target:
            return self._lead_frame(frame)
        if frame.discontinuity and self._waiting:
            self._waiting = []
        self._waiting.append(frame)
        if self._sealed and self.part_target_us:
            # promised between the first frame of this epoch and now
            self._set_target(self.part_target_us // 1000)
            waiting, self._waiting = self._waiting, []
            return [cut for held in waiting for cut in self._lead_frame(held)]
        span_s = (frame.dts - self._waiting[0].dts) / self._clock
        intervals = len(self._waiting) - 1
        if intervals < MEASURE_MIN_INTERVALS or (intervals < MEASURE_FRAMES and span_s < MEASURE_S):
            return []
        self._interval = pace.frame_interval([held.dts for held in self._waiting])
        self._set_target(pace.part_target_ms(self._interval / self._clock, self._pace.part_s))
        waiting, self._waiting = self._waiting, []
        return [cut for held in waiting for cut in self._lead_frame(held)]

    def _set_target(self, milliseconds: int) -> None:
        self.part_target_us = milliseconds * 1000
        self._target = max(1, milliseconds * self._clock // 1000)
        self._least = min(self._target, math.ceil(self._target * MIN_SHARE) + 1)
        self._slack = int(self._target * SLACK_SHARE)
        if not self._sealed:
            self.target_duration = max(self.target_duration, self._fitting(self._pace.segment_s))

    def _begin_epoch(self) -> None:
        self._epoch += 1
        self._part = []
        self._part_bytes = self._segment_bytes = 0
        self._last_key = self._first_lead = None
        self._last_gops_s = (0.0, 0.0)
        if self._audio is not None and self._audio.end_s is not None:
            self._sounded_until_s = self._audio.end_s
        self._audio = None

    def _shift(self, frame: Frame) -> int:
        if self._shift_s is None:
            self._shift_s = ORIGIN_S + max(0, math.ceil(-frame.seconds))
        return self._shift_s

    def _queue_audio(self, frame: Frame) -> None:
        if self._audio is None:
            self._audio = AudioQueue(2, self._shift(frame), frame.config.clock_rate)
        self._audio.add(frame)

    def _lead_frame(self, frame: Frame) -> list[Cut]:
        cuts: list[Cut] = []
        if self._part:
            step = frame.dts - self._part[-1].dts
            if step > MAX_STALL_S * self._clock or (frame.discontinuity and frame.keyframe):
                guess = max(1, min(step, self._part[-1].duration or round(self._interval)))
                cuts = self._end_epoch(self._part[-1].dts + guess)
                self._begin_epoch()
            else:
                self._follow(step)
                cuts = self._boundary(frame)
        if frame.keyframe:
            self._keyframe(frame)
        self._settle(frame)
        if not self._part and (not cuts or cuts[-1].epoch != self._epoch):
            self._part_start = self._segment_start = self._epoch_start = frame.dts - self._slack
        self._part.append(frame)
        self._part_bytes += len(frame.payload)
        return cuts

    def _follow(self, step: int) -> None:
        if not self._interval:
            self._interval = step
        elif step < 2 * self._interval:
            self._interval += (step - self._interval) / INTERVAL_WEIGHT

    def _boundary(self, frame: Frame) -> list[Cut]:
        """Cuts made by the arrival of a frame in a running epoch."""
        at = frame.dts
        wanted = at - self._slack
        length = wanted - self._part_start
        if self._segment_ends_at(frame):
            return self._close(at, ends_segment=True)
        if at - self._part_start < self._least:
            return []
        if length + self._interval <= self._target and not self._rare_keyframe(frame):
            return []
        return self._close(at, ends_segment=False)

    def _rare_keyframe(self, frame: Frame) -> bool:
        """A keyframe worth a part of its own; in a stream of keyframes (audio, intra-only video) none is."""
        return frame.keyframe and (self._last_key is None or frame.dts - self._last_key > self._target)

    def _segment_ends_at(self, frame: Frame) -> bool:
        if self._segment_bytes + self._part_bytes + len(frame.payload) > MAX_SEGMENT_BYTES:
            return True
        if not frame.keyframe:
            return False
        length_s = (frame.dts - self._segment_start) / self._clock
        gop_s = (frame.dts - self._last_key) / self._clock if self._last_key is not None else length_s
        return pace.cut_here(length_s, gop_s, self._pace.segment_s)

    def _close(self, at: int, *, ends_segment: bool) -> list[Cut]:
        """Close the open part; the frame with dts `at` starts the next one."""
        start, count = self._part_start, len(self._part)
        latest = start + self._target
        boundary = max(min(at - self._slack, latest), start + count)
        if not ends_segment:
            boundary = max(boundary, start + self._least)
        missing = 0
        if at - boundary > self._target:
            missing = (at - latest) // self._target * self._target
            boundary = latest + missing
        first = self._part[0]
        cut = Cut(
            epoch=self._epoch,
            tracks=self._tracks,
            runs=self._runs(boundary, at, (at - missing) / self._clock),
            duration_us=self._us(boundary - missing) - self._us(start),
            independent=first.keyframe,
            wall=first.wall,
            ends_segment=False,
        )
        self._segment_bytes += self._part_bytes
        self._part = []
        self._part_bytes = 0
        cuts = [cut, *self._fillers(cut, boundary - missing, boundary, at)]
        self._part_start = boundary
        return self._end_segments(cuts, start, ends_segment=ends_segment)

    def _fillers(self, before: Cut, start: int, end: int, at: int) -> list[Cut]:
        """Parts of exactly PART-TARGET from `start` to `end`, in which the picture before them is still shown."""
        fillers = []
        shift_s = self._shift_s or 0
        empty = TrackRun(1, end + shift_s * self._clock, ())
        for begin in range(start, end, self._target):
            stop = begin + self._target
            audio = self._audio.take((at - (end - stop)) / self._clock) if self._audio is not None else None
            filler = replace(
                before,
                runs=(empty,) if audio is None else (audio,),
                duration_us=self._us(stop) - self._us(begin),
                independent=False,
                wall=before.wall + (begin - self._part_start) / self._clock,
            )
            fillers.append(filler)
        return fillers

    def _end_segments(self, cuts: list[Cut], start: int, *, ends_segment: bool) -> list[Cut]:
        """Mark the cuts after which a segment ends: at the wanted place, and wherever one more part might be too much."""
        out = []
        position_us = self._us(start) - self._us(self._segment_start)
        for index, cut in enumerate(cuts):
            position_us += cut.duration_us
            last = index + 1 == len(cuts)
            ends = (last and ends_segment) or self._full(position_us)
            if ends:
                self._longest_s = max(self._longest_s, position_us / 1e6)
                position_us = 0
                self._segment_bytes = 0
            out.append(replace(cut, ends_segment=True) if ends else cut)
        if out[-1].ends_segment:
            self._segment_start = self._part_start
        else:
            self._segment_start = self._part_start - position_us * self._clock // 1_000_000
        return out

    def _full(self, length_us: int) -> bool:
        def limit_us() -> int:
            return round((self.target_duration + pace.ROUNDING_S) * 1e6)

        while not self._sealed and self.target_duration < pace.TARGET_CEILING_S:
            if length_us + self.part_target_us <= limit_us():
                return False
            self.target_duration += 1
        return length_us + self.part_target_us > limit_us()

    def _end_epoch(self, end: int) -> list[Cut]:
        """Close part and segment for good; the last frame ends at `end`."""
        start, count = self._part_start, len(self._part)
        boundary = max(min(end - self._slack, start + self._target), start + count)
        length_us = self._us(boundary) - self._us(self._segment_start)
        self._longest_s = max(self._longest_s, length_us / 1e6)
        first = self._part[0]
        cut = Cut(
            epoch=self._epoch,
            tracks=self._tracks,
            runs=self._runs(boundary, end, None),
            duration_us=self._us(boundary) - self._us(start),
            independent=first.keyframe,
            wall=first.wall,
            ends_segment=True,
        )
        self._part = []
        self._part_bytes = self._segment_bytes = 0
        return [cut]

    def _runs(self, boundary: int, at: int, audio_until_s: float | None) -> tuple[TrackRun, ...]:
        """The open part as samples that fill [part start, boundary): decode times spread, composition untouched."""
        frames, start = self._part, self._part_start
        raw = frames[0].dts
        span, room = at - raw, boundary - start
        times = [start + (frame.dts - raw) * room // span for frame in frames]
        for index in range(1, len(times)):
            # at least a tick for each picture, and room for those that follow
            times[index] = min(max(times[index], times[index - 1] + 1), boundary - len(times) + index)
        samples = _samples(frames, times, boundary)
        shift = self._shift(frames[0]) * self._clock
        lead = TrackRun(1, start + shift, samples)
        audio = self._take_audio(audio_until_s, boundary)
        return (lead,) if audio is None else (lead, audio)

    def _take_audio(self, until_s: float | None, boundary: int) -> TrackRun | None:
        queue = self._audio
        if queue is None:
            return None
        if self._epoch > 1:
            queue.begin(queue.ticks(self._epoch_start, self._clock), self._sounded_until_s)
        return queue.take(until_s, queue.ticks(boundary, self._clock) if until_s is None else None)

    def _us(self, ticks: int) -> int:
        return ticks * 1_000_000 // self._clock

    def _keyframe(self, frame: Frame) -> None:
        if self._last_key is not None:
            gop_s = (frame.dts - self._last_key) / self._clock
            if self._lead is Kind.VIDEO:
                self._last_gops_s = (self._last_gops_s[1], gop_s)
            if not self._sealed or not self.settled:
                self._measured_gop(gop_s)
        self._last_key = frame.dts

    def _measured_gop(self, gop_s: float) -> None:
        if not self._sealed:
            length_s = max(self._pace.segment_s, pace.segment_length(gop_s, self._pace.segment_s))
            self.target_duration = max(self._fitting(length_s), math.ceil(self._longest_s - pace.ROUNDING_S))
        self.settled = True

    def _fitting(self, segment_s: float) -> int:
        return pace.target_duration(segment_s, (self.part_target_us / 1e6) or self._pace.part_s)

    def _settle(self, frame: Frame) -> None:
        if self._first_lead is None:
            self._first_lead = frame.dts
        if not self.settled and frame.dts - self._first_lead > SETTLE_S * self._clock:
            if not self._sealed:
                self.target_duration = pace.TARGET_CEILING_S
            self.settled = True


def _samples(frames: Sequence[Frame], times: Sequence[int], end: int) -> tuple[Sample, ...]:
    return tuple(
        [
            Sample(frame.payload, max(1, after - time), max(-MAX_OFFSET, min(frame.pts - time, MAX_OFFSET)), frame.keyframe)
            for frame, time, after in zip(frames, times, [*times[1:], end], strict=True)
        ]
    )
