"""Maps a stream's timeline to wall-clock time: when was this picture taken?

The time of arrival jitters with the network, but only ever late. The smallest difference between arrival and timeline over
the last while is the best estimate of the true offset; it follows the drift between the camera's clock and ours within
a window. What the camera's encoder and the network always take is missing from it. A camera whose clock is kept by a time
server says it: its sender reports date the taking itself. They are believed while they say what can be: that pictures take a
moment, and not long. Most cameras' clocks are minutes off, and betray themselves. Pure; used by reader threads.
"""

from __future__ import annotations

WINDOW_S = 20.0
"""Two windows are kept. Crystal drift is at most some 100 ppm: 2 ms in a window."""
STEP_S = 10.0
"""No picture arrives so much later than the ones before it, a session would have been given up: our clock was set forward."""
EARLY_S, LONGEST_S = 0.005, 0.5
"""A picture cannot be here before it was taken, but for what two time servers differ by; and encoders with the network between
take up to half a second. A clock that is wrong by less than that is out by as much as is gained by a right one."""
TRIAL_S = 20.0
"""A clock must say what can be for so long: as a wrong one drifts past the right time, it does so for a while."""
SLEW = 0.02
"""Dates move by this share of time when a clock begins or ceases to be believed: a playlist's dates must fit its durations."""


class CaptureClock:
    """Offset estimator of one session."""

    def __init__(self) -> None:
        self._window_start: float | None = None
        self._current = float("inf")
        self._previous = float("inf")
        self._behind = 0.0
        """Seconds by which pictures are older than the estimate by their arrival."""
        self._credible_since: float | None = None
        self._moved_at = 0.0

    def reset(self) -> None:
        """The timeline jumped: earlier estimates say nothing."""
        self._window_start = None
        self._current = self._previous = float("inf")

    def wall(self, timeline_s: float, arrival_wall: float, camera_offset: float | None = None) -> float:
        """Unix seconds at which the frame of `timeline_s` was taken; it has just arrived at `arrival_wall`.

        `camera_offset` is that time by the camera's own clock, less `timeline_s`; None where it says nothing.
        """
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
        least = min(self._current, self._previous)
        if camera_offset is not None:
            self._heed(least - camera_offset, arrival_wall)
        return timeline_s + least - self._behind

    def _heed(self, took_s: float, now: float) -> None:
        """By the camera's clock the quickest pictures take `took_s`."""
        wanted = 0.0
        if not -EARLY_S <= took_s <= LONGEST_S:
            self._credible_since = None
        elif self._credible_since is None or now < self._credible_since:
            self._credible_since = now
        elif now - self._credible_since >= TRIAL_S:
            wanted = max(0.0, took_s)
        step = SLEW * min(max(0.0, now - self._moved_at), 1.0)
        self._moved_at = now
        self._behind += max(-step, min(step, wanted - self._behind))
