"""The RTMP listener: accepts connections, counts them, and looks after their deadlines.

    server = RtmpServer(streams.get, may_play)
    await server.start("0.0.0.0", 1935)     # rtmp://HOST:1935/live/<stream>
    ...
    await server.stop()

Event loop only (uvloop in the service, any loop in tests).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from gateway.config.model import UnannouncedPicture
from gateway.doors import ServerDoor
from gateway.errors import ListenError
from gateway.media.stream import Stream
from gateway.rtmp.complaints import Complaints
from gateway.rtmp.connection import Connection, Context, FindPublishPoint, Resolve
from gateway.rtmp.limits import Counters, ServerLimits
from gateway.rtmp.permission import Action, Authorise, Credentials
from gateway.rtmp.relays import Relays
from gateway.rtmp.tls import TlsListener

__all__ = ["Action", "Credentials", "RtmpServer", "RtmpStatus", "ServerLimits"]

log = logging.getLogger(__name__)

STOP_S = 2.0
"""For players to take the last bytes when the server stops."""
_BACKLOG = 256


@dataclass(frozen=True, slots=True)
class RtmpStatus:
    """What the server does right now, for the health page and metrics."""

    connections: int
    players: int
    streams: int
    """Streams with at least one player."""
    counters: Counters
    publishers: int = 0


class RtmpServer:
    """Serves streams to RTMP players, and takes them from RTMP publishers.

    `resolve` finds a stream by its id (`front-door`, `front-door.sub`). `authorise` decides, at once or as a coroutine (which
    may take its time after a wrong password), who may play. `publish` finds the stream that waits for a publisher, by its id;
    None: nobody may publish. `policy` says, by stream id, what players get that announce no
    Enhanced RTMP while the picture is H.265 or AV1. `silent_audio` gives streams without sound a
    silent track.
    """

    def __init__(
        self,
        resolve: Resolve,
        authorise: Authorise,
        *,
        publish: FindPublishPoint | None = None,
        policy: Callable[[str], UnannouncedPicture] = lambda _stream_id: UnannouncedPicture.SEND,
        silent_audio: bool = False,
        limits: ServerLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or ServerLimits()
        self._counters = Counters()
        self._complaints = Complaints(log)
        self._monotonic = monotonic
        self._relays = Relays(policy, monotonic, silent_audio=silent_audio)
        self._connections: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._server: ServerDoor | None = None
        self._tls: TlsListener | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._context = Context(
            resolve,
            authorise,
            publish,
            self._relays,
            self._limits,
            self._counters,
            self._complaints,
            monotonic,
            self._admit,
            self._forget,
        )

    @property
    def port(self) -> int:
        """The port that is listened on; 0 while stopped."""
        return self._server.port if self._server is not None else 0

    @property
    def silent_audio(self) -> bool:
        """Streams without sound get a silent track. A change counts for streams that nobody plays at that moment."""
        return self._relays.silent_audio

    @silent_audio.setter
    def silent_audio(self, wanted: bool) -> None:
        self._relays.silent_audio = wanted

    @property
    def tls_port(self) -> int:
        """The port that is listened on for RTMPS; 0 while stopped."""
        return self._tls.port if self._tls is not None else 0

    @property
    def closed_to_new(self) -> str:
        """See `gateway.relief.Output`."""
        return self._context.relays.closed_to_new

    @closed_to_new.setter
    def closed_to_new(self, reason: str) -> None:
        self._context.relays.closed_to_new = reason

    def viewers(self) -> int:
        """See `gateway.relief.Output`."""
        return sum(connection.playing for connection in self._connections)

    def shed(self, count: int, reason: str) -> int:
        """See `gateway.relief.Output`."""
        players = sorted((one for one in self._connections if one.playing), key=lambda one: -one.playing_since)[:count]
        for connection in players:
            connection.send_away(reason)
        return len(players)

    def status(self) -> RtmpStatus:
        """Figures of this moment."""
        players = sum(connection.playing for connection in self._connections)
        publishers = sum(connection.publishing for connection in self._connections)
        return RtmpStatus(len(self._connections), players, len(self._relays), self._counters, publishers)

    def sent_bytes(self, stream: Stream) -> int:
        """Media given to the players that `stream` has now; those that left are in its counts."""
        return self._relays.sent_bytes(stream)

    def queue_age_s(self) -> float:
        """How far the slowest player is behind."""
        return self._relays.queue_age_s(self._monotonic())

    async def start(self, host: str, port: int) -> None:
        """Listen. `port` 0 takes a free one.

        Raises:
            ListenError: the port is taken, not allowed, or the address is not this machine's.
        """
        self._server = await self.open(host, port)

    async def start_tls(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        """Listen for RTMPS, beside or instead of RTMP. Raises as `start` does."""
        self._tls = await self.open_tls(host, port, tls)

    async def open(self, host: str, port: int) -> ServerDoor:
        """Open one more port, which belongs to the caller. Raises as `start` does."""
        loop = asyncio.get_running_loop()
        try:
            door = ServerDoor(await loop.create_server(self._connection, host or None, port, backlog=_BACKLOG))
        except OSError as error:
            raise ListenError(_explain(host, port, error)) from error
        self._begin_ticking()
        log.info("rtmp: listening on %s", _endpoint(host, door.port))
        return door

    async def open_tls(self, host: str, port: int, tls: ssl.SSLContext) -> TlsListener:
        """Open one more port for RTMPS, which belongs to the caller. Raises as `start` does."""
        door = TlsListener(self._context, tls)
        try:
            await door.open(host, port)
        except OSError as error:
            raise ListenError(_explain(host, port, error)) from error
        self._begin_ticking()
        log.info("rtmps: listening on %s", _endpoint(host, door.port))
        return door

    async def stop(self) -> None:
        """Close what `start` opened, and every connection. Takes at most a few seconds; harmless if not started."""
        server, self._server = self._server, None
        if server is not None:
            await server.close()
        if self._tls is not None:
            await self._tls.close()
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        self.hang_up()
        for give_up in (False, True):
            if give_up:
                for connection in tuple(self._connections):
                    connection.abort()
            try:
                async with asyncio.timeout(STOP_S):
                    await self._empty.wait()
                break
            except TimeoutError:
                continue

    def hang_up(self) -> None:
        """Let every connection go, asking those who understand it to come back. The first thing when the gateway stops: a
        publisher must not hear that its camera is taken away."""
        for connection in tuple(self._connections):
            connection.shutdown()

    def dismiss(self, stream: Stream, reason: str) -> int:
        """Close the players of a stream that is taken away, giving them `reason`; return how many they were.

        For a camera that was removed or disabled: an outage needs no call, players wait it out.
        """
        return sum(connection.dismiss(stream, reason) for connection in tuple(self._connections))

    def _connection(self) -> Connection:
        return Connection(self._context)

    def _begin_ticking(self) -> None:
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().call_later(self._limits.tick_s, self._tick)

    def _tick(self) -> None:
        self._ticker = asyncio.get_running_loop().call_later(self._limits.tick_s, self._tick)
        now = self._monotonic()
        for connection in tuple(self._connections):
            try:
                connection.tick(now)
            except Exception:
                log.exception("rtmp %s: cut, it could not be looked after", connection.client)
                connection.abort()

    def _admit(self, connection: Connection) -> bool:
        limits, address = self._limits, connection.client
        if len(self._connections) >= limits.connections:
            problem = f"turned away: all {limits.connections} connections are taken"
        elif self._by_address[address] >= limits.per_address:
            problem = f"turned away: already {limits.per_address} connections from this address"
        else:
            self._connections.add(connection)
            self._by_address[address] += 1
            self._counters.accepted += 1
            self._empty.clear()
            return True
        self._counters.turned_away += 1
        self._complaints.add(address, self._monotonic(), problem)
        return False

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._by_address[connection.client] -= 1
        if not self._by_address[connection.client]:
            del self._by_address[connection.client]
        if not self._connections:
            self._empty.set()


def _endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host or '*'}:{port}"


def _explain(host: str, port: int, error: OSError) -> str:
    hints = {
        errno.EADDRINUSE: "another program, perhaps another RTMP server, listens there (`ss -ltnp` names it)",
        errno.EACCES: "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)",
        errno.EADDRNOTAVAIL: "this machine has no such address",
    }
    reason = hints.get(error.errno or 0, error.strerror or str(error))
    return f"cannot listen for RTMP on {_endpoint(host, port)}: {reason}"
