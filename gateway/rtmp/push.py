"""One server that one stream is pushed to: waits for the picture, connects, sends, and tries again while it is configured.

    WAITING ── CONNECTING ── LIVE
       │  └── the camera is away ┘
       └──── RETRYING (back-off) or REFUSED (minutes apart) ── after every failure

`run` retries, `run_once` fails. While there is hope the stream is held, so that an on-demand stream is pulled; a server
that said no does not keep a camera busy between two tries.

Event loop only.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.config.model import Push
from gateway.errors import Retry
from gateway.media.demand import Hold
from gateway.media.stream import Stream
from gateway.media.track import Kind
from gateway.rtmp import adobe_auth, push_trust
from gateway.rtmp.capabilities import Capabilities
from gateway.rtmp.client_session import ClientSession
from gateway.rtmp.push_connection import LoginWanted, PushConnection, clean
from gateway.rtmp.push_errors import (
    PushError,
    TargetClosed,
    TargetCodec,
    TargetProtocol,
    TargetTimedOut,
    TargetTooSlow,
    TargetUnreachable,
)
from gateway.rtmp.push_feed import PushFeed, fourccs_of, untaken
from gateway.rtmp.viewer import Viewer, ViewerLimits
from gateway.sources.backoff import Backoff

log = logging.getLogger(__name__)

DEMAND_KIND = "push"
RATE_SPAN_S = 5.0
"""What the bit rate is measured over."""

BEHIND_S = 30.0
"""So long after pictures were left out it is said."""


@dataclass(frozen=True, slots=True)
class PushLimits:
    """Deadlines and bounds of one push."""

    open_s: float = 10.0
    """Name, TCP and TLS."""
    answer_s: float = 10.0
    """From the open connection to the server's word that it takes the stream, however it drips its bytes."""
    away_s: float = 10.0
    """A camera that gives nothing for this long ends the connection: many servers end it by themselves, less politely."""
    healthy_s: float = 60.0
    """A push that went well for this long begins its next tries from the shortest wait."""
    tick_s: float = 0.5
    viewer: ViewerLimits = field(default_factory=lambda: ViewerLimits(overflows=1_000_000_000))
    """A server behind a slow line loses pictures for ever and is not closed for it: a new connection would not be faster."""


class PushState(enum.Enum):
    """User-visible state of a push. The values are part of the API."""

    WAITING = "waiting"
    """For the camera's picture."""
    CONNECTING = "connecting"
    LIVE = "live"
    RETRYING = "retrying"
    """It failed, and is tried again soon."""
    REFUSED = "refused"
    """The server said no, or this cannot be sent there; it is tried again after minutes."""


@dataclass(frozen=True, slots=True)
class PushStatus:
    """A push at one moment. `since` and `next_retry` are Unix seconds."""

    name: str
    url: str
    """Without the key."""
    stream: str
    state: PushState
    since: float
    reason: str
    """Why it is not live, or what is left out while it is; empty if there is nothing to say."""
    code: str
    next_retry: float | None
    sent_bytes: int
    """Since it was configured."""
    bitrate: float
    """Bits per second now."""
    dropped: int
    """Pictures and sounds left out because the server took less than the stream sends."""


class PushTask:
    """Sends `stream` to `target` between `start` and `stop`."""

    def __init__(
        self,
        stream: Stream,
        target: Push,
        *,
        limits: PushLimits | None = None,
        backoff: Backoff | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.stream = stream
        self.target = target
        self._limits = limits or PushLimits()
        self._backoff = backoff or Backoff(healthy_s=self._limits.healthy_s)
        self._monotonic = monotonic
        self._wall = wall
        self._task: asyncio.Task[None] | None = None
        self._hold: Hold | None = None
        self._state = PushState.WAITING
        self._since = wall()
        self._reason = self._code = ""
        self._next_retry: float | None = None
        self._live_at: float | None = None
        self._viewer: Viewer | None = None
        self._sent_before = self._dropped_before = 0
        self._samples: deque[tuple[float, int]] = deque()

    def start(self) -> None:
        """Begin. Needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self.run(), name=f"push of {self.stream.id}")

    def stop(self) -> asyncio.Task[None] | None:
        """End for good, politely. The task returned is over within moments."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def status(self) -> PushStatus:
        """As it is now."""
        reason, code = self._reason, self._code
        if self._state is PushState.WAITING:
            reason, code = f"waiting for the camera: {self.stream.status.reason or 'no picture yet'}", "waiting"
        sent, dropped = self._counted()
        return PushStatus(
            self.target.name,
            self.target.shown,
            self.stream.id,
            self._state,
            self._since,
            reason,
            code,
            self._next_retry,
            sent,
            self._bitrate() if self._state is PushState.LIVE else 0.0,
            dropped,
        )

    @property
    def under_way(self) -> tuple[int, int]:
        """Bytes sent and pictures left out by the connection that is open; the end of it adds them to the stream's counts."""
        viewer = self._viewer
        return (viewer.written_bytes, viewer.dropped) if viewer is not None else (0, 0)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                delay_s = await self._attempt()
                if delay_s:
                    await asyncio.sleep(delay_s)
        finally:
            self._let_go()

    async def _attempt(self) -> float:
        """One connection. Returns how long to wait before the next."""
        if self._hold is None:
            self._hold = self.stream.demand.hold(DEMAND_KIND)
        self._set(PushState.WAITING)
        while not await self.stream.wait_live(60.0) or self._frozen():
            await asyncio.sleep(self._limits.tick_s)
        self._set(PushState.CONNECTING)
        self._live_at = None
        try:
            await self.run_once()
        except PushError as error:
            return self._failed(error)
        except Exception:
            log.exception("push %s to %s failed", self.stream.id, self.target.shown)
            return self._failed(PushError("a defect of the gateway; its log says more"))
        log.info("push %s to %s: the camera sends nothing, closed until it does", self.stream.id, self.target.shown)
        return 0.0

    def _frozen(self) -> bool:
        """The session of the camera is open and gives no picture."""
        last = self.stream.meter.last_video_at
        pictured = any(track.kind is Kind.VIDEO for track in self.stream.tracks)
        return pictured and last is not None and self._monotonic() - last > self._limits.away_s

    async def run_once(self) -> None:
        """Connect and send until the camera is away (returns) or something fails (raises PushError)."""
        began = self._monotonic()
        link, fourccs = await self._connect()
        if link.ended.done():
            raise link.ended.result()  # it was taken and closed in one breath
        viewer = Viewer(link.transport, Capabilities(), self._monotonic(), limits=self._limits.viewer)
        feed = PushFeed(
            self.stream,
            viewer,
            link.started.result(),
            fourccs=fourccs,
            enhanced=self.target.enhanced,
            silent_audio=self.target.silent_audio,
            monotonic=self._monotonic,
        )
        link.viewer = self._viewer = viewer
        link.largest_bytes = lambda: feed.largest_bytes
        try:
            feed.open()
            self._live_at = self._monotonic()
            self._samples.clear()
            self._set(PushState.LIVE)
            log.info("push %s to %s: live after %.1f s", self.stream.id, self.target.shown, self._live_at - began)
            await self._watch(link, viewer, feed)
        finally:
            feed.close()
            link.finish()
            self._sent_before, self._dropped_before = self._counted()
            self._viewer = None
            self.stream.counts.sent[DEMAND_KIND] += viewer.written_bytes
            self.stream.demand.dropped[DEMAND_KIND] += viewer.dropped

    async def _watch(self, link: PushConnection, viewer: Viewer, feed: PushFeed) -> None:
        overflows, behind_until = 0, 0.0
        while True:
            await asyncio.wait({link.ended}, timeout=self._limits.tick_s)
            now = self._monotonic()
            if link.ended.done():
                raise link.ended.result()
            if viewer.check(now):
                raise TargetTooSlow(f"the server {viewer.failure}")
            if any(track.kind is Kind.VIDEO for track in feed.untaken):
                raise TargetCodec(_codec_reason(feed.untaken[0].codec.value))
            if now - feed.last_frame_at > self._limits.away_s:
                return
            self._sample(now)
            if viewer.overflows > overflows:
                overflows, behind_until = viewer.overflows, now + BEHIND_S
            self._reason, self._code = _notes(feed, behind=now < behind_until)

    async def _connect(self) -> tuple[PushConnection, frozenset[str]]:
        """A connection that has been told to send, through as many logins as it takes, and what the server takes."""
        query = ""
        for _ in range(adobe_auth.STEPS):
            link = await self._open(query)
            try:
                async with asyncio.timeout(self._limits.answer_s):
                    fourccs = await asyncio.shield(link.connected)
                    self._check_codec(fourccs)
                    await asyncio.shield(link.started)
            except LoginWanted as wanted:
                password = self.target.password.reveal() if self.target.password is not None else ""
                query = adobe_auth.answer(wanted.description, self.target.username, password)
                link.finish()
            except TimeoutError:
                step = link.session.step.value
                link.finish()
                raise TargetTimedOut(f"the server did not answer {step} within {self._limits.answer_s:.0f} s") from None
            except BaseException:
                link.finish()
                raise
            else:
                return link, fourccs
        raise TargetClosed("the server asks for a login again and again")

    async def _open(self, query: str) -> PushConnection:
        target = self.target
        host = f"[{target.host}]" if ":" in target.host else target.host
        usual = 443 if target.tls else 1935
        session = ClientSession(
            url=f"{'rtmps' if target.tls else 'rtmp'}://{host}" + ("" if target.port == usual else f":{target.port}"),
            app=target.app + query,
            name=target.key.reveal(),
            announce=fourccs_of(self.stream.tracks),
        )
        link = PushConnection(target, session)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.open_s):
                if target.tls:
                    context = await asyncio.to_thread(push_trust.context, target)
                    await loop.create_connection(
                        lambda: link,
                        target.host,
                        target.port,
                        ssl=context,
                        server_hostname=target.host,
                        ssl_handshake_timeout=self._limits.open_s + 1,  # the timeout around it comes first
                        ssl_shutdown_timeout=1.0,
                    )
                    secured = link.transport.get_extra_info("ssl_object")
                    push_trust.check_fingerprint(target, secured.getpeercert(True))
                else:
                    await loop.create_connection(lambda: link, target.host, target.port)
        except TimeoutError:
            raise TargetTimedOut(f"{target.host} does not answer on port {target.port}") from None
        except ssl.SSLError as error:
            raise push_trust.explain(target.host, error) from error
        except OSError as error:
            if target.tls and isinstance(error, ConnectionResetError):
                raise TargetProtocol(f"{target.host} {push_trust.SPOKEN}") from error
            raise TargetUnreachable(_unreachable(target, error)) from error
        except PushError:
            link.finish()
            raise
        link.begin()
        return link

    def _check_codec(self, fourccs: frozenset[str]) -> None:
        for track in untaken(self.stream.tracks, fourccs, enhanced=self.target.enhanced):
            if track.kind is Kind.VIDEO:
                raise TargetCodec(_codec_reason(track.codec.value))

    def _failed(self, error: PushError) -> float:
        healthy_s = self._monotonic() - self._live_at if self._live_at is not None else 0.0
        delay_s = self._backoff.next_delay(error.retry, healthy_s)
        slow = error.retry is Retry.SLOW
        if slow:
            self._let_go()
        reason = clean(self.target, str(error))
        self._set(PushState.REFUSED if slow else PushState.RETRYING, reason, error.code, self._wall() + delay_s)
        log.warning("push %s to %s: %s; next try in %.1f s", self.stream.id, self.target.shown, reason, delay_s)
        return delay_s

    def _let_go(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.release()

    def _set(self, state: PushState, reason: str = "", code: str = "", next_retry: float | None = None) -> None:
        if state is not self._state:
            self._since = self._wall()
        self._state, self._reason, self._code, self._next_retry = state, reason, code, next_retry

    def _counted(self) -> tuple[int, int]:
        viewer = self._viewer
        if viewer is None:
            return self._sent_before, self._dropped_before
        return self._sent_before + viewer.written_bytes, self._dropped_before + viewer.dropped

    def _sample(self, now: float) -> None:
        self._samples.append((now, self._counted()[0]))
        while now - self._samples[0][0] > RATE_SPAN_S:
            self._samples.popleft()

    def _bitrate(self) -> float:
        if len(self._samples) < 2:
            return 0.0
        (began, before), (ended, after) = self._samples[0], self._samples[-1]
        return 8 * (after - before) / (ended - began) if ended > began else 0.0


def _notes(feed: PushFeed, *, behind: bool) -> tuple[str, str]:
    """What a live push has to say."""
    if behind:
        return "the server takes less than the stream sends; pictures are left out", "behind"
    if feed.untaken:
        return f"without sound: the server does not say that it takes {feed.untaken[0].codec.value}", "no-audio"
    return "", ""


def _codec_reason(codec: str) -> str:
    return f"the server does not say that it takes {codec}; set enhanced: true if it does, or push the H.264 stream"


def _unreachable(target: Push, error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"{target.host} refuses connections on port {target.port}"
    if isinstance(error, ConnectionError):
        return f"{target.host} closed the connection on port {target.port} at once"
    return f"{target.host} cannot be reached: {(error.strerror or str(error)).lower()}"
