"""The canonical frame: what every source produces and every output consumes. Immutable, crosses threads."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.media.track import Kind, TrackConfig


@dataclass(frozen=True, slots=True)
class Frame:
    """One access unit of one track.

    Times are integer ticks of `config.clock_rate` on the stream's own timeline: both tracks share its zero, `dts` never
    repeats and never goes back within a track for the life of the stream (reconnects included), `pts >= dts`.
    """

    config: TrackConfig
    dts: int
    pts: int
    duration: int
    """The source's best guess (the last distance between frames); the next frame's `dts` is the truth."""
    keyframe: bool
    """Decoding can start here. True for every audio frame."""
    discontinuity: bool
    """The source's clock broke before this frame. After a reconnect it is on the first video keyframe (the first frame of
    an audio-only stream); after a clock jump it may be on any video frame. `dts` goes on regardless: the step is made up."""
    wall: float
    """When the picture was taken, Unix seconds: the camera's clock where it is trusted, else the time of arrival."""
    payload: bytes
    """ISO-BMFF form: 4-byte length-prefixed NAL units without parameter sets or delimiters (H.264, H.265), OBUs without
    temporal delimiters (AV1), one raw access unit (AAC, Opus), samples (G.711)."""

    @property
    def kind(self) -> Kind:
        """VIDEO or AUDIO."""
        return self.config.kind

    @property
    def seconds(self) -> float:
        """`dts` in seconds of the stream's timeline."""
        return self.dts / self.config.clock_rate
