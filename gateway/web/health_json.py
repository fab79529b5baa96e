"""Turns the health of the gateway into the JSON of the API. Pure; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from gateway.box.facts import Box
from gateway.device.advice import advise
from gateway.health.view import CameraHealth, HealthView, StreamHealth
from gateway.journal.incident import Incident
from gateway.redact import redact
from gateway.web import health_shapes as shapes
from gateway.web.observed import observed
from gateway.web.ports import StreamView
from gateway.webhook.message import incident_json

BUSY_S = 0.05
"""Pictures are timed on the event loop: while it is this late, a camera is not blamed for it."""


def health_json(health: HealthView, site: str, version: str, *, admin: bool) -> shapes.Health:
    """`GET /api/v1/health`. Addresses of cameras and webhooks are for the admin only and null otherwise."""
    return {
        "now": health.now,
        "site": site,
        "version": version,
        "started": health.started,
        "box": box_json(health.box),
        "process": {
            "memory": health.process.resident,
            "cpu": round(health.cpu, 3),
            "threads": health.process.threads,
            "open_files": health.process.open_fds,
            "max_files": health.process.max_fds,
            "loop_lag": round(health.lag_s, 4),
        },
        "journal": redact(health.journal_trouble) or None,
        "incidents": incidents_json(health.incidents),
        "webhooks": [
            {
                "name": hook.name,
                "url": hook.url if admin else None,
                "waiting": hook.waiting,
                "last_delivered": hook.last_delivered,
                "trouble": redact(hook.trouble) or None,
                "outcomes": hook.outcomes,
            }
            for hook in health.hooks
        ],
        "cameras": [
            camera_health_json(camera, health.now, admin=admin, busy=health.lag_s >= BUSY_S) for camera in health.cameras
        ],
    }


def incidents_json(incidents: Iterable[Incident]) -> list[shapes.Incident]:
    """Incidents as webhooks show them, too."""
    return [cast(shapes.Incident, incident_json(one)) for one in incidents]


def box_json(box: Box) -> shapes.Machine:
    """The machine. What it does not tell is null."""
    clock = box.clock
    return {
        "disk": {"free": box.disk_free, "size": box.disk_size},
        "memory": {"available": box.memory_available, "size": box.memory_size},
        "load": round(box.load, 2) if box.load is not None else None,
        "temperatures": [{"sensor": one.zone, "celsius": round(one.celsius, 1)} for one in box.temperatures],
        "undervolted": box.undervolted,
        "throttled": box.throttled,
        "clock": {"synchronised": clock.synchronised, "error": round(clock.error_s, 4)} if clock is not None else None,
    }


def camera_health_json(camera: CameraHealth, now: float, *, admin: bool, busy: bool = False) -> shapes.CameraFacts:
    """One camera with measured facts, advice, and its newest incidents. `busy`: unevenness may be the gateway's own."""
    view, status = camera.view, camera.view.status
    counted = {one.id: one for one in camera.streams}
    return {
        "id": view.id,
        "name": view.name,
        "state": status.state.value,
        "since": status.since,
        "reason": redact(status.reason),
        "code": status.code,
        "source": redact(view.source) if admin else None,
        "uptime": {"day": _ratio(camera.uptime_day), "week": _ratio(camera.uptime_week)},
        "clock_offset": round(camera.clock_offset_s, 1) if camera.clock_offset_s is not None else None,
        "streams": [_stream_json(stream, counted.get(stream.id)) for stream in view.streams],
        "advice": _advice_json(camera, counted, now, busy=busy),
        "incidents": incidents_json(camera.incidents),
    }


def _stream_json(stream: StreamView, counted: StreamHealth | None) -> shapes.StreamFacts:
    return {
        "id": stream.id,
        "state": stream.status.state.value,
        "on_demand": stream.on_demand,
        "codec": stream.codec,
        "width": stream.width,
        "height": stream.height,
        "fps": round(stream.fps, 2),
        "bitrate": round(stream.bitrate),
        "keyframe_interval": round(stream.keyframe_interval, 2),
        "audio": stream.audio,
        "audio_note": stream.audio_note,
        "transport": counted.transport if counted else None,
        "jitter": round(counted.jitter_s, 4) if counted else None,
        "viewers": stream.viewers,
        "today": {
            "interruptions": counted.interruptions_today,
            "failures": counted.failures_today,
            "repairs": counted.repairs_today,
            "lost_packets": counted.lost_today,
        }
        if counted
        else None,
    }


def _advice_json(camera: CameraHealth, counted: dict[str, StreamHealth], now: float, *, busy: bool) -> list[shapes.Advice]:
    view = camera.view
    seen = []
    for stream in view.streams:
        if stream.codec:
            count = counted.get(stream.id)
            jitter_s = count.jitter_s if count and not busy else 0.0
            lost = count.lost_today or 0 if count else 0
            seen.append(observed(stream, view.id, camera.profiles, now, jitter_s=jitter_s, lost=lost))
    # A sub stream that nobody watches right now has nothing to show, and exists all the same.
    alone = len(view.streams) == 1 and bool(camera.profiles)
    pieces = advise(seen, camera.clock_offset_s, expects_sub=alone)
    return [{"key": piece.key, "text": piece.text, "params": piece.params} for piece in pieces]


def _ratio(share: float | None) -> float | None:
    return round(share, 5) if share is not None else None
