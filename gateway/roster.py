"""The cameras of the running gateway, and everything that has to know of each: outputs, devices, pushes. Event loop only.

A camera that is configured anew keeps its `Stream` objects, so that whoever watches them stays; only its sources are
replaced. Streams go with their cameras.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.config.model import Camera, Config, Push, StreamChoice
from gateway.device.devices import Devices
from gateway.hls.server import HlsService
from gateway.live.server import LiveService
from gateway.media.stream import Stream
from gateway.nvr.rtsp_output import RtspOutput
from gateway.rtmp.pushes import Pushes
from gateway.rtmp.server import RtmpServer
from gateway.sources.account import with_login
from gateway.sources.camera import CameraSource
from gateway.sources.legacy import Legacy
from gateway.sources.location import CameraFinder

REMOVED = "the camera was removed or changed in the configuration"
"""What players of RTMP are told."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What streams are given to."""

    hls: HlsService
    live: LiveService
    rtmp: RtmpServer
    rtsp: RtspOutput


class Roster:
    """Cameras and streams by id, in the order of the configuration."""

    def __init__(self, finder: CameraFinder, devices: Devices, pushes: Pushes, loop: asyncio.AbstractEventLoop) -> None:
        self.cameras: dict[str, CameraSource] = {}
        """The same object for the life of the process, as `streams` is."""
        self.streams: dict[str, Stream] = {}
        self.stuck: list[threading.Thread] = []
        """Readers that were told to stop and are still inside libavformat."""
        self._finder = finder
        self._devices = devices
        self._pushes = pushes
        self._loop = loop
        self._outputs: Outputs | None = None

    def connect(self, outputs: Outputs) -> None:
        """Say where streams go; before the first camera, and apart because outputs look for streams in here."""
        self._outputs = outputs

    def add(self, camera: Camera, config: Config, legacies: Mapping[str, Legacy] | None = None) -> None:
        """Serve `camera` from now on. `legacies` are the streams it had before."""
        camera, known = with_login(camera, config.discovery.credentials), legacies or {}
        source = CameraSource(camera, config.rtsp, self._finder, self._loop, known)
        self.cameras[camera.id] = source
        self._devices.add(source)
        for stream in source.streams:
            if stream.id not in known:
                self._attach(stream)
        source.start()
        self.push(camera)

    def remove(self, camera_id: str) -> None:
        """Serve it no longer: its viewers go."""
        self._pushes.set(camera_id, ())
        source = self._retire(camera_id)
        for stream in source.streams:
            self._detach(stream)

    def replace(self, camera: Camera, config: Config) -> None:
        """Serve it as it is configured now. Viewers of its streams stay, unless it is switched off."""
        source = self._retire(camera.id)
        legacies = source.legacies()
        if not camera.enabled:
            for stream in source.streams:
                self._dismiss(stream, "the camera was switched off in the configuration")
        elif _place(source.camera) != _place(camera):
            for stream in source.streams:
                stream.last_keyframe = None  # another camera's picture is no picture of this one
                if self._outputs is not None:
                    self._outputs.hls.forget(stream.id)
        self.add(camera, config, legacies)
        kept = {stream.id for stream in self.cameras[camera.id].streams}
        for stream in source.streams:
            if stream.id not in kept:
                self._detach(stream)

    def adjust(self, camera: Camera, config: Config) -> None:
        """Take up what needs no new session: names, timeouts, events, when the sub stream is pulled."""
        source = self.cameras[camera.id]
        listens = source.camera.events
        source.adjust(with_login(camera, config.discovery.credentials), config.rtsp)
        if listens is not camera.events:
            self._devices.remove(camera.id)
            self._devices.add(source)

    def repush(self, camera: Camera, config: Config) -> None:
        """Only its pushes changed."""
        self.cameras[camera.id].camera = with_login(camera, config.discovery.credentials)
        self.push(camera)

    def push(self, camera: Camera) -> None:
        """Have exactly the pushes that `camera` names."""
        streams = self.cameras[camera.id].streams

        def of(target: Push) -> Stream | None:
            wanted = int(target.stream is StreamChoice.SUB)
            return streams[wanted] if wanted < len(streams) else None

        targets = camera.push if camera.enabled else ()
        self._pushes.set(camera.id, [(stream, target) for target in targets if (stream := of(target)) is not None])

    def order(self, cameras: tuple[Camera, ...]) -> None:
        """Stand in the order of the configuration."""
        sources = {camera.id: self.cameras[camera.id] for camera in cameras}
        self.cameras.clear()
        self.cameras.update(sources)

    def stop(self) -> list[threading.Thread]:
        """End all sources; the threads that are still on their way out."""
        for source in self.cameras.values():
            self.stuck += source.stop()
        return self.stuck

    def _retire(self, camera_id: str) -> CameraSource:
        source = self.cameras.pop(camera_id)
        self._devices.remove(camera_id)
        self.stuck = [thread for thread in self.stuck if thread.is_alive()] + source.stop()
        return source

    def _attach(self, stream: Stream) -> None:
        self.streams[stream.id] = stream
        if self._outputs is not None:
            self._outputs.hls.attach(stream)
            self._outputs.live.attach(stream)

    def _detach(self, stream: Stream) -> None:
        self.streams.pop(stream.id, None)
        if self._outputs is not None:
            self._outputs.hls.detach(stream.id)
            self._outputs.live.detach(stream.id)
        self._dismiss(stream, REMOVED)

    def _dismiss(self, stream: Stream, reason: str) -> None:
        """Players that know no states would wait for ever."""
        if self._outputs is not None:
            self._outputs.rtmp.dismiss(stream, reason)
            self._outputs.rtsp.dismiss(stream)


def _place(camera: Camera) -> tuple[object, ...]:
    """Where the picture comes from."""
    return camera.address, camera.rtsp, camera.sub, camera.profile, camera.sub_profile, camera.publish is None
