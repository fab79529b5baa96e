"""One accepted RTMP connection: moves bytes between its socket and its session, and its player or publisher through its life.

    HANDSHAKE ── IDLE ── OPENING ── PLAYING ── CLOSING
                  │  └───── PUBLISHING ─────────┘
                  └── closeStream, deleteStream or another play or publish lead back

Whatever waits has a deadline, looked at by `tick`: a silent peer, a camera that does not come, a player that takes nothing,
a publisher that sends nothing. Publishers are never pinged: OBS does not answer, and its media is a better sign of life.
Only this connection pays for it.

Event loop only.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from gateway.config.model import UnannouncedPicture
from gateway.media.demand import Hold
from gateway.media.stream import Stream
from gateway.rtmp import play_policy
from gateway.rtmp.address import Address
from gateway.rtmp.complaints import Complaints
from gateway.rtmp.limits import Counters, ServerLimits
from gateway.rtmp.permission import Action, Answer, Authorise, Credentials, Permit
from gateway.rtmp.play_policy import plain
from gateway.rtmp.publisher import Publisher, PublishPoint
from gateway.rtmp.relay import Relay
from gateway.rtmp.relays import Relays
from gateway.rtmp.session import CloseStream, Event, Failed, Media, Pause, Play, Publish, Receive, ServerSession
from gateway.rtmp.sockets import tune
from gateway.rtmp.viewer import Viewer

log = logging.getLogger(__name__)

APPLICATION = "live"
"""`rtmp://HOST/live/<stream>`, as nginx's examples and every camera's manual have it."""
DEMAND_KIND = "rtmp"
SUB_SUFFIX = ".sub"
SUB_WAIT_S = 5.0
"""For the sub stream, which has to be pulled first: it is there in 2 s, or the player had better get what there is."""
FLUSH_S = 2.0
"""How long a last message may take to reach the peer before the connection is cut."""
AUTHORISE_S = 5.0


Resolve = Callable[[str], Stream | None]
FindPublishPoint = Callable[[str], PublishPoint | None]


@dataclass(frozen=True, slots=True)
class Context:
    """What all connections of a server share."""

    resolve: Resolve
    authorise: Authorise
    publish: FindPublishPoint | None
    """None: nobody may publish."""
    relays: Relays
    limits: ServerLimits
    counters: Counters
    complaints: Complaints
    monotonic: Callable[[], float]
    admit: Callable[[Connection], bool]
    forget: Callable[[Connection], None]


class _State(enum.Enum):
    HANDSHAKE = "handshake"
    IDLE = "idle"
    OPENING = "opening"
    PLAYING = "playing"
    PUBLISHING = "publishing"
    CLOSING = "closing"


@dataclass(slots=True)
class _Playing:
    relay: Relay
    viewer: Viewer
    hold: Hold
    since: float
    ping_at: float
    dropped: int = 0
    """Of the viewer's, so many are in the counters."""


class Connection(asyncio.Protocol):
    """The shell around a `ServerSession`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._session = ServerSession(limits=context.limits.chunk)
        self._transport: asyncio.Transport | None = None
        self._state = _State.HANDSHAKE
        self._deadline: float | None = None
        self._opening: asyncio.Task[None] | None = None
        self._playing: _Playing | None = None
        self._publisher: Publisher | None = None
        self._permit: Permit | None = None
        """Of the play or the publish."""
        self._early: list[Media] = []
        """Media of a publisher that is still being judged. Nothing is read meanwhile, so it is one read's worth."""
        self._reading = True
        self._blocked = False
        self._judging = False
        self._admitted = False
        self._asked = False
        """For a stream, since it was last idle."""
        self._messages_before = 0
        """As of the last tick."""
        self.client = "?"
        """The peer's address, without port."""

    @property
    def _closing(self) -> bool:
        return self._state is _State.CLOSING

    @property
    def playing(self) -> bool:
        """Media flows, or will when its camera is back."""
        return self._playing is not None

    @property
    def publishing(self) -> bool:
        """An encoder sends, or is about to."""
        return self._publisher is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the peer in, or turn it away."""
        # uvloop's transports are asyncio.Transport in all but class.
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.client = str(peer[0]).removeprefix("::ffff:")
        if not self._context.admit(self):
            self._state = _State.CLOSING
            transport.abort()
            return
        self._admitted = True
        tune(transport)
        self._deadline = self._context.monotonic() + self._context.limits.handshake_s

    def data_received(self, data: bytes) -> None:
        """Feed the session and act on what it says."""
        if self._state is _State.CLOSING:
            return
        out, events = self._session.receive(data)
        if out:
            self._write(out)
        if self._state is _State.HANDSHAKE and self._session.handshaken:
            self._be_idle()
        for event in events:
            self._handle(event)
        said = self._session.messages - self._messages_before
        if said > self._context.limits.messages and self._publisher is None and not self._closing:
            self._break_off("too many messages")

    def eof_received(self) -> bool | None:
        """The peer is done; the transport closes itself."""
        return None

    def pause_writing(self) -> None:
        """The peer does not read. Do not read its requests either, or the answers would pile up."""
        if self._playing is not None:
            self._playing.viewer.block()
        self._blocked = True
        self._choose_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._blocked = False
        self._choose_reading()
        if self._playing is not None:
            self._playing.viewer.unblock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give everything back."""
        role = "player" if self._publisher is None else "publisher"
        self._leave(f"the {role}'s connection was lost ({exc})" if exc else f"the {role} left")
        self._state = _State.CLOSING
        if self._admitted:
            self._context.forget(self)

    def tick(self, now: float) -> None:
        """Look at the deadlines. Called by the server about once a second."""
        transport = self._transport
        if transport is None:
            return
        self._messages_before = self._session.messages
        if self._deadline is not None and now >= self._deadline:
            self._overdue(now)
            return
        withdrawn = self._permit.withdrawn() if self._permit is not None and (self._playing or self._publisher) else ""
        if withdrawn:
            refuse = self._refuse if self._playing is not None else self._refuse_publish
            refuse(withdrawn)
            return
        if self._publisher is not None:
            silence = self._publisher.check(now)
            if silence:
                self._refuse_publish(silence)
            return
        playing = self._playing
        if playing is None:
            return
        self._count_dropped(playing)
        failure = playing.viewer.check(now)
        if failure:
            if playing.viewer.too_slow:
                self._context.counters.too_slow += 1
                self._leave(failure)
                transport.abort()
            else:
                self._refuse(failure)
        elif playing.relay.broken:
            self._refuse("sending this stream has failed; connect again")
        elif now - playing.relay.last_frame_at > self._context.limits.dead_s:
            self._refuse(_unavailable(playing.relay.stream))
        elif now >= playing.ping_at:
            playing.ping_at = now + self._context.limits.ping_s
            if not transport.get_write_buffer_size():
                self._write(self._session.ping(int(now * 1000)))

    @property
    def playing_since(self) -> float:
        """Monotonic seconds; 0 for one that does not play."""
        return self._playing.since if self._playing is not None else 0.0

    def send_away(self, reason: str) -> None:
        """Tell the player why it has to go."""
        self._refuse(reason, code="NetStream.Play.Failed")

    def dismiss(self, stream: Stream, reason: str) -> bool:
        """Tell the player that `stream` is no more, if that is what it plays."""
        if self._playing is None or self._playing.relay.stream is not stream:
            return False
        self._refuse(reason)
        return True

    def shutdown(self) -> None:
        """The server stops. Who understands it is asked to come back, and need not take it for a failure."""
        if self._playing is not None or self._publisher is not None:
            self._write(self._session.reconnect_request("the gateway restarts"))
        self._leave("the gateway stops")
        self._state = _State.CLOSING
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()

    def _handle(self, event: Event) -> None:
        if self._state is _State.CLOSING:
            return
        if isinstance(event, Media):
            if self._publisher is not None:
                now = self._context.monotonic()
                self._publisher.take(event.type_id, event.timestamp, event.payload, now)
            elif self._state is _State.OPENING:
                self._early.append(event)
        elif isinstance(event, Play):
            self._leave("another play")
            # `_open` keeps its own deadlines; this one is for an `authorise` or `resolve` that breaks, and for a client that
            # asks again and again.
            if not self._asked:
                wait_s = self._context.limits.wait_live_s
                waits_s = AUTHORISE_S + wait_s + min(SUB_WAIT_S, wait_s) + FLUSH_S
                self._deadline = self._context.monotonic() + waits_s
            self._state, self._asked = _State.OPENING, True
            self._opening = asyncio.get_running_loop().create_task(self._open(event.address))
        elif isinstance(event, Publish):
            self._leave("another publish")
            self._publish(event.address)
        elif isinstance(event, CloseStream):
            served = self._playing is not None or self._publisher is not None
            self._leave("the player closed the stream" if self._publisher is None else "the publisher left")
            if served:
                self._be_idle()
            else:
                self._state = _State.IDLE  # closing what never began buys no time
        elif isinstance(event, Pause) and self._playing is not None:
            self._playing.viewer.pause(event.paused)
        elif isinstance(event, Receive) and self._playing is not None:
            self._playing.viewer.receive(event.audio, event.video)
        elif isinstance(event, Failed):
            self._break_off(str(event.error))

    async def _open(self, address: Address) -> None:
        """Bring the player to its stream, or tell it why not."""
        if address.app != APPLICATION or not address.name:
            self._refuse(f"no such stream; addresses look like rtmp://HOST/{APPLICATION}/<stream>")
            return
        permit = await self._judged(self._ask(address, Action.PLAY))
        self._permit = None if isinstance(permit, bool) else permit
        if not permit:
            self._refuse("wrong or missing credentials", code="NetStream.Play.Failed")
            return
        if full := self._context.relays.closed_to_new:
            self._refuse(full, code="NetStream.Play.Failed")
            return
        stream = self._context.resolve(address.name)
        if stream is None:
            self._refuse(f"there is no stream {address.name!r}")
            return
        hold = stream.demand.hold(DEMAND_KIND)
        other: Hold | None = None
        try:
            if not await stream.wait_live(self._context.limits.wait_live_s):
                self._refuse(_unavailable(stream))
                return
            sub = self._sub_instead(stream)
            if sub is not None:
                other = sub.demand.hold(DEMAND_KIND)
                if await sub.wait_live(min(SUB_WAIT_S, self._context.limits.wait_live_s)) and plain(sub.tracks):
                    log.info("rtmp %s: gets %s instead of %s, which is not H.264", self.client, sub.id, stream.id)
                    self._start(sub, other)
                    return
            self._start(stream, hold)
        finally:
            for one in (hold, other):
                if one is not None and (self._playing is None or self._playing.hold is not one):
                    one.release()

    def _sub_instead(self, stream: Stream) -> Stream | None:
        """The sub stream that this player should get, if the policy says so and there is one."""
        if plain(stream.tracks) or self._context.relays.policy(stream.id) is not UnannouncedPicture.SUB:
            return None
        viewer = play_policy.fit(stream.tracks, self._session.capabilities, UnannouncedPicture.REFUSE)
        return self._context.resolve(stream.id + SUB_SUFFIX) if viewer.refusal else None

    def _start(self, stream: Stream, hold: Hold) -> None:
        if self._transport is None:
            return
        limits = self._context.limits
        now = self._context.monotonic()
        viewer = Viewer(self._transport, self._session.capabilities, now, limits=limits.viewer)
        if self._blocked:
            viewer.block()
        relay, refusal = self._context.relays.join(stream, viewer)
        if relay is None:
            self._refuse(refusal)
            return
        self._state, self._deadline = _State.PLAYING, None
        self._playing = _Playing(relay, viewer, hold, now, now + limits.ping_s)
        log.info("rtmp %s: plays %s%s", self.client, stream.id, f"; {viewer.note}" if viewer.note else "")
        self._write(self._session.accept_play(viewer.note))
        relay.join(viewer)

    def _publish(self, address: Address) -> None:
        """Let the publisher send, or tell it why not."""
        if self._context.publish is None:
            self._refuse_publish("publishing is not enabled")
            return
        if address.app != APPLICATION or not address.name:
            self._refuse_publish(f"no such place; addresses look like rtmp://HOST/{APPLICATION}/<camera>?key=<key>")
            return
        point = self._context.publish(address.name)
        answer = point is not None and self._ask(address, Action.PUBLISH)
        if point is not None and answer and not inspect.isawaitable(answer):
            self._permit = None if isinstance(answer, bool) else answer
            self._begin_publish(point)
            return
        if inspect.isawaitable(answer):
            answer = asyncio.ensure_future(answer)  # begun, so that it ends whatever becomes of this connection
        # Nothing is lost of an encoder that does not wait: it is not read until the answer is there.
        self._state = _State.OPENING
        self._deadline = self._context.monotonic() + 2 * AUTHORISE_S
        self._judging = True
        self._choose_reading()
        self._opening = asyncio.get_running_loop().create_task(self._judge_publisher(address, point, answer))

    async def _judge_publisher(self, address: Address, point: PublishPoint | None, answer: Answer | Awaitable[Answer]) -> None:
        permit = await self._judged(answer) if point is not None else False
        self._permit = None if isinstance(permit, bool) else permit
        if point is None or not permit:
            # Strangers are not told which ids exist; the log says what is wrong.
            wrong = "no camera takes a publisher under this name" if point is None else "wrong or missing key"
            await asyncio.sleep(self._context.limits.wrong_key_s)
            self._refuse_publish(f"wrong key, or no camera {address.name!r} that takes a publisher", wrong)
        else:
            self._begin_publish(point)
        self._judged_now()

    def _begin_publish(self, point: PublishPoint) -> None:
        now, limits = self._context.monotonic(), self._context.limits
        publisher = Publisher(
            self.client,
            point,
            now,
            self._refuse_publish,
            first_media_s=limits.first_media_s,
            silence_s=limits.silence_s,
        )
        refusal = point.open(publisher, now)
        if refusal:
            self._refuse_publish(refusal)
            return
        self._state, self._deadline = _State.PUBLISHING, None
        self._publisher = publisher
        log.info("rtmp %s: publishes %s", self.client, point.id)
        self._write(self._session.accept_publish())
        early, self._early = self._early, []
        for media in early:
            publisher.take(media.type_id, media.timestamp, media.payload, now)

    def _ask(self, address: Address, action: Action) -> Answer | Awaitable[Answer]:
        try:
            return self._context.authorise(Credentials(self.client, address.params, address.name, action))
        except Exception:
            log.exception("rtmp %s: checking the credentials for %s failed", self.client, address.name)
        return False

    async def _judged(self, answer: Answer | Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(AUTHORISE_S):
                return await answer if inspect.isawaitable(answer) else answer
        except TimeoutError:
            log.error("rtmp %s: checking the credentials took over %d s", self.client, AUTHORISE_S)
        except Exception:
            log.exception("rtmp %s: checking the credentials failed", self.client)
        return False

    def _refuse(self, description: str, code: str = "NetStream.Play.StreamNotFound") -> None:
        """Tell the player in words it shows, then close."""
        self._leave(description)
        self._complain(f"play refused: {description}")
        self._finish(self._session.refuse_play(description, code=code))

    def _refuse_publish(self, description: str, for_log: str = "") -> None:
        """Tell the encoder in words it shows, then close."""
        what = "publish refused" if self._publisher is None else "publisher closed"
        self._leave(description)
        self._complain(f"{what}: {for_log or description}")
        self._finish(self._session.refuse_publish(description))

    def _finish(self, last: bytes, *, count: bool = True) -> None:
        """Send `last` and close. The peer's own end, or a deadline, ends it: a reset could overtake the message."""
        self._state = _State.CLOSING
        self._deadline = self._context.monotonic() + FLUSH_S
        self._context.counters.refused += count
        if self._transport is None or self._transport.is_closing():
            return
        if last:
            self._transport.write(last)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()  # TLS cannot be half closed; it says goodbye itself

    def _break_off(self, reason: str) -> None:
        """The peer breaks the protocol, or a limit."""
        self._leave("protocol error")
        self._context.counters.broken += 1
        self._complain(f"closed: {reason}")
        self._finish(b"", count=False)

    def _overdue(self, now: float) -> None:
        if self._state is not _State.CLOSING:
            self._context.counters.broken += 1
            waited = "handshake" if self._state is _State.HANDSHAKE else "play or publish"
            self._context.complaints.add(self.client, now, f"closed: no {waited} in time")
        self._deadline = None
        self._state = _State.CLOSING
        self.abort()

    def _be_idle(self) -> None:
        self._state, self._asked = _State.IDLE, False
        self._deadline = self._context.monotonic() + self._context.limits.action_s

    def _leave(self, reason: str) -> None:
        """End the play or the publish, if there is one."""
        self._permit = None
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.end(reason, self._context.monotonic())
        opening, self._opening = self._opening, None
        if opening is not None and opening is not asyncio.current_task():
            opening.cancel()
            self._judged_now()
        playing, self._playing = self._playing, None
        if playing is None:
            return
        self._context.relays.leave(playing.relay, playing.viewer)
        playing.hold.release()
        viewer, counters = playing.viewer, self._context.counters
        counters.overflows += viewer.overflows
        self._count_dropped(playing)
        log.info(
            "rtmp %s: played %s for %.1f s, %d bytes, behind %d times: %s",
            self.client,
            playing.relay.stream.id,
            self._context.monotonic() - playing.since,
            viewer.written_bytes,
            viewer.overflows,
            reason,
        )

    def _judged_now(self) -> None:
        self._judging = False
        self._early = []
        self._choose_reading()

    def _choose_reading(self) -> None:
        """Read unless the peer does not read itself, or an encoder waits for its verdict."""
        wanted = not (self._blocked or self._judging)
        if wanted is self._reading or self._transport is None or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _count_dropped(self, playing: _Playing) -> None:
        new, playing.dropped = playing.viewer.dropped - playing.dropped, playing.viewer.dropped
        if new:
            self._context.counters.dropped += new
            playing.relay.stream.demand.dropped[DEMAND_KIND] += new

    def _complain(self, text: str) -> None:
        self._context.complaints.add(self.client, self._context.monotonic(), text)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _unavailable(stream: Stream) -> str:
    reason = stream.status.reason or "no picture yet"
    return f"{stream.id} is {stream.status.state.value}: {reason}"
