"""The routes, asked as a player asks. Streams are fed by hand, so nothing here waits for real time."""

import asyncio
import gzip
import time

import pytest
from house import NOW, House, header, run, text
from playlist_linter import Linter, parse
from synthetic import camera, trafs

from gateway.hls import server
from gateway.hls.cutter import Cutter
from gateway.hls.server import HlsService, HlsSettings
from gateway.http.messages import Request
from gateway.media.state import State, Status
from gateway.media.stream import Stream
from gateway.media.track import Kind


def test_a_player_finds_its_way_from_the_multivariant_playlist_to_every_part() -> None:
    async def scenario(house: House) -> None:
        index = await house.get("/hls/cam/index.m3u8")
        assert (index.status, header(index, "content-type")) == (200, "application/vnd.apple.mpegurl")
        assert text(index).endswith("\nlive.m3u8\n")
        media = await house.get("/hls/cam/live.m3u8")
        assert header(media, "cache-control") == "no-cache"
        parsed = parse(text(media))
        assert parsed.first_msn == NOW
        for segment in parsed.segments:
            init = await house.get(f"/hls/cam/{segment.map_uri}")
            assert (init.status, header(init, "content-type")) == (200, "video/mp4")
            parts = [await house.get(f"/hls/cam/{part.uri}") for part in segment.parts]
            assert all(part.status == 200 and trafs(part.body) for part in parts if isinstance(part.body, bytes))
            if segment.uri:
                whole = await house.get(f"/hls/cam/{segment.uri}")
                assert whole.status == 200
                if parts:
                    assert whole.body == b"".join(part.body for part in parts if isinstance(part.body, bytes))

    run(scenario, camera(9))


def test_blocking_reload_answers_when_the_part_is_there_and_not_before() -> None:
    async def scenario(house: House) -> None:
        linter = Linter()
        for start in range(6, 10):
            frames = list(camera(1, start_s=start, gop=10_000))
            while frames:
                hint = linter.check(await house.live()).hint
                msn, part = hint.rpartition("/s")[2].removesuffix(".m4s").split(".p")
                held = await house.asking(f"/hls/cam/live.m3u8?_HLS_msn={msn}&_HLS_part={part}")
                early = await house.asking(f"/hls/cam/{hint}")
                while not held.done() and frames:
                    house.cam.push([frames.pop(0)])
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                if not frames:
                    held.cancel()
                    early.cancel()
                    break
                now = linter.check(text(await held))
                assert hint in {one.uri for segment in now.segments for one in segment.parts}
                assert (await early).body == (await house.get(f"/hls/cam/{hint}")).body

    run(scenario, camera(6, gop=50))


def test_segment_request_waits_for_the_whole_segment() -> None:
    async def scenario(house: House) -> None:
        last = parse(await house.live()).complete[-1].msn
        held = await house.asking(f"/hls/cam/live.m3u8?_HLS_msn={last + 1}")
        frames = camera(3, start_s=6)
        while not held.done():
            house.cam.push([next(frames)])
            for _ in range(3):
                await asyncio.sleep(0)
        now = parse(text(await held))
        assert (now.complete[-1].msn, now.segments[-1].msn) == (last + 1, last + 1)

    run(scenario, camera(6))


@pytest.mark.parametrize(
    ("query", "status"),
    [("_HLS_part=1", 400), ("_HLS_msn=x", 400), (f"_HLS_msn={NOW + 50}", 400), (f"_HLS_msn={NOW + 2}&_HLS_part=99", 400),
     ("_HLS_msn=3", 200), ("_HLS_msn=3&_HLS_part=4", 200), ("_HLS_skip=YES", 200)],
)  # fmt: skip
def test_directives_that_need_no_waiting(query: str, status: int) -> None:
    async def scenario(house: House) -> None:
        assert (await house.get(f"/hls/cam/live.m3u8?{query}")).status == status

    run(scenario, camera(6))


def test_stalled_camera_gives_503_after_three_target_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(house: House) -> None:
        house.cam.set_status(Status(State.STALLED, 0.0, "the camera has stopped sending"))
        monkeypatch.setattr(server, "BLOCK_TARGETS", 0.005)
        msn = parse(await house.live()).segments[-1].msn
        held = await house.get(f"/hls/cam/live.m3u8?_HLS_msn={msn}&_HLS_part=12")
        assert held.status == 503
        assert header(held, "retry-after") == "2"
        assert "the camera has stopped sending" in text(held)
        assert (await house.live()).startswith("#EXTM3U"), "what was there stays reachable"
        hinted = await house.get(f"/hls/cam/{parse(await house.live()).hint}")
        assert hinted.status == 503

    run(scenario, camera(6))


def test_camera_that_is_away_shows_its_past_as_live_to_nobody_new() -> None:
    """A player that came 45 s after the camera had died played 100 pictures, and told a delay of 0.8 s."""

    async def scenario(house: House) -> None:
        assert (await house.live()).startswith("#EXTM3U")
        house.cam.set_status(Status(State.OFFLINE, 0.0, "the camera cannot be reached"))
        house.clock.now += 5
        assert (await house.get("/hls/cam/index.m3u8")).status == 200, "a moment is no outage"
        house.clock.now += 2
        assert house.service.serving("cam") is None
        for path in ("/hls/cam/index.m3u8", "/hls/cam/live.m3u8?token=x"):
            refused = await house.get(path)
            assert refused.status == 503
            assert "the camera cannot be reached" in text(refused)
        assert (await house.live()).startswith("#EXTM3U"), "who watches already waits for its return"
        house.cam.set_status(Status(State.LIVE, 0.0))
        house.cam.push(camera(2, start_s=20))
        assert (await house.get("/hls/cam/index.m3u8")).status == 200

    run(scenario, camera(6))


def test_stream_that_is_starting_is_waited_for() -> None:
    async def scenario(house: House) -> None:
        held = await house.asking("/hls/cam/index.m3u8")
        house.cam.push(camera(6))
        assert (await held).status == 200

    run(scenario)


def test_camera_that_is_away_gives_503_with_the_reason_and_never_401(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "START_WAIT_S", 0.01)

    async def scenario(house: House) -> None:
        house.cam.set_status(Status(State.OFFLINE, 0.0, "the camera refused the password"))
        for name in ("index.m3u8", "live.m3u8"):
            answer = await house.get(f"/hls/cam/{name}")
            assert (answer.status, header(answer, "retry-after")) == (503, "2")
            assert "the camera refused the password" in text(answer)

    run(scenario)


@pytest.mark.parametrize(
    "path",
    [
        "/hls/none/index.m3u8",
        "/hls/cam/other.m3u8",
        "/hls/cam/",
        "/hls/cam",
        "/hls/",
        "/elsewhere",
        "/hls/cam/00000000/init-1.mp4",
        "/hls/cam/RUN/s1.m4s",
        "/hls/cam/RUN/s1.p0.m4s",
        "/hls/cam/RUN/init-99.mp4",
        "/hls/cam/RUN/../x",
        "/hls/cam/RUN/s٣.m4s",
        "/hls/cam.sub/RUN/init-1.mp4",
        f"/hls/cam/RUN/s{NOW + 40}.p0.m4s",
        f"/hls/cam/RUN/s{NOW + 3}.m4s",
    ],
)  # fmt: skip
def test_unknown_names_are_404(path: str) -> None:
    async def scenario(house: House) -> None:
        run_id = parse(await house.live()).hint.partition("/")[0]
        answer = await house.get(path.replace("RUN", run_id))
        assert (answer.status, header(answer, "access-control-allow-origin")) == (404, "*")

    run(scenario, camera(7))


def test_media_may_be_cached_for_long_and_checked_by_etag() -> None:
    async def scenario(house: House) -> None:
        uri = parse(await house.live()).complete[-1].uri
        answer = await house.get(f"/hls/cam/{uri}")
        etag = header(answer, "etag")
        assert etag is not None
        assert header(answer, "cache-control") == "private, max-age=60, immutable"
        for value in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            again = await house.get(f"/hls/cam/{uri}", if_none_match=value)
            assert (again.status, again.body) == (304, b"")
        assert (await house.get(f"/hls/cam/{uri}", if_none_match='"x"')).status == 200

    run(scenario, camera(7))


@pytest.mark.parametrize(
    ("accepts", "compressed"),
    [("gzip, deflate, br", True), ("GZIP;q=0.5", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_playlists_are_compressed_for_those_who_accept(accepts: str, compressed: bool) -> None:
    async def scenario(house: House) -> None:
        for name in ("index.m3u8", "live.m3u8"):
            answer = await house.get(f"/hls/cam/{name}", accept_encoding=accepts)
            assert isinstance(answer.body, bytes)
            assert (header(answer, "content-encoding") == "gzip") is compressed
            assert header(answer, "vary") == "accept-encoding"
            body = gzip.decompress(answer.body) if compressed else answer.body
            assert body.startswith(b"#EXTM3U\n")

    run(scenario, camera(7))


def test_head_tells_the_size_without_the_body() -> None:
    async def scenario(house: House) -> None:
        uri = parse(await house.live()).complete[-1].uri
        for path in (f"/hls/cam/{uri}", "/hls/cam/live.m3u8"):
            full, head = await house.get(path), await house.get(path, "HEAD")
            assert isinstance(full.body, bytes)
            assert (head.status, head.body, header(head, "content-length")) == (200, b"", str(len(full.body)))

    run(scenario, camera(7))


def test_preflight_and_other_methods() -> None:
    async def scenario(house: House) -> None:
        preflight = await house.get("/hls/cam/live.m3u8", "OPTIONS")
        assert (preflight.status, header(preflight, "access-control-allow-origin")) == (204, "*")
        assert "GET" in (header(preflight, "access-control-allow-methods") or "")
        assert (await house.get("/hls/cam/live.m3u8", "POST")).status == 405

    run(scenario, camera(7))


def test_token_is_carried_to_every_uri_and_directives_are_not() -> None:
    async def scenario(house: House) -> None:
        index = text(await house.get("/hls/cam/index.m3u8?user=a%20b&pass=%22c"))
        assert index.endswith("live.m3u8?user=a+b&pass=%22c\n")
        media = text(await house.get("/hls/cam/live.m3u8?token=secret&_HLS_msn=1&_HLS_skip=YES"))
        parsed = parse(media)
        uris = [parsed.hint, *(one.uri for one in parsed.complete), *(one.map_uri for one in parsed.segments)]
        uris += [part.uri for one in parsed.segments for part in one.parts]
        assert all(uri.endswith("?token=secret") for uri in uris)
        assert (await house.get(f"/hls/cam/{uris[1]}")).status == 200
        assert "token" not in await house.live()

    run(scenario, camera(7))


def test_query_cannot_write_lines_of_its_own() -> None:
    async def scenario(house: House) -> None:
        media = text(await house.get("/hls/cam/live.m3u8?a=%0A%23EXT-X-ENDLIST&b=%22&c=\x00"))
        parse(media)
        assert (await house.get(f"/hls/cam/live.m3u8?a={'x' * 5000}")).status == 400

    run(scenario, camera(7))


def test_close_lets_go_of_everyone_who_waits() -> None:
    async def scenario(house: House) -> None:
        hint = parse(await house.live()).hint
        msn = parse(await house.live()).segments[-1].msn
        held = [
            await house.asking(f"/hls/cam/live.m3u8?_HLS_msn={msn}&_HLS_part=11"),
            await house.asking(f"/hls/cam/{hint}"),
            await house.asking("/hls/cam.sub/index.m3u8"),
        ]
        started = time.monotonic()
        await house.service.close()
        assert {answer.status for answer in await asyncio.gather(*held)} == {503}
        assert time.monotonic() - started < 3
        assert (await house.get("/hls/cam/live.m3u8")).status == 503
        assert not house.cam.demand.active
        assert not house.sub.demand.active

    run(scenario, camera(7))


def test_close_before_any_request() -> None:
    async def scenario(house: House) -> None:
        await house.service.close()

    run(scenario)


def test_removed_stream_ends_its_requests() -> None:
    async def scenario(house: House) -> None:
        held = await house.asking("/hls/cam.sub/index.m3u8")
        house.service.detach("cam.sub")
        house.service.detach("cam.sub")
        assert (await held).status == 503

    run(scenario)


def test_camera_that_was_changed_has_no_address_in_common_with_what_caches_hold() -> None:
    """Its initialisation segment had the old one's address: players decoded the new picture with the old parameters."""

    async def scenario(house: House) -> None:
        before = parse(await house.live()).hint.partition("/")[0]
        house.service.detach("cam")
        house.cam = house.streams["cam"] = Stream("cam")
        house.cam.begin(frozenset({Kind.VIDEO}))
        house.service.attach(house.cam)
        house.service.channel(house.cam).window.watched()
        house.cam.push(camera(7))
        after = parse(await house.live()).hint.partition("/")[0]
        assert after != before
        assert (await house.get(f"/hls/cam/{after}/init-1.mp4")).status == 200
        assert (await house.get(f"/hls/cam/{before}/init-1.mp4")).status == 404

    run(scenario, camera(7))


def test_client_that_goes_away_leaves_nothing_behind() -> None:
    async def scenario(house: House) -> None:
        held = await house.asking("/hls/cam.sub/index.m3u8")
        assert house.sub.demand.active
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        house.clock.now += 16
        house.service.sweep()
        assert not house.sub.demand.active

    run(scenario)


def test_on_demand_stream_is_started_by_the_first_playlist_request_only() -> None:
    async def scenario(house: House) -> None:
        started: list[bool] = []
        house.sub.demand.on_change(started.append)
        await house.get("/hls/cam.sub/RUN/init-1.mp4")
        assert started == []
        held = await house.asking("/hls/cam.sub/index.m3u8")
        assert started == [True]
        house.sub.push(camera(6))
        assert (await held).status == 200
        house.clock.now += 11
        house.service.sweep()
        assert house.sub.demand.count("hls") == 0
        assert started == [True], "kept a little longer than the viewer counts"
        house.clock.now += 5
        house.service.sweep()
        assert started == [True, False]

    run(scenario)


def test_viewers_are_counted_by_client() -> None:
    async def scenario(house: House) -> None:
        await house.get("/hls/cam/live.m3u8", user_agent="a")
        await house.get("/hls/cam/live.m3u8", user_agent="b")
        await house.get("/hls/cam/live.m3u8", user_agent="b")
        assert house.cam.demand.count("hls") == 2
        house.clock.now += 11
        house.service.sweep()
        assert house.cam.demand.count("hls") == 0

    run(scenario, camera(7))


def test_viewer_counting_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(house: House) -> None:
        calls: list[int] = []

        def sweep() -> None:
            calls.append(1)
            raise RuntimeError("once")

        monkeypatch.setattr(house.service, "sweep", sweep)
        async with asyncio.timeout(5):
            while len(calls) < 2:
                await asyncio.sleep(0.005)
        assert "counting viewers failed" in caplog.text

    monkeypatch.setattr(server, "SWEEP_S", 0.005)
    run(scenario)


def test_restart_of_the_gateway_never_lowers_the_numbers() -> None:
    async def scenario(house: House) -> None:
        before = parse(await house.live())
        later = HlsService(house.streams.get, HlsSettings(), lambda _: True, monotonic=house.clock, wall=lambda: NOW + 31)
        later.attach(house.cam)
        house.cam.push(camera(10, start_s=30))
        answer = await later.handle(Request("GET", "/hls/cam/live.m3u8", "", {}, "10.0.0.1", "http"))
        after = parse(text(answer))
        assert after.first_msn > before.segments[-1].msn
        assert after.discontinuity_sequence >= before.discontinuity_sequence
        await later.close()

    run(scenario, camera(30, gop=25))


def test_two_viewers_get_identical_bytes() -> None:
    async def scenario(house: House) -> None:
        uri = parse(await house.live()).complete[-1].uri
        first, second = await asyncio.gather(house.get(f"/hls/cam/{uri}"), house.get(f"/hls/cam/{uri}"))
        assert first.body is second.body

    run(scenario, camera(7))


def test_promises_are_sealed_by_the_first_playlist_that_goes_out() -> None:
    async def scenario(house: House) -> None:
        channel = house.service._channels["cam"]
        cutter: Cutter = channel.window.cutter
        house.cam.push(camera(5, gop=100, start_s=6))
        first = cutter.target_duration
        assert first > 2
        await house.get("/hls/cam/index.m3u8")
        house.cam.push(camera(40, gop=500, start_s=11))
        assert cutter.target_duration == first

    run(scenario, camera(6))


def test_pictures_of_the_camera_before_are_shown_to_nobody_when_another_one_takes_its_place() -> None:
    async def scenario(house: House) -> None:
        before = parse(await house.live())
        house.cam.end()
        house.service.forget("cam")
        task = await house.asking("/hls/cam/live.m3u8")
        house.cam.begin(frozenset({Kind.VIDEO}))
        house.cam.push(camera(6, start_s=20))
        after = parse(text(await task))
        assert after.first_msn > before.segments[-1].msn
        gone = await house.get(f"/hls/cam/{before.segments[0].uri}")
        assert gone.status in (404, 410)

    run(scenario, camera(6))
