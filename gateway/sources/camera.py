"""One configured camera: its streams and the readers that feed them. Event loop only; the readers have their own threads."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from gateway.config.model import Camera, RtspDefaults, SubPolicy
from gateway.media.state import State, Status
from gateway.media.stream import Stream
from gateway.pulse import Promise, Role
from gateway.sources import watch
from gateway.sources.account import Account
from gateway.sources.legacy import Legacy
from gateway.sources.location import CameraFinder, Fixed, Location, Shared
from gateway.sources.publish import PublishSource
from gateway.sources.rtsp import RtspReader
from gateway.sources.session import PullSettings
from gateway.sources.sink import LoopSink
from gateway.systemd.journal import change

log = logging.getLogger(__name__)

LINGER_S = 15.0
"""An on-demand stream is kept this long after its last viewer: switching views on the wall must not reconnect."""


class StreamSource:
    """One stream and the reader that feeds it while it is wanted, between `start()` and `stop()`."""

    def __init__(
        self,
        stream_id: str,
        location: Location,
        settings: PullSettings,
        account: Account,
        *,
        on_demand: bool,
        loop: asyncio.AbstractEventLoop,
        legacy: Legacy | None = None,
    ) -> None:
        """`legacy` is what the camera's source left behind that was configured before this one."""
        legacy = legacy or Legacy.of_new(Stream(stream_id))
        self.stream = legacy.stream
        self.on_demand = on_demand
        self.audio_note = ""
        self._location = location
        self._settings = settings
        self._account = account
        self._loop = loop
        self._open = False
        self._timeline = legacy.timeline
        self._reader: RtspReader | None = None
        self._sink: LoopSink | None = None
        self._last_thread = legacy.thread
        self._stopping: asyncio.TimerHandle | None = None
        if on_demand:
            self.stream.set_status(_idle())
            self.stream.demand.on_change(self._on_demand)

    @property
    def exists(self) -> bool:
        """False once the camera has said that it has no such stream."""
        return self._location.exists

    @property
    def transport(self) -> str:
        """How RTP comes: `tcp`, `udp` or `auto`."""
        return self._settings.transport

    def start(self) -> None:
        """Begin pulling, unless this waits for a viewer."""
        self._open = True
        if not self.on_demand or self.stream.demand.active:
            self._pull()

    def stop(self) -> list[threading.Thread]:
        """End pulling, for good. The threads returned are still on their way out."""
        self._open = False
        self._cancel_stopping()
        self.stream.demand.off_change(self._on_demand)
        sink = self._sink
        self._halt()
        if sink is not None:
            sink.release()
        self.stream.end()
        thread = self._last_thread
        return [thread] if thread is not None and thread.is_alive() else []

    def promise(self) -> Promise | None:
        """When its reader is heard of next; None while nothing is pulled."""
        reader = self._reader
        return Promise(reader.thread.name, Role.READER, reader.due) if reader is not None else None

    def legacy(self) -> Legacy:
        """What the next source of this stream goes on with. After `stop()`."""
        return Legacy(self.stream, self._timeline, self._last_thread)

    def adjust(self, settings: PullSettings, *, on_demand: bool) -> None:
        """Take up what needs no new session: timeouts, and whether the stream is pulled while nobody watches."""
        open_s, read_s = settings.open_timeout_s, settings.read_timeout_s
        self._settings = replace(self._settings, open_timeout_s=open_s, read_timeout_s=read_s)
        if self._reader is not None:
            self._reader.set_timeouts(open_s, read_s)
        if on_demand is self.on_demand:
            return
        self.on_demand = on_demand
        if on_demand:
            self.stream.demand.on_change(self._on_demand)
            self._on_demand(self.stream.demand.active)
        else:
            self.stream.demand.off_change(self._on_demand)
            self._on_demand(True)

    def retry_now(self) -> None:
        """The camera was seen on the network."""
        if self._reader is not None:
            self._reader.retry_now()

    def tick(self) -> None:
        """Look whether pictures still come."""
        stream = self.stream
        now = time.monotonic()
        last = stream.meter.last_video_at
        fps, _ = stream.meter.rates(last if last is not None else now)  # of the time before it fell silent
        before = stream.status
        after = watch.observe(before, now=now, wall=time.time(), last_video_at=last, fps=fps)
        if after is not before:
            reason = f": {after.reason}" if after.reason else " again"
            log.info("stream %s: %s%s", stream.id, after.state.value, reason, extra=change(after.code or after.state.value))
            stream.set_status(after)

    def _on_demand(self, active: bool) -> None:
        if not self._open:
            return
        self._cancel_stopping()
        if active:
            self._pull()
        elif self._reader is not None:
            self._stopping = self._loop.call_later(LINGER_S, self._rest)

    def _pull(self) -> None:
        if self._reader is not None:
            return
        self.stream.set_status(Status(State.CONNECTING, since=time.time()))
        reader: RtspReader | None = None

        def on_status(status: Status) -> None:
            # a reader that was told to stop may still be on its way out of libavformat
            if self._reader is reader:
                self.stream.set_status(status)

        sink = self._sink = LoopSink(self._loop, self.stream, on_status, self._on_audio_note)
        reader = RtspReader(
            self.stream.id,
            self._location,
            self._settings,
            self._timeline,
            sink,
            after=self._last_thread,
            account=self._account,
        )
        self._reader = reader
        self._last_thread = reader.thread
        reader.start()

    def _rest(self) -> None:
        self._stopping = None
        self._halt()
        self.stream.end()
        self.stream.set_status(_idle())
        log.info("stream %s: nobody watches, pulled no longer", self.stream.id)

    def _halt(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()

    def _cancel_stopping(self) -> None:
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None

    def _on_audio_note(self, note: str) -> None:
        self.audio_note = note


class CameraSource:
    """A camera with its main stream and, where it has one, its sub stream."""

    def __init__(
        self,
        camera: Camera,
        defaults: RtspDefaults,
        finder: CameraFinder,
        loop: asyncio.AbstractEventLoop,
        legacies: Mapping[str, Legacy] | None = None,
    ) -> None:
        """`camera` has the login to be used (`account.with_login`). `legacies`, by stream id, are those of the source that
        the camera had before its configuration changed: whoever watches one of these streams goes on watching it."""
        self.camera = camera
        """The name and whatever else needs no new session may be replaced while it runs."""
        self.account = Account()
        """What is known of its login, for everything that logs in to it."""
        self._disabled = _disabled(camera)
        self._shared = Shared(camera, finder) if camera.address is not None else None
        main, sub = locations(camera, self._shared)
        old = legacies or {}
        sources: list[StreamSource | PublishSource] = []
        if camera.publish is not None:
            sources.append(
                PublishSource(
                    camera.id,
                    camera.publish.key,
                    second=camera.publish.second,
                    audio=camera.audio,
                    legacy=old.get(camera.id),
                )
            )
        elif main is not None:
            settings, account = pull_settings(camera, defaults), self.account
            sources.append(
                StreamSource(camera.id, main, settings, account, on_demand=False, loop=loop, legacy=old.get(camera.id))
            )
            if sub is not None:
                on_demand, name = camera.sub_policy is SubPolicy.ON_DEMAND, f"{camera.id}.sub"
                sources.append(StreamSource(name, sub, settings, account, on_demand=on_demand, loop=loop, legacy=old.get(name)))
        self.sources: tuple[StreamSource | PublishSource, ...] = tuple(sources)
        if self._disabled is not None:
            for source in self.sources:
                source.stream.set_status(self._disabled)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Main first."""
        return tuple(source.stream for source in self.sources)

    @property
    def status(self) -> Status:
        """The camera's state is its main stream's."""
        return self._disabled or self.sources[0].stream.status

    def start(self) -> None:
        """Begin pulling."""
        if self._disabled is None:
            for source in self.sources:
                source.start()

    def stop(self) -> list[threading.Thread]:
        """End pulling; returns the threads still on their way out."""
        return [thread for source in self.sources for thread in source.stop()]

    def legacies(self) -> dict[str, Legacy]:
        """By stream id, what the camera's next source goes on with. After `stop()`."""
        return {source.stream.id: source.legacy() for source in self.sources}

    def adjust(self, camera: Camera, defaults: RtspDefaults) -> None:
        """Go on as `camera`, which differs in nothing that needs a new session."""
        self.camera = camera
        for position, source in enumerate(self.sources):
            if isinstance(source, StreamSource):
                on_demand = position > 0 and camera.sub_policy is SubPolicy.ON_DEMAND
                source.adjust(pull_settings(camera, defaults), on_demand=on_demand)

    def tick(self) -> None:
        """Look whether pictures still come."""
        for source in self.sources:
            source.tick()

    def promises(self) -> list[Promise]:
        """When its readers are heard of next."""
        made = [source.promise() for source in self.sources if isinstance(source, StreamSource)]
        return [one for one in made if one is not None]

    def retry_now(self) -> None:
        """The camera was seen on the network."""
        for source in self.sources:
            source.retry_now()

    def moved(self) -> None:
        """The camera was seen at another address."""
        if self._shared is not None:
            self._shared.moved()
        self.account.moved()
        self.retry_now()


def pull_settings(camera: Camera, defaults: RtspDefaults) -> PullSettings:
    """How this camera is pulled: its own settings over the defaults."""
    return PullSettings(
        username=camera.username,
        password=camera.password.reveal() if camera.password is not None else None,
        transport=(camera.transport or defaults.transport).value,
        open_timeout_s=defaults.open_timeout_s,
        read_timeout_s=defaults.read_timeout_s,
        audio=camera.audio,
        client=(camera.client or defaults.client).value,
        trust=camera.trust,
    )


def locations(camera: Camera, shared: Shared | None) -> tuple[Location | None, Location | None]:
    """Where main and sub stream are; (None, None) for a publisher. `shared` is for a camera given by `address`."""
    if camera.rtsp is not None:
        return Fixed(camera.rtsp), Fixed(camera.sub) if camera.sub is not None else None
    return (shared.main(), shared.sub()) if shared is not None else (None, None)


def _disabled(camera: Camera) -> Status | None:
    if not camera.enabled:
        return Status(State.DISABLED, since=time.time(), reason="switched off in the configuration", code="disabled")
    return None


def _idle() -> Status:
    return Status(State.OFFLINE, since=time.time(), reason="pulled only while somebody watches", code="idle")
