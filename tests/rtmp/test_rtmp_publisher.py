from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from gateway.config.model import Secret
from gateway.media.frame import Frame
from gateway.media.state import State
from gateway.media.timestamps import Timeline
from gateway.media.track import Kind
from gateway.rtmp import chunk, flv
from gateway.rtmp.chunk import encode_message
from gateway.rtmp.publisher import Publisher
from gateway.rtmp.server import Action, Credentials, RtmpServer, ServerLimits
from gateway.sources.publish import PublishSource

QUICK = ServerLimits(tick_s=0.01, wrong_key_s=0.02)
WAIT_S = 5.0
KEY = "correct horse+battery"


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request) -> Callable:
    return request.param


def messages(frames: list[Frame]) -> bytes:
    """Headers and frames as a publisher sends them."""
    configs = {frame.kind: frame.config for frame in frames}
    out = [_message(config.kind, 0, flv.sequence_header(config)) for config in configs.values()]
    for frame in frames:
        composition = round((frame.pts - frame.dts) * 1000 / frame.config.clock_rate)
        out.append(_message(frame.kind, round(frame.seconds * 1000), flv.frame_prefix(frame, composition) + frame.payload))
    return b"".join(out)


def _message(kind: Kind, timestamp: int, body: bytes) -> bytes:
    type_id = chunk.VIDEO if kind is Kind.VIDEO else chunk.AUDIO
    return encode_message(4, type_id, 1, timestamp, body, chunk_bytes=128)


class NetPublisher:
    """An encoder on a real socket."""

    def __init__(self, wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.wire, self.reader, self.writer = wire, reader, writer
        self.closed = False

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition() and not self.closed:
                try:
                    data = await self.reader.read(65_536)
                except ConnectionError:
                    data = b""
                self.closed = not data
                self.writer.write(self.wire.feed(data))

    async def publish(self, name: str, app: str = "live", **more) -> list:
        """Ask to publish; return the status codes once there is one."""
        self.writer.write(self.wire.hello())
        await self.until(lambda: self.wire.handshake.done)
        call = self.wire.command
        self.writer.write(
            self.wire.connect(app, **more) + call("releaseStream", 2.0, None, name) + call("FCPublish", 3.0, None, name)
        )
        self.writer.write(call("createStream", 4.0, None) + call("publish", 5.0, None, name, "live", stream_id=1))
        await self.until(self.wire.codes)
        return self.wire.codes()

    async def ended(self) -> str:
        """Read until the server closes; return the last description."""
        await self.until(lambda: False)
        assert self.closed
        return self.wire.replies("onStatus")[-1][3]["description"]


class Studio:
    """A server with one camera that waits for its publisher."""

    def __init__(self, player, **options) -> None:
        self.now = 1000.0
        self.player = player
        self.source = PublishSource("phone", Secret(KEY), monotonic=lambda: self.now)
        self.source.start()
        options.setdefault("publish", {"phone": self.source}.get)
        options.setdefault("limits", QUICK)
        self.server = RtmpServer(lambda _name: None, self._may, monotonic=lambda: self.now, **options)
        self.visitors: list[NetPublisher] = []

    def _may(self, who: Credentials) -> bool:
        assert who.action is Action.PUBLISH
        return self.source.admits(who.params)

    async def visitor(self) -> NetPublisher:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.visitors.append(NetPublisher(self.player(), reader, writer))
        return self.visitors[-1]

    async def published(self, name: str = "phone?key=correct+horse%2Bbattery") -> NetPublisher:
        visitor = await self.visitor()
        assert await visitor.publish(name) == ["NetStream.Publish.Start"]
        return visitor


@pytest.fixture
def studio(player):
    @contextlib.asynccontextmanager
    async def open_studio(**options) -> AsyncIterator[Studio]:
        studio = Studio(player, **options)
        await studio.server.start("127.0.0.1", 0)
        try:
            yield studio
        finally:
            for visitor in studio.visitors:
                visitor.writer.close()
            await studio.server.stop()
            assert studio.server.status().connections == 0

    return open_studio


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


class Watcher:
    """A subscriber that remembers."""

    def __init__(self) -> None:
        self.tracks: list = []
        self.frames: list[Frame] = []

    def on_tracks(self, tracks) -> None:
        self.tracks.append(tracks)

    def on_frame(self, frame) -> None:
        self.frames.append(frame)


def test_what_is_published_is_what_is_watched(run, studio, media):
    async def scene() -> None:
        async with studio() as s:
            watcher = Watcher()
            s.source.stream.subscribe(watcher)
            visitor = await s.published()
            assert s.source.stream.status.state is State.CONNECTING
            assert s.server.status().publishers == 1
            visitor.writer.write(messages(list(media().frames)))
            await eventually(lambda: len(watcher.frames) >= len(media().frames) - 2)
            assert s.source.stream.status.state is State.LIVE
            payloads = {frame.payload for frame in watcher.frames}
            assert {frame.payload for frame in media().video} <= payloads
            visitor.writer.write(visitor.wire.command("FCUnpublish", 6.0, None, "phone"))
            await eventually(lambda: s.source.stream.status.state is State.OFFLINE)
            assert s.source.stream.status.reason == "the publisher left"
            assert s.server.status().publishers == 0

    run(scene())


def test_media_that_does_not_wait_for_the_answer_is_taken(run, studio, media):
    async def scene() -> None:
        async with studio() as s:
            visitor = await s.visitor()
            visitor.writer.write(visitor.wire.hello())
            await visitor.until(lambda: visitor.wire.handshake.done)
            call = visitor.wire.command("publish", 0.0, None, "phone?token=correct%20horse%2Bbattery", "live", stream_id=1)
            visitor.writer.write(visitor.wire.connect() + call + messages(list(media().frames)))
            await eventually(lambda: s.source.stream.status.state is State.LIVE)

    run(scene())


@pytest.mark.parametrize(
    ("name", "app", "more"),
    [
        ("phone?key=correct+horse%2Bbattery", "live", {}),
        ("phone?token=correct%20horse+battery", "live", {}),
        ("phone?user=x&pass=correct+horse%2Bbattery", "live", {}),
        ("phone", "live?key=correct+horse%2Bbattery", {}),
        ("phone", "live", {"tcUrl": "rtmp://h/live?key=correct+horse%2Bbattery"}),
        ("", "live/phone?key=correct+horse%2Bbattery", {}),
    ],
)
def test_the_key_in_every_place_clients_can_put_it(studio, name, app, more):
    async def scene() -> None:
        async with studio() as s:
            visitor = await s.visitor()
            assert await visitor.publish(name, app, **more) == ["NetStream.Publish.Start"]

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("name", "app", "logged"),
    [
        ("phone", "live", "wrong or missing key"),
        ("phone?key=", "live", "wrong or missing key"),
        ("phone?key=sesame", "live", "wrong or missing key"),
        ("phone?key=%ff%00", "live", "wrong or missing key"),
        ("tablet?key=sesame", "live", "no camera takes a publisher under this name"),
        ("phone?key=sesame", "other", "addresses look like"),
        ("../phone?key=sesame", "live", "addresses look like"),
    ],
)
def test_strangers_are_told_in_words_and_closed(run, studio, caplog, name, app, logged):
    async def scene() -> None:
        async with studio() as s:
            visitor = await s.visitor()
            assert await visitor.publish(name, app) == ["NetStream.Publish.BadName"]
            reason = await visitor.ended()
            assert "wrong key" in reason or "addresses look like" in reason
            assert visitor.wire.replies("onStatus")[-1][3]["level"] == "error"
            assert s.server.status().counters.refused == 1
            assert s.source.stream.status.reason == "waiting for the publisher"

    run(scene())
    assert logged in caplog.text
    assert "sesame" not in caplog.text


def test_a_second_publisher_is_refused_while_the_first_one_sends(run, studio, media):
    async def scene() -> None:
        async with studio() as s:
            first = await s.published()
            first.writer.write(messages(list(media().frames)))
            await eventually(lambda: s.source.stream.status.state is State.LIVE)
            second = await s.visitor()
            assert await second.publish("phone?key=correct+horse%2Bbattery") == ["NetStream.Publish.BadName"]
            assert await second.ended() == "somebody is already publishing phone"
            s.now += 5.1
            third = await s.published()
            assert await first.ended() == "another publisher took over"
            assert s.server.status().publishers == 1
            third.writer.write(messages(list(media().frames)))
            await eventually(lambda: s.source.stream.status.state is State.LIVE)

    run(scene())


def test_a_publisher_that_sends_nothing_or_stops_is_closed(run, studio, media):
    async def scene() -> None:
        async with studio() as s:
            mute = await s.published()
            s.now += 10
            assert await mute.ended() == "no media within 10 s"
            fading = await s.published()
            fading.writer.write(messages(list(media().frames)))
            await eventually(lambda: s.source.stream.status.state is State.LIVE)
            s.now += 19.9
            await asyncio.sleep(0.05)
            assert s.server.status().publishers == 1
            s.now += 0.2
            assert await fading.ended() == "sent nothing for 20 s"
            assert s.source.stream.status.reason == "sent nothing for 20 s"

    run(scene())


def test_a_codec_nobody_can_play_is_named(run, studio):
    async def scene() -> None:
        async with studio() as s:
            visitor = await s.published()
            for _ in range(3):
                visitor.writer.write(_message(Kind.VIDEO, 0, b"\x91vp09frame"))
                await asyncio.sleep(0.02)
                s.now += 9
            assert await visitor.ended() == "VP9 video cannot be served: set the encoder to H.264 and AAC"

    run(scene())


def test_broken_chunks_end_the_publisher_and_the_stream_says_why(run, studio, media):
    async def scene() -> None:
        async with studio() as s:
            visitor = await s.published()
            visitor.writer.write(messages(list(media().frames)))
            await eventually(lambda: s.source.stream.status.state is State.LIVE)
            visitor.writer.write(b"\xbf" * 50)
            await visitor.until(lambda: False)
            assert s.source.stream.status.reason == "protocol error"

    run(scene())


def test_publishing_again_on_the_same_connection(run, studio, media):
    async def scene() -> None:
        async with studio() as s:
            visitor = await s.published()
            again = visitor.wire.command("publish", 7.0, None, "phone?key=correct+horse%2Bbattery", "live", stream_id=1)
            visitor.writer.write(again + messages(list(media().frames)))
            await eventually(lambda: s.source.stream.status.state is State.LIVE)
            assert s.server.status().publishers == 1

    run(scene())


@pytest.mark.parametrize("allowed", [True, False])
def test_media_waits_for_a_verdict_that_takes_time(run, player, media, allowed):
    async def scene() -> None:
        source = PublishSource("phone", Secret(KEY))
        source.start()
        asked, verdict = asyncio.Event(), asyncio.Event()

        async def judge(_who: Credentials) -> bool:
            asked.set()
            await verdict.wait()
            return allowed

        server = RtmpServer(lambda _name: None, judge, publish={"phone": source}.get, limits=QUICK)
        await server.start("127.0.0.1", 0)
        visitor = NetPublisher(player(), *await asyncio.open_connection("127.0.0.1", server.port))
        watcher = Watcher()
        source.stream.subscribe(watcher)
        visitor.writer.write(visitor.wire.hello())
        await visitor.until(lambda: visitor.wire.handshake.done)
        call = visitor.wire.command("publish", 0.0, None, "phone?user=admin&pass=x", "live", stream_id=1)
        visitor.writer.write(visitor.wire.connect() + call + messages(list(media().frames)))
        await asked.wait()
        verdict.set()
        if allowed:
            await eventually(lambda: len(watcher.frames) >= len(media().frames) - 2)
        else:
            assert "wrong key" in await visitor.ended()
            assert not watcher.frames
        visitor.writer.close()
        await server.stop()

    run(scene())


def test_who_leaves_in_the_same_breath_as_it_asks_is_still_read(run, studio):
    async def scene() -> None:
        async with studio() as s:
            visitor = await s.visitor()
            visitor.writer.write(visitor.wire.hello())
            await visitor.until(lambda: visitor.wire.handshake.done)
            call = visitor.wire.command
            visitor.writer.write(
                visitor.wire.connect()
                + call("publish", 0.0, None, "phone?key=wrong", "live", stream_id=1)
                + call("deleteStream", 0.0, None, 1.0)
            )
            visitor.writer.write(call("publish", 0.0, None, "phone?key=correct+horse%2Bbattery", "live", stream_id=1))
            await visitor.until(visitor.wire.codes)
            assert visitor.wire.codes() == ["NetStream.Publish.Start"]

    run(scene())


def test_a_stopping_server_asks_those_who_understand_to_come_back(run, studio, media):
    async def scene() -> None:
        async with studio() as s:
            visitors = [await s.visitor() for _ in range(2)]
            await visitors[0].publish("phone?key=correct+horse%2Bbattery", capsEx=1.0)
            await s.server.stop()
            await visitors[0].until(lambda: False)
            assert visitors[0].wire.codes() == ["NetStream.Publish.Start", "NetConnection.Connect.ReconnectRequest"]

    run(scene())


def test_a_camera_taken_away_tells_its_publisher(run, studio, media):
    async def scene() -> None:
        async with studio() as s:
            visitor = await s.published()
            assert s.source.stop() == []
            assert await visitor.ended() == "the camera was removed or changed in the configuration"
            late = await s.visitor()
            assert await late.publish("phone?key=correct+horse%2Bbattery") == ["NetStream.Publish.BadName"]

    run(scene())


class Point:
    """A place that writes down what happens."""

    id = "phone"

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.audio = True
        self.said: list = []

    def open(self, publisher, now) -> str:
        return ""

    def begin(self, publisher, expected, note) -> None:
        self.said.append((expected, note))

    def push(self, publisher, frames) -> None:
        self.said += frames

    def close(self, publisher, reason) -> None:
        self.said.append(reason)


def test_tracks_are_announced_before_the_first_frame_with_what_is_missing(media, caplog):
    caplog.set_level(logging.INFO)
    point = Point()
    publisher = Publisher("10.0.0.7", point, 0.0, point.said.append, wall=lambda: 5.0)
    publisher.take(chunk.AUDIO, 0, b"\xbf", 0.0)
    publisher.take(chunk.VIDEO, 0, flv.sequence_header(media().video[0].config), 0.1)
    for frame in media().video:
        publisher.take(
            chunk.VIDEO, round(frame.seconds * 1000), flv.frame_prefix(frame, 0) + frame.payload, 0.1 + frame.seconds
        )
    assert point.said[0] == (frozenset({Kind.VIDEO}), "Speex sound cannot be served")
    assert {frame.wall for frame in point.said[1:]} == {5.0}
    assert publisher.silent_s(10.0) == pytest.approx(10.0 - 2.06)
    publisher.end("the publisher left", 3.0)
    assert point.said[-1] == "the publisher left"
    assert "published phone for 3.0 s" in caplog.text


def test_media_without_a_picture_is_not_waited_for_for_ever(media):
    publisher = Publisher("10.0.0.7", Point(), 0.0, print)
    for second in range(21):
        publisher.take(chunk.AUDIO, 0, b"", float(second))
        assert publisher.check(float(second)) == ("" if second < 20 else "sent nothing that can be decoded for 20 s")
