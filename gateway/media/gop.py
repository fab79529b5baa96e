"""The frames since the last keyframe, so that a new viewer has a picture at once.

Pure; called on the event loop by `Stream`. Cost per frame: one append. Memory: the payloads are shared with every output.
"""

from __future__ import annotations

from gateway.media.frame import Frame
from gateway.media.track import Kind

MAX_BYTES = 24 * 1024 * 1024
"""A 12 Mbit/s 4K camera with a 15 s GOP fits; beyond it the start of the GOP is not worth its memory on a Pi."""
FRUGAL_BYTES = 4 * 1024 * 1024
"""While memory is short: two seconds of that camera. Viewers of longer GOPs wait for the next keyframe."""
MAX_SECONDS = 20.0
"""Smart codecs (H.264+, H.265+) stretch the GOP to 10 s and more. Replaying over 20 s of past helps nobody."""


class GopCache:
    """Holds one GOP, or nothing: once a bound is passed it stays empty until the next keyframe."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> None:
        self._max_bytes = self._bound = max_bytes
        self._max_seconds = max_seconds
        self._frames: list[Frame] = []
        self._bytes = 0

    @property
    def frames(self) -> list[Frame]:
        """The cached frames in arrival order, the first one a video keyframe. A copy."""
        return list(self._frames)

    @property
    def size(self) -> int:
        """Bytes of payload held."""
        return self._bytes

    def be_frugal(self, frugal: bool) -> None:
        """Hold less from now on, or as much as usual."""
        self._bound = min(FRUGAL_BYTES, self._max_bytes) if frugal else self._max_bytes
        if self._bytes > self._bound:
            self.clear()

    def append(self, frame: Frame) -> None:
        """Take the next frame. A video keyframe starts anew; anything before the first keyframe is ignored."""
        if frame.keyframe and frame.kind is Kind.VIDEO:
            self._frames = [frame]
            self._bytes = len(frame.payload)
            return
        if not self._frames:
            return
        self._frames.append(frame)
        self._bytes += len(frame.payload)
        if self._bytes > self._bound or abs(frame.seconds - self._frames[0].seconds) > self._max_seconds:
            self.clear()

    def clear(self) -> None:
        """Forget everything until the next keyframe."""
        self._frames = []
        self._bytes = 0
