"""One accepted publisher on its way into a stream, and the place where it arrives.

The connection hands over media messages and asks now and then whether they still come. Whatever ends the publisher is said
in one sentence, for the log, for the encoder and for the stream's status.

Event loop only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from gateway.media.frame import Frame
from gateway.media.timestamps import Timeline
from gateway.media.track import Kind
from gateway.rtmp.ingest import Ingest

log = logging.getLogger(__name__)

FIRST_MEDIA_S = 10.0
SILENCE_S = 20.0
"""SRS's first value; phones on the move are quiet for several seconds and come back."""


class PublishPoint(Protocol):
    """A stream that waits for its publisher. One publisher at a time; calls of others than the current one do nothing."""

    @property
    def id(self) -> str:
        """The stream's id."""

    @property
    def timeline(self) -> Timeline:
        """The stream's time, over all publishers."""

    @property
    def audio(self) -> bool:
        """Sound is wanted."""

    def open(self, publisher: Publisher, now: float) -> str:
        """Make `publisher` the current one. Returns why not, or an empty string."""

    def begin(self, publisher: Publisher, expected: frozenset[Kind], note: str) -> None:
        """Its tracks are known; `note` names what of it cannot be served."""

    def push(self, publisher: Publisher, frames: Iterable[Frame]) -> None:
        """Its next frames."""

    def close(self, publisher: Publisher, reason: str) -> None:
        """It is gone."""


Publish = Callable[[str], PublishPoint | None]
"""Finds the stream that waits for a publisher by its id."""


class Publisher:
    """One encoder, from its acceptance to its end."""

    def __init__(
        self,
        client: str,
        point: PublishPoint,
        now: float,
        dismiss: Callable[[str], None],
        *,
        first_media_s: float = FIRST_MEDIA_S,
        silence_s: float = SILENCE_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`dismiss` refuses the connection with a reason."""
        self.client = client
        self.point = point
        self.dismiss = dismiss
        self._ingest = Ingest(point.timeline, audio=point.audio)
        self._since = now
        self._first_media_s = first_media_s
        self._silence_s = silence_s
        self._wall = wall
        self._last_media: float | None = None
        self._last_frame: float | None = None
        self._bytes = 0
        self._frames = 0

    def silent_s(self, now: float) -> float:
        """Seconds since it last sent media."""
        return now - (self._since if self._last_media is None else self._last_media)

    def take(self, type_id: int, timestamp: int, payload: bytes, now: float) -> None:
        """Take one media message."""
        self._last_media = now
        self._bytes += len(payload)
        known = self._ingest.expected is not None
        frames = self._ingest.take(type_id, timestamp, payload, now, self._wall())
        if not known and self._ingest.expected is not None:
            self.point.begin(self, self._ingest.expected, self._ingest.note)
        if frames:
            self._last_frame = now
            self._frames += len(frames)
            self.point.push(self, frames)

    def check(self, now: float) -> str:
        """Why this publisher should be closed; empty while all is well."""
        if self._last_media is None:
            return f"no media within {self._first_media_s:.0f} s" if now - self._since >= self._first_media_s else ""
        if now - self._last_media >= self._silence_s:
            return f"sent nothing for {self._silence_s:.0f} s"
        # Media that makes no picture: a relay that joined a long GOP halfway, or a codec nobody can play.
        if self._last_frame is None and now - self._since >= self._silence_s:
            lost = self._ingest.unsupported
            if lost:
                return f"{lost} cannot be served: set the encoder to H.264 and AAC"
            return f"sent nothing that can be decoded for {self._silence_s:.0f} s"
        return ""

    def end(self, reason: str, now: float) -> None:
        """The connection lets go of it."""
        self.point.close(self, reason)
        log.info(
            "rtmp %s: published %s for %.1f s, %d bytes, %d frames: %s",
            self.client,
            self.point.id,
            now - self._since,
            self._bytes,
            self._frames,
            reason,
        )
