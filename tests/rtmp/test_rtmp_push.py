"""A push as a whole, over real sockets: to our own server, and to servers that behave in every bad way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
import uvloop

from gateway.config.model import Push, Secret
from gateway.errors import Retry
from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind
from gateway.rtmp import amf0, chunk
from gateway.rtmp.adobe_auth import respond
from gateway.rtmp.capabilities import Capabilities
from gateway.rtmp.chunk import ChunkReader, encode_message
from gateway.rtmp.client_session import ClientSession
from gateway.rtmp.handshake import ServerHandshake
from gateway.rtmp.push import DEMAND_KIND, PushLimits, PushState, PushStatus, PushTask
from gateway.rtmp.push_connection import PushConnection
from gateway.rtmp.push_errors import TargetClosed
from gateway.rtmp.push_feed import PushFeed
from gateway.rtmp.pushes import Pushes
from gateway.rtmp.server import Action, Credentials, RtmpServer
from gateway.rtmp.viewer import Viewer, ViewerLimits
from gateway.sources.backoff import Backoff
from gateway.sources.publish import PublishSource

KEY = "topsecret"
WAIT_S = 15.0
QUICK = PushLimits(open_s=5.0, answer_s=5.0, tick_s=0.01)
IMPATIENT = replace(QUICK, answer_s=0.3)


class Hurry(Backoff):
    """Keeps what was asked, and waits for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Retry, float]] = []

    def next_delay(self, retry: Retry, healthy_s: float = 0.0) -> float:
        self.asked.append((retry, healthy_s))
        return 0.02 if retry is Retry.BACKOFF else 3600.0


class Watcher:
    def __init__(self) -> None:
        self.tracks: list = []
        self.frames: list[Frame] = []

    def on_tracks(self, tracks) -> None:
        self.tracks.append(tracks)

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def count(self, kind: Kind) -> int:
        return sum(frame.kind is kind for frame in self.frames)


def target(port: int, **more) -> Push:
    return Push(**({"host": "127.0.0.1", "port": port, "app": "live", "key": Secret(KEY)} | more))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def scene(camera, media):
    """`async with scene(port, ...) as task:` pushes a camera in real time."""

    @contextlib.asynccontextmanager
    async def play(port: int, *, limits: PushLimits = QUICK, source=None, **more) -> AsyncIterator[PushTask]:
        stream = Stream("yard")
        running = asyncio.create_task(camera(stream, source or media(), 100.0).run())
        task = PushTask(stream, target(port, **more), limits=limits, backoff=Hurry())
        task.start()
        try:
            yield task
        finally:
            ended = task.stop()
            running.cancel()
            await asyncio.wait({ended, running}, timeout=5)
            assert ended.done()

    return play


@contextlib.asynccontextmanager
async def gateway() -> AsyncIterator[tuple[RtmpServer, PublishSource, Watcher]]:
    """Our own server, with a camera that is published to it."""
    source = PublishSource("far", Secret(KEY))
    source.start()

    def may(asked: Credentials) -> bool:
        return asked.action is Action.PLAY or source.admits(asked.params)

    server = RtmpServer({"far": source.stream}.get, may, publish={"far": source}.get)
    await server.start("127.0.0.1", 0)
    watcher = Watcher()
    source.stream.subscribe(watcher)
    try:
        yield server, source, watcher
    finally:
        await server.stop()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(handle: Handler) -> AsyncIterator[int]:
    """A server that does with each connection what a test wants; closes it afterwards."""
    tasks = set()

    async def connection(reader, writer) -> None:
        tasks.add(asyncio.current_task())
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the push was first to leave
        finally:
            writer.close()

    made = await asyncio.start_server(connection, "127.0.0.1", 0)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Far:
    """The server's end of one connection, message by message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._chunks = ChunkReader(partial_bytes=1 << 24)
        self._messages: list[chunk.Message] = []

    async def shake(self) -> None:
        handshake = ServerHandshake()
        while not handshake.done:
            self.writer.write(handshake.feed(await self._more()))
        self._messages += self._chunks.feed(handshake.rest)

    async def message(self) -> chunk.Message:
        while not self._messages:
            self._messages += self._chunks.feed(await self._more())
        return self._messages.pop(0)

    async def told(self, name: str) -> list:
        """The next command of this name."""
        while True:
            message = await self.message()
            if message.type_id == chunk.COMMAND and (values := amf0.decode(message.payload))[0] == name:
                return values

    def say(self, *values) -> None:
        self.writer.write(encode_message(3, chunk.COMMAND, 0, 0, amf0.encode(*values), chunk_bytes=128))

    async def take(self, app: str = "live") -> dict:
        """Say yes to everything; return what `connect` said."""
        await self.shake()
        info = (await self.told("connect"))[2]
        self.say("_result", 1.0, {}, {"code": "NetConnection.Connect.Success"})
        await self.told("createStream")
        self.say("_result", 4.0, None, 1.0)
        await self.told("publish")
        self.say("onStatus", 0.0, None, {"level": "status", "code": "NetStream.Publish.Start"})
        return info

    async def _more(self) -> bytes:
        data = await self._reader.read(65536)
        if not data:
            raise ConnectionError
        return data


def failing(scene, handle: Handler, limits: PushLimits = QUICK, **more) -> PushStatus:
    """The state after the first failure against such a server."""

    async def main() -> PushStatus:
        async with server(handle) as port, scene(port, limits=limits, **more) as task:
            await until(lambda: task.status().next_retry is not None)
            return task.status()

    return uvloop.run(main())


def test_our_own_server_gets_every_frame_from_a_keyframe_on_and_from_time_zero(scene, media):
    async def main() -> None:
        async with gateway() as (far, _, seen), scene(far.port, key=Secret(f"far?key={KEY}")) as task:
            await until(lambda: seen.count(Kind.VIDEO) > 60)
            status = task.status()
            assert (status.state, status.reason, status.next_retry, status.dropped) == (PushState.LIVE, "", None, 0)
            assert status.url == f"rtmp://127.0.0.1:{far.port}/live/***"
            assert status.sent_bytes > sum(len(frame.payload) for frame in seen.frames) - 50_000
            await until(lambda: task.status().bitrate > 0)
            assert [track.codec for track in seen.tracks[-1]] == [Codec.H264, Codec.AAC]
            pictures = [frame for frame in seen.frames if frame.kind is Kind.VIDEO]
            assert pictures[0].keyframe
            sent = 2 * [frame.payload for frame in media().video]
            start = sent.index(pictures[0].payload)
            assert [frame.payload for frame in pictures[:50]] == sent[start : start + 50]
            assert {frame.payload for frame in seen.frames if frame.kind is Kind.AUDIO} <= {f.payload for f in media().audio}

    uvloop.run(main())


def test_h265_and_opus_reach_our_own_server_which_says_that_it_takes_them(scene, media):
    async def main() -> None:
        source = media(Codec.H265, Codec.OPUS)
        async with gateway() as (far, _, seen), scene(far.port, source=source, key=Secret(f"far?key={KEY}")):
            await until(lambda: seen.count(Kind.VIDEO) > 10 and seen.count(Kind.AUDIO) > 10)
            assert [track.codec for track in seen.tracks[-1]] == [Codec.H265, Codec.OPUS]
            assert (seen.tracks[-1][0].width, seen.tracks[-1][1].channels) == (160, 1)

    uvloop.run(main())


def test_h265_is_not_sent_to_a_server_that_does_not_say_it_takes_it(scene, media):
    async def handle(reader, writer) -> None:
        far = Far(reader, writer)
        info = await far.take()
        assert info["fourCcList"] == ["hvc1"]
        assert (await far.message()).type_id == chunk.COMMAND  # never media

    status = failing(scene, handle, source=media(Codec.H265))
    assert (status.state, status.code) == (PushState.REFUSED, "codec")
    assert status.reason.startswith("the server does not say that it takes h265; set enhanced: true")


def test_refused_key_is_retried_slowly_and_lets_the_camera_go(scene):
    async def main() -> None:
        async with gateway() as (far, _, _), scene(far.port, key=Secret("far?key=wrong-word")) as task:
            await until(lambda: task.status().state is PushState.REFUSED)
            status = task.status()
            assert status.code == "refused"
            assert status.reason.startswith("the server refused: wrong key")
            assert "wrong-word" not in repr(status)
            assert task._backoff.asked == [(Retry.SLOW, 0.0)]
            assert task.stream.demand.count(DEMAND_KIND) == 0

    uvloop.run(main())


def test_key_that_the_server_repeats_is_in_no_status_and_no_log(scene, caplog):
    async def handle(reader, writer) -> None:
        far = Far(reader, writer)
        await far.shake()
        await far.told("connect")
        far.say("_result", 1.0, {}, {})
        await far.told("createStream")
        far.say("_error", 4.0, None, {"level": "error", "description": f"stream {KEY} is unknown, rtmp://a:b@h/{KEY}"})
        await far.message()

    caplog.set_level(logging.DEBUG)
    status = failing(scene, handle)
    assert status.reason == "the server refused: stream *** is unknown, rtmp://***@h/***"
    assert KEY not in caplog.text + repr(status)


@pytest.mark.parametrize("step", ["the handshake", "connect", "createStream", "publish"])
def test_server_that_never_answers_is_left_in_time_and_the_step_is_named(scene, step):
    async def handle(reader, writer) -> None:
        far = Far(reader, writer)
        if step != "the handshake":
            await far.shake()
        if step in ("createStream", "publish"):
            await far.told("connect")
            far.say("_result", 99.0, {}, {})
            far.say("_result", 1.0, {}, {})
        if step == "publish":
            await far.told("createStream")
            far.say("_result", 98.0, None, 5.0)
            far.say("_result", 4.0, None, 5.0)
        await asyncio.sleep(60)

    status = failing(scene, handle, IMPATIENT)
    assert (status.state, status.code) == (PushState.RETRYING, "timeout")
    assert status.reason == f"the server did not answer {step} within 0 s"


def test_server_that_drips_its_bytes_has_no_more_time_than_any_other(scene):
    async def handle(reader, writer) -> None:
        handshake = ServerHandshake()
        answer = b""
        while not answer:
            answer = handshake.feed(await reader.read(65536))
        for byte in answer:
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.005)

    assert failing(scene, handle, IMPATIENT).reason.startswith("the server did not answer the handshake")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("accept", "during the handshake; is this an RTMP port?"),
        ("connect", "when asked for the application 'live'; has it none?"),
        ("publish", "when asked to publish"),
    ],
)
def test_server_that_closes_without_a_word(scene, after, said):
    async def handle(reader, writer) -> None:
        far = Far(reader, writer)
        if after == "accept":
            return
        await far.shake()
        await far.told("connect")
        if after == "connect":
            return
        far.say("_result", 1.0, {}, {})
        await far.told("createStream")
        far.say("_result", 4.0, None, 1.0)
        await far.told("publish")

    status = failing(scene, handle)
    assert (status.state, status.code) == (PushState.RETRYING, "closed")
    assert status.reason == f"the server closed the connection {said}"


class Brittle(asyncio.Transport):
    """Like uvloop's, which raises where asyncio's own only warns: the stream then drops its output with a traceback."""

    closed = False
    sent = 0

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent += 1

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        pass


def test_server_that_takes_the_stream_and_closes_in_one_breath_is_no_defect_of_ours():
    async def main() -> None:
        task, transport = PushTask(Stream("yard"), target(1935)), Brittle()

        async def connect() -> tuple[PushConnection, frozenset[str]]:
            link = PushConnection(target(1935), ClientSession(url="rtmp://far", app="live", name=KEY))
            link.connection_made(transport)
            link.started.set_result(1)
            link.connection_lost(None)
            transport.closed = True
            return link, frozenset()

        task._connect = connect  # two turns of the loop lie between them on a socket
        with pytest.raises(TargetClosed):
            await task.run_once()
        assert task.status().state is not PushState.LIVE

    asyncio.run(main())


def test_nothing_is_written_to_a_push_connection_that_has_ended(media):
    async def main() -> None:
        stream, pictures, transport = Stream("yard"), media(Codec.H264, None).frames, Brittle()
        link = PushConnection(target(1935), ClientSession(url="rtmp://far", app="live", name=KEY))
        link.connection_made(transport)
        link.viewer = Viewer(transport, Capabilities(), 0.0)
        feed = PushFeed(stream, link.viewer, 1)
        feed.open()
        stream.begin(frozenset({Kind.VIDEO}))
        stream.push(pictures[:6])
        assert transport.sent
        link.connection_lost(None)
        transport.closed = True
        link.resume_writing()
        stream.push(pictures[6:12])
        assert feed.last_frame_at and any(one is feed for one in stream._subscribers)

    asyncio.run(main())


def test_large_picture_before_the_end_is_named_with_nginx_limit(scene, media):
    small = media(audio=None)
    huge = replace(small, frames=tuple(replace(one, payload=one.payload + bytes(1 << 20)) for one in small.frames))

    async def handle(reader, writer) -> None:
        far = Far(reader, writer)
        await far.take()
        while (await far.message()).type_id != chunk.VIDEO:
            pass
        while len((await far.message()).payload) < 1024 * 1024:
            pass

    assert "MiB, nginx-rtmp takes 1 MiB (max_message)" in failing(scene, handle, source=huge).reason


def test_web_server_is_named_as_none_of_rtmps(scene):
    async def handle(reader, writer) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    status = failing(scene, handle)
    assert status.code == "protocol"
    assert "the server speaks HTTP" in status.reason


def test_refused_connection_and_unknown_name(scene):
    async def main() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            async with scene(free.getsockname()[1]) as task:
                await until(lambda: task.status().state is PushState.RETRYING)
                assert "refuses connections on port" in task.status().reason
        async with scene(1935, host="no-such-host.invalid") as task:
            await until(lambda: task.status().state is PushState.RETRYING)
            assert task.status().reason.startswith("no-such-host.invalid cannot be reached")

    uvloop.run(main())


def test_server_that_comes_back_is_found_again_by_itself(scene):
    async def main() -> None:
        seen: list[chunk.Message] = []
        rounds = 0

        async def handle(reader, writer) -> None:
            nonlocal rounds
            rounds += 1
            far = Far(reader, writer)
            await far.take()
            while True:
                message = await far.message()
                seen.append(message)
                if rounds < 3 and message.timestamp > 200:
                    return

        async with server(handle) as port, scene(port) as task:
            await until(lambda: rounds == 3 and task.status().state is PushState.LIVE and seen[-1].timestamp > 500)
            begins = [m for m in seen if m.type_id == chunk.VIDEO and m.timestamp == 0 and m.payload[1] == 1]
            assert len(begins) == 3
            assert all(message.payload[0] == 0x17 for message in begins)
            assert [retry for retry, _ in task._backoff.asked] == [Retry.BACKOFF] * 2

    uvloop.run(main())


def test_server_that_reads_nothing_costs_bounded_memory_and_nobody_else(scene, media):
    huge = media(noise=True, gop=5, width=640, height=480, seconds=1)
    viewer = ViewerLimits(queue_bytes=1 << 20, overflows=10**9, no_progress_s=60.0)

    async def main() -> None:
        async def handle(reader, writer) -> None:
            writer.transport.set_write_buffer_limits(0)
            far = Far(reader, writer)
            await far.take()
            writer.transport.pause_reading()
            await asyncio.sleep(60)

        async with server(handle) as port, scene(port, limits=replace(QUICK, viewer=viewer), source=huge) as task:
            other = Watcher()
            task.stream.subscribe(other)
            await until(lambda: task.status().dropped > 10 and task.status().code)  # said at the next tick
            status = task.status()
            assert (status.state, status.code) == (PushState.LIVE, "behind")
            assert task._viewer.waiting_bytes <= 3 << 20
            before = len(other.frames)
            await until(lambda: len(other.frames) > before + 20)

    uvloop.run(main())


def test_server_that_takes_nothing_any_more_is_left(scene, media):
    huge = media(noise=True, gop=5, width=640, height=480, seconds=1)
    viewer = ViewerLimits(queue_bytes=1 << 20, overflows=10**9, no_progress_s=0.3)

    async def handle(reader, writer) -> None:
        far = Far(reader, writer)
        await far.take()
        writer.transport.pause_reading()
        await asyncio.sleep(60)

    status = failing(scene, handle, replace(QUICK, viewer=viewer), source=huge)
    assert (status.code, status.reason) == ("too-slow", "the server took nothing for 0 s")


def test_camera_that_goes_away_ends_the_stream_there_and_begins_it_anew(camera, media):
    async def main() -> None:
        said: list[str] = []

        async def handle(reader, writer) -> None:
            far = Far(reader, writer)
            await far.take()
            said.append("begun")
            await far.told("FCUnpublish")
            said.append("ended")

        stream = Stream("yard")
        async with server(handle) as port:
            task = PushTask(stream, target(port), limits=replace(QUICK, away_s=0.2), backoff=Hurry())
            task.start()
            await asyncio.sleep(0)
            assert task.status().reason == "waiting for the camera: no picture yet"
            assert stream.demand.count(DEMAND_KIND) == 1
            running = asyncio.create_task(camera(stream, media(), 100.0).run())
            await until(lambda: task.status().state is PushState.LIVE and said == ["begun"])
            running.cancel()
            await until(lambda: said == ["begun", "ended"])
            assert task.status().state is PushState.WAITING
            assert stream.demand.count(DEMAND_KIND) == 1
            running = asyncio.create_task(camera(stream, media(), 200.0).run())
            await until(lambda: said == ["begun", "ended", "begun"])
            assert task._backoff.asked == []
            running.cancel()
            task.stop()
            await until(lambda: said[3:] == ["ended"])
            assert stream.demand.count(DEMAND_KIND) == 0

    uvloop.run(main())


def test_frozen_camera_is_not_pushed_again_and_again(camera, media):
    async def main() -> None:
        rounds = 0

        async def handle(reader, writer) -> None:
            nonlocal rounds
            rounds += 1
            far = Far(reader, writer)
            await far.take()
            await far.told("FCUnpublish")

        stream = Stream("yard")
        camera(stream, media(), 100.0).push(1.0)  # and then no more, though its session stays open
        async with server(handle) as port:
            task = PushTask(stream, target(port), limits=replace(QUICK, away_s=0.1), backoff=Hurry())
            task.start()
            await until(lambda: rounds == 1 and task.status().state is PushState.WAITING)
            await asyncio.sleep(0.1)
            assert (rounds, task.status().state) == (1, PushState.WAITING)
            running = asyncio.create_task(camera(stream, media(), 200.0).run())
            await until(lambda: rounds == 2)
            running.cancel()
            task.stop()
            await until(lambda: stream.demand.count(DEMAND_KIND) == 0)

    uvloop.run(main())


def test_only_a_push_that_went_well_for_a_minute_starts_over_from_the_shortest_wait():
    backoff = PushTask(Stream("yard"), target(1))._backoff
    for _ in range(8):
        longest = backoff.next_delay(Retry.BACKOFF, 59.0)
    assert 24 <= longest <= 36
    assert backoff.next_delay(Retry.BACKOFF, 60.0) <= 0.6
    assert 48 <= backoff.next_delay(Retry.SLOW) <= 72


async def adobe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server of Adobe's kind that lets in who knows that the password of `me` is `right`."""
    challenge, opaque, salt = "C4all+/=", "0paque==", "sA1t+"
    far = Far(reader, writer)
    await far.shake()
    info = (await far.told("connect"))[2]
    app, _, query = info["app"].partition("?")
    asked = dict(part.split("=", 1) for part in query.split("&")) if query else {}
    assert app == "live"
    assert info["tcUrl"].endswith(info["app"])
    reject = "[ AccessManager.Reject ] : "
    if not asked:
        text = f"{reject}[ code=403 need auth; authmod=adobe ] : "
    elif "response" not in asked:
        assert asked == {"authmod": "adobe", "user": "me"}
        text = f"{reject}[ authmod=adobe ] : ?reason=needauth&user=me&salt={salt}&challenge={challenge}&opaque={opaque}"
    elif asked["response"] == respond("me", "right", salt, opaque, asked["challenge"]):
        far.say("_result", 1.0, {}, {})
        far.say("_result", (await far.told("createStream"))[1], None, 1.0)
        await far.told("publish")
        far.say("onStatus", 0.0, None, {"level": "status", "code": "NetStream.Publish.Start"})
        await far.told("deleteStream")
        return
    else:
        text = f"{reject}[ authmod=adobe ] : ?reason=authfailed&opaque={opaque}"
    status = {"level": "error", "code": "NetConnection.Connect.Rejected", "description": text}
    far.say("_error", 1.0, None, status)
    await far.message()


def test_login_of_adobe_is_answered_and_a_wrong_one_is_not_insisted_on(scene):
    async def main() -> None:
        async with server(adobe) as port:
            async with scene(port, username="me", password=Secret("right")) as task:
                await until(lambda: task.status().state is PushState.LIVE)
            async with scene(port, username="me", password=Secret("wrong")) as task:
                await until(lambda: task.status().state is PushState.REFUSED)
                assert task.status().reason == "the server refused the user name or password"
            async with scene(port) as task:
                await until(lambda: task.status().state is PushState.REFUSED)
                assert task.status().reason == "the server asks for a login: put USER:PASSWORD@ before the host"

    uvloop.run(main())


@pytest.mark.e2e
@pytest.mark.parametrize(("password", "let_in"), [("right", True), ("wrong", False)])
def test_login_of_adobe_is_the_one_of_ffmpeg(password, let_in):
    async def main() -> None:
        async with server(adobe) as port:
            picture = "-f lavfi -i testsrc=size=64x64 -t 0.2 -c:v libx264 -f flv"
            command = f"timeout 20 ffmpeg -v error {picture} rtmp://me:{password}@127.0.0.1:{port}/live/x"
            process = await asyncio.create_subprocess_exec(*command.split(), stderr=asyncio.subprocess.PIPE)
            _, said = await process.communicate()
            assert (process.returncode == 0) is let_in, said

    uvloop.run(main())


def test_change_of_the_list_touches_only_what_changed(camera, media):
    async def main() -> None:
        said: list[str] = []

        async def handle(reader, writer) -> None:
            far = Far(reader, writer)
            info = await far.take()
            said.append(f"+{info['app']}")
            await far.told("FCUnpublish")
            said.append(f"-{info['app']}")

        stream = Stream("yard")
        running = asyncio.create_task(camera(stream, media(), 100.0).run())
        async with server(handle) as port:
            stays, goes, comes = (target(port, app=app) for app in ("stays", "goes", "comes"))
            pushes = Pushes(lambda stream, push: PushTask(stream, push, limits=QUICK, backoff=Hurry()))
            pushes.set("yard", [(stream, goes), (stream, stays)])
            await until(lambda: sorted(said) == ["+goes", "+stays"])
            loop = asyncio.get_running_loop()
            began = loop.time()
            pushes.set("yard", [(stream, stays), (stream, comes)])
            assert [one.url.split("/")[3] for one in pushes.status("yard")] == ["stays", "comes"]
            await until(lambda: "-goes" in said)
            assert loop.time() - began < 1
            await until(lambda: "+comes" in said)
            assert [one for one in said if "stays" in one] == ["+stays"]
            pushes.set("yard", [])
            assert pushes.status("yard") == ()
            await until(lambda: {"-stays", "-comes"} <= set(said))
            pushes.set("yard", [(stream, stays)])
            await until(lambda: said.count("+stays") == 2)
            await pushes.stop()
            await until(lambda: said.count("-stays") == 2)
            assert stream.demand.count(DEMAND_KIND) == 0
        running.cancel()

    uvloop.run(main())


def test_defect_of_ours_is_said_and_does_not_end_the_push(scene, caplog, monkeypatch):
    def broken(*_args, **_more) -> None:
        raise RuntimeError("broken")

    async def main() -> None:
        monkeypatch.setattr("gateway.rtmp.push.ClientSession", broken)
        async with gateway() as (far, _, seen), scene(far.port, key=Secret(f"far?key={KEY}")) as task:
            await until(lambda: task.status().state is PushState.RETRYING)
            assert "a defect of the gateway" in task.status().reason
            monkeypatch.undo()
            await until(lambda: seen.frames)

    uvloop.run(main())
    assert "RuntimeError: broken" in caplog.text
