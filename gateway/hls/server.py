"""The HLS routes: `/hls/<stream>/...` for `gateway.http`. Event loop only; a handler is cancelled when its client goes.

    /hls/<stream>/index.m3u8                multivariant playlist (what users are given)
    /hls/<stream>/live.m3u8                 media playlist, with blocking reload
    /hls/<stream>/<run>/init-N.mp4          initialisation segment
    /hls/<stream>/<run>/sM.m4s, sM.pN.m4s   segment, part (a hinted part is held until it exists)

Authentication is done before: a request that arrives here may see the stream. A query (`?token=`, `?user=&pass=`) is carried to
every URI of a playlist, because players do not do that by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from gateway.hls import answers, delivery
from gateway.hls.answers import CORS
from gateway.hls.channel import Channel, Text
from gateway.hls.cutter import Pace
from gateway.hls.delivery import BadDirective, Verdict
from gateway.hls.viewers import KIND
from gateway.hls.window import Window
from gateway.http.messages import Request, Response
from gateway.http.ranges import Unsatisfiable, parse_range
from gateway.media.stream import Stream
from gateway.metrics.histogram import Histogram

log = logging.getLogger(__name__)

PREFIX = "/hls/"
START_WAIT_S = 18.0
"""How long a playlist request waits for a stream that is just starting: a segment of 10 s and the connection before it. hls.js
gives up after 20 s, GStreamer after 15."""
RETRY_AFTER_S = 2
BLOCK_TARGETS = 3
"""A blocked request gets 503 after this many target durations (6.2.5.2)."""
SWEEP_S = 1.0
PART_DELAY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Bounds of the histogram of how late parts are."""
MAX_QUERY_CHARS = 2048
"""The query is repeated on every line of the playlist."""

_TEXT_TYPE = "text/plain; charset=utf-8"

_PREFLIGHT = (
    *CORS,
    ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
    ("access-control-allow-headers", "authorization, range, if-range, if-none-match"),
    ("access-control-max-age", "86400"),
)
_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class HlsSettings:
    """The `hls` section of the configuration, in seconds."""

    part_s: float = 0.2
    segment_s: float = 2.0
    window_s: float = 12.0


class HlsService:
    """LL-HLS for all streams. `resolve` finds a stream by id, `always` tells which are cut whether or not anyone watches."""

    def __init__(
        self,
        resolve: Callable[[str], Stream | None],
        settings: HlsSettings,
        always: Callable[[Stream], bool],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._resolve = resolve
        self._settings = settings
        self._always = always
        self._monotonic = monotonic
        self._wall = wall
        self._channels: dict[str, Channel] = {}
        self.part_delay = Histogram(PART_DELAY_S)
        """From the arrival of the frame that completes a part to the part."""
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False
        self._frugal = False
        self.closed_to_new = ""
        """See `gateway.relief.Output`."""

        self.swept_at = monotonic()
        """The monotonic time of the last sweep's end; it moves on once a second while there are streams."""

    def viewers(self) -> int:
        """See `gateway.relief.Output`."""
        return sum(len(channel.viewers) for channel in self._channels.values())

    def shed(self, count: int, reason: str) -> int:
        """See `gateway.relief.Output`. The stream with the most viewers loses the most."""
        total, gone = self.viewers(), 0
        for channel in sorted(self._channels.values(), key=lambda channel: -len(channel.viewers)):
            share = -(-count * len(channel.viewers) // total) if total else 0
            gone += channel.viewers.shed(min(share, count - gone))
        return gone

    def turns_away(self, channel: Channel, viewer: tuple[str, ...]) -> bool:
        """Whether this viewer has to stay outside: it was sent away, or is new while nobody new is let in."""
        return channel.viewers.was_sent_away(viewer) or (bool(self.closed_to_new) and not channel.viewers.knows(viewer))

    def be_frugal(self, frugal: bool) -> None:
        """Keep windows as short as the standard allows, or as long as configured."""
        self._frugal = frugal
        for channel in self._channels.values():
            channel.window.frugal = frugal

    def configure(self, settings: HlsSettings) -> None:
        """Cut like this from now on. Another length of the window applies at once; parts and segments of another length
        cannot stand in a playlist that has promised others, so it is begun anew where the old one ends."""
        self._settings = settings
        for channel in self._channels.values():
            channel.configure(Pace(settings.part_s, settings.segment_s), settings.window_s)

    def attach(self, stream: Stream) -> None:
        """A stream was configured. If it is one to be cut always, that begins now."""
        channel = self.channel(stream)
        if self._always(stream):
            channel.attach()

    def forget(self, stream_id: str) -> None:
        """Another camera sends this stream from now on: the pictures of the one before it are shown to nobody any more."""
        channel = self._channels.get(stream_id)
        if channel is not None:
            channel.forget()

    def detach(self, stream_id: str) -> None:
        """A stream was removed: its requests end, its memory is freed."""
        channel = self._channels.pop(stream_id, None)
        if channel is not None:
            channel.close()

    async def close(self) -> None:
        """End all blocked requests (503) and leave all streams."""
        self._closed = True
        for channel in self._channels.values():
            channel.close()
        if self._sweeper is not None:
            sweeper, self._sweeper = self._sweeper, None
            sweeper.cancel()
            await asyncio.gather(sweeper, return_exceptions=True)

    @property
    def sweeping(self) -> bool:
        """Whether `swept_at` moves on."""
        return self._sweeper is not None

    def sweep(self) -> None:
        """Count viewers and let go of on-demand streams nobody watches; runs by itself once a second."""
        for channel in self._channels.values():
            channel.sweep(on_demand=not self._always(channel.stream))

    def serving(self, stream_id: str) -> Channel | None:
        """The channel of a stream that is being cut and whose playlist can be had; None otherwise."""
        channel = self._channels.get(stream_id)
        if channel is None or not channel.attached or not channel.window.ready or channel.stale:
            return None
        return channel if self._resolve(stream_id) is channel.stream else None

    async def handle(self, request: Request) -> Response:
        """Answer a request below `/hls/`. Never raises for what a client sent."""
        if request.method == "OPTIONS":
            return Response(204, b"", _PREFLIGHT)
        if request.method not in _METHODS:
            return _error(405, "only GET, HEAD and OPTIONS", ("allow", "GET, HEAD, OPTIONS"))
        response = await self._answer(request)
        if request.method == "HEAD" and isinstance(response.body, bytes):
            length = ("content-length", str(len(response.body)))
            response = replace(response, body=b"", headers=(*response.headers, length))
        return response

    async def _answer(self, request: Request) -> Response:
        stream_id, _, rest = request.path.removeprefix(PREFIX).partition("/")
        stream = self._resolve(stream_id) if request.path.startswith(PREFIX) else None
        if stream is None:
            return _error(404, "no such stream")
        if self._closed:
            return _closing()
        if len(request.query) > MAX_QUERY_CHARS:
            return _error(400, "the query is too long")
        channel = self.channel(stream)
        suffix = _suffix(request.query)
        viewer = (request.client, request.headers.get("user-agent", ""), suffix)
        if self.turns_away(channel, viewer):
            return _unavailable(self.closed_to_new or "the gateway is short of resources; try again later")
        if rest in ("index.m3u8", "live.m3u8"):
            if channel.stale and (rest == "index.m3u8" or not channel.viewers.knows(viewer)):
                # Who watches already waits for the camera's return; to who comes now the past would look live.
                channel.use(on_demand=not self._always(stream))
                return _late(channel, "no new picture for some time")
            on_demand = not self._always(stream)
            with channel.viewers.present(viewer):
                channel.use(on_demand=on_demand)
                try:
                    return await self._playlist(request, channel, rest, suffix)
                finally:
                    channel.touch()
        run, _, name = rest.partition("/")
        match = answers.media_name(name)
        window = channel.window_of(run)
        if match is None or window is None or not channel.attached:
            return _error(404, "no such file")
        with channel.viewers.present(viewer):
            try:
                return await self._media(request, channel, window, match)
            finally:
                channel.touch()

    async def _playlist(self, request: Request, channel: Channel, name: str, suffix: str) -> Response:
        try:
            directives = delivery.parse(request.parameters()) if name == "live.m3u8" else delivery.Directives()
        except BadDirective as error:
            return _error(400, str(error))
        await channel.wait(lambda: channel.window.ready or bool(channel.window.refusal), START_WAIT_S)
        window = channel.window
        if not window.ready:
            return _late(channel, window.refusal or "the stream has not begun yet")
        if name == "index.m3u8":
            return _counted(channel, _playlist_response(request, channel.multivariant(suffix)))

        def verdict() -> Verdict:
            return delivery.judge(directives, channel.window.position, channel.window.cutter.part_target_us / 1e6)

        if verdict() is Verdict.REFUSE:
            return _error(400, f"the playlist ends at {window.position.last_msn}")
        # Promises hold from here on: the waiting time rests on TARGETDURATION.
        window.cutter.seal()
        limit_s = BLOCK_TARGETS * window.cutter.target_duration
        if not await channel.wait(lambda: channel.window.ready and verdict() is Verdict.ANSWER, limit_s):
            return _late(channel, "no new picture in time")
        return _counted(channel, _playlist_response(request, channel.media(suffix, delta=directives.delta)))

    async def _media(self, request: Request, channel: Channel, window: Window, match: re.Match[str]) -> Response:
        part = answers.hinted(match)
        if part is not None and part == window.next_part:
            limit_s = BLOCK_TARGETS * window.cutter.target_duration
            # a window that was succeeded gets no part any more
            if not await channel.wait(lambda: window.next_part != part or channel.window is not window, limit_s):
                return _late(channel, "the part has not come in time")
        whole = answers.media(channel, window, match)
        if whole is None:
            return _error(410, "this has left the window") if _left(window, match) else _error(404, "no such file")
        etag = answers.media_etag(window, match)
        if _etag_matches(request.headers.get("if-none-match", ""), etag):
            return Response(304, b"", answers.media_fields(window, match))
        return _counted(channel, _ranged(request, whole, etag))

    def channel(self, stream: Stream) -> Channel:
        """The stream's channel, made when it is first asked for."""
        channel = self._channels.get(stream.id)
        if channel is None:
            settings = self._settings
            pace = Pace(settings.part_s, settings.segment_s)
            channel = Channel(
                stream,
                pace,
                settings.window_s,
                first_number=int(self._wall()),
                monotonic=self._monotonic,
                completed=self._part_completed,
            )
            channel.window.frugal = self._frugal
            self._channels[stream.id] = channel
        elif channel.stream is not stream:
            channel.rebind(stream)
        if self._sweeper is None and not self._closed:
            self.swept_at = self._monotonic()
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep_for_ever(), name="hls-sweeper")
        return channel

    def _part_completed(self, arrived: float) -> None:
        self.part_delay.observe(max(0.0, self._wall() - arrived))

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                self.sweep()
            except Exception:
                log.exception("hls: counting viewers failed")
            self.swept_at = self._monotonic()


def _left(window: Window, match: re.Match[str]) -> bool:
    """Whether the name is one that was there once. The abandoned hint of a segment that ended early never was (6.2.6)."""
    if match["map"]:
        return 0 < int(match["map"]) <= window.newest_map
    return window.first_number <= int(match["msn"]) < window.media_sequence


def _ranged(request: Request, whole: Response, etag: str) -> Response:
    """The whole, or 206 or 416 for a range (RFC 9110 section 14): parts are fetched whole, but caches may ask for less."""
    asked, body = request.headers.get("range", "") if request.method == "GET" else "", whole.body
    if not asked or not isinstance(body, bytes) or request.headers.get("if-range", etag) != etag:
        return whole
    try:
        wanted = parse_range(asked, len(body))
    except Unsatisfiable:
        return _error(416, "no such range", ("content-range", f"bytes */{len(body)}"))
    if wanted is None:
        return whole
    field = ("content-range", wanted.content_range(len(body)))
    return Response(206, body[wanted.start : wanted.end], (*whole.headers, field))


def _suffix(query: str) -> str:
    """The query for child URIs: what the client sent, encoded anew (a quote would end the attribute), without directives."""
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if not name.startswith("_HLS_")]
    return f"?{urlencode(kept)}" if kept else ""


def _playlist_response(request: Request, text: Text) -> Response:
    return answers.playlist(text, compressed=answers.accepts_gzip(request.headers.get("accept-encoding", "")))


def _etag_matches(header: str, etag: str) -> bool:
    return any(item.strip().removeprefix("W/") in (etag, "*") for item in header.split(",")) if header else False


def _counted(channel: Channel, response: Response) -> Response:
    """What a client is given; HEAD counts too, which no player sends."""
    channel.stream.counts.sent[KIND] += len(response.body) if isinstance(response.body, bytes) else 0
    return response


def _error(status: int, text: str, *headers: tuple[str, str]) -> Response:
    fixed = (("content-type", _TEXT_TYPE), ("cache-control", "no-store"))
    return Response(status, f"{text}\n".encode(), (*CORS, *fixed, *headers))


def _unavailable(text: str) -> Response:
    return _error(503, text, ("retry-after", str(RETRY_AFTER_S)))


def _late(channel: Channel, otherwise: str) -> Response:
    """503 with the reason: the stream closes, or its source says why there is no picture."""
    if channel.closed:
        return _closing()
    return _unavailable(f"{channel.stream.id}: {channel.stream.status.reason or otherwise}")


def _closing() -> Response:
    return _unavailable("the gateway is stopping")
