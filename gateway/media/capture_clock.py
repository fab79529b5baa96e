"""Maps a stream's timeline to wall-clock time: when was this picture taken?

The time of arrival jitters with the network, but only ever late. The smallest difference between arrival and timeline over
the last while is the best estimate of the true offset; it follows the drift between the camera's clock and ours within
a window. Pure; used by reader threads. (A camera's own clock, where it can be trusted, will replace this estimate.)
"""

from __future__ import annotations

WINDOW_S = 20.0
"""Two windows are kept. Crystal drift is at most some 100 ppm: 2 ms in a window."""
STEP_S = 10.0
"""No picture arrives so much later than the ones before it, a session would have been given up: our clock was set forward."""


class CaptureClock:
    """Offset estimator of one session."""

    def __init__(self) -> None:
        self._window_start: float | None = None
        self._current = float("inf")
        self._previous = float("inf")

    def reset(self) -> None:
        """The timeline jumped: earlier estimates say nothing."""
        self._window_start = None
        self._current = self._previous = float("inf")

    def wall(self, timeline_s: float, arrival_wall: float) -> float:
        """Unix seconds at which the frame of `timeline_s` was taken; it has just arrived at `arrival_wall`."""
        offset = arrival_wall - timeline_s
        if offset - min(self._current, self._previous) > STEP_S:
            self.reset()
        if self._window_start is None:
            self._window_start = arrival_wall
        elif not 0 <= arrival_wall - self._window_start < WINDOW_S:
            self._previous = offset if self._current - offset > WINDOW_S else self._current
            self._current = float("inf")
            self._window_start = arrival_wall
        self._current = min(self._current, offset)
        return timeline_s + min(self._current, self._previous)
