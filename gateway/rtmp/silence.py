"""A silent AAC track for streams without sound, in RTMP only.

Players made of FFmpeg wait for the second track an FLV header promises: without one they take seconds to open a stream. Hosted
services (YouTube) want sound in every stream. The track is computed, not encoded: one access unit of silence, repeated. Its
times are the multiples of 1024 samples on the stream's own clock, so it neither drifts nor depends on when it was begun.

`Silenced` stands between a stream and a subscriber: it passes everything on, and adds the silence where there is no sound.

Pure; called from the event loop.
"""

from __future__ import annotations

from gateway.media import aac
from gateway.media.frame import Frame
from gateway.media.stream import Subscriber
from gateway.media.track import Kind, TrackConfig, Tracks

RATE_HZ, CHANNELS = 48_000, 2
"""What every service takes; one in mono at 16 kHz would save 600 bytes/s."""
AAC_LC = 2
MAX_GAP_FRAMES = 94
"""Two seconds. A longer step of the clock is an outage of the camera, which has no sound either."""

SILENT_UNIT = aac.silent_unit(CHANNELS)
SILENT_TRACK: TrackConfig = aac.track_config(aac.audio_specific_config(AAC_LC, RATE_HZ, CHANNELS))


class Silenced:
    """Subscriber of a stream in the place of `inner`."""

    def __init__(self, inner: Subscriber) -> None:
        self._inner = inner
        self._silent = False
        self._next: int | None = None
        """Number of the next unit, which starts at sample `_next` * 1024 of the stream's timeline; None before a picture."""
        self._filled: int | None = None
        """Up to this sample of the timeline there was silence, while a microphone that spoke up has not passed it."""

    def on_tracks(self, tracks: Tracks) -> None:
        """Announce the silent track where there is a picture and no sound."""
        silent = bool(tracks) and all(track.kind is Kind.VIDEO for track in tracks)
        if self._silent and not silent and self._next is not None:
            self._filled = self._next * aac.SAMPLES_PER_FRAME
        self._silent = silent
        self._inner.on_tracks((*tracks, SILENT_TRACK) if self._silent else tracks)

    def on_frame(self, frame: Frame) -> None:
        """Pass a frame on, and before a picture all silence up to it; the first picture comes first."""
        if not self._silent:
            self._next = None
            if not self._late(frame):
                self._inner.on_frame(frame)
            return
        end = frame.dts * RATE_HZ // (frame.config.clock_rate * aac.SAMPLES_PER_FRAME) + 1
        begin = end if self._next is None or not 0 <= end - self._next <= MAX_GAP_FRAMES else self._next
        for number in range(begin, end):
            self._inner.on_frame(_unit(number, frame.wall))
        self._next = end
        self._inner.on_frame(frame)

    def _late(self, frame: Frame) -> bool:
        """Sound from before the end of the silence. Cameras send it after its picture, and time must grow in every track."""
        if self._filled is None or frame.kind is not Kind.AUDIO:
            return False
        if frame.dts * RATE_HZ < self._filled * frame.config.clock_rate:
            return True
        self._filled = None
        return False


def _unit(number: int, wall: float) -> Frame:
    dts = number * aac.SAMPLES_PER_FRAME
    return Frame(SILENT_TRACK, dts, dts, aac.SAMPLES_PER_FRAME, True, False, wall, SILENT_UNIT)
