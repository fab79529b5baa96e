"""Finds the wall-clock time that sender reports promise for a point of the stream's timeline. Pure.

A frame's `wall` is often its time of arrival, which jitters by the network's and the scheduler's delays. Players move
their timestamps by every report (FFmpeg does, as soon as there are two tracks), so a jittering report makes jittering
pictures. Delay only ever makes a frame later: the earliest frame of a period is the one to believe, and the estimate
creeps towards it. Both tracks share one timeline and so one estimate: sound and picture keep exactly the distance they
have in the stream.
"""

from __future__ import annotations

STEP_S = 1.0
"""A change beyond this is the clock being set, or the stream's time jumping, and no jitter: it is followed at once."""
CREEP_S = 0.005
"""How far the estimate moves per period. A quarter of an audio frame, so that no player sees time go back; over a period
of 5 s it is 1000 ppm, ten times what two crystals differ by."""


class WallClock:
    """`observe` every frame; `at` tells the wall-clock time of a point on the timeline."""

    def __init__(self) -> None:
        self._offset: float | None = None
        self._earliest: float | None = None

    def observe(self, seconds: float, wall: float) -> None:
        """What is shown at `seconds` of the timeline was taken at `wall` (Unix seconds)."""
        offset = wall - seconds
        if self._offset is None or abs(offset - self._offset) > STEP_S:
            self._offset = self._earliest = offset
        elif self._earliest is None or offset < self._earliest:
            self._earliest = offset

    def settle(self) -> None:
        """End a period: creep towards what its earliest frame said."""
        if self._earliest is not None and self._offset is not None:
            self._offset += max(-CREEP_S, min(CREEP_S, self._earliest - self._offset))
        self._earliest = None

    def at(self, seconds: float) -> float:
        """Wall-clock time of `seconds`. Raises ValueError before the first observation."""
        if self._offset is None:
            raise ValueError("no frame has been observed yet")
        return self._offset + seconds
