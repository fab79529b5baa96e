"""The RTSP server: listening socket, connections, and the clock that ends dead ones. Event loop only."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

from gateway.doors import ServerDoor
from gateway.errors import ListenError
from gateway.http.authenticator import Gatekeeper
from gateway.rtsp.connection import Connection, Settings
from gateway.rtsp.mount import Resolve

log = logging.getLogger(__name__)

DEFAULT_PORT = 554
MAX_CONNECTIONS = 512
"""Far above the viewers one box can feed; below the usual limit of 1024 open files."""
MAX_CONNECTIONS_PER_ADDRESS = 256
"""Main and sub streams of 128 cameras for one recorder. Nobody has to log in to hold a connection, so none may hold all."""
LOOKUP_TIMEOUT_S = 8.0
"""Long enough for an on-demand camera to be opened and give a keyframe; clients give up after 10 s."""
SWEEP_INTERVAL_S = 1.0
STOP_GRACE_S = 1.0
"""How long viewers may take to read the goodbye."""


class RtspServer:
    """Serves what `resolve` finds. `authenticator` may be replaced at any time; None lets everybody in."""

    def __init__(
        self,
        resolve: Resolve,
        authenticator: Gatekeeper | None = None,
        *,
        gatekeeper_of: Callable[[str], Gatekeeper | None] | None = None,
        server_name: str = "Camera",
        max_connections: int = MAX_CONNECTIONS,
        udp_ports: range | None = None,
        lookup_timeout_s: float = LOOKUP_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gatekeeper_of`, asked with a client's address, stands for `authenticator`.

        `udp_ports` bounds the server's RTP ports (a firewall's opening); None takes any free ones.
        """
        self.authenticator = authenticator
        self.max_connections = max_connections
        self._clock = clock
        self._settings = Settings(
            resolve=resolve,
            gatekeeper_of=gatekeeper_of or (lambda _client: self.authenticator),
            clock=clock,
            server_name=server_name,
            lookup_timeout_s=lookup_timeout_s,
            udp_ports=udp_ports,
        )
        self._connections: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()
        self._server: ServerDoor | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._connections)

    async def start(self, host: str, port: int = DEFAULT_PORT) -> int:
        """Listen on `host` (an address) and `port` (0 picks one). Returns the port. Raises ListenError."""
        self._server = await self.open(host, port)
        return self._server.port

    async def open(self, host: str, port: int) -> ServerDoor:
        """Open one more port, which belongs to the caller. Raises ListenError."""
        loop = asyncio.get_running_loop()
        try:
            door = ServerDoor(await loop.create_server(lambda: Connection(self._settings, self), host, port))
        except OSError as error:
            raise ListenError(f"RTSP: cannot listen on {host}:{port}: {error.strerror or error}") from error
        if self._sweeper is None:
            self._sweeper = loop.create_task(self._sweep())
        log.info("rtsp: listening on %s:%s", host, door.port)
        return door

    async def stop(self) -> None:
        """Stop listening, say goodbye to every viewer, and cut whoever does not leave. Harmless if not started."""
        if self._server is not None:
            await self._server.close()
            self._server = None
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in tuple(self._connections):
            connection.close()
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await self._empty.wait()
        except TimeoutError:
            self.drop_sessions()
            await asyncio.sleep(0)

    def drop_sessions(self) -> int:
        """Cut every connection without a word, as a camera does that loses power. How many there were."""
        connections = tuple(self._connections)
        for connection in connections:
            connection.abort()
        return len(connections)

    def joined(self, connection: Connection) -> bool:
        """`connection.Registry`: a new connection."""
        here = self._by_address[connection.peer]
        admitted = len(self._connections) < self.max_connections and here < MAX_CONNECTIONS_PER_ADDRESS
        self._connections.add(connection)
        self._by_address[connection.peer] += 1
        self._empty.clear()
        return admitted

    def left(self, connection: Connection) -> None:
        """`connection.Registry`: a connection is gone."""
        self._connections.discard(connection)
        self._by_address[connection.peer] -= 1
        if not self._by_address[connection.peer]:
            del self._by_address[connection.peer]
        if not self._connections:
            self._empty.set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            now = self._clock()
            for connection in tuple(self._connections):
                try:
                    connection.sweep(now)
                except Exception:
                    log.exception("rtsp %s: cut, it could not be looked after", connection.peer)
                    connection.abort()
