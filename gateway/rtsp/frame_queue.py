"""Frames on their way to one viewer that may be slower than the camera. Pure; clock passed in; event loop only.

Holds references to frames, which the GOP cache and every other viewer share, so that a queue costs next to nothing
until its viewer falls behind. Then whole frames go, up to the newest keyframe: cut anywhere else, a picture is garbage.
"""

from __future__ import annotations

from collections import deque

from gateway.media.frame import Frame
from gateway.media.track import Kind

MAX_BYTES = 8 * 1024 * 1024
"""Beyond what was there to begin with: 5 s of a 12 Mbit/s camera."""
MAX_WAIT_S = 5.0
"""A live picture older than this is better skipped."""


class FrameQueue:
    """First in, first out, with a conscience for keyframes of the `gate` kind."""

    def __init__(self, gate: Kind, max_bytes: int = MAX_BYTES, max_wait_s: float = MAX_WAIT_S) -> None:
        self.gate = gate
        self._max_bytes = max_bytes
        self._max_wait_s = max_wait_s
        self._entries: deque[tuple[Frame, float]] = deque()
        self._bytes = 0
        self._gated = False
        self.dropped = 0
        """Frames this viewer never got."""

    @property
    def size(self) -> int:
        """Bytes of payload waiting."""
        return self._bytes

    @property
    def frames(self) -> list[Frame]:
        """What waits, oldest first. A copy."""
        return [frame for frame, _ in self._entries]

    def forgive(self) -> None:
        """What waits now is a new viewer's share of the past and does not count as falling behind."""
        self._max_bytes += self._bytes

    def put(self, frame: Frame, now: float) -> None:
        """Add a frame at `now` (monotonic seconds); drops what the viewer is too slow for."""
        if self._gated:
            if not self._is_gate(frame):
                self.dropped += 1
                return
            self._gated = False
        self._entries.append((frame, now))
        self._bytes += len(frame.payload)
        if self._bytes > self._max_bytes or now - self._entries[0][1] > self._max_wait_s:
            self._shed()

    def get(self) -> Frame | None:
        """The oldest frame, or None."""
        if not self._entries:
            return None
        frame, _ = self._entries.popleft()
        self._bytes -= len(frame.payload)
        return frame

    def clear(self) -> None:
        """Forget what waits."""
        self._entries.clear()
        self._bytes = 0

    def _is_gate(self, frame: Frame) -> bool:
        return frame.keyframe and frame.kind is self.gate

    def _shed(self) -> None:
        newest = max((index for index, (frame, _) in enumerate(self._entries) if self._is_gate(frame)), default=0)
        keep = list(self._entries)[newest:] if newest else []
        size = sum(len(frame.payload) for frame, _ in keep)
        if size > self._max_bytes:
            keep, size = [], 0
        self.dropped += len(self._entries) - len(keep)
        self._gated = not keep
        self._entries = deque(keep)
        self._bytes = size
