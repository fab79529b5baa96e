"""The express lane of the HLS routes: what players at the live edge ask for ten times a second. Event loop only.

It answers media that exists and playlists whose next version exists, and holds requests for the next version (or the hinted
part) until the window changes. Everything else goes through `HlsService.handle`: the first request of a player, HEAD, index
playlists, queries other than directives, errors, streams that are not ready. Only who holds a pass is served here, so each
request of the lane repeats one that the normal path has allowed within the last ten seconds.

A held request has neither a task nor a timer nor a future of its own; requests for the same thing are one list. After `HOLD_S`,
which is several parts, they are handed over to the normal path: it knows what a late camera and a departed client mean.

Cost of a request besides granian's own work: 4 to 5 microseconds where the normal path takes 67 to 80 (2-core x86, best of 15
runs), with no object made but granian's strings and, for a held one, its `_Held`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl

from gateway.hls import answers, delivery
from gateway.hls.channel import Channel
from gateway.hls.delivery import BadDirective, Directives, Verdict
from gateway.hls.server import MAX_QUERY_CHARS, PREFIX, HlsService
from gateway.hls.viewers import KIND, Viewer
from gateway.hls.window import Window
from gateway.http.calls import Call, HandOver, Headers
from gateway.http.guard import TOKEN_MARK
from gateway.http.messages import Response
from gateway.http.passes import Passes, of_request, of_token
from gateway.http.rsgi import client_address

HOLD_S = 1.0
"""A held request waits up to twice this long here; parts come every 0.2 s."""
PREPARED = 8
"""Answers with a part kept per stream: the newest ones, which all viewers fetch at about the same time."""
MAX_VARIANTS = 256
"""Answers with a playlist kept per version of it: one for each set of directives."""
MAX_QUERIES = 1024
MAX_HELD = 4000
"""Requests that wait here, in all: four times what 500 players hold. Beyond it the normal path says who has had enough, long
before granian has no place left for anybody (`gateway.http.listeners.BACKPRESSURE`)."""
MAX_HELD_PER_ADDRESS = 2000
"""One address, be it a router's or a proxy's, leaves as much to everybody else."""
PLAYLIST = "live.m3u8"

Wanted = Directives | str
"""What a request is held for: a playlist, or a part by run and name."""


class _Room:
    """Counts who waits, over all streams."""

    __slots__ = ("by_address", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.by_address: dict[str, int] = {}

    def full(self, client: str) -> bool:
        """Whether a request from this address has no place any more."""
        return self.taken >= MAX_HELD or self.by_address.get(client, 0) >= MAX_HELD_PER_ADDRESS

    def enter(self, client: str) -> None:
        self.taken += 1
        self.by_address[client] = self.by_address.get(client, 0) + 1

    def leave(self, client: str) -> None:
        self.taken -= 1
        left = self.by_address.pop(client) - 1
        if left:
            self.by_address[client] = left


class _Held:
    """A request that waits."""

    __slots__ = ("call", "client", "compressed", "hand_over", "room", "since", "viewer")

    def __init__(
        self, call: Call, client: str, hand_over: HandOver, viewer: Viewer, since: float, room: _Room, *, compressed: bool
    ) -> None:
        self.call = call
        self.client = client
        self.hand_over = hand_over
        self.viewer = viewer
        self.since = since
        self.compressed = compressed
        self.room = room
        room.enter(client)
        viewer.requests += 1

    def answer(self, response: Response) -> None:
        self._leave()
        _send(self.call, response)

    def give_up(self) -> None:
        self._leave()
        self.hand_over(self.call)

    def _leave(self) -> None:
        self.room.leave(self.client)
        self.viewer.requests -= 1


class Counter:
    """One channel: its prepared answers, and who waits for what."""

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop) -> None:
        self.channel = channel
        self._loop = loop
        self._media: dict[str, Response] = {}
        self._playlists: dict[tuple[Directives, bool], Response] = {}
        self._version: tuple[Window | None, int] = (None, -1)
        self._held: dict[Wanted, list[_Held]] = {}
        self._answering = False
        self._watching = False
        channel.changed = self._changed

    def find(self, wanted: Wanted, *, compressed: bool) -> Response | None:
        """The answer, None if it has to be waited for. Raises LookupError if it is not to be had here."""
        channel, window = self.channel, self.channel.window
        if not channel.attached or not window.ready:
            raise LookupError
        if isinstance(wanted, str):
            return self._media.get(wanted) or self._prepare(wanted)
        window.seen()
        version = (window, window.version)
        if self._version != version or len(self._playlists) >= MAX_VARIANTS:
            self._version = version
            self._playlists.clear()
        known = self._playlists.get((wanted, compressed))
        if known is not None:
            return known
        verdict = delivery.judge(wanted, window.position, window.cutter.part_target_us / 1e6)
        if verdict is Verdict.REFUSE:
            raise LookupError
        if verdict is Verdict.WAIT:
            return None
        response = answers.playlist(channel.media("", delta=wanted.delta), compressed=compressed)
        self._playlists[wanted, compressed] = response
        return response

    def _prepare(self, file: str) -> Response | None:
        run, _, name = file.partition("/")
        match = answers.media_name(name)
        if match is None or run != self.channel.window.run_id:
            raise LookupError
        part = answers.hinted(match)
        if part is not None and part == self.channel.window.next_part:
            return None
        response = answers.media(self.channel, self.channel.window, match)
        if response is None:
            raise LookupError
        if part is not None:
            if len(self._media) >= PREPARED:
                del self._media[next(iter(self._media))]
            self._media[file] = response
        return response

    def awaited(self, wanted: Wanted) -> bool:
        """Whether others wait for the same."""
        return wanted in self._held

    def hold(self, wanted: Wanted, held: _Held) -> None:
        """Answer a request when there is an answer."""
        self._held.setdefault(wanted, []).append(held)
        if not self._watching:
            self._watching = True
            self._loop.call_later(HOLD_S, self._hand_over_late)

    def release(self) -> None:
        """Hand over all that wait."""
        groups, self._held = self._held, {}
        for group in groups.values():
            for held in group:
                held.give_up()

    def count(self, response: Response) -> None:
        """A client was given this."""
        self.channel.stream.counts.sent[KIND] += len(response.body) if isinstance(response.body, bytes) else 0

    def _changed(self) -> None:
        if not self.channel.attached:
            self._media.clear()
        if self._held and not self._answering:
            # not inside the camera's frame: it has other receivers
            self._answering = True
            self._loop.call_soon(self._answer_all)

    def _answer_all(self) -> None:
        self._answering = False
        for wanted in tuple(self._held):
            try:
                plain = self.find(wanted, compressed=False)
            except LookupError:
                for held in self._held.pop(wanted):
                    held.give_up()
                continue
            if plain is not None:
                group = self._held.pop(wanted)
                packed = self.find(wanted, compressed=True) if any(held.compressed for held in group) else None
                for held in group:
                    response = packed if packed is not None and held.compressed else plain
                    held.answer(response)
                    self.count(response)

    def _hand_over_late(self) -> None:
        self._watching = False
        latest = self._loop.time() - HOLD_S
        late: list[_Held] = []
        for wanted, group in list(self._held.items()):
            late += [held for held in group if held.since <= latest]
            self._held[wanted] = [held for held in group if held.since > latest]
            if not self._held[wanted]:
                del self._held[wanted]
        for held in late:
            held.give_up()
        if self._held:
            self._watching = True
            self._loop.call_later(HOLD_S, self._hand_over_late)


class Express:
    """A `gateway.http.calls.Lane` for `/hls/`."""

    def __init__(
        self,
        service: HlsService,
        passes: Passes,
        as_sent: Callable[[str, str, Headers], tuple[str, str]] = lambda peer, scheme, _headers: (peer, scheme),
    ) -> None:
        """`as_sent` tells client and scheme behind a peer that may be a proxy: who is let in and counted rests on them."""
        self._service = service
        self._passes = passes
        self._as_sent = as_sent
        self._room = _Room()
        self._loop = asyncio.get_running_loop()
        self._counters: dict[str, Counter] = {}
        self._queries: dict[str, Directives] = {}

    def offer(self, call: Call, path: str, hand_over: HandOver) -> bool:
        """Take the call if it is one for this lane. See `Lane`."""
        scope = call.scope
        if scope.method != "GET" or scope.proto != "http":
            return False
        headers = scope.headers
        client, scheme = self._as_sent(client_address(scope.client), scope.scheme, headers)
        stream_id, _, file = path[len(PREFIX) :].partition("/")
        if stream_id.startswith(TOKEN_MARK):
            credentials = of_token(stream_id[len(TOKEN_MARK) :])
            stream_id, _, file = file.partition("/")
        else:
            credentials = of_request(
                scheme, _joined(headers.get_all("authorization"), ", "), _joined(headers.get_all("cookie"), "; ")
            )
        if not self._passes.holds(credentials, stream_id):
            return False
        channel = self._service.serving(stream_id)
        directives = self._directives(scope.query_string)
        if channel is None or directives is None:
            return False
        if file != PLAYLIST and (headers.get("if-none-match") is not None or headers.get("range") is not None):
            return False
        counter = self._counters.get(stream_id)
        if counter is None or counter.channel is not channel:
            for gone in [name for name, other in self._counters.items() if other.channel.closed]:
                del self._counters[gone]  # of cameras that were removed
            counter = self._counters[stream_id] = Counter(channel, self._loop)
        wanted = directives if file == PLAYLIST else file
        compressed = answers.accepts_gzip(headers.get("accept-encoding") or "")
        try:
            response = None if counter.awaited(wanted) else counter.find(wanted, compressed=compressed)
        except LookupError:
            return False
        if response is None and self._room.full(client):
            return False
        key = (client, headers.get("user-agent") or "", "")
        if self._service.turns_away(channel, key):
            return False
        channel.touch()
        viewer = channel.viewers.seen(key)
        if response is not None:
            _send(call, response)
            counter.count(response)
        else:
            held = _Held(call, client, hand_over, viewer, self._loop.time(), self._room, compressed=compressed)
            counter.hold(wanted, held)
        return True

    def release(self) -> None:
        """Hand over all that wait."""
        for counter in self._counters.values():
            counter.release()

    def _directives(self, query: str) -> Directives | None:
        """The delivery directives in a query; None if it says anything else, or nonsense. Each query is parsed once."""
        known = self._queries.get(query)
        if known is not None:
            return known
        parsed = directives_of(query)
        if parsed is not None:
            if len(self._queries) >= MAX_QUERIES:
                self._queries.clear()
            self._queries[query] = parsed
        return parsed


def directives_of(query: str) -> Directives | None:
    """The delivery directives in a query; None if it says anything else, or nonsense."""
    if len(query) > MAX_QUERY_CHARS:
        return None
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if not name.startswith("_HLS_"):
            return None
        found.setdefault(name, value)
    try:
        return delivery.parse(found)
    except BadDirective:
        return None


def _joined(fields: list[str], separator: str) -> str | None:
    """Repeated header fields as `make_request` joins them."""
    return separator.join(fields) if fields else None


def _send(call: Call, response: Response) -> None:
    assert isinstance(response.body, bytes)
    call.proto.response_bytes(response.status, response.headers, response.body)
    call.done()
