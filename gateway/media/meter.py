"""Measures what a stream really delivers: frame rate, bit rate, keyframe interval. Pure; one call per frame."""

from __future__ import annotations

from collections import deque

from gateway.media.frame import Frame
from gateway.media.track import Kind

SPAN_S = 5.0
"""Long enough to smooth a GOP of 2 s, short enough that a change shows while somebody looks."""
JITTER_FRAMES = 16
"""RFC 3550's weight of the newest distance."""


class Meter:
    """Sliding measurement over the last `SPAN_S` seconds of arrival time."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, int, int]] = deque()
        self._second = -1
        self._frames = 0
        self._bytes = 0
        self._first_at: float | None = None
        self._last_key: float | None = None
        self.keyframe_interval = 0.0
        """Seconds of media time between the last two video keyframes; 0 until two were seen."""
        self.last_video_at: float | None = None
        """Monotonic seconds of the last video frame's arrival."""
        self.jitter_s = 0.0
        """How unevenly pictures arrive: the mean deviation of their distances from what their times say (RFC 3550 6.4.1)."""
        self._last_s: float | None = None

    def reset(self) -> None:
        """Forget the rates: a new session begins. The keyframe interval is kept as an estimate."""
        self._buckets.clear()
        self._second = -1
        self._frames = self._bytes = 0
        self._first_at = None
        self._last_key = None
        self._last_s = None

    def add(self, frame: Frame, now: float) -> None:
        """Count a frame that arrived at `now` (monotonic seconds)."""
        if self._first_at is None:
            self._first_at = now
        second = int(now)
        if second != self._second:
            if self._second >= 0:
                self._buckets.append((self._second, self._frames, self._bytes))
            self._second, self._frames, self._bytes = second, 0, 0
            while self._buckets and self._buckets[0][0] < second - SPAN_S:
                self._buckets.popleft()
        self._bytes += len(frame.payload)
        if frame.kind is not Kind.VIDEO:
            return
        self._frames += 1
        seconds = frame.seconds
        if self._last_s is not None and self.last_video_at is not None and not frame.discontinuity:
            wander = abs(now - self.last_video_at - seconds + self._last_s)
            self.jitter_s += (wander - self.jitter_s) / JITTER_FRAMES
        self._last_s = seconds
        self.last_video_at = now
        if frame.keyframe:
            if self._last_key is not None and not frame.discontinuity:
                self.keyframe_interval = seconds - self._last_key
            self._last_key = seconds

    def rates(self, now: float) -> tuple[float, float]:
        """Video frames per second and bits per second (all tracks) over the whole seconds of the span; (0, 0) until known."""
        if self._first_at is None:
            return 0.0, 0.0
        # seconds without a frame have no bucket but count: a camera at 1 picture in 4 s is not one at 1 in 1 s
        first = max(int(self._first_at) + 1, int(now - SPAN_S))
        seconds = int(now) - first
        if seconds <= 0:
            return 0.0, 0.0
        whole = [bucket for bucket in self._buckets if first <= bucket[0] < int(now)]
        if first <= self._second < int(now):
            whole.append((self._second, self._frames, self._bytes))
        return sum(b[1] for b in whole) / seconds, 8 * sum(b[2] for b in whole) / seconds
