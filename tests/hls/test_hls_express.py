"""The express lane says what the normal path says, or leaves the request to it. Streams are fed by hand."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from playlist_linter import parse
from synthetic import camera

from gateway.access.proxy import TrustedProxies
from gateway.config.model import ProxyTrust
from gateway.hls import express
from gateway.hls.express import Express, directives_of
from gateway.hls.server import HlsService, HlsSettings
from gateway.http.messages import Request, Response
from gateway.http.passes import Passes, of_request, of_token
from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Kind

NOW = 1_800_000_000
LOGIN = "Basic eA=="


class Fields:
    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = pairs

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.pairs if key == name), None)

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]


@dataclass
class FakeScope:
    path: str
    query_string: str = ""
    headers: Any = field(default_factory=Fields)
    method: str = "GET"
    proto: str = "http"
    client: str = "10.0.0.1:5000"
    scheme: str = "https"


class FakeCall:
    """A request, its answer, and whether it was left to the normal path."""

    def __init__(self, scope: FakeScope) -> None:
        self.scope = scope
        self.proto = self
        self.answers: list[Response] = []
        self.ended = 0
        self.handed_over = 0

    def response_bytes(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        self.answers.append(Response(status, body, headers))

    def done(self) -> None:
        self.ended += 1


class House:
    """A service with the stream `cam`, its express lane, and a player with a pass for it."""

    def __init__(self) -> None:
        self.cam = Stream("cam")
        self.cam.begin(frozenset({Kind.VIDEO}))
        self.streams = {"cam": self.cam}
        self.now = 100.0
        self.service = HlsService(
            self.streams.get, HlsSettings(), lambda stream: True, monotonic=lambda: self.now, wall=lambda: NOW
        )
        self.service.attach(self.cam)
        self.passes = Passes(lambda: None, 2.0, lambda: self.now)
        self.lane = Express(self.service, self.passes)
        self.admit()

    def admit(self) -> None:
        for credentials in (of_request("https", LOGIN, None), of_request("https", None, "a=1; b=2"), of_token("secret")):
            self.passes.issue(credentials, "cam", self.passes.era)

    def call(self, path: str, *fields: tuple[str, str], login: bool = True, **scope: str) -> FakeCall:
        path, _, query = path.partition("?")
        headers = Fields(*((("authorization", LOGIN),) if login else ()), *fields)
        call = FakeCall(FakeScope(path, query, headers, **scope))
        call.handed_over = 0 if self.lane.offer(call, path, self.hand_over) else 1  # type: ignore[arg-type]
        return call

    def hand_over(self, call: Any) -> None:
        call.handed_over += 1

    def taken(self, path: str, *fields: tuple[str, str], **scope: Any) -> Response:
        call = self.call(path, *fields, **scope)
        assert (len(call.answers), call.ended, call.handed_over) == (1, 1, 0), path
        return call.answers[0]

    def held(self, path: str, *fields: tuple[str, str], **scope: str) -> FakeCall:
        call = self.call(path, *fields, **scope)
        assert (call.answers, call.handed_over) == ([], 0), path
        return call

    async def normal(self, path: str, **headers: str) -> Response:
        path, _, query = path.partition("?")
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.service.handle(Request("GET", path, query, names, "10.0.0.1", "https"))

    async def hint(self) -> tuple[str, str]:
        """The query that waits for the next part, and the part's path."""
        body = (await self.normal("/hls/cam/live.m3u8")).body
        assert isinstance(body, bytes)
        uri = parse(body.decode()).hint
        msn, part = uri.rpartition("/s")[2].removesuffix(".m4s").split(".p")
        return f"?_HLS_msn={msn}&_HLS_part={part}", f"/hls/cam/{uri}"


def run(scenario: Callable[[House], Awaitable[None]], frames: Iterable[Frame] | None = None) -> None:
    async def main() -> None:
        house = House()
        house.service.channel(house.cam).window.watched()
        house.cam.push(camera(6, gop=50) if frames is None else frames)
        try:
            await scenario(house)
        finally:
            await house.service.close()

    asyncio.run(main())


async def push_until(house: House, call: FakeCall) -> None:
    frames = camera(3, start_s=6, gop=10_000)
    while not call.answers and not call.handed_over:
        house.cam.push([next(frames)])
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def test_playlists_and_media_are_those_of_the_normal_path() -> None:
    async def scenario(house: House) -> None:
        plain = await house.normal("/hls/cam/live.m3u8")
        assert house.taken("/hls/cam/live.m3u8") == plain
        packed = house.taken("/hls/cam/live.m3u8", ("accept-encoding", "br, gzip"))
        assert packed == await house.normal("/hls/cam/live.m3u8", accept_encoding="gzip")
        assert gzip.decompress(packed.body) == plain.body  # type: ignore[arg-type]
        listed = parse(plain.body.decode())  # type: ignore[union-attr]
        files = [part.uri for segment in listed.segments for part in segment.parts]
        files += [segment.uri for segment in listed.segments if segment.uri] + [listed.segments[0].map_uri]
        for file in files + files:
            assert house.taken(f"/hls/cam/{file}") == await house.normal(f"/hls/cam/{file}")
        first = listed.segments[0].msn
        past = f"/hls/cam/live.m3u8?_HLS_msn={first}&_HLS_skip=YES"
        assert house.taken(past) == await house.normal(past)

    run(scenario)


def test_held_requests_are_answered_when_the_part_is_there_and_not_before() -> None:
    async def scenario(house: House) -> None:
        query, part = await house.hint()
        waiting = [house.held(f"/hls/cam/live.m3u8{query}", ("accept-encoding", accepted)) for accepted in ("gzip", "br")]
        early = house.held(part)
        await push_until(house, early)
        packed, plain = (call.answers for call in waiting)
        assert part.removeprefix("/hls/cam/").encode() in plain[0].body  # type: ignore[operator]
        assert gzip.decompress(packed[0].body) == plain[0].body  # type: ignore[arg-type]
        assert early.answers == [await house.normal(part)]
        assert [call.ended for call in (*waiting, early)] == [1, 1, 1]

    run(scenario)


def test_only_who_holds_a_pass_is_served() -> None:
    async def scenario(house: House) -> None:
        path = "/hls/cam/live.m3u8"
        assert house.call(path, login=False).handed_over
        assert house.call(path, ("authorization", "Basic other"), login=False).handed_over
        assert house.call(path, ("authorization", LOGIN), scheme="http", login=False).handed_over
        assert house.call("/hls/~guess/cam/live.m3u8").handed_over
        house.taken(path, ("cookie", "a=1"), ("cookie", "b=2"), login=False)
        house.taken("/hls/~secret/cam/live.m3u8", login=False)
        house.passes.tear_up()
        assert house.call(path).handed_over

    run(scenario)


@pytest.mark.parametrize(
    "path",
    [
        "/hls/cam/index.m3u8", "/hls/other/live.m3u8", "/hls/cam/live.m3u8?token=x", "/hls/cam/live.m3u8?_HLS_part=1",
        "/hls/cam/live.m3u8?_HLS_msn=99999999999", "/hls/cam/nothing", "/hls/cam/run/s1.m4s", "/hls/", "/hls/cam",
    ],
)  # fmt: skip
def test_everything_unusual_is_left_to_the_normal_path(path: str) -> None:
    async def scenario(house: House) -> None:
        assert house.call(path).handed_over
        assert house.call("/hls/cam/live.m3u8", method="HEAD").handed_over
        _, part = await house.hint()
        assert house.call(part, ("if-none-match", '"x"')).handed_over

    run(scenario)


def test_who_waits_for_long_is_handed_over_and_not_answered_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(express, "HOLD_S", 0.01)

    async def scenario(house: House) -> None:
        query, _ = await house.hint()
        late = house.held(f"/hls/cam/live.m3u8{query}")
        viewers = house.service.channel(house.cam).viewers
        house.now += 1000
        viewers.sweep()
        assert len(viewers) == 1, "it is still here"
        while not late.handed_over:
            await asyncio.sleep(0.005)
        viewers.sweep()
        house.now += 1000
        viewers.sweep()
        assert len(viewers) == 0
        house.cam.push(camera(1, start_s=6))
        await asyncio.sleep(0.02)
        assert (late.answers, late.handed_over) == ([], 1)

    run(scenario)


def test_stopping_and_a_camera_that_is_removed_hand_over_who_waits() -> None:
    async def scenario(house: House) -> None:
        query, part = await house.hint()
        held = house.held(f"/hls/cam/live.m3u8{query}"), house.held(part)
        house.lane.release()
        assert [call.handed_over for call in held] == [1, 1]
        held = house.held(f"/hls/cam/live.m3u8{query}"), house.held(part)
        house.service.detach("cam")
        del house.streams["cam"]
        await asyncio.sleep(0)
        assert [call.handed_over for call in held] == [1, 1]
        assert house.call("/hls/cam/live.m3u8").handed_over

    run(scenario)


def test_a_camera_configured_anew_is_not_served_from_what_was_prepared() -> None:
    async def scenario(house: House) -> None:
        listed = parse((await house.normal("/hls/cam/live.m3u8")).body.decode())  # type: ignore[union-attr]
        part = listed.segments[-1].parts[0].uri
        house.taken(f"/hls/cam/{part}")
        query, _ = await house.hint()
        held = house.held(f"/hls/cam/live.m3u8{query}")
        house.streams["cam"] = anew = Stream("cam")
        anew.begin(frozenset({Kind.VIDEO}))
        house.service.attach(anew)
        await asyncio.sleep(0)
        assert held.handed_over
        assert house.call(f"/hls/cam/{part}").handed_over
        assert house.call("/hls/cam/live.m3u8").handed_over

    run(scenario)


def test_cameras_that_come_and_go_leave_nothing_behind() -> None:
    async def scenario(house: House) -> None:
        house.call("/hls/cam/live.m3u8")
        for number in range(3):
            stream = house.streams[f"cam{number}"] = Stream(f"cam{number}")
            stream.begin(frozenset({Kind.VIDEO}))
            house.service.attach(stream)
            house.service.channel(stream).window.watched()
            stream.push(camera(6, gop=50))
            house.passes.issue(of_request("https", LOGIN, None), stream.id, house.passes.era)
            assert house.call(f"/hls/{stream.id}/live.m3u8").answers
            house.service.detach(stream.id)
        assert set(house.lane._counters) == {"cam", "cam2"}

    run(scenario)


def test_viewers_of_both_paths_are_counted_once() -> None:
    async def scenario(house: House) -> None:
        await house.normal("/hls/cam/live.m3u8", user_agent="player")
        house.taken("/hls/cam/live.m3u8", ("user-agent", "player"))
        assert len(house.service.channel(house.cam).viewers) == 1

    run(scenario)


def test_directives_are_read_and_credentials_are_not_kept() -> None:
    assert directives_of("") is not None
    assert directives_of("_HLS_msn=1&_HLS_part=x") is None
    assert directives_of("_HLS_msn=1&token=secret") is None
    assert directives_of("x" * 3000) is None

    async def scenario(house: House) -> None:
        house.call("/hls/cam/live.m3u8?token=secret")
        assert not any("secret" in query for query in house.lane._queries)
        for number in range(express.MAX_QUERIES + 10):
            house.lane._directives(f"_HLS_msn={number}")
        assert len(house.lane._queries) <= express.MAX_QUERIES

    run(scenario)


def test_one_viewer_cannot_hold_every_place_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(express, "MAX_HELD", 20)

    async def scenario(house: House) -> None:
        query, part = await house.hint()
        held = [house.held(f"/hls/cam/live.m3u8{query}") for _ in range(20)]
        assert house.call(f"/hls/cam/live.m3u8{query}").handed_over, "to where requests of an address are counted"
        assert house.call(part).handed_over
        assert house.taken("/hls/cam/live.m3u8").status == 200, "what needs not wait is answered"
        await push_until(house, held[-1])
        assert all(len(call.answers) == 1 for call in held)
        query, _ = await house.hint()
        house.held(f"/hls/cam/live.m3u8{query}")
        house.lane.release()
        assert (house.lane._room.taken, house.lane._room.by_address) == (0, {})

    run(scenario)


def test_one_address_leaves_places_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(express, "MAX_HELD_PER_ADDRESS", 20)

    async def scenario(house: House) -> None:
        query, _ = await house.hint()
        greedy, other = "192.0.2.66:1", "192.0.2.7:1"
        for client in (greedy, other):
            house.taken("/hls/cam/live.m3u8", client=client)
        held = [house.held(f"/hls/cam/live.m3u8{query}", client=greedy) for _ in range(20)]
        assert house.call(f"/hls/cam/live.m3u8{query}", client=greedy).handed_over
        held.append(house.held(f"/hls/cam/live.m3u8{query}", client=other))
        await push_until(house, held[-1])
        assert all(len(call.answers) == 1 for call in held)
        assert house.lane._room.by_address == {}

    run(scenario)


def test_viewers_behind_a_proxy_are_counted_and_sent_away_by_their_own_address() -> None:
    async def scenario(house: House) -> None:
        proxies = TrustedProxies(ProxyTrust(("10.0.0.1",)))
        house.lane = Express(house.service, house.passes, proxies.resolve_fields)
        viewers = house.service.channel(house.cam).viewers
        for number in range(3):
            house.taken("/hls/cam/live.m3u8", ("x-forwarded-for", f"192.0.2.{number}"))
            house.taken("/hls/cam/live.m3u8", ("x-forwarded-for", f"192.0.2.{number}"), client="10.9.9.9:1")
        assert len(viewers) == 4, "the other is no proxy, whatever it says"
        house.service.shed(4, "short")
        assert house.call("/hls/cam/live.m3u8", ("x-forwarded-for", "192.0.2.1")).handed_over

    run(scenario)


def test_a_proxy_that_ends_tls_does_not_keep_its_viewers_out_of_the_lane() -> None:
    async def scenario(house: House) -> None:
        proxies = TrustedProxies(ProxyTrust(("10.0.0.1",)))
        house.lane = Express(house.service, house.passes, proxies.resolve_fields)
        said = ("x-forwarded-proto", "https")
        assert house.taken("/hls/cam/live.m3u8", said, scheme="http").status == 200
        assert house.call("/hls/cam/live.m3u8", said, scheme="http", client="10.9.9.9:1").handed_over, "no proxy of ours"
        assert house.call("/hls/cam/live.m3u8", scheme="http").handed_over, "a session of the other scheme"

    run(scenario)
