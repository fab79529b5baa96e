"""Serves the gateway's streams over RTSP, at `rtsp://HOST:8554/live/<stream>`. Event loop only.

The server, its pace and its dropping to keyframes are `gateway.rtsp`'s; this says which stream stands at which path.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.config.model import HostPort
from gateway.doors import ServerDoor
from gateway.http.authenticator import Gatekeeper
from gateway.media.stream import Stream
from gateway.nvr.profiles import STREAM_PATH
from gateway.rtsp.mount import Mount
from gateway.rtsp.server import RtspServer


class RtspOutput:
    """The listener, unless it is off, and one mount for every stream that was asked for."""

    def __init__(
        self,
        listen: HostPort | None,
        stream_of: Callable[[str], Stream | None],
        gatekeeper_of: Callable[[str], Gatekeeper | None],
    ) -> None:
        """`gatekeeper_of` gets the client's address."""
        self.port: int | None = None
        """The open port."""
        self._listen = listen
        self._stream_of = stream_of
        self._mounts: dict[str, Mount] = {}
        self._closed_to_new = ""
        self._server = RtspServer(
            lambda path, _query: self.mount(path), gatekeeper_of=gatekeeper_of, server_name="Camera Gateway"
        )

    async def start(self) -> None:
        """Listen, if it is on. Raises ListenError."""
        if self._listen is not None:
            self.port = await self._server.start(self._listen.host, self._listen.port)

    async def open(self, place: HostPort) -> ServerDoor:
        """Open one more port, which belongs to the caller. Raises ListenError."""
        return await self._server.open(place.host, place.port)

    async def stop(self) -> None:
        """Say goodbye to all viewers. Harmless if not started."""
        await self._server.stop()
        self.port = None

    def mount(self, path: str) -> Mount | None:
        """What stands at a path; None if nothing does."""
        stream_id = path.removeprefix(STREAM_PATH)
        stream = self._stream_of(stream_id) if path.startswith(STREAM_PATH) else None
        if stream is None:
            return None
        mount = self._mounts.get(stream_id)
        if mount is None or mount.stream is not stream:
            mount = self._mounts[stream_id] = Mount(stream, max_sessions=0 if self._closed_to_new else None)
        return mount

    @property
    def closed_to_new(self) -> str:
        """See `gateway.relief.Output`. RTSP has no words for it: a session more than allowed is answered with 453."""
        return self._closed_to_new

    @closed_to_new.setter
    def closed_to_new(self, reason: str) -> None:
        self._closed_to_new = reason
        for mount in self._mounts.values():
            mount.max_sessions = 0 if reason else None

    def viewers(self) -> int:
        """See `gateway.relief.Output`."""
        return sum(mount.sessions for mount in self._mounts.values())

    def shed(self, count: int, reason: str) -> int:
        """See `gateway.relief.Output`."""
        gone = 0
        for mount in sorted(self._mounts.values(), key=lambda mount: -mount.sessions):
            gone += mount.drop_newest(count - gone)
        return gone

    def dismiss(self, stream: Stream) -> None:
        """The stream is no more: its viewers' connections are cut, and they may ask again."""
        mount = self._mounts.get(stream.id)
        if mount is not None and mount.stream is stream:
            del self._mounts[stream.id]
            mount.drop_sessions()
