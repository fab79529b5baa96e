"""Puts the health of the gateway together: lag, journal, webhooks, metrics, and what the health page shows.

The service makes it, starts it, tells it the time and hands over new configurations. Event loop only, but for `incidents`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from gateway.config.model import Config
from gateway.device.device import CameraDevice
from gateway.health.collector import Collector, Sights
from gateway.health.lag import LoopLag
from gateway.health.process import read_process
from gateway.health.routes import Routes
from gateway.health.today import Today
from gateway.health.view import CameraHealth, HealthView, StreamHealth
from gateway.http.access import Access
from gateway.http.router import Router
from gateway.journal.incident import Change, Incident
from gateway.journal.journal import Journal
from gateway.redact import redact
from gateway.sources.camera import CameraSource, StreamSource
from gateway.sources.publish import PublishSource
from gateway.web.ports import CameraView, Readiness
from gateway.webhook.hooks import Hooks

JUDGE_S = 5.0
"""How often box and event loop are judged."""
ANSWER_S = 2.0
"""For the disk to answer a question about the past."""


class Health:
    """Between `start` and `stop`."""

    def __init__(
        self, config: Config, access: Access, sights: Sights, version: str, readiness: Callable[[], Readiness]
    ) -> None:
        self.journal = Journal(config.data_dir, config.incidents.keep_s, version, self._tell)
        self._sights = sights
        self._version = version
        self._config = config
        self.lag = LoopLag()
        self._hooks = Hooks()
        self._today = Today()
        self._started = time.time()
        self._worst_lag_s = 0.0
        self._cpu = 0.0
        self._cpu_before: tuple[float, float] | None = None
        collector = Collector(sights, self.journal, self.lag, self._hooks, version, self._started, lambda: readiness().ready)
        self._routes = Routes(access, collector.collect, readiness, self._details)
        self._routes.configure(config.metrics.allow)

    def add_routes(self, router: Router) -> None:
        """`/metrics`, `/healthz`, `/readyz`."""
        self._routes.add_to(router)

    def start(self) -> None:
        """Begin. Needs a running loop."""
        self.lag.start()
        self.journal.start()
        self.configure(self._config)

    def configure(self, config: Config) -> None:
        """Go over to another configuration."""
        self._config = config
        self._routes.configure(config.metrics.allow)
        self.journal.configure(config.incidents.keep_s)
        self._hooks.configure(config.webhooks)

    async def stop(self) -> None:
        """End; what is not on disk yet is written within two seconds."""
        self.lag.stop()
        await self._hooks.stop()
        await self.journal.stop()

    def tick(self) -> None:
        """Look at the cameras; twice a second."""
        self.journal.observe({source.camera.id: source.status for source in self._sights.cameras()})

    async def judge(self) -> None:
        """Look at box and loop, every `JUDGE_S`. A coroutine, because the scheduler runs plain functions on threads."""
        self._worst_lag_s = self.lag.take_worst()
        now, cpu = time.monotonic(), time.process_time()
        if self._cpu_before is not None and now > self._cpu_before[0]:
            self._cpu = (cpu - self._cpu_before[1]) / (now - self._cpu_before[0])
        self._cpu_before = (now, cpu)
        streams = [stream for source in self._sights.cameras() for stream in source.streams]
        self._today.turn(time.time(), {stream.id: stream.counts for stream in streams})
        self.journal.judge(self._worst_lag_s)

    def view(self, show: Callable[[CameraSource], CameraView], device_of: Callable[[str], CameraDevice | None]) -> HealthView:
        """Everything as it is now."""
        return HealthView(
            now=time.time(),
            started=self._started,
            box=self.journal.box,
            process=read_process(),
            cpu=self._cpu,
            lag_s=self._worst_lag_s,
            cameras=tuple(self._camera(source, show(source), device_of(source.camera.id)) for source in self._sights.cameras()),
            incidents=tuple(self.journal.last("")),
            hooks=self._hooks.status(),
            journal_trouble=self.journal.trouble,
        )

    def incidents(self, camera: str | None, limit: int, before: int | None) -> list[Incident]:
        """Incidents out of the file, newest first. Worker threads; raises TimeoutError, sqlite3.Error."""
        return self.journal.ask(camera, limit, before).result(ANSWER_S)

    def _camera(self, source: CameraSource, view: CameraView, device: CameraDevice | None) -> CameraHealth:
        known = device.known if device is not None else None
        day, week = self.journal.uptime(source.camera.id)
        return CameraHealth(
            view=view,
            streams=tuple(self._stream(one) for one in source.sources if one.exists),
            profiles=tuple(known.description.profiles) if known is not None else (),
            clock_offset_s=known.clock_offset_s if known is not None else None,
            incidents=tuple(self.journal.last(source.camera.id)),
            uptime_day=day,
            uptime_week=week,
        )

    def _stream(self, source: StreamSource | PublishSource) -> StreamHealth:
        stream = source.stream
        day = self._today.of(stream.id, stream.counts)
        return StreamHealth(
            id=stream.id,
            transport=source.transport,
            jitter_s=stream.meter.jitter_s,
            interruptions_today=day.interruptions,
            failures_today=day.failures,
            repairs_today=day.repairs,
            lost_today=day.lost,
        )

    def _tell(self, change: Change) -> None:
        camera = change.incident.camera
        name = next((source.camera.name for source in self._sights.cameras() if source.camera.id == camera), "")
        self._hooks.tell(change, self._config.site, name)

    def _details(self) -> dict[str, Any]:
        states = Counter(source.status.state.value for source in self._sights.cameras())
        return {
            "version": self._version,
            "uptime_s": round(time.time() - self._started),
            "loop_lag_s": round(self._worst_lag_s, 4),
            "cameras": dict(states),
            "incidents_open": len(self.journal.open),
            "journal": redact(self.journal.trouble) or "ok",
        }
