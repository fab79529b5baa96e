"""Collects everything `/metrics` says, in one go on the event loop: some milliseconds per scrape, nothing in between.

Names follow Prometheus: base units, `_total` for what only grows, and no label that a viewer can make values for.
"""

from __future__ import annotations

import gc
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.health.lag import LoopLag
from gateway.health.process import read_process
from gateway.hls.server import HlsService
from gateway.journal.journal import Journal
from gateway.journal.kinds import IncidentKind
from gateway.live.server import LiveService
from gateway.media.state import State
from gateway.media.track import Kind
from gateway.metrics.exposition import Metric, render
from gateway.rtmp.push import PushState
from gateway.rtmp.pushes import Pushes
from gateway.rtmp.server import RtmpServer
from gateway.sources.camera import CameraSource, StreamSource
from gateway.sources.publish import PublishSource
from gateway.webhook.hooks import Hooks

OUTPUTS = ("rtmp", "hls", "ws", "rtsp", "push")
_FLOWING = frozenset({State.LIVE, State.LATE})


@dataclass(frozen=True, slots=True)
class Sights:
    """What is looked at."""

    cameras: Callable[[], Iterable[CameraSource]]
    pushes: Pushes
    rtmp: RtmpServer
    live: LiveService
    hls: HlsService


class Collector:
    """Makes the text of a scrape."""

    def __init__(
        self,
        sights: Sights,
        journal: Journal,
        lag: LoopLag,
        hooks: Hooks,
        version: str,
        started: float,
        ready: Callable[[], bool],
    ) -> None:
        """`started` is in Unix seconds."""
        self._sights = sights
        self._journal = journal
        self._lag = lag
        self._hooks = hooks
        self._version = version
        self._started = started
        self._ready = ready

    def collect(self) -> bytes:
        """Everything as it is now."""
        began = time.perf_counter()
        metrics = [
            *self._cameras(),
            *self._outputs(),
            *self._gateway(),
            *self._process(),
            *self._box(),
            *self._journal_metrics(),
        ]
        took = Metric("gateway_scrape_duration_seconds", "gauge", "Time that collecting these metrics took on the event loop.")
        took.add(time.perf_counter() - began)
        return render([*metrics, took])

    def _cameras(self) -> list[Metric]:
        state = Metric("gateway_camera_state", "gauge", "1 for the state the camera is in, 0 for the others.")
        since = Metric("gateway_camera_state_timestamp_seconds", "gauge", "Unix time since when the camera is in its state.")
        day = Metric(
            "gateway_camera_uptime_ratio", "gauge", "Share of the watched time of the last 24 hours or 7 days with a picture."
        )
        streams = _StreamMetrics(self._sights, time.monotonic())
        for source in self._sights.cameras():
            camera, status = source.camera.id, source.status
            for one in State:
                state.add(int(one is status.state), camera=camera, state=one.value)
            since.add(round(status.since, 3), camera=camera)
            for window, share in zip(("24h", "7d"), self._journal.uptime(camera), strict=True):
                if share is not None:
                    day.add(share, camera=camera, window=window)
            for one_source in source.sources:
                if one_source.exists:
                    streams.add(camera, one_source)
        return [state, since, day, *streams.metrics]

    def _outputs(self) -> list[Metric]:
        rtmp, live, hls = self._sights.rtmp, self._sights.live, self._sights.hls
        status = rtmp.status()
        age = Metric(
            "gateway_output_queue_age_seconds", "gauge", "Age of the oldest picture that waits for the slowest viewer."
        )
        age.add(rtmp.queue_age_s(), output="rtmp")
        age.add(live.queue_age_s(), output="ws")
        late = Metric(
            "gateway_hls_part_delay_seconds",
            "histogram",
            "From the arrival of the frame that completes an HLS part to the part.",
        )
        late.add_histogram(hls.part_delay)
        connections = Metric("gateway_connections", "gauge", "Open connections: RTMP, and pages of the wall (ws).")
        connections.add(status.connections, output="rtmp")
        connections.add(live.connections, output="ws")
        events = Metric("gateway_rtmp_connections_total", "counter", "RTMP connections by what became of them.")
        counters = status.counters
        for event in ("accepted", "turned_away", "refused", "broken", "too_slow"):
            events.add(getattr(counters, event), event=event.replace("_", "-"))
        pushes = Metric("gateway_pushes", "gauge", "Pushes to other servers by their state.")
        states = Counter(one.state for source in self._sights.cameras() for one in self._sights.pushes.status(source.camera.id))
        for state in PushState:
            pushes.add(states[state], state=state.value)
        return [age, late, connections, events, pushes]

    def _gateway(self) -> list[Metric]:
        info = Metric("gateway_build_info", "gauge", "Always 1; the labels tell the version.")
        info.add(1, version=self._version, python=platform.python_version())
        ready = Metric("gateway_ready", "gauge", "1 while the gateway serves as configured, as /readyz says.")
        ready.add(int(self._ready()))
        lag = Metric("gateway_event_loop_lag_seconds", "histogram", "How late the event loop was, sampled four times a second.")
        lag.add_histogram(self._lag.histogram)
        return [info, ready, lag]

    def _process(self) -> list[Metric]:
        found = read_process()
        values = (
            ("process_resident_memory_bytes", "gauge", "Resident memory.", found.resident),
            ("process_virtual_memory_bytes", "gauge", "Virtual memory.", found.virtual),
            ("process_cpu_seconds_total", "counter", "CPU time, user and system.", found.cpu_s),
            ("process_open_fds", "gauge", "Open file descriptors.", found.open_fds),
            ("process_max_fds", "gauge", "Largest number of open file descriptors.", found.max_fds),
            ("process_start_time_seconds", "gauge", "Unix time of the start.", self._started),
            ("gateway_threads", "gauge", "Threads of the process.", found.threads),
        )
        metrics = [_single(name, kind, text, value) for name, kind, text, value in values]
        collections = Metric("python_gc_collections_total", "counter", "Runs of the garbage collector.")
        collected = Metric("python_gc_objects_collected_total", "counter", "Objects the garbage collector has freed.")
        stuck = Metric("python_gc_objects_uncollectable_total", "counter", "Objects it could not free.")
        for generation, stats in enumerate(gc.get_stats()):
            collections.add(stats["collections"], generation=str(generation))
            collected.add(stats["collected"], generation=str(generation))
            stuck.add(stats["uncollectable"], generation=str(generation))
        return [*metrics, collections, collected, stuck]

    def _box(self) -> list[Metric]:
        box = self._journal.box
        clock = box.clock
        values = (
            ("gateway_disk_free_bytes", "Free space where the gateway keeps its data.", box.disk_free),
            ("gateway_disk_size_bytes", "Size of that file system.", box.disk_size),
            ("gateway_box_memory_available_bytes", "Memory that programs can still get.", box.memory_available),
            ("gateway_box_memory_size_bytes", "Memory of the machine.", box.memory_size),
            ("gateway_box_load_ratio", "Processes that want to run, per CPU, over a minute.", box.load),
            ("gateway_box_undervolted", "1 while the power supply is too weak (Raspberry Pi).", _flag(box.undervolted)),
            ("gateway_box_throttled", "1 while the CPU is slowed down (Raspberry Pi).", _flag(box.throttled)),
            (
                "gateway_box_clock_synchronised",
                "1 while somebody (NTP) keeps the clock.",
                _flag(clock.synchronised if clock else None),
            ),
            ("gateway_box_clock_error_seconds", "Greatest error the clock may have.", clock.error_s if clock else None),
        )
        metrics = [_single(name, "gauge", text, value) for name, text, value in values if value is not None]
        heat = Metric("gateway_box_temperature_celsius", "gauge", "Temperature by sensor.")
        for one in box.temperatures:
            heat.add(one.celsius, sensor=one.zone)
        return [*metrics, heat]

    def _journal_metrics(self) -> list[Metric]:
        going_on = Counter(one.kind for one in self._journal.open)
        now = Metric("gateway_incidents_open", "gauge", "Incidents that go on now, by kind.")
        total = Metric("gateway_incidents_total", "counter", "Incidents since the start, by kind.")
        for kind in IncidentKind:
            now.add(going_on[kind], kind=kind.value)
            total.add(self._journal.counts[kind], kind=kind.value)
        unsaved = _single("gateway_incidents_unsaved", "gauge", "Incidents that are not on disk yet.", self._journal.pending)
        sent = Metric("gateway_webhook_messages_total", "counter", "Messages and failed attempts of webhooks by outcome.")
        waiting = Metric("gateway_webhook_waiting", "gauge", "Messages that wait for a webhook's server.")
        for hook in self._hooks.status():
            waiting.add(hook.waiting, hook=hook.name)
            for outcome, count in hook.outcomes.items():
                sent.add(count, hook=hook.name, outcome=outcome)
        return [now, total, unsaved, sent, waiting]


class _StreamMetrics:
    """Everything that has the labels `camera` and `stream`."""

    def __init__(self, sights: Sights, now: float) -> None:
        self._sights = sights
        self._now = now
        self._live = Metric("gateway_stream_live", "gauge", "1 while the stream has a picture, 0 otherwise.")
        self._info = Metric("gateway_stream_info", "gauge", "Always 1; the labels tell what the stream is.")
        self._age = Metric("gateway_stream_picture_age_seconds", "gauge", "Time since the last picture arrived.")
        self._fps = Metric("gateway_stream_frames_per_second", "gauge", "Pictures per second, over 5 s.")
        self._rate = Metric("gateway_stream_bytes_per_second", "gauge", "Bytes per second of all tracks, over 5 s.")
        self._keys = Metric("gateway_stream_keyframe_interval_seconds", "gauge", "Time between the last two keyframes.")
        self._jitter = Metric("gateway_stream_arrival_jitter_seconds", "gauge", "How unevenly pictures arrive (RFC 3550).")
        self._frames = Metric("gateway_stream_frames_total", "counter", "Pictures that arrived.")
        self._received = Metric("gateway_stream_received_bytes_total", "counter", "Bytes of all tracks that arrived.")
        self._sessions = Metric("gateway_stream_sessions_total", "counter", "Times that the picture came or came back.")
        self._interruptions = Metric("gateway_stream_interruptions_total", "counter", "Times that the picture went.")
        self._failures = Metric("gateway_stream_failures_total", "counter", "Attempts and sessions that failed, by code.")
        self._repairs = Metric("gateway_stream_repairs_total", "counter", "Frames that had to be repaired, by repair.")
        self._lost = Metric("gateway_stream_rtp_packets_lost_total", "counter", "RTP packets that never came.")
        self._viewers = Metric("gateway_stream_viewers", "gauge", "Viewers now, by output.")
        self._sent = Metric("gateway_stream_sent_bytes_total", "counter", "Bytes given to viewers, by output.")
        self._dropped = Metric(
            "gateway_stream_dropped_total", "counter", "Pictures or writes left out for viewers that were too slow, by output."
        )

    @property
    def metrics(self) -> list[Metric]:
        """All of them."""
        return [
            self._live, self._info, self._age, self._fps, self._rate, self._keys, self._jitter, self._frames, self._received,
            self._sessions, self._interruptions, self._failures, self._repairs, self._lost, self._viewers, self._sent,
            self._dropped,
        ]  # fmt: skip

    def add(self, camera: str, source: StreamSource | PublishSource) -> None:
        """One stream."""
        stream = source.stream
        labels = {"camera": camera, "stream": "sub" if stream.id != camera else "main"}
        flowing = stream.status.state in _FLOWING
        self._live.add(int(stream.status.state is State.LIVE), **labels)
        video = next((track for track in stream.tracks if track.kind is Kind.VIDEO), None)
        audio = next((track for track in stream.tracks if track.kind is Kind.AUDIO), None)
        if video is not None:
            size = {"width": str(video.width), "height": str(video.height)}
            self._info.add(1, **labels, codec=video.codec.value, **size, audio=audio.codec.value if audio else "")
        meter, counts = stream.meter, stream.counts
        if meter.last_video_at is not None:
            self._age.add(max(0.0, self._now - meter.last_video_at), **labels)
        fps, bitrate = meter.rates(self._now) if flowing else (0.0, 0.0)
        self._fps.add(fps, **labels)
        self._rate.add(bitrate / 8, **labels)
        if meter.keyframe_interval:
            self._keys.add(meter.keyframe_interval, **labels)
        self._jitter.add(meter.jitter_s, **labels)
        self._frames.add(counts.frames, **labels)
        self._received.add(counts.received, **labels)
        self._sessions.add(counts.sessions, **labels)
        self._interruptions.add(counts.interruptions, **labels)
        for code, count in sorted(counts.failures.items()):
            self._failures.add(count, **labels, code=code)
        repairs = {
            "time-jump": counts.jumps,
            "squeezed": counts.squeezed,
            "sound-dropped": counts.silenced,
            "joined": counts.joined,
            "spoiled": counts.spoiled,
        }
        for repair, count in repairs.items():
            self._repairs.add(count, **labels, repair=repair)
        if counts.lost is not None:
            self._lost.add(counts.lost, **labels)
        self._add_outputs(camera, source, labels)

    def _add_outputs(self, camera: str, source: StreamSource | PublishSource, labels: dict[str, str]) -> None:
        stream = source.stream
        pushed, left_out = self._sights.pushes.under_way(camera, stream)
        under_way = {"rtmp": self._sights.rtmp.sent_bytes(stream), "push": pushed}
        for output in OUTPUTS:
            self._viewers.add(stream.demand.count(output), **labels, output=output)
            self._sent.add(stream.counts.sent[output] + under_way.get(output, 0), **labels, output=output)
            dropped = stream.demand.dropped[output] + (left_out if output == "push" else 0)
            self._dropped.add(dropped, **labels, output=output)


def _single(name: str, kind: str, text: str, value: float) -> Metric:
    metric = Metric(name, kind, text)
    metric.add(value)
    return metric


def _flag(value: bool | None) -> int | None:
    return int(value) if value is not None else None
