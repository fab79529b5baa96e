"""Which picture is due when. Pure: time is passed in; the encoder's thread asks.

A camera's sensor runs on its own clock. So does this: picture `n` belongs to the moment `n / fps` after the stream's
zero, whatever happened before. A late thread skips pictures, never makes up for them in a burst, and nothing drifts.
"""

from __future__ import annotations

import math

from gateway.simulator.tone import Tone


class VideoGrid:
    """Pictures at `fps` per second, counted from the stream's zero."""

    def __init__(self, fps: int, clock_rate: int) -> None:
        self._fps = fps
        self._clock_rate = clock_rate

    def due(self, number: int) -> float:
        """Seconds from the stream's zero to picture `number`."""
        return number / self._fps

    def following(self, number: int, now: float) -> int:
        """The picture to take after `number` at `now` seconds: the next one, or a later one if we are late."""
        return max(number + 1, math.floor(now * self._fps))

    def ticks(self, number: int) -> int:
        """`pts` of picture `number`."""
        return round(number * self._clock_rate / self._fps)


class AudioGrid:
    """The frames of a `Tone` on a stream whose zero was at `zero_wall` (Unix seconds)."""

    def __init__(self, tone: Tone, zero_wall: float) -> None:
        self._tone = tone
        self._rate = tone.config.clock_rate
        loop_began = zero_wall // tone.loop_s * tone.loop_s
        self._shift = round((loop_began - zero_wall) * self._rate)

    def due(self, number: int) -> float:
        """Seconds from the stream's zero until frame `number` is complete and can leave the camera."""
        return (self.ticks(number) + self._tone.frame_ticks) / self._rate

    def first_after(self, now: float) -> int:
        """The first frame that is complete after `now` seconds."""
        return math.floor((now * self._rate - self._shift) / self._tone.frame_ticks)

    def ticks(self, number: int) -> int:
        """`pts` of frame `number`."""
        return self._shift + number * self._tone.frame_ticks

    def payload(self, number: int) -> bytes:
        """What is heard in frame `number`."""
        frames = self._tone.frames
        return frames[number % len(frames)]
