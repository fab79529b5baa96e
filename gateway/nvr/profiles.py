"""The gateway's streams as ONVIF media profiles, one for each, and its cameras as video sources. Event loop only.

A profile must be there before its stream has ever been seen: NVRs read the list once, when they are set up, and a sub
stream is pulled only while somebody watches. Until then it is told in nominal numbers; what really comes stands in the SDP.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable

from gateway.media.state import State
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.onvif.face.profiles import AudioFormat, MediaProfile, Profiles, VideoFormat
from gateway.rtsp.payload import CARRIED
from gateway.sources.camera import CameraSource, StreamSource
from gateway.sources.publish import PublishSource

STREAM_PATH = "/live/"
SNAPSHOT_PATH = "/onvif/snapshot/"
MAX_TOKEN_CHARS = 64
"""onvif.xsd: ReferenceToken. A camera id has up to 63, and `.sub` comes behind it."""

_NOMINAL_SIZES = ((1920, 1080), (640, 360))
_NOMINAL_FPS = 25
_NOMINAL_GOP_S = 2.0
_NOMINAL_BITRATES = (4_000_000, 500_000)
_AAC_BITRATE = 64_000
_G711_BITRATE = 64_000
_H264_PROFILES = {66: "Baseline", 77: "Main", 88: "Extended"}
_SEEN = frozenset({State.LIVE, State.LATE})


def media_profiles(cameras: Iterable[CameraSource]) -> Profiles:
    """Profiles of all streams that RTSP can carry, as far as is known."""
    return tuple(
        profile
        for camera in cameras
        for index, source in enumerate(camera.sources)
        if source.exists and (profile := _profile(camera, source, index)) is not None
    )


def signals(cameras: Iterable[CameraSource]) -> dict[str, bool]:
    """Token of every video source, and whether its picture is lost. What is switched off is not missed."""
    return {
        token_of(camera.camera.id): camera.status.state not in _SEEN
        for camera in cameras
        if camera.status.state is not State.DISABLED
    }


def token_of(stream_id: str) -> str:
    """The ONVIF token of a stream or camera: its id, shortened where that is too long."""
    if len(stream_id) <= MAX_TOKEN_CHARS:
        return stream_id
    mark = hashlib.sha256(stream_id.encode()).hexdigest()[:12]
    return f"{stream_id[: MAX_TOKEN_CHARS - 13]}-{mark}"


def _profile(camera: CameraSource, source: StreamSource | PublishSource, index: int) -> MediaProfile | None:
    stream = source.stream
    video = next((track for track in stream.tracks if track.kind is Kind.VIDEO), None)
    audio = next((track for track in stream.tracks if track.kind is Kind.AUDIO and track.codec in CARRIED), None)
    if video is not None and video.codec not in CARRIED:
        return None
    size = (video.width, video.height) if video is not None and video.width else _NOMINAL_SIZES[min(index, 1)]
    fps, bitrate = stream.meter.rates(time.monotonic()) if stream.status.state in _SEEN else (0.0, 0.0)
    rate = max(1, round(fps)) if fps else _NOMINAL_FPS
    return MediaProfile(
        token=token_of(stream.id),
        name=camera.camera.name if index == 0 else f"{camera.camera.name} (sub)",
        path=STREAM_PATH + stream.id,
        snapshot=SNAPSHOT_PATH + stream.id,
        source=token_of(camera.camera.id),
        video=VideoFormat(
            codec=video.codec if video is not None else Codec.H264,
            width=size[0],
            height=size[1],
            fps=rate,
            gop=max(1, round(rate * (stream.meter.keyframe_interval or _NOMINAL_GOP_S))),
            bitrate=round(bitrate) or _NOMINAL_BITRATES[min(index, 1)],
            h264_profile=_h264_profile(video),
        ),
        audio=_sound(audio) if audio is not None else None,
    )


def _h264_profile(video: TrackConfig | None) -> str:
    if video is None or video.codec is not Codec.H264 or len(video.extradata) < 2:
        return "Main"
    return _H264_PROFILES.get(video.extradata[1], "High")


def _sound(track: TrackConfig) -> AudioFormat:
    bitrate = _AAC_BITRATE if track.codec is Codec.AAC else _G711_BITRATE
    return AudioFormat(track.codec, bitrate, track.sample_rate)
