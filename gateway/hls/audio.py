"""Collects audio between two cuts and gives it exact, gapless times.

Pure; used by the cutter on the event loop. A part must not wait for audio: the last frame of a run gets the source's guess as
its duration, and the next run begins where that guess ended if the truth differs by less than half a frame (publishers
count in milliseconds). A larger difference is a lost packet and stays visible as one.
"""

from __future__ import annotations

from collections import deque

from gateway.media.fragment import Sample, TrackRun
from gateway.media.frame import Frame

MAX_HOLE_S = 10.0
"""A longer sample would overflow players' buffers of one track against the other; the frame keeps its own duration."""
MAX_PENDING_FRAMES = 4096
"""Audio that keeps coming while no video closes a part: 87 s of AAC at 48 kHz. Older frames are let go."""


class AudioQueue:
    """Audio frames on their way into parts."""

    def __init__(self, track_id: int, shift: int) -> None:
        self._track_id = track_id
        self._shift = shift
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

    def take(self, until_s: float | None) -> TrackRun | None:
        """The frames that begin before `until_s` (seconds of the stream's timeline; None: all), or None if there are none."""
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
            duration = max(1, frame.duration) if after is None else max(1, after.dts + self._shift - time)
            if duration > longest:
                duration = max(1, frame.duration)
            samples.append(Sample(frame.payload, duration, 0, True))
            time += duration
        self._expected = time
        return TrackRun(self._track_id, start, samples)

    def _start(self, frame: Frame) -> int:
        start = frame.dts + self._shift
        if self._expected is not None and abs(start - self._expected) <= max(1, frame.duration) // 2:
            return self._expected
        return start
