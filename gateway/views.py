"""Immutable pictures of the running gateway for pages and API. Made on the event loop, read anywhere; free of credentials."""

from __future__ import annotations

import time
from collections.abc import Sequence

from gateway.config.model import Camera, Listen, View
from gateway.device.device import CameraDevice
from gateway.media.state import State
from gateway.media.track import Codec, Kind
from gateway.redact import redact
from gateway.rtmp.push import PushStatus
from gateway.sources.camera import CameraSource, StreamSource
from gateway.sources.lookout import Sighting
from gateway.sources.publish import PublishSource
from gateway.sources.whereabouts import Whereabouts
from gateway.web.ports import (
    CameraView,
    DiscoveredView,
    EventsView,
    EventView,
    Presence,
    PushView,
    StreamView,
    WallView,
)

_OUTPUTS = ("rtmp", "hls", "ws", "rtsp")
_SHOWN_WHILE = frozenset({State.LIVE, State.LATE})


def camera_view(
    source: CameraSource,
    listen: Listen,
    *,
    pushes: Sequence[PushStatus] = (),
    device: CameraDevice | None = None,
    found_at: str = "",
) -> CameraView:
    """One camera with its streams; `found_at` is the address where it is instead of the configured one."""
    camera = source.camera
    streams = tuple(stream_view(one) for one in source.sources if one.exists)
    urls: dict[str, str] = {}
    for view, suffix in zip(streams, ("", "_sub"), strict=False):
        urls[f"hls{suffix}"] = f"/hls/{view.id}/index.m3u8"
        places = (("rtmp", listen.rtmp, 1935), ("rtmps", listen.rtmps, 443), ("rtsp", listen.rtsp, 554))
        for scheme, place, usual in places:
            if place is not None:
                port = "" if place.port == usual else f":{place.port}"
                urls[f"{scheme}{suffix}"] = f"{scheme}://{{host}}{port}/live/{view.id}"
    urls["snapshot"] = f"/api/v1/cameras/{camera.id}/snapshot.jpg"
    main = source.streams[0] if source.streams else None
    return CameraView(
        id=camera.id,
        name=camera.name,
        status=source.status,
        streams=streams,
        urls=urls,
        source=redact(camera.rtsp or camera.address or "publisher"),
        found_at=found_at,
        picture_at=main.last_keyframe_at or None if main is not None else None,
        group=camera.group,
        pushes=tuple(push_view(one) for one in pushes),
        ptz=device is not None and device.can_steer,
        events=events_view(device) if device is not None else None,
    )


def events_view(device: CameraDevice) -> EventsView:
    """What a camera reports."""
    return EventsView(
        listening=device.listening,
        trouble=device.event_trouble,
        active=tuple(EventView(one.kind.value, True, one.since, one.source) for one in device.log.active),
        last=tuple(EventView(event.kind.value, event.on, event.at, event.source) for event in device.log.last),
    )


def push_view(push: PushStatus) -> PushView:
    """One push as it is right now."""
    return PushView(
        name=push.name,
        url=push.url,
        stream=push.stream,
        state=push.state.value,
        since=push.since,
        reason=push.reason,
        code=push.code,
        next_retry=push.next_retry,
        sent_bytes=push.sent_bytes,
        bitrate=round(push.bitrate),
        dropped=push.dropped,
    )


def stream_view(source: StreamSource | PublishSource) -> StreamView:
    """One stream as it is right now."""
    stream = source.stream
    video = next((track for track in stream.tracks if track.kind is Kind.VIDEO), None)
    audio = next((track for track in stream.tracks if track.kind is Kind.AUDIO), None)
    flowing = stream.status.state in _SHOWN_WHILE
    fps, bitrate = stream.meter.rates(time.monotonic()) if flowing else (0.0, 0.0)
    return StreamView(
        id=stream.id,
        codec=video.codec.value if video else None,
        codecs=",".join(track.codec_string for track in stream.tracks if track.codec not in (Codec.PCMU, Codec.PCMA)),
        width=video.width if video else 0,
        height=video.height if video else 0,
        fps=round(fps, 2),
        audio=audio.codec.value if audio else None,
        audio_note=source.audio_note,
        bitrate=round(bitrate),
        keyframe_interval=round(stream.meter.keyframe_interval, 3),
        viewers={kind: stream.demand.count(kind) for kind in _OUTPUTS},
        status=stream.status,
        on_demand=source.on_demand,
        dropped=dict(stream.demand.dropped),
    )


def wall_view(view: View) -> WallView:
    """One view of the configuration."""
    return WallView(view.id, view.name, view.cameras, view.layout.value if view.layout is not None else None)


def discovered_view(sighting: Sighting, where: Whereabouts, cameras: Sequence[Camera]) -> DiscoveredView:
    """One device found on the network, and the configured camera that it is."""
    entry, told = sighting.entry, sighting.introduction
    unix = time.time() - time.monotonic()
    device = entry.device
    camera = next((camera for camera in cameras if camera.id == sighting.camera_id), None)
    known = where.book.get(camera) if camera is not None else None
    return DiscoveredView(
        endpoint=device.endpoint,
        address=device.address,
        xaddrs=device.xaddrs,
        name=device.name,
        hardware=device.hardware,
        first_seen=unix + entry.first_seen,
        last_seen=unix + entry.last_seen,
        camera_id=sighting.camera_id,
        state=_presence(sighting, bool(known and known.found)),
        manufacturer=(known.manufacturer if known else told.manufacturer if told else "") or device.manufacturer,
        model=(known.model if known else told.model if told else "") or device.hardware,
        mac=entry.mac,
        previous_address=entry.previous_address,
        needs_password=told.needs_password if told else None,
    )


def _presence(sighting: Sighting, elsewhere: bool) -> Presence:
    if sighting.entry.gone:
        return Presence.GONE
    if sighting.camera_id is None:
        return Presence.NEW
    return Presence.MOVED if elsewhere else Presence.KNOWN
