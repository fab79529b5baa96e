"""The route `/live`: the pages that are connected and the feeds they share. Event loop only.

Authentication is done before (`gateway.http.guard`): who arrives here may see something, and comes from our own page. Which
streams, `allowed` tells, at the beginning and with every heartbeat.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from gateway.http.messages import Request
from gateway.http.router import WebSocket
from gateway.live.connection import Connection, Sees
from gateway.live.feed import Feed
from gateway.live.messages import Format
from gateway.media.state import Status
from gateway.media.stream import Stream

log = logging.getLogger(__name__)

PATH = "/live"
MAX_SOCKETS_PER_ADDRESS = 512
"""Everybody behind one router or reverse proxy; beyond that it is a loop that reconnects."""
MAX_SOCKETS = 1024
MAX_CHANNELS = 0xFFFF

Allowed = Callable[[Request], Awaitable[Sees | None]]


class LiveService:
    """The wall's transport for all streams. `resolve` finds a stream by id."""

    def __init__(
        self,
        resolve: Callable[[str], Stream | None],
        allowed: Allowed,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`allowed` is asked every other second which streams a page may see; None: none any more."""
        self._resolve = resolve
        self._allowed = allowed
        self._monotonic = monotonic
        self._wall = wall
        self._feeds: dict[tuple[str, Format], Feed] = {}
        self._channels = itertools.count()
        self._connections: dict[Connection, None] = {}
        """In the order in which they came."""
        self.closed_to_new = ""
        """See `gateway.relief.Output`."""
        self._addresses: Counter[str] = Counter()
        self._watchers: dict[str, tuple[Stream, Callable[[Status], None]]] = {}

    @property
    def connections(self) -> int:
        """Pages that are connected."""
        return len(self._connections)

    def viewers(self) -> int:
        """See `gateway.relief.Output`."""
        return len(self._connections)

    def shed(self, count: int, reason: str) -> int:
        """See `gateway.relief.Output`."""
        newest = list(self._connections)[len(self._connections) - count :] if count > 0 else []
        for connection in newest:
            connection.send_away()
        return len(newest)

    def queue_age_s(self) -> float:
        """How far the slowest page is behind."""
        return max((connection.waits_s for connection in self._connections), default=0.0)

    def attach(self, stream: Stream) -> None:
        """A stream was configured: its state is told, and pages that show its id go on with it."""
        self.detach(stream.id)

        def tell(status: Status) -> None:
            self._tell(stream.id, status)

        self._watchers[stream.id] = (stream, tell)
        stream.watch_status(tell)
        for (stream_id, _), feed in self._feeds.items():
            if stream_id == stream.id:
                feed.rebind(stream)
        for connection in tuple(self._connections):
            connection.stream_appeared(stream.id)
        self._tell(stream.id, stream.status)

    def detach(self, stream_id: str) -> None:
        """A stream was removed. Its pages learn that from the list of cameras."""
        watched = self._watchers.pop(stream_id, None)
        if watched is not None:
            stream, tell = watched
            stream.unwatch_status(tell)

    async def handle(self, request: Request, socket: WebSocket) -> None:
        """Serve a page that may see the streams, until it goes."""
        client = request.client
        if request.path != PATH:
            socket.close(404)
            return
        if self.closed_to_new:
            socket.close(503)
            return
        if len(self._connections) >= MAX_SOCKETS or self._addresses[client] >= MAX_SOCKETS_PER_ADDRESS:
            log.warning("wall: %s refused: too many connections", client)
            socket.close(429)
            return
        sees = await self._allowed(request)
        if sees is None:
            socket.close(403)
            return
        self._addresses[client] += 1
        connection: Connection | None = None
        try:
            connection = Connection(
                await socket.accept(),
                find=self._feed,
                states=self._states,
                sees=sees,
                allowed=lambda: self._allowed(request),
                monotonic=self._monotonic,
                wall=self._wall,
            )
            self._connections[connection] = None
            await connection.run()
        except (OSError, RuntimeError) as error:  # granian's own word for a connection that has gone is a RuntimeError
            log.debug("wall: connection of %s ended: %s", client, error)
        finally:
            self._addresses[client] -= 1
            if not self._addresses[client]:
                del self._addresses[client]
            if connection is not None:
                self._connections.pop(connection, None)
                if connection.dropped:
                    log.info("wall: %s: line too slow, %d pictures were left out", client, connection.dropped)
                self._forget_idle()

    def _feed(self, stream_id: str, wanted: Format) -> Feed | None:
        stream = self._resolve(stream_id)
        if stream is None:
            return None
        feed = self._feeds.get((stream_id, wanted))
        if feed is None:
            feed = self._feeds[stream_id, wanted] = Feed(self._channel(), wanted, stream)
        else:
            feed.rebind(stream)
        return feed

    def _channel(self) -> int:
        used = {feed.channel for feed in self._feeds.values()}
        return next(number for number in (count % MAX_CHANNELS + 1 for count in self._channels) if number not in used)

    def _forget_idle(self) -> None:
        self._feeds = {key: feed for key, feed in self._feeds.items() if feed.watched}

    def _states(self, stream_id: str) -> list[tuple[str, Status]]:
        return [(one, stream.status) for one in _told_with(stream_id) if (stream := self._resolve(one)) is not None]

    def _tell(self, stream_id: str, status: Status) -> None:
        for connection in tuple(self._connections):
            if any(stream_id in _told_with(shown) for shown in connection.streams):
                connection.tell_state(stream_id, status)


def _told_with(stream_id: str) -> tuple[str, ...]:
    """The streams whose state a viewer of this one wants to know: its own and its camera's, which is the main stream's."""
    camera = stream_id.partition(".")[0]
    return (camera,) if camera == stream_id else (camera, stream_id)
