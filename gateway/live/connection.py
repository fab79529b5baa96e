"""One page's WebSocket: what it asked for, its backlog, its heartbeat. Event loop only.

Two tasks share a connection, one receives and one sends. Feeds hand frames over without waiting; whatever the line cannot
carry is the backlog's business. A page that has vanished without a word (a laptop that was shut) is noticed by its
missing answers to pings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.http.router import WebSocketTransport
from gateway.live import messages
from gateway.live.backlog import Backlog
from gateway.live.feed import KIND, Feed
from gateway.live.messages import Ack, BadMessage, Bye, Format, Pong, Subscribe, Unsubscribe
from gateway.media.state import Status

log = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
"""A page that hears nothing for longer than this asks, or connects anew."""
SILENT_PAGE_S = 15.0
"""A page that says nothing for so long is gone. Even browsers that slow down hidden pages answer messages at once."""
SEND_DEADLINE_S = 15.0
"""One message waits in `send` only for the kernel's buffer; a line that takes nothing for so long is dead."""
MAX_SUBSCRIPTIONS = 128
"""Tiles of a wall, each shortly with two streams while it changes from one to the other."""
MESSAGES_PER_S = 200.0
"""A wall of 36 acknowledges 20 times a second and answers pings."""
MESSAGES_BURST = 1000.0
SUBSCRIBE_COST = 5
"""In messages: a subscription copies the stream's past, up to megabytes, for this page. A wall may open 200 tiles at once."""

GOODBYE_S = 1.0
"""For the last word to a page."""

Key = tuple[str, Format]
Find = Callable[[str, Format], Feed | None]
StatusOf = Callable[[str], list[tuple[str, Status]]]
Sees = Callable[[str], bool]
"""Whether there is a stream of this id, as far as the page may know. Asked when it subscribes."""


class Connection:
    """A page. `run` lasts as long as the connection."""

    def __init__(
        self,
        transport: WebSocketTransport,
        *,
        find: Find,
        states: StatusOf,
        sees: Sees,
        allowed: Callable[[], Awaitable[Sees | None]],
        monotonic: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """`find` gives the feed of a stream id, None if there is no such stream; `states` what a viewer of it should know.

        `allowed` is asked with every heartbeat for another `sees`; None: the session has ended.
        """
        self._transport = transport
        self._find = find
        self._states = states
        self._sees = sees
        self._allowed = allowed
        self._monotonic = monotonic
        self._wall = wall
        self._backlog = Backlog(messages.dropped_text, self._count_lost)
        self._feeds: dict[Key, Feed] = {}
        self._awaited: dict[Key, Subscribe] = {}
        """Asked for before there was such a stream: a page is back sooner than a gateway that restarts has its cameras."""
        self._focused: dict[int, bool] = {}
        self._wake = asyncio.Event()
        self._sent_away = asyncio.Event()
        self._heard_at = monotonic()
        self._credit = MESSAGES_BURST
        self._credit_at = self._heard_at

    @property
    def streams(self) -> frozenset[str]:
        """Ids of the streams it shows."""
        return frozenset(stream_id for stream_id, _ in self._feeds)

    @property
    def waits_s(self) -> float:
        """How long the oldest picture has waited for its line."""
        return self._backlog.waits_s(self._monotonic())

    @property
    def dropped(self) -> int:
        """Pictures that its line was too slow for."""
        return self._backlog.dropped

    async def run(self) -> None:
        """Serve the page until it goes, or must go. Raises TimeoutError (an OSError) when its line takes nothing any more."""
        try:
            await self._serve()
        finally:
            # granian closes the socket when nobody holds it any more. We and our backlog hold each other until the next
            # collection, which on a quiet box is minutes away.
            del self._transport

    async def _serve(self) -> None:
        self._backlog.text(messages.hello_text(self._wall(), HEARTBEAT_S))
        done: set[asyncio.Future[Bye | None]] = set()
        task: asyncio.Future[Bye | None] | None = None
        tasks = [asyncio.ensure_future(part) for part in (self._receive(), self._send(), self._beat(), self._until_sent_away())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            reason = done.pop().result()
        finally:
            for task in tasks:
                task.cancel()
            # before anything is waited for: a stream that appears meanwhile must not be shown to a page that is gone
            self._awaited.clear()
            self._count_sent()
            for feed in self._feeds.values():
                feed.leave(self)
            self._feeds.clear()
            await asyncio.gather(*tasks, return_exceptions=True)
            # What a task raised holds this frame, and the frame holds the task.
            tasks.clear()
            done = set()
            task = None
        if reason is not None:
            # granian sends close frames without a code, so the reason goes before it
            async with asyncio.timeout(GOODBYE_S):
                await self._transport.send_str(messages.bye_text(reason))

    def send_away(self) -> None:
        """The box is short: this page has to go, and is told so."""
        self._sent_away.set()

    def tell_state(self, stream_id: str, status: Status) -> None:
        """The state of a source has changed."""
        self._backlog.text(messages.state_text(stream_id, status))
        self._wake.set()

    def stream_appeared(self, stream_id: str) -> None:
        """There is such a stream now."""
        for key, message in list(self._awaited.items()):
            if key[0] == stream_id:
                self._subscribe(message)
        self._wake.set()

    # --- Viewer -----------------------------------------------------------------------------------------------------------

    def on_start(self, feed: Feed, past: list[tuple[bytes, bool]]) -> None:
        """See `Viewer`."""
        backlog, channel = self._backlog, feed.channel
        backlog.open(channel, self._focused.get(channel, False))
        pictures = sum(video for _, video in past)
        backlog.announce(channel, messages.subscribed_text(feed.stream.id, feed.format, channel, pictures))
        if feed.config is not None:
            backlog.config(channel, feed.config, past=bool(past))
        now = self._monotonic()
        for record, video in past:
            backlog.past(channel, record, video=video, now=now)
        self._wake.set()

    def on_config(self, feed: Feed, record: bytes) -> None:
        """See `Viewer`."""
        self._backlog.config(feed.channel, record)
        self._wake.set()

    def on_frame(self, feed: Feed, record: bytes, keyframe: bool, video: bool) -> None:
        """See `Viewer`."""
        self._backlog.frame(feed.channel, record, keyframe=keyframe, video=video, now=self._monotonic())
        self._wake.set()

    def on_unplayable(self, feed: Feed, reason: str) -> None:
        """See `Viewer`."""
        self._backlog.announce(feed.channel, messages.refused_text(feed.stream.id, feed.format, "unplayable", reason))
        self._wake.set()

    def _count_lost(self, channel: int, pictures: int) -> None:
        for feed in self._feeds.values():
            if feed.channel == channel:
                feed.stream.demand.dropped[KIND] += pictures

    def _count_sent(self, *gone: Feed) -> None:
        for feed in (*self._feeds.values(), *gone):
            feed.stream.counts.sent[KIND] += self._backlog.handed.pop(feed.channel, 0)

    # --- the four tasks ---------------------------------------------------------------------------------------------------

    async def _until_sent_away(self) -> Bye | None:
        await self._sent_away.wait()
        return Bye.BUSY

    async def _send(self) -> Bye | None:
        transport, backlog = self._transport, self._backlog
        while True:
            message = backlog.take(self._monotonic())
            if message is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            async with asyncio.timeout(SEND_DEADLINE_S):
                if isinstance(message, str):
                    await transport.send_str(message)
                else:
                    await transport.send_bytes(message)

    async def _receive(self) -> Bye | None:
        while True:
            arrived = await self._transport.receive()
            if arrived.kind == 0:
                return None
            now = self._monotonic()
            self._heard_at = now
            self._credit = min(MESSAGES_BURST, self._credit + (now - self._credit_at) * MESSAGES_PER_S) - 1
            self._credit_at = now
            try:
                self._obey(messages.parse(arrived.data), now)
            except BadMessage as error:
                log.warning("wall: connection closed: %s", error)
                return Bye.PROTOCOL

    async def _beat(self) -> Bye | None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._count_sent()
            if self._monotonic() - self._heard_at > SILENT_PAGE_S:
                return None
            sees = await self._allowed()
            if sees is None:
                return Bye.SESSION_ENDED
            self._look_with(sees)
            self._backlog.text(messages.ping_text(self._wall()))
            self._wake.set()

    def _obey(self, message: messages.ClientMessage, now: float) -> None:
        if isinstance(message, Subscribe):
            self._credit -= SUBSCRIBE_COST - 1
        if self._credit < 0:
            raise BadMessage("too many messages")
        if isinstance(message, Ack):
            if not self._backlog.ack(message.received, now):
                raise BadMessage("acknowledged what was never sent")
        elif isinstance(message, Pong):
            self._backlog.text(messages.time_text(message.sent, self._wall()))
        elif isinstance(message, Subscribe):
            self._subscribe(message)
        else:
            self._unsubscribe(message)
        self._wake.set()

    def _subscribe(self, message: Subscribe) -> None:
        key = (message.stream, message.format)
        self._awaited.pop(key, None)
        if key not in self._feeds and len(self._feeds) + len(self._awaited) >= MAX_SUBSCRIPTIONS:
            reason = f"one page may show {MAX_SUBSCRIPTIONS} streams at most"
            self._backlog.text(messages.refused_text(message.stream, message.format, "too-many", reason))
            return
        feed = (self._feeds.get(key) or self._find(*key)) if self._sees(message.stream) else None
        if feed is None:
            self._awaited[key] = message
            reason = "there is no such stream"
            self._backlog.text(messages.refused_text(message.stream, message.format, "unknown-stream", reason))
            return
        for stream_id, status in self._states(message.stream):
            self._backlog.text(messages.state_text(stream_id, status))
        self._feeds[key] = feed
        self._focused[feed.channel] = message.focused
        feed.join(self)

    def _unsubscribe(self, message: Unsubscribe) -> None:
        self._awaited.pop((message.stream, message.format), None)
        self._leave((message.stream, message.format))

    def _leave(self, key: Key) -> bool:
        feed = self._feeds.pop(key, None)
        if feed is None:
            return False
        self._count_sent(feed)
        feed.leave(self)
        focused = self._focused.pop(feed.channel, False)
        self._backlog.close(feed.channel)
        return focused

    def _look_with(self, sees: Sees) -> None:
        """Take up what the page may see by now: what it may no longer see ends, and it need not ask again for the rest."""
        self._sees = sees
        for key in [key for key in self._feeds if not sees(key[0])]:
            # as if the stream had never been there; should it be allowed again, it comes back
            self._awaited[key] = Subscribe(*key, focused=self._leave(key))
            self._backlog.text(messages.refused_text(*key, "unknown-stream", "there is no such stream"))
            self._wake.set()
        for key in [key for key in self._awaited if sees(key[0])]:
            if self._find(*key) is not None:
                self._subscribe(self._awaited[key])
                self._wake.set()
