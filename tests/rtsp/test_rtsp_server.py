"""The server with real sockets: viewers, strangers, crowds, faults and garbage."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.errors import ListenError
from gateway.http.authenticator import Authenticator, RefuseAll, Scheme
from gateway.media.stream import Stream
from gateway.media.track import Codec
from gateway.rtsp.connection import STUCK_AFTER_S
from gateway.rtsp.mount import Mount
from gateway.rtsp.server import RtspServer
from gateway.rtsp.session import TIMEOUT_S

TCP = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class House:
    """A server with one camera at `/cam`."""

    def __init__(self, player: Any, *footage: Any, **options: Any) -> None:
        self.clock = Clock()
        self.stream = Stream("cam")
        self.mount = Mount(self.stream)
        self.player = player(self.stream, *footage)
        self.asked: list[tuple[str, str]] = []
        self.server = RtspServer(self.resolve, clock=self.clock, lookup_timeout_s=0.05, **options)
        self.port = 0

    async def resolve(self, path: str, query: str) -> Mount | None:
        self.asked.append((path, query))
        return self.mount if path == "/cam" else None

    async def open(self) -> None:
        self.player.push(0.5)
        self.port = await self.server.start("127.0.0.1", 0)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    async def viewer(self) -> Viewer:
        return Viewer(self, *await asyncio.open_connection("127.0.0.1", self.port))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(3):
            while not condition():
                await asyncio.sleep(0.005)


class Viewer:
    def __init__(self, house: House, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.house = house
        self.reader = reader
        self.writer = writer
        self.session = ""

    async def ask(self, method: str, *headers: str, uri: str = "") -> tuple[int, str]:
        """Status and header text of the answer; interleaved packets in front of it are skipped."""
        fields = ["CSeq: 1", *headers, *([f"Session: {self.session}"] if self.session else [])]
        self.writer.write("\r\n".join([f"{method} {uri or self.house.url} RTSP/1.0", *fields, "", ""]).encode())
        async with asyncio.timeout(3):
            while (first := await self.reader.readexactly(1)) == b"$":
                await self.packet(after_magic=True)
            head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode()
            if length := re.search(r"Content-Length: (\d+)", head):
                await self.reader.readexactly(int(length[1]))
        if session := re.search(r"Session: (\w+)", head):
            self.session = session[1]
        return int(head.split()[1]), head

    async def packet(self, *, after_magic: bool = False) -> tuple[int, bytes]:
        async with asyncio.timeout(3):
            if not after_magic:
                assert await self.reader.readexactly(1) == b"$"
            head = await self.reader.readexactly(3)
            return head[0], await self.reader.readexactly(int.from_bytes(head[1:], "big"))

    async def play(self) -> None:
        assert (await self.ask("DESCRIBE"))[0] == 200
        assert (await self.ask("SETUP", TCP, uri=self.house.url + "/trackID=0"))[0] == 200
        assert (await self.ask("PLAY"))[0] == 200

    async def closed(self) -> bool:
        """Read to the end of the connection."""
        try:
            async with asyncio.timeout(3):
                while await self.reader.read(65536):
                    pass
        except ConnectionError:
            pass
        return True

    def leave(self) -> None:
        self.writer.close()


@pytest.fixture
def visit(
    make_player: Any, video_footage: Any, caplog: pytest.LogCaptureFixture
) -> Callable[[Callable[[House], Coroutine[Any, Any, None]]], None]:
    """Run a coroutine with an open house; afterwards nothing may be left of any viewer."""

    def run(test: Callable[[House], Coroutine[Any, Any, None]], *footage: Any, **options: Any) -> None:
        async def main() -> None:
            house = House(make_player, *(footage or [video_footage(Codec.H264)]), **options)
            await house.open()
            await test(house)
            await house.server.stop()
            await house.until(lambda: house.server.connections == 0)
            assert house.stream.demand.count("rtsp") == 0
            assert house.mount.sessions == 0
            assert house.stream._subscribers == []

        with caplog.at_level(logging.WARNING):
            asyncio.run(main())
        gc.collect()
        assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []

    return run


def test_a_viewer_gets_a_report_and_then_the_keyframe_at_once(visit: Any) -> None:
    async def main(house: House) -> None:
        viewer = await house.viewer()
        assert house.stream.demand.count("rtsp") == 0
        await viewer.ask("DESCRIBE")
        assert house.stream.demand.count("rtsp") == 1, "an on-demand camera starts at DESCRIBE"
        await viewer.ask("SETUP", TCP, uri=house.url + "/trackID=0")
        status, head = await viewer.ask("PLAY")
        assert (status, house.mount.sessions) == (200, 1)
        assert "rtptime=" in head
        channel, report = await viewer.packet()
        assert (channel, report[1]) == (1, 200)
        channel, packet = await viewer.packet()
        assert (channel, packet[12] & 0x1F) == (0, 24), "parameter sets first"
        await viewer.ask("TEARDOWN")
        assert (house.mount.sessions, house.stream.demand.count("rtsp")) == (0, 0)
        viewer.leave()

    visit(main)


def test_unknown_paths_are_404_and_the_query_reaches_the_resolver(visit: Any) -> None:
    async def main(house: House) -> None:
        viewer = await house.viewer()
        assert (await viewer.ask("DESCRIBE", uri=house.url + "/nope?a=b"))[0] == 404
        assert house.asked == [("/cam/nope", "a=b")]
        assert (await viewer.ask("DESCRIBE"))[0] == 200
        viewer.leave()

    visit(main)


def test_a_camera_that_gives_no_picture_is_503_after_a_bounded_wait(visit: Any) -> None:
    async def main(house: House) -> None:
        house.stream.end()
        viewer = await house.viewer()
        assert (await viewer.ask("DESCRIBE"))[0] == 503
        assert house.stream.demand.count("rtsp") == 0
        viewer.leave()

    visit(main)


def test_an_on_demand_camera_may_take_its_time_to_start(visit: Any) -> None:
    async def main(house: House) -> None:
        house.stream.end()

        def start(active: bool) -> None:
            if active:
                house.stream.begin(frozenset({house.player.tracks[0].config.kind}))
                asyncio.get_running_loop().call_soon(house.player.push, 1.5)

        house.stream.demand.on_change(start)
        viewer = await house.viewer()
        assert (await viewer.ask("DESCRIBE"))[0] == 200
        viewer.leave()

    visit(main)


def test_login_is_asked_for_before_anything_is_looked_up(visit: Any) -> None:
    async def main(house: House) -> None:
        house.server.authenticator = Authenticator({"admin": "pw"}, schemes=(Scheme.BASIC,))
        viewer = await house.viewer()
        status, head = await viewer.ask("DESCRIBE")
        assert (status, house.asked) == (401, [])
        assert 'WWW-Authenticate: Basic realm="Camera"' in head
        assert (await viewer.ask("DESCRIBE", "Authorization: Basic YWRtaW46cHc="))[0] == 200
        house.server.authenticator = RefuseAll()
        assert (await viewer.ask("DESCRIBE", "Authorization: Basic YWRtaW46cHc="))[0] == 401
        viewer.leave()

    visit(main)


def test_one_session_too_many_is_453_until_another_leaves(visit: Any) -> None:
    async def main(house: House) -> None:
        house.mount.max_sessions = 1
        first, second = await house.viewer(), await house.viewer()
        await first.play()
        await second.ask("DESCRIBE")
        assert (await second.ask("SETUP", TCP, uri=house.url + "/trackID=0"))[0] == 453
        first.leave()
        await house.until(lambda: house.mount.sessions == 0)
        assert (await second.ask("SETUP", TCP, uri=house.url + "/trackID=0"))[0] == 200
        second.leave()

    visit(main)


def test_one_address_cannot_take_every_connection(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.rtsp.server.MAX_CONNECTIONS_PER_ADDRESS", 1)

    async def main(house: House) -> None:
        first, second = await house.viewer(), await house.viewer()
        await first.ask("OPTIONS")
        async with asyncio.timeout(3):
            assert (await second.reader.read()).startswith(b"RTSP/1.0 503")
        elsewhere = await asyncio.open_connection("127.0.0.1", house.port, local_addr=("127.0.0.2", 0))
        other = Viewer(house, *elsewhere)
        assert (await other.ask("OPTIONS"))[0] == 200
        for viewer in (first, second, other):
            viewer.leave()
        await house.until(lambda: house.server.connections == 0)
        again = await house.viewer()
        assert (await again.ask("OPTIONS"))[0] == 200
        again.leave()

    visit(main)


def test_one_connection_too_many_is_turned_away(visit: Any) -> None:
    async def main(house: House) -> None:
        first, second = await house.viewer(), await house.viewer()
        await first.ask("OPTIONS")
        async with asyncio.timeout(3):
            assert (await second.reader.read()).startswith(b"RTSP/1.0 503")
        first.leave()
        second.leave()

    visit(main, max_connections=1)


@pytest.mark.parametrize("of_server", [True, False])
def test_dropped_sessions_end_without_a_word_and_may_come_back(visit: Any, of_server: bool) -> None:
    async def main(house: House) -> None:
        viewer = await house.viewer()
        await viewer.play()
        assert (house.server.drop_sessions() if of_server else house.mount.drop_sessions()) == 1
        assert await viewer.closed()
        viewer.leave()
        again = await house.viewer()
        await again.play()
        again.leave()

    visit(main)


def test_another_codec_closes_the_session(visit: Any, video_footage: Any) -> None:
    async def main(house: House) -> None:
        viewer = await house.viewer()
        await viewer.play()
        house.stream.push([video_footage(Codec.H265).frames[0]])
        assert await viewer.closed()
        viewer.leave()

    visit(main)


def test_stopping_says_goodbye_and_frees_the_port(visit: Any) -> None:
    async def main(house: House) -> None:
        viewer = await house.viewer()
        await viewer.play()
        await house.server.stop()
        rest = await viewer.reader.read()
        assert rest.endswith(b"\x81\xcb\x00\x01" + rest[-4:]), "RTCP BYE"
        viewer.leave()
        with pytest.raises(ConnectionRefusedError):
            await house.viewer()

    visit(main)


def test_a_port_that_is_taken_is_a_listen_error(visit: Any) -> None:
    async def main(house: House) -> None:
        with pytest.raises(ListenError, match=str(house.port)):
            await RtspServer(lambda path, query: None).start("127.0.0.1", house.port)

    visit(main)


def test_a_silent_client_without_a_session_is_closed_in_the_end(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.rtsp.server.SWEEP_INTERVAL_S", 0.01)

    async def main(house: House) -> None:
        viewer, playing = await house.viewer(), await house.viewer()
        await playing.play()
        await viewer.ask("DESCRIBE")
        house.clock.now += TIMEOUT_S + 10
        assert await viewer.closed()
        assert (await playing.ask("OPTIONS"))[0] == 200
        viewer.leave()
        playing.leave()

    visit(main)


def test_a_connection_that_cannot_be_looked_after_is_cut_and_the_others_are_looked_after(
    visit: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.rtsp.server.SWEEP_INTERVAL_S", 0.01)

    async def main(house: House) -> None:
        viewer = await house.viewer()
        await viewer.ask("DESCRIBE")
        (connection,) = house.server._connections

        def fail(now: float) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(connection, "sweep", fail)
        assert await viewer.closed()
        other = await house.viewer()
        await other.ask("DESCRIBE")
        house.clock.now += TIMEOUT_S + 10
        assert await other.closed()
        viewer.leave()
        other.leave()
        assert "could not be looked after" in caplog.text
        caplog.clear()

    visit(main)


def test_a_viewer_that_stops_reading_holds_nobody_up_and_is_cut(
    visit: Any, video_footage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.rtsp.server.SWEEP_INTERVAL_S", 0.01)

    async def main(house: House) -> None:
        stuck, healthy = await house.viewer(), await house.viewer()
        await stuck.play()
        await healthy.play()
        taken = 0

        async def read() -> None:
            nonlocal taken
            while data := await healthy.reader.read(1 << 20):
                taken += len(data)

        reading = asyncio.create_task(read())
        stuck.writer.transport.pause_reading()  # type: ignore[attr-defined]  # every TCP transport can
        pushed = 0.5
        while taken < 20_000_000:  # far more than the sockets' buffers hold for the one who does not read
            pushed += 0.4
            house.player.push(pushed)
            await asyncio.sleep(0.001)
        for _ in range(3):
            await asyncio.sleep(0.03)
            assert house.mount.sessions == 2
            house.clock.now += STUCK_AFTER_S / 3
        await house.until(lambda: house.mount.sessions == 1)
        house.player.push(pushed + 1.0)
        before = taken
        await house.until(lambda: taken > before)
        reading.cancel()
        healthy.leave()
        stuck.leave()

    visit(main, video_footage(Codec.H264, noise=True))


def test_random_bytes_end_the_connection_and_leave_nothing(visit: Any) -> None:
    chance = random.Random(7)
    good = b"DESCRIBE rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\n\r\nSETUP rtsp://h/cam/trackID=0 RTSP/1.0\r\nCSeq: 2\r\n"
    good += TCP.encode() + b"\r\n\r\n$\x01\x00\x04abcdOPTIONS * RTSP/1.0\r\nCSeq: 3\r\n\r\n"

    def garbage() -> bytes:
        if chance.random() < 0.3:
            return chance.randbytes(chance.randrange(1, 3000))
        data = bytearray(good * chance.randrange(1, 4))
        for _ in range(chance.randrange(0, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data)

    async def main(house: House) -> None:
        for _ in range(150):
            viewer = await house.viewer()
            viewer.writer.write(garbage())
            if chance.random() < 0.5:
                viewer.writer.write_eof()
                await viewer.closed()
            viewer.leave()
        await house.until(lambda: house.server.connections == 0)
        viewer = await house.viewer()
        await viewer.play()
        viewer.leave()

    visit(main)


def test_more_requests_than_can_be_answered_wait_their_turn(visit: Any) -> None:
    async def main(house: House) -> None:
        viewer = await house.viewer()
        count = 500
        viewer.writer.write(b"".join(b"OPTIONS * RTSP/1.0\r\nCSeq: %d\r\n\r\n" % number for number in range(count)))
        viewer.writer.write_eof()
        async with asyncio.timeout(3):
            answers = await viewer.reader.read()
        assert [int(one) for one in re.findall(rb"CSeq: (\d+)", answers)] == list(range(count))
        viewer.leave()

    visit(main)


def test_something_else_than_rtsp_is_told_so(visit: Any) -> None:
    async def main(house: House) -> None:
        viewer = await house.viewer()
        viewer.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(3):
            assert (await viewer.reader.read()).startswith(b"RTSP/1.0 400 Bad Request")
        viewer.leave()

    visit(main)


def test_a_resolver_that_fails_costs_one_connection(visit: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def main(house: House) -> None:
        def broken(path: str, query: str) -> None:
            raise RuntimeError("the catalogue is gone")

        server = RtspServer(broken)
        house.port = await server.start("127.0.0.1", 0)
        viewer = await house.viewer()
        assert (await viewer.ask("DESCRIBE"))[0] == 500
        assert await viewer.closed()
        viewer.leave()
        await server.stop()
        assert "a request failed" in caplog.text
        caplog.clear()

    visit(main)


def test_passwords_never_reach_the_log(visit: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main(house: House) -> None:
        viewer = await house.viewer()
        await viewer.ask("DESCRIBE", uri=house.url.replace("//", "//admin:hunter2@") + "/x?password=hunter3")
        viewer.leave()

    visit(main)
    assert "hunter" not in caplog.text
