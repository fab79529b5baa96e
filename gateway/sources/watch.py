"""Notices a picture that stopped moving before the reader's read timeout does. Pure; the service asks twice a second.

The worst failure of a camera wall is a frozen picture that looks live, so `late` is said after a second or a few pictures.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.media.state import State, Status

LATE_AFTER_S = 1.2
LATE_AFTER_PICTURES = 3.0
"""A camera at 1 picture/s is not late after a second."""


def observe(status: Status, *, now: float, wall: float, last_video_at: float | None, fps: float) -> Status:
    """The status to show: `live` turns to `late` and back with the pictures. Times in seconds, `now` monotonic."""
    if last_video_at is None or status.state not in (State.LIVE, State.LATE):
        return status
    limit = max(LATE_AFTER_S, LATE_AFTER_PICTURES / fps if fps > 0 else 0.0)
    silent = now - last_video_at
    if status.state is State.LIVE and silent > limit:
        return Status(State.LATE, since=wall - silent, reason="no new picture from the camera", code="late")
    if status.state is State.LATE and silent <= limit:
        return replace(status, state=State.LIVE, since=wall, reason="", code="")
    return status
