"""Requests on their way from granian's threads to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway.http import intake as module
from gateway.http.calls import Call, HandOver
from gateway.http.certificates import Certificates
from gateway.http.intake import Intake
from gateway.http.listeners import HttpListeners
from gateway.http.messages import Request, Response
from gateway.http.router import Router
from gateway.http.rsgi import Application

HOST = "127.0.0.1"
FIELDS = (("content-type", "text/plain"), ("etag", '"1"'))


class Lane:
    """Answers `/fast/now`, holds `/fast/later`, hands `/fast/over` over when told to, breaks on `/fast/broken`."""

    def __init__(self) -> None:
        self.held: list[tuple[Call, HandOver]] = []
        self.holding = asyncio.Semaphore(0)

    def offer(self, call: Call, path: str, hand_over: HandOver) -> bool:
        if path == "/fast/broken":
            raise RuntimeError("lane broke")
        if path == "/fast/now":
            self.answer(call, b"fast")
            return True
        if path in ("/fast/later", "/fast/over"):
            self.held.append((call, hand_over))
            self.holding.release()
            return True
        return False

    def answer(self, call: Call, body: bytes) -> None:
        call.proto.response_bytes(200, FIELDS, body)
        call.done()

    def release(self) -> None:
        for call, hand_over in self.held:
            hand_over(call)
        self.held.clear()


class Served:
    def __init__(self, data_dir: Path) -> None:
        self.lane = Lane()
        self.entered = asyncio.Semaphore(0)
        self.cancelled = asyncio.Semaphore(0)
        router = Router()
        router.add("/fast/", self.handler)
        router.add_lane("/fast/", self.lane)
        self.listeners = HttpListeners(
            Application(router, self.page), https=(HOST, 0), http=(HOST, 0), tls=Certificates(data_dir)
        )

    async def handler(self, request: Request) -> Response:
        if request.path == "/fast/over":
            self.entered.release()
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.release()
        return Response(200, b"slow")

    async def page(self, request: Request, body: bytes) -> Response:
        return Response(200, b"page")

    def url(self, path: str, scheme: str = "https") -> str:
        return f"{scheme}://{HOST}:{self.listeners.port(scheme)}{path}"


async def curl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("curl", "-sk", "-m", "10", *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode()


def serving(data_dir: Path, scenario: Any) -> None:
    async def run() -> None:
        served = Served(data_dir)
        await served.listeners.start()
        try:
            await scenario(served)
        finally:
            await served.listeners.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


@pytest.mark.e2e
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_the_lane_answers_at_once_later_or_not_at_all_and_a_broken_one_is_passed_by(tmp_path: Path, caplog, version: str):
    async def scenario(served: Served) -> None:
        assert "slower way" not in caplog.text, "granian is another than the one this was written for"
        assert "fast" in await curl(version, "-i", served.url("/fast/now"))
        assert await curl(version, served.url("/fast/other")) == "slow"
        assert await curl(version, served.url("/page")) == "page"
        assert await curl(version, served.url("/fast/broken")) == "slow"
        later = asyncio.create_task(curl(version, served.url("/fast/later")))
        await served.lane.holding.acquire()
        served.lane.answer(served.lane.held.pop()[0], b"at last")
        assert await later == "at last"

    serving(tmp_path, scenario)
    assert sum("an express lane failed" in record.message for record in caplog.records) == 1


@pytest.mark.e2e
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_call_handed_over_after_its_client_has_gone_ends_with_it(tmp_path: Path, version: str):
    async def scenario(served: Served) -> None:
        client = await asyncio.create_subprocess_exec("curl", "-skN", version, served.url("/fast/over"))
        await asyncio.wait_for(served.lane.holding.acquire(), 5)
        client.kill()
        await client.wait()
        await asyncio.sleep(0.2)  # granian has no word for a client that nobody asks after
        served.lane.release()
        await asyncio.wait_for(served.cancelled.acquire(), 2)

    serving(tmp_path, scenario)


@pytest.mark.e2e
def test_stopping_answers_what_the_lane_holds_with_503(tmp_path: Path):
    async def scenario(served: Served) -> None:
        waiting = asyncio.create_task(curl("-w", "%{http_code}", "-o", "/dev/null", served.url("/fast/later")))
        await served.lane.holding.acquire()
        await served.listeners.stop()
        assert await waiting == "503"

    serving(tmp_path, scenario)


@pytest.mark.e2e
def test_another_granian_is_used_its_own_way_and_the_log_says_so(tmp_path: Path, caplog, monkeypatch):
    def changed(*_arguments: object) -> Any:
        raise TypeError("RSGIWorker.__new__() takes 3 positional arguments")

    monkeypatch.setattr(module, "_worker", changed)

    async def scenario(served: Served) -> None:
        assert await curl("--http2", served.url("/fast/now")) == "slow"
        assert await curl("--http2", served.url("/page")) == "page"

    serving(tmp_path, scenario)
    assert "slower way" in caplog.text


def test_calls_put_by_many_threads_are_all_taken_in_order_of_each_with_few_wakes():
    async def run() -> None:
        taken: list[Any] = []
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        intake = Intake(loop, None, None, None, None)

        def take(call: Any) -> None:
            taken.append(call)
            if len(taken) == 4000:
                done.set()

        intake.deliver_to(take)

        def put(thread: int) -> None:
            for number in range(1000):
                intake.put((thread, number))  # type: ignore[arg-type]

        threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 10)
        for number in range(4):
            assert [call for call in taken if call[0] == number] == [(number, one) for one in range(1000)]

    asyncio.run(run())


class Loop:
    """Stands where the event loop does, counts wakes, and does what is due when told the time."""

    def __init__(self) -> None:
        self.wakes = 0
        self.due: list[tuple[float, Any]] = []
        self.now = 0.0

    def call_soon_threadsafe(self, function: Any) -> None:
        self.wakes += 1
        self.due.append((self.now, function))

    def call_later(self, delay: float, function: Any) -> None:
        self.due.append((self.now + delay, function))

    def run(self, seconds: float) -> None:
        self.now += seconds
        ready = [function for at, function in self.due if at <= self.now]
        self.due = [(at, function) for at, function in self.due if at > self.now]
        for function in ready:
            function()


def fed_by(loop: Loop, take: Any) -> Intake:
    async def make() -> Intake:
        return Intake(asyncio.get_running_loop(), None, None, None, None)

    intake = asyncio.run(make())
    intake._wake, intake._later = loop.call_soon_threadsafe, loop.call_later  # type: ignore[assignment]
    intake.deliver_to(take)
    return intake


def test_a_lone_request_is_taken_at_once_and_a_stream_of_them_by_the_lot():
    loop, taken = Loop(), []
    intake = fed_by(loop, taken.append)
    intake.put(0)  # type: ignore[arg-type]
    loop.run(0)
    assert taken == [0]
    for number in range(1, 31):  # one per 0.3 ms
        intake.put(number)  # type: ignore[arg-type]
        loop.run(0.0003)
    loop.run(module.PAUSE_S)
    assert taken == list(range(31))
    assert loop.wakes == 1
    loop.run(module.PAUSE_S)
    assert loop.due == [], "the loop is left alone while nobody asks for anything"
    intake.put(31)  # type: ignore[arg-type]
    loop.run(0)
    assert (taken[-1], loop.wakes) == (31, 2)


def test_a_request_that_breaks_its_taking_does_not_hold_up_those_behind_it():
    loop, taken = Loop(), []

    def take(call: Any) -> None:
        taken.append(call)
        if call == "bad":
            raise RuntimeError

    intake = fed_by(loop, take)
    for call in ("bad", "good"):
        intake.put(call)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        loop.run(0)
    loop.run(module.PAUSE_S)
    assert taken == ["bad", "good"]
