"""Media profiles: what a device offers for streaming. Immutable values, made anew for every answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.media.track import Codec


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A video encoder's settings, as far as they are known."""

    codec: Codec
    width: int
    height: int
    fps: int
    gop: int
    """Frames from keyframe to keyframe."""
    bitrate: int
    """Bits per second."""
    h264_profile: str = "Main"
    """`Baseline`, `Main`, `Extended` or `High`."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """An audio encoder's settings. `bitrate` in bits per second."""

    codec: Codec
    bitrate: int
    rate_hz: int


@dataclass(frozen=True, slots=True)
class MediaProfile:
    """A media profile: one RTSP path."""

    token: str
    name: str
    path: str
    """Of the RTSP URL, beginning with a slash."""
    snapshot: str
    """Path of a JPEG of it on the ONVIF service's own port."""
    source: str
    """Token of the video source: profiles of one camera share it, and recorders count channels by it."""
    video: VideoFormat
    audio: AudioFormat | None = None
    ptz: str = ""
    """Attributes and content of its PTZ configuration; empty for a fixed camera."""


Profiles = tuple[MediaProfile, ...]
"""The main profile of every source stands before its others."""


def sources(profiles: Profiles) -> dict[str, MediaProfile]:
    """The main profile of every video source, in order: its picture is the sensor's."""
    found: dict[str, MediaProfile] = {}
    for profile in profiles:
        found.setdefault(profile.source, profile)
    return found
