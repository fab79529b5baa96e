"""One stream in one format for all pages that show it: every frame becomes a record once. Event loop only.

A feed is attached to its stream while at least one page shows it. It outlives the `Stream` object: when the camera is
configured anew, the viewers stay and go on with the new one.
"""

from __future__ import annotations

import logging
from typing import Protocol

from gateway.live import messages
from gateway.live.messages import Format
from gateway.media.demand import Hold
from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Kind, Tracks

log = logging.getLogger(__name__)

KIND = "ws"
"""Kind of the claims on `Demand`."""


class Viewer(Protocol):
    """A connection as a feed sees it. Must return at once and never raise."""

    def on_start(self, feed: Feed, past: list[tuple[bytes, bool]]) -> None:
        """The channel begins: configuration if there is one yet, then these records, each with whether it is video."""

    def on_config(self, feed: Feed, record: bytes) -> None:
        """A new configuration; a keyframe follows."""

    def on_frame(self, feed: Feed, record: bytes, keyframe: bool, video: bool) -> None:
        """The next frame."""

    def on_unplayable(self, feed: Feed, reason: str) -> None:
        """The stream cannot be sent in this format."""


class Feed:
    """The records of one stream and format."""

    def __init__(self, channel: int, wanted: Format, stream: Stream) -> None:
        self.channel = channel
        self.format = wanted
        self.stream = stream
        self.config: bytes | None = None
        """The configuration record in force; None before the stream's first tracks."""
        self.problem = ""
        """Why there is none although there are tracks."""
        self._epoch = 0
        self._sequence = 0
        self._replaying = False
        self._viewers: dict[Viewer, Hold] = {}

    @property
    def watched(self) -> bool:
        """Someone is shown this."""
        return bool(self._viewers)

    def join(self, viewer: Viewer) -> None:
        """Send this viewer the stream from its newest keyframe on; a viewer that is here already starts anew."""
        if viewer not in self._viewers:
            self._viewers[viewer] = self.stream.demand.hold(KIND)
        if not self.stream.feeds(self):  # the first viewer, or a defect of ours had it removed
            self._attach()
        viewer.on_start(self, self._past())
        if self.problem:
            viewer.on_unplayable(self, self.problem)

    def leave(self, viewer: Viewer) -> None:
        """Send it nothing more."""
        hold = self._viewers.pop(viewer, None)
        if hold is None:
            return
        hold.release()
        if not self._viewers:
            self.stream.unsubscribe(self)
            self.config, self.problem = None, ""

    def rebind(self, stream: Stream) -> None:
        """The camera was configured anew: same id, another `Stream`."""
        if self.stream is stream:
            return
        self.stream.unsubscribe(self)
        self.stream = stream
        for viewer, hold in list(self._viewers.items()):
            hold.release()
            self._viewers[viewer] = stream.demand.hold(KIND)
        self.config, self.problem = None, ""
        if self._viewers:
            self._attach()
            past = self._past()
            for viewer in tuple(self._viewers):
                viewer.on_start(self, past)
                if self.problem:
                    viewer.on_unplayable(self, self.problem)

    # --- Subscriber -------------------------------------------------------------------------------------------------------

    def on_tracks(self, tracks: Tracks) -> None:
        """See `Subscriber`."""
        self._epoch += 1
        self.problem = ""
        try:
            self.config = messages.config_record(self.channel, self._epoch, self.format, tracks)
        except ValueError as error:
            self.config = None
            self.problem = str(error)
        if self._replaying:
            return
        for viewer in tuple(self._viewers):
            if self.config is not None:
                viewer.on_config(self, self.config)
            else:
                viewer.on_unplayable(self, self.problem)

    def on_frame(self, frame: Frame) -> None:
        """See `Subscriber`."""
        if self._replaying:
            return
        record = self._record(frame)
        if record is None:
            return
        video = frame.kind is Kind.VIDEO
        for viewer in tuple(self._viewers):
            viewer.on_frame(self, record, frame.keyframe, video)

    def _attach(self) -> None:
        # each viewer is given the past for itself, in `join`
        self._replaying = True
        try:
            self.stream.subscribe(self)
        finally:
            self._replaying = False

    def _past(self) -> list[tuple[bytes, bool]]:
        records = ((self._record(frame), frame.kind is Kind.VIDEO) for frame in self.stream.recent)
        return [(record, video) for record, video in records if record is not None]

    def _record(self, frame: Frame) -> bytes | None:
        if self.config is None or (frame.kind is Kind.AUDIO and not self.format.has_audio):
            return None
        self._sequence += 1
        try:
            return messages.frame_record(self.channel, self._epoch, self.format, frame, self._sequence)
        except ValueError as error:
            log.warning("stream %s: a frame could not be sent to the wall: %s", self.stream.id, error)
            return None
