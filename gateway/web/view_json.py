"""Turns the gateway's views into the JSON of the API (DESIGN section 7). Pure; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.redact import redact
from gateway.web import shapes
from gateway.web.ports import CameraView, DiscoveredView, EventsView, PushView, StreamView, WallView


def camera_json(
    camera: CameraView, host: str, *, with_source: bool, operates: bool = False, brief: bool = False
) -> shapes.Camera:
    """A camera as `GET /api/v1/cameras/<id>` shows it.

    `host` is the name by which the client reached the gateway; `source`, the camera's own address, is for the admin
    only and null otherwise, and so are the servers it is pushed to: their addresses say where a stream can be had.
    `ptz` tells whether this client may steer it, which takes `operates`.
    `brief` leaves out past events: the wall asks for all cameras every second.
    """
    status = camera.status
    return {
        "id": camera.id,
        "name": camera.name,
        "state": status.state.value,
        "since": status.since,
        "reason": redact(status.reason),
        "code": status.code,
        "next_retry": status.next_retry,
        "streams": [stream_json(stream) for stream in camera.streams],
        "urls": filled_urls(camera.urls, host),
        "source": redact(camera.source) if with_source else None,
        "found_at": redact(camera.found_at) or None if with_source else None,
        "picture_at": camera.picture_at,
        "pushes": [push_json(push, with_target=with_source) for push in camera.pushes],
        "ptz": camera.ptz and operates,
        "events": events_json(camera.events, brief=brief) if camera.events is not None else None,
        "group": camera.group,
    }


def events_json(events: EventsView, *, brief: bool = False) -> shapes.Events:
    """What a camera reports. `motion_since` is null while nothing moves."""
    moving = [event.at for event in events.active if event.kind == "motion"]
    report: shapes.Events = {
        "listening": events.listening,
        "trouble": redact(events.trouble),
        "motion_since": min(moving, default=None),
        "active": [{"kind": event.kind, "since": event.at, "source": event.source} for event in events.active],
    }
    if not brief:
        report["last"] = [{"kind": one.kind, "on": one.on, "at": one.at, "source": one.source} for one in events.last]
    return report


def stream_json(stream: StreamView) -> shapes.Stream:
    """One stream of a camera."""
    status = stream.status
    return {
        "id": stream.id,
        "codec": stream.codec,
        "codecs": stream.codecs,
        "width": stream.width,
        "height": stream.height,
        "fps": round(stream.fps, 2),
        "audio": stream.audio,
        "audio_note": stream.audio_note,
        "bitrate": round(stream.bitrate),
        "keyframe_interval": round(stream.keyframe_interval, 2),
        "viewers": {"rtmp": 0, "hls": 0, "ws": 0, "rtsp": 0} | stream.viewers,
        "dropped": {"rtmp": 0, "ws": 0} | stream.dropped,
        "on_demand": stream.on_demand,
        "state": status.state.value,
        "since": status.since,
        "reason": redact(status.reason),
        "code": status.code,
        "next_retry": status.next_retry,
    }


def push_json(push: PushView, *, with_target: bool = True) -> shapes.Push:
    """One server a stream is pushed to; whose it is and what it said only `with_target`."""
    return {
        "name": push.name,
        "url": redact(push.url) if with_target else None,
        "stream": push.stream,
        "state": push.state,
        "since": push.since,
        "reason": redact(push.reason) if with_target else "",
        "code": push.code,
        "next_retry": push.next_retry,
        "sent_bytes": push.sent_bytes,
        "bitrate": round(push.bitrate),
        "dropped": push.dropped,
    }


def wall_view_json(view: WallView) -> shapes.View:
    """One view of the configuration."""
    return {"id": view.id, "name": view.name, "cameras": list(view.cameras), "layout": view.layout}


def discovered_json(device: DiscoveredView) -> shapes.Device:
    """One device found on the LAN."""
    return {
        "endpoint": device.endpoint,
        "address": device.address,
        "xaddrs": [redact(url) for url in device.xaddrs],
        "name": device.name,
        "hardware": device.hardware,
        "first_seen": device.first_seen,
        "last_seen": device.last_seen,
        "camera_id": device.camera_id,
        "state": device.state.value,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "mac": device.mac,
        "previous_address": device.previous_address,
        "needs_password": device.needs_password,
    }


def filled_urls(urls: Mapping[str, str], host: str) -> dict[str, str]:
    """Addresses with `{host}` replaced."""
    return {name: url.replace("{host}", host) for name, url in urls.items()}
