"""What one run of the encoder's thread works through: the pictures and the sounds that are due, as canonical frames.

Owned by that thread. Time is passed in, in seconds of the stream; only the clock in the picture is read where it is
painted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.media.frame import Frame
from gateway.media.track import VIDEO_CLOCK_HZ, Codec
from gateway.simulator.pacing import AudioGrid, VideoGrid
from gateway.simulator.picture import Painter
from gateway.simulator.tone import tone
from gateway.simulator.video_codec import Sample, VideoEncoder, VideoSpec

MAX_LATE_SOUND_S = 0.5
"""Shorter hiccups lose no sound: what is late is sent at once, as a camera's buffer does."""

PainterFor = Callable[[VideoEncoder], Painter]
Aim = Callable[[], tuple[float, float, float]]
"""Where the camera looks now: pan, tilt, zoom. Called by the encoder's thread."""


class Pictures:
    """The video half of a session."""

    def __init__(self, painter_for: PainterFor, spec: VideoSpec, zero_wall: float, aim: Aim | None = None) -> None:
        self._aim = aim
        self._painter_for = painter_for
        self._zero_wall = zero_wall
        self._walls: dict[int, float] = {}
        self._last_dts = 0
        self._number = 0
        self._open(spec)

    def begin(self, now: float) -> None:
        """Start with the next picture after `now`, and after anything that an earlier session can have sent, its
        reordered pictures included. Called once the slow preparations are over, or the first picture would be late."""
        self._number = self._grid.following(-1, now) + 1 + self.spec.bframes

    @property
    def spec(self) -> VideoSpec:
        """What is being encoded."""
        return self._encoder.spec

    @property
    def due(self) -> float:
        """When the next picture is due, in seconds of the stream's time."""
        return self._grid.due(self._number)

    def take(self, now: float, *, keyframe: bool) -> list[Frame]:
        """Paint and encode the picture that is due."""
        number = self._grid.following(self._number - 1, now)
        wall = time.time()
        self._painter.paint(self._encoder.planes, wall, number, self._aim() if self._aim is not None else None)
        pts = self._grid.ticks(number)
        self._walls[pts] = wall
        self._number = number + 1
        return self._frames(self._encoder.encode(pts, keyframe=keyframe))

    def reopen(self, spec: VideoSpec) -> list[Frame]:
        """Go on with another size; returns what was still inside the encoder."""
        rest = self._frames(self._encoder.flush())
        self._open(spec)
        return rest

    def _open(self, spec: VideoSpec) -> None:
        self._encoder = VideoEncoder(spec)
        self._grid = VideoGrid(spec.fps, VIDEO_CLOCK_HZ)
        self._painter = self._painter_for(self._encoder)
        self._duration = self._grid.ticks(1)

    def _frames(self, samples: list[Sample]) -> list[Frame]:
        frames = []
        for sample in samples:
            dts = max(sample.dts, self._last_dts + 1)
            self._last_dts = dts
            wall = self._walls.pop(sample.pts, self._zero_wall + sample.pts / VIDEO_CLOCK_HZ)
            frames.append(
                Frame(
                    config=self._encoder.config,
                    dts=dts,
                    pts=max(sample.pts, dts),
                    duration=self._duration,
                    keyframe=sample.keyframe,
                    discontinuity=False,
                    wall=wall,
                    payload=sample.payload,
                )
            )
        return frames


class Sounds:
    """The audio half of a session; without sound it is never due."""

    def __init__(self, codec: Codec | None, zero_wall: float, now: float) -> None:
        self._tone = tone(codec) if codec is not None else None
        self._zero_wall = zero_wall
        self.due = float("inf")
        if self._tone is not None:
            self._grid = AudioGrid(self._tone, zero_wall)
            self._number = self._grid.first_after(now)
            self.due = self._grid.due(self._number)

    def take(self, now: float) -> list[Frame]:
        """The frames that are complete at `now`. After a hiccup the sound that was missed is left out."""
        frames: list[Frame] = []
        if self._tone is None or self.due > now:
            return frames
        if now - self.due > MAX_LATE_SOUND_S:
            self._number = self._grid.first_after(now)
        while (due := self._grid.due(self._number)) <= now:
            ticks = self._grid.ticks(self._number)
            frames.append(
                Frame(
                    config=self._tone.config,
                    dts=ticks,
                    pts=ticks,
                    duration=self._tone.frame_ticks,
                    keyframe=True,
                    discontinuity=False,
                    wall=self._zero_wall + ticks / self._tone.config.clock_rate,
                    payload=self._grid.payload(self._number),
                )
            )
            self._number += 1
        self.due = due
        return frames
