"""What a camera's stream really delivers, watched for a few seconds. Runs on the caller's thread.

Settings pages promise frame rates and keyframe intervals that dim light and smart codecs do not keep.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.media.frame import Frame
from gateway.media.state import Status
from gateway.media.timestamps import Timeline
from gateway.media.track import Kind
from gateway.sources.location import Fixed
from gateway.sources.rtsp import RtspReader
from gateway.sources.session import PullSettings

WATCH_S = 4.0
"""Enough for a frame rate and a bit rate."""
KEYFRAMES_S = 13.0
"""How long to wait for a second and third keyframe; an interval that is longer is bad news by itself."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A stream as it was seen. Zeros for what could not be measured."""

    codec: str
    width: int
    height: int
    fps: float
    bitrate: float
    """Bits per second, all tracks."""
    keyframe_interval: float
    """Seconds between the last two keyframes; 0: there was one only within `seconds`."""
    gop: int
    """Pictures from keyframe to keyframe."""
    audio: str
    """Codec after transcoding, empty without sound."""
    audio_note: str
    """What was done to the sound, or why there is none."""
    seconds: float
    """How long it was watched, in the stream's own time."""


@dataclass(slots=True)
class Tally:
    """Counts frames; a `Sink` for a reader. `enough` is called when there is nothing more to learn."""

    enough: Callable[[], None] = lambda: None
    monotonic: Callable[[], float] = time.monotonic
    _begun: float | None = None
    _video: list[tuple[float, bool]] = field(default_factory=list)
    _bytes: int = 0
    _last: Frame | None = None
    _audio: str = ""
    _note: str = ""

    def begin(self, expected: frozenset[Kind], audio_note: str) -> None:
        """See `Sink.begin`."""
        self._note = audio_note

    def frame(self, frame: Frame) -> None:
        """Count it."""
        if frame.kind is Kind.AUDIO:
            self._audio = frame.config.codec.value
        elif not self._video and not frame.keyframe:
            return
        else:
            self._video.append((frame.seconds, frame.keyframe))
            self._last = frame
        if not self._video:
            return
        self._bytes += len(frame.payload)
        now = self.monotonic()
        self._begun = now if self._begun is None else self._begun
        watched = now - self._begun
        keyframes = sum(keyframe for _, keyframe in self._video)
        if watched >= KEYFRAMES_S or (watched >= WATCH_S and keyframes >= 2):
            self.enough()

    def end(self) -> None:
        """See `Sink.end`."""

    def status(self, status: Status) -> None:
        """Failures are raised instead."""

    def result(self) -> Measured | None:
        """What was counted; None without a picture."""
        if self._last is None:
            return None
        config = self._last.config
        times = [seconds for seconds, _ in self._video]
        span = times[-1] - times[0]
        keys = [at for at, (_, keyframe) in enumerate(self._video) if keyframe]
        return Measured(
            codec=config.codec.value,
            width=config.width,
            height=config.height,
            fps=(len(times) - 1) / span if span > 0 else 0.0,
            bitrate=8 * (self._bytes - len(self._last.payload)) / span if span > 0 else 0.0,
            keyframe_interval=times[keys[-1]] - times[keys[-2]] if len(keys) > 1 else 0.0,
            gop=keys[-1] - keys[-2] if len(keys) > 1 else 0,
            audio=self._audio,
            audio_note=self._note,
            seconds=span,
        )


def measure(name: str, url: str, settings: PullSettings) -> Measured | None:
    """Pull the stream at `url` until it is known, 13 s and the open timeout at most. Raises SourceError."""
    tally = Tally()
    reader = RtspReader(name, Fixed(url), settings, Timeline(), tally)
    tally.enough = reader.stop
    reader.run_once()
    return tally.result()
