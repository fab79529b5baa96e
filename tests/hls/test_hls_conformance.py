"""What the server must do over time, in the order of draft-pantos-hls-rfc8216bis-22: each test names its sections.

The linter (`playlist_linter`) holds the rules of the playlist's text and runs over every playlist that is fetched here. These
tests hold what only shows between requests: when an answer comes, which, and that all the answers belong together. A camera
is fed by hand, frame by frame; `Player` follows it as a low-latency player does, with a blocked playlist request and a request
for the hinted part always under way.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import httpx
import pytest
import uvloop
from house import NOW, House, header, run, text
from playlist_linter import Linter, Parsed, PartLine, SegmentLines, parse
from synthetic import AUDIO, VIDEO, Traf, boxes, camera, trafs

from gateway.hls import server
from gateway.hls.playlist import multivariant_playlist
from gateway.hls.server import HlsService, HlsSettings
from gateway.http.listeners import HttpListeners
from gateway.http.messages import Request, Response
from gateway.http.router import Router
from gateway.http.rsgi import Application
from gateway.media.frame import Frame
from gateway.media.state import State, Status
from gateway.media.track import Codec, Kind, TrackConfig

RELEASE_S = 0.05
"""From the moment a part exists to the answers that waited for it."""
VIEWERS = 40
TURNS = 4
"""Turns of the event loop after which everything that can be answered is answered."""
CLOCKS = {1: 90_000, 2: 48_000}


# -- a camera, and a player that follows it


def restless() -> Iterator[Frame | frozenset[Kind]]:
    """20 s with sound; a reconnect; 20 s in another size, without sound, frozen for a second; the first size again.

    A set of kinds stands for the source opening a session.
    """
    yield frozenset({Kind.VIDEO, Kind.AUDIO})
    yield from camera(20, with_audio=True)
    yield frozenset({Kind.VIDEO})
    for frame in camera(20, start_s=100):
        if not 10 < frame.seconds - 100 < 11:
            yield replace(frame, config=replace(VIDEO, width=640, height=360))
    yield frozenset({Kind.VIDEO, Kind.AUDIO})
    yield from camera(20, start_s=50, with_audio=True)


@dataclass
class Player:
    """Follows the stream `cam` of a house and keeps everything it was given."""

    house: House
    linter: Linter = field(default_factory=Linter)
    playlists: list[Parsed] = field(default_factory=list)
    listed_at: list[float] = field(default_factory=list)
    """The camera's time at which each of them was answered, seconds."""
    segments: dict[int, SegmentLines] = field(default_factory=dict)
    """By MSN, with the parts that were listed while it was at the end of the playlist."""
    media: dict[str, bytes] = field(default_factory=dict)
    """By URI, as given to a request made when it was listed."""
    hinted: dict[str, Response] = field(default_factory=dict)
    """By URI, as given to a request made when it was only hinted."""

    async def follow(self, frames: Iterable[Frame | frozenset[Kind]]) -> None:
        playlist: asyncio.Task[Response] | None = None
        waiting: dict[str, asyncio.Task[Response]] = {}
        for frame in frames:
            if isinstance(frame, frozenset):
                self.house.cam.begin(frame)
                continue
            self.house.cam.push([frame])
            for _ in range(TURNS):
                await asyncio.sleep(0)
            for uri in [uri for uri, task in waiting.items() if task.done()]:
                self.hinted[uri] = await waiting.pop(uri)
            if playlist is None:
                if not self.house.service.channel(self.house.cam).window.ready:
                    continue
                now = self._take(text(await self.house.get("/hls/cam/live.m3u8")))
            elif playlist.done():
                now = self._take(text(await playlist))
            else:
                continue
            self.listed_at.append(frame.seconds)
            await self._fetch(now)
            msn, part = number(now.hint)
            playlist = asyncio.create_task(self.house.get(f"/hls/cam/live.m3u8?_HLS_msn={msn}&_HLS_part={part}"))
            if now.hint not in waiting:
                waiting[now.hint] = asyncio.create_task(self.house.get(f"/hls/cam/{now.hint}"))
        for task in (playlist, *waiting.values()):
            if task is not None:
                task.cancel()

    def _take(self, told: str) -> Parsed:
        now = self.linter.check(told)
        self.playlists.append(now)
        for segment in now.segments:
            known = self.segments.get(segment.msn)
            if known is not None and not segment.parts:
                segment = replace(segment, parts=known.parts)
            self.segments[segment.msn] = segment
        return now

    async def _fetch(self, now: Parsed) -> None:
        for segment in now.segments:
            for uri in (segment.map_uri, segment.uri, *(part.uri for part in segment.parts)):
                if uri and uri not in self.media:
                    answer = await self.house.get(f"/hls/cam/{uri}")
                    assert answer.status == 200, f"{uri} is listed"
                    assert isinstance(answer.body, bytes)
                    self.media[uri] = answer.body

    def parts(self) -> list[tuple[SegmentLines, PartLine]]:
        """All parts that were listed, in order."""
        return [(segment, part) for _, segment in sorted(self.segments.items()) for part in segment.parts]


def number(uri: str) -> tuple[int, int]:
    """MSN and index of a part."""
    msn, _, part = uri.rpartition("/s")[2].removesuffix(".m4s").partition(".p")
    return int(msn), int(part)


@pytest.fixture(scope="module")
def played() -> Player:
    """A player that has seen all of `restless`."""
    found: list[Player] = []

    async def scenario(house: House) -> None:
        player = Player(house)
        await player.follow(restless())
        found.append(player)

    run(scenario)
    return found[0]


# -- 3, 4.4.4.9, 6.2.1, 6.2.2: what was listed


def test_the_player_saw_a_life(played: Player) -> None:
    """Otherwise the tests below would prove nothing."""
    assert len(played.playlists) > 250
    assert len({segment.discontinuity for segment in played.segments.values()}) == 3
    assert len({segment.map_uri for segment in played.segments.values()}) == 3
    assert len(played.hinted) > 230


def test_6_2_2_media_sequence_numbers_have_no_hole_and_never_go_back(played: Player) -> None:
    assert sorted(played.segments) == list(range(NOW, NOW + len(played.segments)))
    numbers = [(now.first_msn, now.discontinuity_sequence) for now in played.playlists]
    assert numbers == sorted(numbers)
    for now in played.playlists:
        first = now.segments[0]
        before = [one for one in played.segments.values() if one.msn < first.msn and one.discontinuity < first.discontinuity]
        expected = max((one.discontinuity for one in before), default=None)
        assert expected is None or first.discontinuity - expected in (0, 1)


def test_6_2_1_every_playlist_goes_on_where_the_last_one_ended(played: Player) -> None:
    for before, after in pairwise(played.playlists):
        asked = number(before.hint)
        listed = {number(part.uri) for segment in after.segments for part in segment.parts}
        done = {segment.msn for segment in after.complete}
        assert asked in listed or asked[0] in done or min(after.segments, key=lambda one: one.msn).msn > asked[0]
        assert number(after.hint) > asked


def test_3_2_parts_one_after_the_other_are_their_segment(played: Player) -> None:
    whole = [segment for segment in played.segments.values() if segment.uri and segment.parts]
    assert len(whole) > 20
    for segment in whole:
        assert b"".join(played.media[part.uri] for part in segment.parts) == played.media[segment.uri]


def test_3_1_2_media_times_go_on_over_parts_and_segments_and_break_only_at_a_discontinuity(played: Player) -> None:
    """tfdt of a fragment is the end of the one before it, for each track; a break has a tag, a new MAP, and a date."""
    ends: dict[int, int] = {}
    last: SegmentLines | None = None
    breaks = 0
    for segment, part in played.parts():
        if last is not None and segment.discontinuity != last.discontinuity:
            assert segment.map_uri != last.map_uri
            assert segment.date is not None
            ends.clear()
            breaks += 1
        last = segment
        for traf in trafs(played.media[part.uri]):
            tracks = track_ids(played.media[segment.map_uri])
            assert traf.track_id in tracks, "the fragment holds a track that its MAP does not know"
            if traf.track_id in ends:
                assert traf.decode_time == ends[traf.track_id], f"{part.uri}, track {traf.track_id}"
            ends[traf.track_id] = traf.end
    assert breaks == 2


def test_4_4_4_1_declared_durations_are_those_of_the_media(played: Player) -> None:
    """EXTINF and the times in the media never drift apart: over a whole epoch by less than a part."""
    for discontinuity in {segment.discontinuity for segment in played.segments.values()}:
        parts = [(segment, part) for segment, part in played.parts() if segment.discontinuity == discontinuity]
        first = lead(trafs(played.media[parts[0][1].uri])).decode_time
        declared = sum(float(part.duration) for _, part in parts)
        end = max(traf.end for _, part in parts for traf in trafs(played.media[part.uri]) if traf.track_id == 1)
        assert abs((end - first) / CLOCKS[1] - declared) < 0.21


def test_4_4_4_6_program_dates_are_those_of_the_media(played: Player) -> None:
    for _, segment in sorted(played.segments.items()):
        after = played.segments.get(segment.msn + 1)
        if after is None or after.discontinuity != segment.discontinuity or segment.duration is None:
            continue
        assert segment.date is not None
        assert after.date is not None
        assert abs((after.date - segment.date).total_seconds() - float(segment.duration)) < 0.1


def test_4_4_4_9_independent_parts_begin_with_a_keyframe_and_segments_with_an_independent_part(played: Player) -> None:
    independent = 0
    for segment, part in played.parts():
        video = [traf for traf in trafs(played.media[part.uri]) if traf.track_id == 1 and traf.flags]
        keys = [not flags & 0x10000 for traf in video for flags in traf.flags]
        assert part.independent == bool(keys and keys[0]), part.uri
        assert not any(keys[1:]), "a keyframe inside a part"
        independent += part.independent
        assert part is not segment.parts[0] or part.independent
    assert independent > 15


# -- 4.4.5.3, 6.2.6: the hinted part


def test_4_4_5_3_a_hinted_part_is_held_and_has_the_bytes_of_the_listed_one(played: Player) -> None:
    """Every hint was kept, over segments' ends and reconnects: what is open when a session ends is closed as that part."""
    before = {part.uri for segment in played.playlists[0].segments for part in segment.parts}
    listed = {part.uri for _, part in played.parts()}
    assert played.hinted.keys() <= listed
    assert len(listed - before - played.hinted.keys()) < 8, "only of a freeze's fillers come several at once"
    for uri, answer in played.hinted.items():
        assert answer.status == 200
        assert answer.body == played.media[uri]


# -- 6.2.5.1, 6.2.5.2: delivery directives. Last segment NOW+3 with ten parts, two parts of the next, nothing to come.


@pytest.mark.parametrize(
    ("query", "status", "why"),
    [
        ("", 200, "no directive"),
        ("_HLS_msn={last}", 200, "it is there"),
        ("_HLS_msn={old}", 200, "it was there"),
        ("_HLS_msn={old}&_HLS_part=99", 200, "no matter which part"),
        ("_HLS_msn={next}&_HLS_part=0", 200, "listed"),
        ("_HLS_msn={last}&_HLS_part={past}", 200, "past the end of a finished segment is the first part of the next"),
        ("_HLS_skip=YES", 200, "not offered here: ignored"),
        ("_HLS_skip=maybe", 200, "other values are ignored"),
        ("_HLS_report=x&a=b", 200, "unknown directives are ignored"),
        ("_HLS_part=1", 400, "a part of what?"),
        ("_HLS_msn=x", 400, "not a number"),
        ("_HLS_msn=-1", 400, "not a decimal integer"),
        ("_HLS_msn=1e3", 400, "not a decimal integer"),
        ("_HLS_msn={next}&_HLS_part=", 400, "not a number"),
        ("_HLS_msn={far}", 400, "more than two segments ahead"),
        ("_HLS_msn={next}&_HLS_part=99", 400, "beyond the Advance Part Limit"),
        ("_HLS_msn={next}", 503, "three target durations without the segment"),
        ("_HLS_msn={next}&_HLS_part={coming}", 503, "three target durations without the part"),
        ("_HLS_msn={after}&_HLS_part=0", 503, "the same, one segment further"),
    ],
)
def test_6_2_5_2_directives(monkeypatch: pytest.MonkeyPatch, query: str, status: int, why: str) -> None:
    async def scenario(house: House) -> None:
        now = parse(await house.live())
        msn, part = number(now.hint)
        assert part > 1
        past = len(next(one for one in now.segments if one.msn == msn - 1).parts)
        monkeypatch.setattr(server, "BLOCK_TARGETS", 0.01)
        named = {"last": msn - 1, "next": msn, "after": msn + 1, "far": msn + 2, "old": msn - 40, "past": past, "coming": part}
        answer = await house.get(f"/hls/cam/live.m3u8?{query.format(**named)}")
        assert answer.status == status, why
        assert (header(answer, "cache-control") or "") in ("no-cache", "no-store")
        if status == 503:
            assert header(answer, "retry-after")

    run(scenario, camera(6.5))


@pytest.mark.parametrize(
    ("name", "status", "why"),
    [
        ("{run}/s{listed}.m4s", 200, "listed"),
        ("{run}/s{retired}.m4s", 200, "out of the playlist not long ago (6.2.2)"),
        ("{run}/s{retired}.p0.m4s", 200, "its parts, too"),
        ("{run}/s{gone}.m4s", 410, "out of the playlist for long"),
        ("{run}/s{gone}.p0.m4s", 410, "its parts, too"),
        ("{run}/s{before}.m4s", 404, "before the first one"),
        ("{run}/s{open}.m4s", 404, "not whole yet"),
        ("{run}/s{open}.p40.m4s", 404, "neither there nor hinted"),
        ("{run}/s{listed}.p40.m4s", 404, "it never had so many"),
        ("{run}/init-0.mp4", 404, "they count from 1"),
        ("{run}/init-9.mp4", 404, "not yet"),
        ("00000000/s{listed}.m4s", 404, "another run's"),
        ("{run}/../live.m3u8", 404, "no such name"),
        ("other.m3u8", 404, "no such name"),
    ],
)
def test_6_2_6_unknown_and_expired_names(name: str, status: int, why: str) -> None:
    async def scenario(house: House) -> None:
        house.service.channel(house.cam).window.seen()
        for frame in camera(56, start_s=7):
            house.cam.push([frame])
            if frame.keyframe:
                house.service.channel(house.cam).window.seen()
        now = parse(await house.live())
        named = {
            "run": now.hint.partition("/")[0], "listed": now.segments[1].msn, "retired": now.first_msn - 1, "gone": NOW + 1,
            "before": NOW - 1, "open": number(now.hint)[0],
        }  # fmt: skip
        answer = await house.get(f"/hls/cam/{name.format(**named)}")
        assert answer.status == status, why
        if status != 200:
            assert header(answer, "cache-control") == "no-store", "an error must not outlive its cause in a cache"

    run(scenario, camera(7))


def test_6_2_5_2_a_camera_that_is_away_is_503_with_its_reason_and_never_401(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "START_WAIT_S", 0.01)

    async def scenario(house: House) -> None:
        house.sub.set_status(Status(State.OFFLINE, 0.0, "the camera refuses connections"))
        for name in ("index.m3u8", "live.m3u8", "live.m3u8?_HLS_msn=1&_HLS_part=0"):
            answer = await house.get(f"/hls/cam.sub/{name}")
            assert (answer.status, header(answer, "retry-after")) == (503, "2")
            assert "the camera refuses connections" in text(answer)

    run(scenario)


# -- 6.2.5.2, B.1: when the answer comes


def test_b_1_a_part_releases_everyone_who_waits_for_it_within_50_ms() -> None:
    """From the push that makes the part to the last answer: no timer in between, and so much work. `bench/hls_release.py` has
    the times on the clock, which say more of the machine."""

    async def scenario(house: House) -> None:
        took: list[float] = []
        frames = camera(5, start_s=8)
        while len(took) < 15:
            now = parse(await house.live())
            msn, part = number(now.hint)
            query = f"_HLS_msn={msn}&_HLS_part={part}"
            waiting = [await_get(house, f"/hls/cam/live.m3u8?{query}&viewer={index % 4}") for index in range(VIEWERS)]
            waiting += [await_get(house, f"/hls/cam/{now.hint}") for _ in range(VIEWERS)]
            for _ in range(TURNS):
                await asyncio.sleep(0)
            assert not any(task.done() for task in waiting)
            while parse(await house.live()).hint == now.hint:
                began = time.thread_time()
                house.cam.push([next(frames)])
            for _ in range(TURNS):
                await asyncio.sleep(0)
            took.append(time.thread_time() - began)
            assert all(task.done() for task in waiting), "somebody waits for a timer"
            assert {(await task).status for task in waiting} == {200}
        median = statistics.median(took)
        print(f"\n{2 * VIEWERS} answers after a part: median {median * 1000:.1f} ms, most {max(took) * 1000:.1f} ms of work")
        assert median < RELEASE_S

    run(scenario, camera(8))


def await_get(house: House, path: str) -> asyncio.Task[Response]:
    return asyncio.create_task(house.get(path))


def test_6_2_1_a_new_part_is_listed_within_a_part_target_of_the_last(played: Player) -> None:
    """By the camera's clock. Only where the camera is silent itself there is nothing to list."""
    late = 0
    for (before, at), (after, then) in pairwise(zip(played.playlists, played.listed_at, strict=True)):
        assert number(after.hint) > number(before.hint), "an answer without anything new"
        late += then - at > float(after.part_target)
    assert late == 2, "the first reconnect and the freeze; the second reconnect's clock is behind"


# -- 6.2.2: restarts


def test_6_2_2_numbers_grow_over_a_restart_of_the_gateway_and_nothing_has_an_old_name() -> None:
    async def scenario(house: House) -> None:
        player = Player(house)
        await player.follow(camera(12, start_s=7))
        before = player.playlists[-1]
        restarted = HlsService(house.streams.get, HlsSettings(), lambda _: True, monotonic=house.clock, wall=lambda: NOW + 21)
        restarted.attach(house.cam)
        house.cam.push(camera(10, start_s=30))
        for name in ("live.m3u8", f"live.m3u8?_HLS_msn={number(before.hint)[0]}&_HLS_part={number(before.hint)[1]}"):
            path, _, query = f"/hls/cam/{name}".partition("?")
            answer = await restarted.handle(Request("GET", path, query, {}, "10.0.0.1", "http"))
            after = parse(text(answer))
            assert after.first_msn > before.segments[-1].msn
            assert after.discontinuity_sequence >= before.discontinuity_sequence
            assert after.hint.partition("/")[0] != before.hint.partition("/")[0]
        old = await restarted.handle(Request("GET", f"/hls/cam/{before.segments[0].uri}", "", {}, "10.0.0.1", "http"))
        assert old.status == 404, "a picture from before the restart must not be had under any name"
        await restarted.close()

    run(scenario, camera(7))


# -- 4.4.6.2, Apple 1.x: the multivariant playlist, for what cameras send

H265 = TrackConfig(Codec.H265, 90_000, b"", "hvc1.1.6.L93.B0", width=1920, height=1080)
AV1 = TrackConfig(Codec.AV1, 90_000, b"", "av01.0.08M.08", width=2560, height=1440)
OPUS = TrackConfig(Codec.OPUS, 48_000, b"", "opus", sample_rate=48_000, channels=2)


@pytest.mark.parametrize(
    ("tracks", "codecs", "resolution"),
    [
        ((VIDEO,), "avc1.64000C", "320x176"),
        ((VIDEO, AUDIO), "avc1.64000C,mp4a.40.2", "320x176"),
        ((H265, AUDIO), "hvc1.1.6.L93.B0,mp4a.40.2", "1920x1080"),
        ((AV1, OPUS), "av01.0.08M.08,opus", "2560x1440"),
        ((AUDIO,), "mp4a.40.2", None),
    ],
)
def test_4_4_6_2_codecs_resolution_and_frame_rate(tracks: tuple[TrackConfig, ...], codecs: str, resolution: str | None) -> None:
    rate = 25.0 if resolution else 0.0
    lines = multivariant_playlist(tracks, peak=2000, average=1500, frame_rate=rate, independent=True).splitlines()
    assert f'CODECS="{codecs}"' in lines[3]
    assert ("RESOLUTION=" in lines[3]) is (resolution is not None)
    assert ("FRAME-RATE=25.000" in lines[3]) is (resolution is not None)
    assert resolution is None or f"RESOLUTION={resolution}" in lines[3]
    assert "BANDWIDTH=2000,AVERAGE-BANDWIDTH=1500" in lines[3]


# -- 6.2.5, 6.3.1, B.1 and RFC 9110: HTTP, through a real port


def over_http(scenario: Callable[[House, Application, httpx.AsyncClient], Awaitable[None]]) -> None:
    """Run `scenario(house, app, client)` with a house behind the gateway's own listener."""

    async def main() -> None:
        house = House()
        house.service.channel(house.cam).window.watched()
        house.cam.push(camera(7))
        router = Router()
        router.add("/hls/", house.service.handle)

        async def page(request: Request, body: bytes) -> Response:
            return Response(404)

        app = Application(router, page)
        listeners = HttpListeners(app, https=None, http=("127.0.0.1", 0), tls=None)
        await listeners.start()
        try:
            base = f"http://127.0.0.1:{listeners.port('http')}/hls/cam/"
            async with httpx.AsyncClient(base_url=base, headers={"accept-encoding": "identity"}, timeout=10) as client:
                await scenario(house, app, client)
        finally:
            await house.service.close()
            await listeners.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_http_of_playlists_and_media() -> None:
    async def scenario(house: House, app: Application, client: httpx.AsyncClient) -> None:
        listed = await client.get("live.m3u8")
        now = parse(listed.text)
        assert (listed.status_code, listed.headers["content-type"]) == (200, "application/vnd.apple.mpegurl")
        assert listed.headers["cache-control"] == "no-cache"
        assert "age" not in listed.headers, "players take an origin that sends Age for a cache, and search for the live edge"
        packed = await client.get("live.m3u8", headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "accept-encoding"
        assert packed.text == listed.text
        for uri in (now.segments[0].map_uri, now.segments[-1].parts[0].uri, now.segments[0].uri):
            whole = await client.get(uri)
            body, etag = whole.content, whole.headers["etag"]
            assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
            assert whole.headers["content-length"] == str(len(body))
            assert whole.headers["cache-control"] == "private, max-age=60, immutable"
            assert whole.headers["access-control-allow-origin"] == "*"
            head = await client.head(uri)
            assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(body)), b"")
            assert (await client.get(uri, headers={"if-none-match": etag})).status_code == 304
            assert (await client.get(uri, headers={"if-none-match": '"other"'})).status_code == 200
            part = await client.get(uri, headers={"range": "bytes=8-19"})
            assert (part.status_code, part.content) == (206, body[8:20])
            assert part.headers["content-range"] == f"bytes 8-19/{len(body)}"
            assert (await client.get(uri, headers={"range": "bytes=-5"})).content == body[-5:]
            assert (await client.get(uri, headers={"range": f"bytes={len(body)}-"})).status_code == 416
            assert (await client.get(uri, headers={"range": "bytes=0-1", "if-range": '"other"'})).content == body
            assert (await client.get(uri, headers={"range": "lines=1-2"})).content == body
            assert (await client.head(uri, headers={"range": "bytes=0-1"})).status_code == 200
        preflight = await client.options(
            "live.m3u8", headers={"origin": "https://elsewhere", "access-control-request-method": "GET"}
        )
        assert preflight.status_code == 204
        assert {"GET", "HEAD", "OPTIONS"} == set(preflight.headers["access-control-allow-methods"].split(", "))
        assert (await client.post("live.m3u8")).status_code == 405
        carried = parse((await client.get("live.m3u8?token=abc&_HLS_skip=YES")).text)
        assert carried.hint.endswith("?token=abc")

    over_http(scenario)


def test_http_a_blocked_request_ends_with_its_client() -> None:
    async def scenario(house: House, app: Application, client: httpx.AsyncClient) -> None:
        now = parse((await client.get("live.m3u8")).text)
        msn, part = number(now.hint)
        port = client.base_url.port
        running = app._running
        async with asyncio.timeout(5):
            for path in (f"live.m3u8?_HLS_msn={msn}&_HLS_part={part}", now.hint):
                while running:
                    await asyncio.sleep(0.005)
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"GET /hls/cam/{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                while not running:
                    await asyncio.sleep(0.005)
                writer.close()
                while running:
                    await asyncio.sleep(0.005)

    over_http(scenario)


# -- reading media


def lead(found: list[Traf]) -> Traf:
    """The first track's."""
    return next(traf for traf in found if traf.track_id == 1)


def track_ids(init: bytes) -> set[int]:
    """Of an initialisation segment."""
    moov = dict(boxes(init))["moov"]
    tkhd = [dict(boxes(body))["tkhd"] for kind, body in boxes(moov) if kind == "trak"]
    return {int.from_bytes(one[12:16], "big") for one in tkhd}
