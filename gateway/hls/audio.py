"""Collects audio between two cuts and gives it exact, gapless times.

Pure; used by the cutter on the event loop. A part must not wait for audio: the last frame of a run gets the source's guess as
its duration, and the next run begins where that guess ended, whether the truth differs by a millisecond (publishers count in
them) or by lost packets: its first frame then lasts longer and is heard early. Browsers play sound and picture from one
buffer, and a hole of two frames in either makes both wait for the next keyframe (Media Source Extensions, coded frame
processing; seen with hls.js in Chromium: 43 ms of lost sound stopped a picture with a GOP of 4 s for 5 s). For the same reason
sound fills an epoch from its first picture to the end of its last one, but for the first epoch, which follows nothing.
"""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction

from gateway.media.fragment import Sample, TrackRun
from gateway.media.frame import Frame

MAX_HOLE_S = 10.0
"""A longer sample would overflow players' buffers of one track against the other; the frame keeps its own duration."""
EDGE_S = 1.0
"""Sound that begins or ends further from its pictures than this is not stretched: no single frame is to last that long."""
MAX_PENDING_FRAMES = 4096
"""Audio that keeps coming while no video closes a part: 87 s of AAC at 48 kHz. Older frames are let go."""


class AudioQueue:
    """Audio frames on their way into parts."""

    def __init__(self, track_id: int, shift_s: int, clock_rate: int) -> None:
        """`shift_s` is added to all times."""
        self._track_id = track_id
        self._clock_rate = clock_rate
        self._shift_s = shift_s
        self._shift = shift_s * clock_rate
        self._frames: deque[Frame] = deque(maxlen=MAX_PENDING_FRAMES)
        self._expected: int | None = None
        self.size = 0
        """Bytes waiting."""

    def add(self, frame: Frame) -> None:
        """Take the next audio frame."""
        if len(self._frames) == MAX_PENDING_FRAMES:
            self.size -= len(self._frames[0].payload)
        self._frames.append(frame)
        self.size += len(frame.payload)

    def ticks(self, ticks: int, clock_rate: int) -> int:
        """A time of another track in ticks of this one, shifted."""
        return (ticks + self._shift_s * clock_rate) * self._clock_rate // clock_rate

    @property
    def end_s(self) -> Fraction | None:
        """Where the sound that was taken ends, with the shift; None before any."""
        return Fraction(self._expected, self._clock_rate) if self._expected is not None else None

    def begin(self, at: int, sounded_until_s: Fraction) -> None:
        """The first frame lasts from `at` on (ticks, with the shift), unless it begins before or much later.

        It never goes back behind the sound of the epoch before, which may have come ahead of its pictures, or have been
        stretched to the last of them.
        """
        if self._expected is not None:
            return
        floor = math.ceil(sounded_until_s * self._clock_rate)
        while self._frames and self._frames[0].dts + self._shift + max(1, self._frames[0].duration) // 2 < floor:
            self.size -= len(self._frames.popleft().payload)
        if self._frames:
            at = max(at, floor)
            late = self._frames[0].dts + self._shift - at
            if -max(1, self._frames[0].duration) // 2 <= late <= EDGE_S * self._clock_rate:
                self._expected = at

    def take(self, until_s: float | None, end: int | None = None) -> TrackRun | None:
        """The frames that begin before `until_s` (seconds of the stream's timeline; None: all), or None if there are none.

        The last one lasts until `end` (ticks, with the shift) if it nearly does.
        """
        taken: list[Frame] = []
        while self._frames and (until_s is None or self._frames[0].seconds < until_s):
            frame = self._frames.popleft()
            taken.append(frame)
            self.size -= len(frame.payload)
        if not taken:
            return None
        time = start = self._start(taken[0])
        longest = int(MAX_HOLE_S * taken[0].config.clock_rate)
        following: list[Frame | None] = [*taken[1:], self._frames[0] if self._frames else None]
        samples = []
        for frame, after in zip(taken, following, strict=True):
            until = frame.dts + max(1, frame.duration) if after is None else after.dts
            duration = max(1, until + self._shift - time)
            if duration > longest:
                duration = max(1, frame.duration)
            if after is None and end is not None and 0 < end - time - duration <= EDGE_S * frame.config.clock_rate:
                duration = end - time
            samples.append(Sample(frame.payload, duration, 0, True))
            time += duration
        self._expected = time
        return TrackRun(self._track_id, start, samples)

    def _start(self, frame: Frame) -> int:
        start = frame.dts + self._shift
        early = max(1, frame.duration) // 2
        longest = int(MAX_HOLE_S * frame.config.clock_rate) - max(1, frame.duration)
        if self._expected is not None and -early <= start - self._expected <= longest:
            return self._expected
        return start
