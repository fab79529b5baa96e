"""What can go wrong with a camera, on request: the switches that tests and the curious flip while everything runs.

`Faults` holds the state of one camera and bends the frames that pass. Event loop only.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import replace

from gateway.media.frame import Frame
from gateway.media.track import Kind

MAX_JUMP_S = 1_000_000.0
"""Eleven days; more than any RTP clock takes to wrap."""


class Frozen(enum.Enum):
    """What no longer leaves a camera although its session stays open."""

    NOTHING = "off"
    VIDEO = "video"
    """Sound goes on: a hung sensor, or a Wi-Fi link that is too thin."""
    ALL = "all"


class Faults:
    """Faults of one camera. Read by its faces, applied to its frames."""

    def __init__(self) -> None:
        self.refuse_login = False
        """Every user name and password is wrong."""
        self.dark = False
        """The camera is gone: no port answers, no discovery."""
        self._frozen = Frozen.NOTHING
        self._jump_s = 0.0

    @property
    def frozen(self) -> Frozen:
        """What is frozen now."""
        return self._frozen

    def freeze(self, what: Frozen) -> None:
        """Freeze, or go on with `Frozen.NOTHING`. Streams go on with a keyframe."""
        self._frozen = what

    @property
    def jump_s(self) -> float:
        """Seconds that all timestamps are off by now."""
        return self._jump_s

    def jump(self, seconds: float) -> None:
        """Move all timestamps from now on by `seconds` more (or back). Raises ValueError beyond `MAX_JUMP_S`."""
        total = self._jump_s + seconds
        if not abs(total) <= MAX_JUMP_S:
            raise ValueError(f"timestamps can be off by at most {MAX_JUMP_S:.0f} s")
        self._jump_s = total

    def gate(self) -> FrameGate:
        """A gate for one stream of this camera."""
        return FrameGate(self)


class FrameGate:
    """What of a stream leaves the camera under its present faults."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._needs_keyframe = False

    def apply(self, frames: Iterable[Frame]) -> list[Frame]:
        """The frames that pass, with the timestamps the camera claims."""
        frozen, jump_s = self._faults.frozen, self._faults.jump_s
        passed = []
        for frame in frames:
            if frozen is Frozen.ALL or (frozen is Frozen.VIDEO and frame.kind is Kind.VIDEO):
                self._needs_keyframe = self._needs_keyframe or frame.kind is Kind.VIDEO
                continue
            if self._needs_keyframe and frame.kind is Kind.VIDEO:
                if not frame.keyframe:
                    continue
                self._needs_keyframe = False
            if jump_s:
                ticks = round(jump_s * frame.config.clock_rate)
                frame = replace(frame, dts=frame.dts + ticks, pts=frame.pts + ticks)
            passed.append(frame)
        return passed
