"""A running stream as advice wants to see it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.device.advice import Observed
from gateway.onvif.media import Profile
from gateway.web.ports import StreamView

MIN_WATCHED_S = 20.0
"""A stream that has been live for this long would have shown a second keyframe."""


def observed(
    stream: StreamView, camera_id: str, said: Sequence[Profile], now: float, *, jitter_s: float = 0.0, lost: int = 0
) -> Observed:
    """`said` is what the camera says it is set to; `now` in Unix seconds; jitter and loss as counted."""
    same = (profile.fps for profile in said if (profile.width, profile.height) == (stream.width, stream.height))
    live_s = now - stream.status.since if stream.fps else 0.0
    watched = live_s >= MIN_WATCHED_S
    return Observed(
        role="main" if stream.id == camera_id else "sub",
        codec=stream.codec or "",
        width=stream.width,
        height=stream.height,
        fps=stream.fps,
        bitrate=stream.bitrate,
        keyframe_interval=stream.keyframe_interval,
        watched_s=live_s if watched else 0.0,
        audio_note=stream.audio_note,
        set_fps=next(same, 0.0) if watched else 0.0,
        jitter_s=jitter_s if watched else 0.0,
        lost=lost,
    )
