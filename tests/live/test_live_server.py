"""Pages come, watch, sleep and go; the others notice nothing, and nothing of them stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from paper_page import LIVE, Clock, Page, begun, picture, settle

from gateway.http.messages import Request
from gateway.live import connection, server
from gateway.live.connection import Sees
from gateway.live.server import LiveService
from gateway.media.state import State, Status
from gateway.media.stream import Stream

REQUEST = Request("GET", "/live", "", {"host": "box"}, "10.0.0.7", "https")


class Bench:
    """A service with the streams `yard` and `yard.sub`, and pages that are connected to it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.streams = {name: begun(Stream(name)) for name in ("yard", "yard.sub", "gate")}
        self.allowed = True
        self.sees: Sees = lambda _stream_id: True
        self.service = LiveService(self.streams.get, self._may, monotonic=clock, wall=clock)
        for stream in self.streams.values():
            self.service.attach(stream)
        self.tasks: list[asyncio.Task[None]] = []

    async def _may(self, _request: Request) -> Sees | None:
        return self.sees if self.allowed else None

    async def page(self, request: Request = REQUEST) -> Page:
        page = Page()
        self.tasks.append(asyncio.create_task(self.service.handle(request, page)))
        await settle()
        return page

    async def watching(self, stream: str = "yard", wanted: str = "frames") -> Page:
        page = await self.page()
        page.says(type="subscribe", stream=stream, format=wanted)
        await settle()
        return page

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def run(clock: Clock, body: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench(clock)
        try:
            await body(bench)
        finally:
            await bench.end()
        assert bench.service.connections == 0
        assert not any(stream.demand.active for stream in bench.streams.values())

    asyncio.run(main())


def test_a_page_is_greeted_and_shown_what_it_asks_for(clock):
    async def body(bench: Bench) -> None:
        page = await bench.watching("yard.sub")
        bench.streams["yard.sub"].push([picture(3)])
        await settle()
        kinds = [text["type"] for text in page.texts]
        assert kinds == ["hello", "state", "state", "subscribed"]
        assert [text["stream"] for text in page.of_type("state")] == ["yard", "yard.sub"]
        (subscribed,) = page.of_type("subscribed")
        assert subscribed["catch_up"] == 3
        assert page.pictures == [0, 1, 2, 3]
        assert {record.channel for record in page.records} == {subscribed["channel"]}
        assert bench.streams["yard.sub"].demand.count("ws") == 1
        page.says(type="unsubscribe", stream="yard.sub", format="frames")
        await settle()
        assert not bench.streams["yard.sub"].demand.active

    run(clock, body)


def test_a_state_is_told_at_once_to_those_who_watch_the_camera_in_either_size(clock):
    async def body(bench: Bench) -> None:
        main, sub, other = await bench.watching("yard"), await bench.watching("yard.sub"), await bench.watching("gate")
        bench.streams["yard"].set_status(Status(State.OFFLINE, 5.0, "no answer", "unreachable", 9.0))
        await settle()
        for page in (main, sub):
            assert page.of_type("state")[-1] == {
                "type": "state", "stream": "yard", "state": "offline", "since": 5.0, "reason": "no answer",
                "code": "unreachable", "next_retry": 9.0,
            }  # fmt: skip
        assert all(text["stream"] == "gate" for text in other.of_type("state"))

    run(clock, body)


def test_a_page_that_does_not_read_slows_nobody_and_goes_on_with_a_keyframe(clock):
    async def body(bench: Bench) -> None:
        asleep, awake = await bench.watching(), await bench.watching()
        asleep.asleep = True
        for number in range(3, 103):
            bench.streams["yard"].push([picture(number, key=number % 25 == 0, size=10_000)])
            clock.now += 0.04
            await settle()
            awake.says(type="ack", bytes=awake.received)
            await settle()
        assert awake.pictures == list(range(103))
        asleep.asleep = False
        asleep.awake.set()
        await settle()
        asleep.says(type="ack", bytes=asleep.received)
        await settle()
        (dropped,) = asleep.of_type("dropped")
        first_after = asleep.pictures[-3:][0]
        assert dropped["frames"] > 50
        assert asleep.pictures[-1] == 102
        assert first_after in (100, 101)
        assert 100 in asleep.pictures
        assert bench.streams["yard"].demand.dropped["ws"] == dropped["frames"]

    run(clock, body)


def test_unknown_streams_are_refused_and_the_page_stays(clock):
    async def body(bench: Bench) -> None:
        page = await bench.watching("attic")
        (refused,) = page.of_type("refused")
        assert (refused["stream"], refused["code"]) == ("attic", "unknown-stream")
        page.says(type="subscribe", stream="gate", format="frames")
        await settle()
        assert page.pictures == [0, 1, 2]

    run(clock, body)


def test_a_page_that_is_back_before_the_cameras_gets_them_as_they_come(clock):
    """A gateway that restarts opens its port first."""

    async def body(bench: Bench) -> None:
        page = await bench.watching("attic")
        assert page.of_type("refused")
        stream = bench.streams["attic"] = begun(Stream("attic"))
        bench.service.attach(stream)
        await settle()
        assert page.pictures == [0, 1, 2]
        stream.push([picture(3)])
        await settle()
        assert page.pictures == [0, 1, 2, 3]

    run(clock, body)


def test_a_page_that_breaks_the_protocol_is_told_and_sent_away(clock):
    async def body(bench: Bench) -> None:
        for bad in ("[]", "x" * 5000, b"bytes", '{"type": "ack", "bytes": 5}'):
            page = await bench.watching()
            page.says_raw(bad if bad != '{"type": "ack", "bytes": 5}' else '{"type": "ack", "bytes": 99999999}')
            await settle()
            assert page.texts[-1] == {"type": "bye", "code": "protocol"}
        assert bench.service.connections == 0

    run(clock, body)


def test_a_flood_of_messages_ends_the_connection(clock):
    async def body(bench: Bench) -> None:
        page = await bench.page()
        for _ in range(int(connection.MESSAGES_BURST) + 2):
            page.says(type="ack", bytes=0)
        await asyncio.wait_for(bench.tasks[0], 5)
        assert page.texts[-1] == {"type": "bye", "code": "protocol"}

    run(clock, body)


def test_starting_a_stream_over_and_over_ends_the_connection_sooner(clock):
    async def body(bench: Bench) -> None:
        page = await bench.page()
        for _ in range(int(connection.MESSAGES_BURST) // connection.SUBSCRIBE_COST + 2):
            page.says(type="subscribe", stream="yard", format="frames")
        await asyncio.wait_for(bench.tasks[0], 5)
        assert page.texts[-1] == {"type": "bye", "code": "protocol"}

    run(clock, body)


def test_one_page_cannot_ask_for_everything_many_times(clock, monkeypatch):
    monkeypatch.setattr(connection, "MAX_SUBSCRIPTIONS", 2)

    async def body(bench: Bench) -> None:
        page = await bench.page()
        for name in ("yard", "gate", "yard.sub", "yard"):
            page.says(type="subscribe", stream=name, format="frames")
        await settle()
        assert [text["stream"] for text in page.of_type("refused")] == ["yard.sub"]
        assert [text["stream"] for text in page.of_type("subscribed")] == ["gate", "yard"], "asked again"

    run(clock, body)


def test_one_address_cannot_take_all_connections(clock, monkeypatch):
    monkeypatch.setattr(server, "MAX_SOCKETS_PER_ADDRESS", 2)

    async def body(bench: Bench) -> None:
        first, second, third = await bench.page(), await bench.page(), await bench.page()
        assert (first.accepted, second.accepted, third.accepted) == (True, True, False)
        assert third.closed_with == 429
        first.leaves()
        await settle()
        assert (await bench.page()).accepted

    run(clock, body)


def test_only_the_path_itself_is_answered(clock):
    async def body(bench: Bench) -> None:
        page = await bench.page(Request("GET", "/live/x", "", {}, "10.0.0.7", "https"))
        assert page.closed_with == 404

    run(clock, body)


def test_the_heartbeat_notices_pages_that_are_gone_and_sessions_that_ended(clock, monkeypatch):
    monkeypatch.setattr(connection, "HEARTBEAT_S", 0.01)

    async def body(bench: Bench) -> None:
        there, gone, signed_out = await bench.page(), await bench.page(), await bench.page()

        await until(lambda: bool(there.of_type("ping")))
        there.says(type="pong", t=123)
        await until(lambda: bool(there.of_type("time")))
        assert there.of_type("time")[0] == {"type": "time", "t": 123, "now": clock.now * 1000}
        clock.now += connection.SILENT_PAGE_S - 1
        signed_out.says(type="pong", t=1)
        there.says(type="pong", t=1)
        await settle()
        clock.now += 2
        await until(lambda: bench.service.connections == 2)
        assert bench.tasks[1].done()
        assert gone.texts[-1]["type"] != "bye"
        bench.allowed = False
        there.says(type="pong", t=1)
        signed_out.says(type="pong", t=1)
        await until(lambda: bench.service.connections == 0)
        assert signed_out.texts[-1] == {"type": "bye", "code": "session-ended"}

    run(clock, body)


def test_a_camera_that_appears_while_a_page_is_sent_away_is_not_pulled_for_it_for_ever(clock):
    async def body(bench: Bench) -> None:
        page = await bench.watching("attic")
        going = asyncio.Event()
        saying = page.send_str

        async def slow(data: str) -> None:
            if '"bye"' in data:
                going.set()
                await asyncio.sleep(0)
                fresh = bench.streams["attic"] = begun(Stream("attic"))
                bench.service.attach(fresh)
            await saying(data)

        page.send_str = slow
        page.says_raw("no message")
        await settle()
        assert bench.service.connections == 0
        assert going.is_set()
        assert not bench.streams["attic"].demand.active

    run(clock, body)


def test_a_camera_configured_anew_goes_on_under_its_id(clock):
    async def body(bench: Bench) -> None:
        page = await bench.watching("gate")
        bench.service.detach("gate")
        fresh = bench.streams["gate"] = begun(Stream("gate"))
        bench.service.attach(fresh)
        fresh.push([picture(3)])
        await settle()
        assert page.of_type("subscribed")[-1]["catch_up"] == 3
        assert page.pictures == [0, 1, 2, 0, 1, 2, 3]
        fresh.set_status(LIVE)
        await settle()
        assert page.of_type("state")[-1]["stream"] == "gate"

    run(clock, body)


@pytest.mark.parametrize("error", [OSError("broken pipe"), RuntimeError("RSGI transport is closed")])
def test_a_line_that_breaks_is_no_defect(clock, error):
    async def body(bench: Bench) -> None:
        page = await bench.watching()

        async def fail(_data: bytes) -> None:
            raise error

        page.send_bytes = fail  # type: ignore[method-assign]
        bench.streams["yard"].push([picture(3)])
        await settle()
        assert bench.tasks[0].done()
        assert bench.tasks[0].exception() is None

    run(clock, body)


def test_a_camera_that_is_taken_from_a_viewer_goes_out_on_his_open_page_and_comes_back_by_itself(clock, monkeypatch):
    monkeypatch.setattr(connection, "HEARTBEAT_S", 0.01)

    async def body(bench: Bench) -> None:
        page, other = await bench.watching("yard"), await bench.watching("gate")
        bench.sees = lambda stream_id: stream_id.partition(".")[0] != "yard"
        await until(lambda: not bench.streams["yard"].demand.active)
        await until(lambda: page.of_type("refused"))
        assert page.of_type("refused")[-1]["code"] == "unknown-stream"
        assert bench.streams["gate"].demand.active
        shown = len(page.pictures)
        bench.streams["yard"].push([picture(3)])
        await settle()
        assert len(page.pictures) == shown
        bench.sees = lambda _stream_id: True
        await until(lambda: bench.streams["yard"].demand.active)
        assert other.of_type("refused") == []

    run(clock, body)


def test_a_stream_that_a_page_may_not_see_is_as_unknown_as_one_that_is_not_there(clock):
    async def body(bench: Bench) -> None:
        bench.sees = lambda stream_id: stream_id == "gate"
        page = await bench.page()
        for stream in ("yard", "yard.sub", "nowhere"):
            page.says(type="subscribe", stream=stream, format="frames")
        await settle()
        told = page.of_type("refused")
        assert [text.pop("stream") for text in told] == ["yard", "yard.sub", "nowhere"]
        assert told[0] == told[1] == told[2]
        assert page.of_type("state") == []
        assert not bench.streams["yard"].demand.active
        bench.streams["yard"].set_status(Status(State.OFFLINE, 5.0, "no answer", "unreachable", 9.0))
        bench.service.attach(begun(Stream("yard")))
        await settle()
        assert page.of_type("state") == []

    run(clock, body)
