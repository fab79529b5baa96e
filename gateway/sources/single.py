"""One keyframe straight from a camera, for `gateway snapshot`. Runs on the caller's thread."""

from __future__ import annotations

from gateway.config.model import Camera, RtspDefaults
from gateway.errors import NoVideo
from gateway.media.frame import Frame
from gateway.media.state import Status
from gateway.media.timestamps import Timeline
from gateway.media.track import Kind
from gateway.sources.camera import locations, pull_settings
from gateway.sources.location import CameraFinder, Shared
from gateway.sources.rtsp import RtspReader


class _Catcher:
    """Takes the first keyframe and lets the reader go."""

    def __init__(self) -> None:
        self.frame_caught: Frame | None = None
        self.reader: RtspReader | None = None

    def begin(self, expected: frozenset[Kind], audio_note: str) -> None:
        """Nothing to prepare."""

    def frame(self, frame: Frame) -> None:
        """Keep the first video keyframe."""
        if self.frame_caught is None and frame.kind is Kind.VIDEO and frame.keyframe:
            self.frame_caught = frame
            if self.reader is not None:
                self.reader.stop()

    def end(self) -> None:
        """Nothing to clean up."""

    def status(self, status: Status) -> None:
        """Failures are raised instead."""


def first_keyframe(camera: Camera, defaults: RtspDefaults, finder: CameraFinder) -> Frame:
    """Pull the main stream until its first keyframe. Raises SourceError."""
    main, _ = locations(camera, Shared(camera, finder) if camera.address is not None else None)
    if main is None:
        raise NoVideo(f"{camera.id} is a publisher: it cannot be asked for a picture")
    catcher = _Catcher()
    catcher.reader = RtspReader(camera.id, main, pull_settings(camera, defaults), Timeline(), catcher)
    catcher.reader.run_once()
    if catcher.frame_caught is None:
        raise NoVideo(f"{camera.id} sent no keyframe")
    return catcher.frame_caught
