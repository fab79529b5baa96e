"""Keeps a playlist's sound when the camera's has gone: silence in the same format.

A playlist may lose its sound at a discontinuity, and a player that has one buffer for both may not: hls.js 1.7.4 stops for good
("append to the audiovideo SourceBuffer, but it does not exist"), whether the sound goes or comes back. Cameras do both at each
reconnect, where their microphone is a second later than their picture. So whoever has been given a playlist with sound goes on
getting some. Only for AAC, whose silence can be computed; other sound ends as before.

Pure; used by the window on the event loop.
"""

from __future__ import annotations

from gateway.media import aac
from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind, TrackConfig, Tracks

MAX_GAP_S = 2.0
"""A longer step of the picture's clock is an outage, which has no sound either."""
_LC = "mp4a.40.2"


class KeptSound:
    """Feed it all tracks and frames of a stream."""

    def __init__(self) -> None:
        self._heard: TrackConfig | None = None
        self._unit = b""
        """What stands for the sound now; empty while there is some, or none is wanted."""
        self._until: int | None = None
        """End of the silence, in samples of the stream's timeline; None before a picture."""

    def tracks(self, tracks: Tracks, *, keep: bool) -> Tracks:
        """The tracks to cut from now on; `keep` if a player knows this stream with its sound."""
        heard = next((track for track in tracks if track.kind is Kind.AUDIO), None)
        silent = self._heard if heard is None and keep and tracks else None
        self._unit = aac.silent_unit(silent.channels) if silent is not None and _computable(silent) else b""
        self._until = None
        if self._unit and silent is not None:
            return (*tracks, silent)
        self._heard = heard
        return tracks

    def frames(self, frame: Frame) -> list[Frame]:
        """The frame, and in front of a picture the silence up to it."""
        config = self._heard
        if not self._unit or config is None or frame.kind is not Kind.VIDEO:
            return [frame]
        at = frame.dts * config.clock_rate // frame.config.clock_rate
        # a broken session ends with its last picture, and its silence with it
        if self._until is None or frame.discontinuity or not 0 <= at - self._until <= MAX_GAP_S * config.clock_rate:
            self._until = at
        silence = []
        while self._until < at:
            dts, self._until = self._until, self._until + aac.SAMPLES_PER_FRAME
            silence.append(Frame(config, dts, dts, aac.SAMPLES_PER_FRAME, True, False, frame.wall, self._unit))
        return [*silence, frame]


def _computable(config: TrackConfig) -> bool:
    return config.codec is Codec.AAC and config.codec_string == _LC and config.channels in (1, 2)
