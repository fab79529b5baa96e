"""Composition root: builds everything from a configuration, starts it, changes it while it runs, and stops it.

Everything here runs on the event loop except the methods of `GatewayPort`, which Flask's worker threads call and which do
their reading on the loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from gateway import __version__, views
from gateway.config.diff import ConfigDiff
from gateway.config.model import Config, Discovery, HostPort, UnannouncedPicture
from gateway.device.device import CameraDevice
from gateway.device.devices import Devices
from gateway.doors import Doors
from gateway.errors import AdoptError
from gateway.health.collector import Sights
from gateway.health.room import JUDGE_S, Health
from gateway.health.view import HealthView
from gateway.hls.express import Express
from gateway.hls.server import HlsService, HlsSettings
from gateway.http.access import Access, Right
from gateway.http.admission import is_loopback
from gateway.http.guard import guarded, guarded_websocket
from gateway.http.listeners import HttpListeners
from gateway.http.messages import Request
from gateway.http.router import Router
from gateway.http.rsgi import Application
from gateway.http.tls_files import Served
from gateway.http.wsgi_bridge import WsgiBridge
from gateway.journal.incident import Incident
from gateway.live.connection import Sees
from gateway.live.server import PATH as LIVE_PATH
from gateway.live.server import LiveService
from gateway.media import snapshot
from gateway.media.frame import Frame
from gateway.media.state import State
from gateway.memory import give_back
from gateway.nvr import onvif_device
from gateway.nvr.logins import Logins
from gateway.nvr.onvif_device import OnvifDevice
from gateway.nvr.rtsp_output import RtspOutput
from gateway.private_files import write_atomically
from gateway.pulse import Promise, Role
from gateway.relief import Relief
from gateway.reload import files
from gateway.reload.attempt import Attempt, Outcome, Trigger
from gateway.reload.openers import openers
from gateway.reload.reloading import ConfigStatus, Reloading
from gateway.reload.transition import Parts, go_over, own_pair, wanted_doors
from gateway.rights import StreamRights
from gateway.roster import Outputs, Roster
from gateway.rtmp.pushes import Pushes
from gateway.rtmp.server import RtmpServer
from gateway.rtmp.tls import ServerTls
from gateway.sources import address_book, adoption
from gateway.sources.address_book import AddressBook
from gateway.sources.adoption import Wish
from gateway.sources.camera import CameraSource
from gateway.sources.lookout import TICK_S as LOOK_S
from gateway.sources.lookout import Lookout
from gateway.sources.publish import PublishSource
from gateway.sources.resolver import OnvifFinder
from gateway.sources.whereabouts import Move, Standing, Whereabouts
from gateway.ticker import Interval, Ticker, move_jobs
from gateway.web.app import create_app
from gateway.web.headers import HSTS_S
from gateway.web.pages import AUTHORITY
from gateway.web.plain_http import HTTPS_PORT, REDIRECT
from gateway.web.ports import AdoptedView, CameraView, DiscoveredView, Readiness, WallView

log = logging.getLogger(__name__)

T = TypeVar("T")

_JOB: dict[str, Any] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
"""For apscheduler: late ticks are worthless, so they are merged and never reported as missed."""
TICK_S = 0.5
"""How often every stream is looked at: a frozen picture is called late within LATE_AFTER_S plus this."""
TRIM_S = 10.0
"""How often free memory goes back to the system."""
VITAL_S = 10.0
"""What runs every second or more often and has not for so long is stuck."""
COMPANION_S = 60.0
PORT_CALL_S = 3.0
ADOPT_TURN_S = 2.0
RTMPS_REFRESH_S = 60.0
"""A renewed certificate is in use after this long at the latest."""
RELOAD_CALL_S = 25.0
"""A page waits this long for a reload: below the bridge's deadline, above all that a reload does."""
_SEARCHING = ("search", "follow")
"""Jobs that exist while discovery is enabled."""
STOP_READERS_S = 5.0
"""A reader inside libavformat ends with its read timeout. Whatever has not ended by then is left to the process's end."""


class Service:
    """The running gateway. Implements `gateway.web.ports.GatewayPort`."""

    def __init__(self, config: Config, access: Access, config_path: Path | None = None) -> None:
        """`config_path` is where `config` came from, if from a file: only then cameras can be adopted."""
        self.site = config.site
        self.version = __version__
        self._config = config
        self._adopting = threading.Lock()
        self._access = access
        access.configure(config)
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._where = Whereabouts(AddressBook(config.data_dir / address_book.FILE_NAME, write_atomically))
        self._where.configure(config.cameras)
        self._finder = OnvifFinder(self._where)
        self._devices = Devices(self._finder.client, self._loop)
        self._pushes = Pushes()
        self._roster = Roster(self._finder, self._devices, self._pushes, self._loop)
        self._cameras = self._roster.cameras
        self._streams = self._roster.streams
        self._jpegs: dict[tuple[str, int | None], tuple[Frame, bytes]] = {}
        self._scheduler = AsyncIOScheduler(event_loop=self._loop)
        self._ticker = Ticker(TICK_S, self._tick, self._clock_was_set)
        self._ticked_at = time.monotonic()
        self._hls = HlsService(
            self._streams.get,
            HlsSettings(config.hls.part_s, config.hls.segment_s, config.hls.window_s),
            always=lambda stream: not stream.id.endswith(".sub"),
        )
        self._live = LiveService(self._streams.get, self._sees)
        self._rtmp = RtmpServer(
            self._streams.get,
            StreamRights(access, self._publish_point).check,
            publish=self._publish_point,
            policy=self._unannounced_picture,
            silent_audio=config.rtmp.silent_audio,
        )
        logins = Logins(config.onvif, access)
        self._rtsp = RtspOutput(None, self._streams.get, logins.for_streams)
        self._roster.connect(Outputs(self._hls, self._live, self._rtmp, self._rtsp))
        self._onvif = OnvifDevice(
            onvif_device.identity_of(config.site, access.installation),
            logins,
            lambda: self._cameras.values(),
            rtsp_port=lambda: self.port("rtsp"),
            snapshot=lambda stream_id: asyncio.to_thread(self.snapshot, stream_id, None),
        )
        self._phase = "starting"
        self._health = Health(
            config,
            access,
            Sights(lambda: self._cameras.values(), self._pushes, self._rtmp, self._live, self._hls),
            __version__,
            self.readiness,
        )
        outputs = (self._hls, self._live, self._rtmp, self._rtsp)
        self._relief = Relief(outputs, self._be_frugal, give_back, self._health.lag.last)
        self._frugal = False
        self._lookout = Lookout(self, self._where, ignore=(self._onvif.identity.endpoint,))
        self._certificate = Served(config.data_dir, own_pair(config))
        self._rtmp_tls = ServerTls(self._certificate)
        self.pages = create_app(self, access)
        """The Flask application."""
        self._bridge = WsgiBridge(self.pages)
        self.router = router = Router()
        """What is answered without it."""
        router.add("/hls/", guarded(access, "/hls/", self._hls.handle, Right.VIEW))
        self._health.add_routes(router)
        router.add_lane("/hls/", Express(self._hls, access.passes, access.fields_as_sent))
        router.add_websocket(LIVE_PATH, guarded_websocket(access, self._live.handle, Right.VIEW))
        self._http = HttpListeners(Application(router, self._bridge, access.as_sent), tls=self._certificate)
        self._http.warden.exempt = lambda address: is_loopback(address) or access.is_proxy(address)
        self._doors = Doors(openers(self._http, self._rtmp, self._rtmp_tls, self._rtsp, self._onvif))
        self._parts = Parts(
            access,
            self._certificate,
            self._rtmp_tls,
            self._doors,
            self._http,
            self._hls,
            self._rtmp,
            self._onvif,
            logins,
            self._roster,
            self._where,
            self._search,
            self._say,
        )
        self._reloading = Reloading(config_path, os.environ, self.reload, config)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the ports, then the cameras. Raises ListenError or OSError, having released everything."""
        self._access.audit.start()
        self._access.audit.record("start", "", "", version=self.version)
        try:
            await self._doors.change(wanted_doors(self._config))
            if (onvif := self.port("onvif")) is not None:
                await self._onvif.announce(HostPort(self._config.onvif.listen.host, onvif))
        except BaseException:
            await self.stop()
            raise
        for warning in self._config.warnings:
            log.warning("%s", warning)
        self._health.start()
        self._say(self._config)
        for camera in self._config.cameras:
            self._roster.add(camera, self._config)
        self._scheduler.add_job(self._health.judge, Interval(seconds=JUDGE_S), **_JOB)
        self._scheduler.add_job(give_back, Interval(seconds=TRIM_S), **_JOB)
        self._ticked_at = time.monotonic()
        self._scheduler.add_job(self._refresh_rtmps, Interval(seconds=RTMPS_REFRESH_S), **_JOB)
        self._search(self._config.discovery)
        await self._reloading.begin(self._config)
        self._scheduler.add_job(self._reloading.watch, Interval(seconds=files.POLL_S), **_JOB)
        self._scheduler.start()
        self._ticker.start()
        self._relief.start()
        self._phase = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, or until a listener dies on its own."""
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(self._http.failed.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def stop(self) -> bool:
        """Stop everything within 6 s. True when every reader thread has ended; else the process must be left hard."""
        self._ticker.stop()
        self._relief.stop()
        self._phase = "stopping"
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        await self._reloading.end()
        self._lookout.stop()
        self._finder.close()
        deadline = time.monotonic() + STOP_READERS_S
        parting = self._devices.stop()
        self._rtmp.hang_up()
        stuck = self._roster.stop()
        closing = (
            self._onvif.announce(None),
            self._doors.close(),
            self._hls.close(),
            self._rtmp.stop(),
            self._rtsp.stop(),
            self._pushes.stop(),
            self._http.stop(),
            self._health.stop(),
        )
        # one that fails to stop must not keep the others open
        for result in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("stopping: %s", result, exc_info=result)
        try:
            while (alive := [thread for thread in stuck if thread.is_alive()]) and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            # These end with the process if they must: what they hold of a camera ends by itself, too.
            while any(thread.is_alive() for thread in parting) and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        finally:
            self._bridge.close()
            self._access.close()
        for thread in alive:
            log.warning("%s: the camera keeps its reader waiting, left behind", thread.name)
        return not alive

    @property
    def failed(self) -> bool:
        """A listener died on its own; the gateway should be started again."""
        return self._http.failed.is_set()

    def port(self, scheme: str) -> int | None:
        """The open port of `https`, `http`, `rtmp`, `rtmps`, `rtsp` or `onvif`."""
        return self._doors.port(scheme)

    async def reload(self, config: Config) -> ConfigDiff:
        """Go over to another configuration: cameras that did not change keep running. Raises ListenError and OSError, and
        everything is as before."""
        self._config, change = await go_over(self._parts, self._config, config)
        return change

    async def reload_files(self, trigger: Trigger) -> Attempt:
        """Read the files again and go over to what they say. What is wrong is in the log, the API and the answer."""
        return await self._reloading.reload(trigger)

    # --- GatewayPort: called by Flask's threads ---------------------------------------------------------------------------

    def cameras(self) -> tuple[CameraView, ...]:
        """See `GatewayPort.cameras`."""
        return self._on_loop(lambda: tuple(self._view(source) for source in self._cameras.values()))

    def camera(self, camera_id: str) -> CameraView | None:
        """See `GatewayPort.camera`."""

        def look() -> CameraView | None:
            source = self._cameras.get(camera_id)
            return self._view(source) if source is not None else None

        return self._on_loop(look)

    def wall_views(self) -> tuple[WallView, ...]:
        """See `GatewayPort.wall_views`. Reads one reference, which a reload replaces as a whole."""
        return tuple(views.wall_view(view) for view in self._config.views)

    def embedders(self) -> tuple[str, ...]:
        """See `GatewayPort.embedders`."""
        return self._config.watch.embed

    def snapshot(self, camera_id: str, width: int | None) -> bytes | None:
        """See `GatewayPort.snapshot`. Decodes on the calling thread; a keyframe is decoded once per size."""
        stream = self._on_loop(lambda: self._streams.get(camera_id))
        frame = stream.last_keyframe if stream is not None else None
        if frame is None:
            return None
        key = (camera_id, width)
        known = self._jpegs.get(key)
        if known is not None and known[0] is frame:
            return known[1]
        try:
            picture = snapshot.jpeg(frame, width)
        except snapshot.SnapshotError as error:
            log.warning("stream %s: no snapshot: %s", camera_id, error)
            return None
        if len(self._jpegs) > 4 * max(8, len(self._cameras)):
            self._jpegs.clear()
        self._jpegs[key] = (frame, picture)
        return picture

    def discovered(self) -> tuple[DiscoveredView, ...]:
        """See `GatewayPort.discovered`."""

        def look() -> tuple[DiscoveredView, ...]:
            return tuple(views.discovered_view(one, self._where, self._config.cameras) for one in self._lookout.sightings())

        return self._on_loop(look)

    def forget_identity(self, camera_id: str) -> bool:
        """See `GatewayPort.forget_identity`."""

        def forget() -> bool:
            source = self._cameras.get(camera_id)
            if source is not None:
                self._where.forget(camera_id)
                source.moved()
            return source is not None

        known = self._on_loop(forget)
        self._where.book.save()
        return known

    def adopt(self, wish: Wish) -> AdoptedView:
        """See `GatewayPort.adopt`."""
        path = self._reloading.path
        if path is None:
            raise AdoptError("configuration", "this gateway runs without a configuration file and cannot remember a camera")
        # One at a time, and no queue: each occupies one of the few workers for as long as its camera takes.
        if not self._adopting.acquire(timeout=ADOPT_TURN_S):
            raise AdoptError("busy", "another camera is being added; try again")
        try:
            adopted = adoption.adopt(wish, path, os.environ)
            attempt = self.reload_config(Trigger.ADOPTION)
            if attempt.outcome is Outcome.REFUSED:
                raise AdoptError("configuration", f"the camera was written down but is not served: {attempt.complaints[0]}")
        finally:
            self._adopting.release()
        log.info("camera %s was adopted: %s", adopted.id, adopted.file)
        return AdoptedView(adopted.id, adopted.name, f"{adopted.file.parent.name}/{adopted.file.name}", adopted.has_sub)

    def device(self, camera_id: str) -> CameraDevice | None:
        """See `GatewayPort.device`."""
        return self._devices.get(camera_id)

    def config_status(self) -> ConfigStatus:
        """See `GatewayPort.config_status`."""
        return self._on_loop(self._reloading.status)

    def reload_config(self, trigger: Trigger = Trigger.REQUEST) -> Attempt:
        """See `GatewayPort.reload_config`."""
        return asyncio.run_coroutine_threadsafe(self.reload_files(trigger), self._loop).result(RELOAD_CALL_S)

    def readiness(self) -> Readiness:
        """For `/readyz`. Cameras that are away are the cameras' trouble, not the gateway's."""
        problems = ["a listener has stopped"] if self._http.failed.is_set() else []
        if self._phase:
            problems.append(f"the gateway is {self._phase}")
        shortage = self._relief.state
        return Readiness(not problems, tuple(problems), shortage.level.name.lower(), shortage.reason)

    def health(self) -> HealthView:
        """See `GatewayPort.health`."""
        return self._on_loop(lambda: self._health.view(self._view, self._devices.get))

    def incidents(self, camera: str | None, limit: int, before: int | None = None) -> list[Incident]:
        """See `GatewayPort.incidents`."""
        return self._health.incidents(camera, limit, before)

    # --- inside -----------------------------------------------------------------------------------------------------------

    def _view(self, source: CameraSource) -> CameraView:
        camera_id = source.camera.id
        return views.camera_view(
            source,
            self._config.listen,
            pushes=self._pushes.status(camera_id),
            device=self._devices.get(camera_id),
            found_at=self._where.elsewhere(source.camera),
        )

    def _on_loop(self, read: Callable[[], T]) -> T:
        if threading.get_ident() == self._loop_thread:
            return read()
        answer: concurrent.futures.Future[T] = concurrent.futures.Future()

        def look() -> None:
            try:
                answer.set_result(read())
            except Exception as error:
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(look)
        return answer.result(PORT_CALL_S)

    def _search(self, discovery: Discovery) -> None:
        """Search the network like this from now on."""
        for job in _SEARCHING:
            if self._scheduler.get_job(job) is not None:
                self._scheduler.remove_job(job)
        if discovery.enabled:
            self._lookout.ticked_at = time.monotonic()
            soon, every_s = self._lookout.search_soon, discovery.interval_s
            self._scheduler.add_job(soon, Interval(seconds=every_s), id=_SEARCHING[0], **_JOB)
            self._scheduler.add_job(self._lookout.tick, Interval(seconds=LOOK_S), id=_SEARCHING[1], **_JOB)
            self._scheduler.add_job(soon)

    def _say(self, config: Config) -> None:
        """Pages and API speak of this configuration."""
        self.site = config.site
        self._health.configure(config)
        secure = config.listen.https
        self.pages.config.update(
            {
                HTTPS_PORT: secure.port or self.port("https") if secure is not None else None,
                AUTHORITY: self._certificate.authority if secure is not None or config.listen.rtmps is not None else None,
                REDIRECT: config.listen.http_redirect,
                HSTS_S: config.tls.hsts_s,
            }
        )

    async def _refresh_rtmps(self) -> None:
        if self._doors.port("rtmps") is not None:
            await self._rtmp_tls.refresh()

    async def _sees(self, request: Request) -> Sees | None:
        """Which streams a page of the wall may be shown; whatever it begins to show is recorded."""
        decision = await self._access.check_request(request, Right.VIEW)
        grant = decision.grant
        if not decision.allowed or grant is None:
            return None

        def sees(stream_id: str) -> bool:
            seen = grant.plays(stream_id)
            if seen and stream_id in self._streams:
                self._access.audit.going_on("watch", grant.user, request.client, camera=stream_id, way="wall")
            return seen

        return sees

    def _publish_point(self, camera_id: str) -> PublishSource | None:
        source = self._cameras.get(camera_id)
        return next((one for one in source.sources if isinstance(one, PublishSource)), None) if source is not None else None

    def _unannounced_picture(self, stream_id: str) -> UnannouncedPicture:
        source = self._cameras.get(stream_id.removesuffix(".sub"))
        return (source.camera.h265 if source is not None else None) or self._config.rtmp.h265

    def _clock_was_set(self, step_s: float) -> None:
        move_jobs(self._scheduler, step_s)
        self._health.journal.clock_was_set(step_s)
        self._http.check_certificate()

    def _be_frugal(self, frugal: bool) -> None:
        self._frugal = frugal
        self._hls.be_frugal(frugal)
        for stream in self._streams.values():
            stream.be_frugal(frugal)

    def _tick(self) -> None:
        for source in self._cameras.values():
            source.tick()
            if self._frugal:
                for stream in source.streams:  # also those that were added since
                    stream.be_frugal(True)
        self._ticked_at = time.monotonic()  # what follows is no reason to start the gateway again
        for source in self._cameras.values():
            self._devices.observe(source)
        self._health.tick()

    # --- watchdog.Patient -----------------------------------------------------------------------------------------------------

    def promises(self) -> list[Promise]:
        """See `watchdog.Patient`."""
        made = [Promise("the scheduler", Role.VITAL, self._ticked_at + VITAL_S)]
        if self._hls.sweeping:
            made.append(Promise("the HLS sweeper", Role.VITAL, self._hls.swept_at + VITAL_S))
        if self._config.discovery.enabled:
            made.append(Promise("the search for cameras", Role.COMPANION, self._lookout.ticked_at + COMPANION_S))
        for source in self._cameras.values():
            made += source.promises()
        return made + self._devices.promises()

    def summary(self) -> str:
        """See `watchdog.Patient`."""
        live = sum(source.status.state is State.LIVE for source in self._cameras.values())
        return f"{len(self._cameras)} cameras, {live} live"

    # --- lookout.Owner ------------------------------------------------------------------------------------------------------

    def standing(self) -> list[Standing]:
        """See `lookout.Owner`."""
        return [
            Standing(source.camera, source.status.state is State.LIVE)
            for source in self._cameras.values()
            if source.camera.enabled
        ]

    def moved(self, move: Move) -> None:
        """See `lookout.Owner`."""
        source = self._cameras.get(move.camera.id)
        if source is not None:
            source.moved()

    def seen(self, camera_id: str) -> None:
        """See `lookout.Owner`."""
        source = self._cameras.get(camera_id)
        if source is not None and source.status.state is State.OFFLINE:
            source.retry_now()
