from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from gateway.config.model import UnannouncedPicture
from gateway.errors import ListenError
from gateway.media.state import State, Status
from gateway.media.stream import Stream
from gateway.media.track import Codec
from gateway.rtmp import chunk
from gateway.rtmp.server import Action, Credentials, RtmpServer, ServerLimits
from gateway.rtmp.viewer import ViewerLimits

QUICK = ServerLimits(wait_live_s=0.05, tick_s=0.01)
WAIT_S = 5.0


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request) -> Callable:
    """Runs a coroutine on each kind of loop: their transports differ in just the places that matter here."""
    return request.param


class NetPlayer:
    """A player on a real socket."""

    def __init__(self, wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.wire, self.reader, self.writer = wire, reader, writer
        self.closed = False

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def until(self, condition: Callable[[], object]) -> None:
        """Read until `condition` holds, or the server closed."""
        async with asyncio.timeout(WAIT_S):
            while not condition() and not self.closed:
                try:
                    data = await self.reader.read(65_536)
                except ConnectionError:
                    data = b""
                self.closed = not data
                self.send(self.wire.feed(data))

    async def ended(self) -> list:
        """Read until the server closes; return the status codes."""
        await self.until(lambda: False)
        return self.wire.codes()

    @property
    def pictures(self) -> list:
        """Video frames received, without sequence headers."""
        return [m for m in self.wire.media(chunk.VIDEO) if m.payload[0] & 15 if m.payload[0] & 128 or m.payload[1]]

    def reason(self) -> str:
        return self.wire.replies("onStatus")[-1][3]["description"]

    def leave(self) -> None:
        self.writer.close()


class House:
    """A server with streams, and players who visit it."""

    def __init__(self, player, **options) -> None:
        self.player = player
        self.streams: dict[str, Stream] = {}
        self.asked: list[Credentials] = []
        options.setdefault("limits", QUICK)
        self.server = RtmpServer(self.streams.get, options.pop("authorise", self.allow), **options)
        self.players: list[NetPlayer] = []

    def allow(self, credentials: Credentials) -> bool:
        self.asked.append(credentials)
        return True

    def stream(self, name: str = "front-door") -> Stream:
        return self.streams.setdefault(name, Stream(name))

    async def connect(self, **options) -> NetPlayer:
        sock = socket.socket()
        for option, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.server.port))
        reader, writer = await asyncio.open_connection(sock=sock)
        visitor = NetPlayer(self.player(), reader, writer)
        self.players.append(visitor)
        return visitor

    async def play(self, name: str = "front-door", app: str = "live", fourccs=None, **options) -> NetPlayer:
        visitor = await self.connect(**options)
        visitor.send(visitor.wire.hello())
        await visitor.until(lambda: visitor.wire.handshake.done)
        extra = {"fourCcList": fourccs} if fourccs else {}
        visitor.send(visitor.wire.connect(app, **extra) + visitor.wire.play(name))
        return visitor


@pytest.fixture
def house(player):
    @contextlib.asynccontextmanager
    async def open_house(**options) -> AsyncIterator[House]:
        house = House(player, **options)
        await house.server.start("127.0.0.1", 0)
        try:
            yield house
        finally:
            for visitor in house.players:
                visitor.leave()
            await house.server.stop()
            assert house.server.status().connections == 0

    return open_house


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_player_gets_the_last_keyframe_at_once_and_then_everything(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            feed = camera(h.stream(), media())
            feed.push(0.5)
            visitor = await h.play()
            await visitor.until(lambda: len(visitor.pictures) == 13)
            assert visitor.pictures[0].payload[0] == 0x17
            feed.push(1.0)
            await visitor.until(lambda: len(visitor.pictures) == 25)
            assert visitor.wire.codes() == ["NetStream.Play.Reset", "NetStream.Play.Start"]

    run(scene())


def test_a_player_is_a_viewer_until_it_leaves(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            stream = h.stream("front-door.sub")
            camera(stream, media()).push(0.2)
            visitor = await h.play("front-door.sub")
            await visitor.until(lambda: visitor.pictures)
            assert stream.demand.count("rtmp") == 1
            assert (h.server.status().players, h.server.status().streams) == (1, 1)
            visitor.leave()
            await eventually(lambda: not stream.demand.active)
            assert (h.server.status().players, h.server.status().streams) == (0, 0)

    run(scene())


def test_closing_the_stream_keeps_the_connection_for_another_play(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            for name in ("a", "b"):
                camera(h.stream(name), media()).push(0.2)
            visitor = await h.play("a")
            await visitor.until(lambda: visitor.pictures)
            visitor.send(visitor.wire.command("deleteStream", 0.0, None, 1.0))
            await eventually(lambda: not h.stream("a").demand.active)
            visitor.send(visitor.wire.play("b"))
            await visitor.until(lambda: visitor.wire.codes().count("NetStream.Play.Start") == 2)
            assert h.stream("b").demand.count("rtmp") == 1
            visitor.send(visitor.wire.play("a"))
            await visitor.until(lambda: visitor.wire.codes().count("NetStream.Play.Start") == 3)
            assert not h.stream("b").demand.active

    run(scene())


def test_a_player_whose_permit_is_withdrawn_is_told_why_and_ends_and_others_do_not(run, house, camera, media):
    class Permit:
        reason = ""

        def withdrawn(self) -> str:
            return self.reason

    async def scene() -> None:
        permits = iter((Permit(), Permit()))
        given: list[Permit] = []

        def authorise(_asked: Credentials) -> Permit:
            given.append(next(permits))
            return given[-1]

        async with house(authorise=authorise) as h:
            camera(h.stream(), media()).push(0.2)
            visitor = await h.play()
            await visitor.until(lambda: visitor.pictures)
            other = await h.play()
            await other.until(lambda: other.pictures)
            given[0].reason = "this address is no longer valid"
            assert (await visitor.ended())[-1] == "NetStream.Play.StreamNotFound"
            assert visitor.reason() == "this address is no longer valid"
            assert h.server.status().players == 1

    run(scene())


@pytest.mark.parametrize(
    ("app", "name", "words"),
    [("live", "nope", "no stream 'nope'"), ("vod", "x", "/live/<stream>"), ("front-door", "", "/live/<stream>")],
)
def test_unknown_streams_are_refused_in_words(run, house, app, name, words):
    async def scene() -> None:
        async with house() as h:
            visitor = await h.play(name, app)
            assert await visitor.ended() == ["NetStream.Play.StreamNotFound"]
            assert words in visitor.reason()

    run(scene())


def test_the_reason_of_an_offline_camera_reaches_the_player(run, house):
    async def scene() -> None:
        async with house() as h:
            stream = h.stream()
            stream.set_status(Status(State.OFFLINE, 0.0, "the camera refused the password", "wrong-credentials"))
            visitor = await h.play()
            assert await visitor.ended() == ["NetStream.Play.StreamNotFound"]
            assert visitor.reason() == "front-door is offline: the camera refused the password"
            assert not stream.demand.active

    run(scene())


def test_an_on_demand_camera_is_started_by_its_first_player(run, house, camera, media):
    async def scene() -> None:
        async with house(limits=ServerLimits(tick_s=0.01)) as h:
            stream = h.stream()

            def on_change(active: bool) -> None:
                if active:
                    asyncio.get_running_loop().call_later(0.02, lambda: camera(stream, media()).push(0.2))

            stream.demand.on_change(on_change)
            visitor = await h.play()
            await visitor.until(lambda: visitor.pictures)
            assert visitor.pictures

    run(scene())


def test_a_player_that_leaves_while_it_waits_gives_its_claim_back(run, house):
    async def scene() -> None:
        async with house(limits=ServerLimits(tick_s=0.01)) as h:
            stream = h.stream()
            visitor = await h.play()
            await eventually(lambda: stream.demand.active)
            visitor.leave()
            await eventually(lambda: not stream.demand.active)

    run(scene())


def test_credentials_are_asked_for_before_anything_is_said_about_the_stream(run, house, caplog):
    async def deny(credentials: Credentials) -> bool:
        return False

    async def scene() -> None:
        async with house(authorise=deny) as h:
            visitor = await h.play("nope?user=u&pass=hunter2")
            assert await visitor.ended() == ["NetStream.Play.Failed"]
            assert visitor.reason() == "wrong or missing credentials"

    with caplog.at_level(logging.DEBUG):
        run(scene())
    assert "hunter2" not in caplog.text


def test_credentials_hold_address_parameters_and_stream(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            camera(h.stream(), media()).push(0.2)
            visitor = await h.play("front-door?token=t%2F1")
            await visitor.until(lambda: visitor.pictures)
            assert h.asked == [Credentials("127.0.0.1", {"token": "t/1"}, "front-door", Action.PLAY)]
            assert "t/1" not in repr(h.asked)

    run(scene())


def test_a_check_that_breaks_lets_nobody_in(run, house, caplog):
    def broken(credentials: Credentials) -> bool:
        raise RuntimeError("database is gone")

    async def scene() -> None:
        async with house(authorise=broken) as h:
            visitor = await h.play()
            assert await visitor.ended() == ["NetStream.Play.Failed"]

    run(scene())
    assert "database is gone" in caplog.text


def test_publishing_is_refused_with_the_code_encoders_understand(run, house):
    async def scene() -> None:
        async with house() as h:
            visitor = await h.play()
            visitor.send(visitor.wire.command("publish", 0.0, None, "front-door", "live", stream_id=1))
            assert await visitor.ended() == ["NetStream.Publish.BadName"]
            assert visitor.reason() == "publishing is not enabled"

    run(scene())


def test_h265_is_refused_where_the_policy_says_so(run, house, camera, media):
    async def scene() -> None:
        async with house(policy=lambda stream_id: UnannouncedPicture.REFUSE) as h:
            camera(h.stream(), media(Codec.H265, None)).push(0.2)
            plain = await h.play()
            assert await plain.ended() == ["NetStream.Play.StreamNotFound"]
            capable = await h.play(fourccs=["hvc1"])
            await capable.until(lambda: capable.pictures)
            assert capable.pictures[0].payload[:5] == b"\x93hvc1"

    run(scene())


def test_a_policy_that_changes_holds_for_the_next_player_also_where_others_watch(run, house, camera, media):
    policies = [UnannouncedPicture.SEND]

    async def scene() -> None:
        async with house(policy=lambda stream_id: policies[-1]) as h:
            camera(h.stream(), media(Codec.H265, None)).push(0.2)
            first = await h.play()
            await first.until(lambda: first.pictures)
            policies.append(UnannouncedPicture.REFUSE)
            second = await h.play()
            assert await second.ended() == ["NetStream.Play.StreamNotFound"]

    run(scene())


def test_the_h264_sub_stream_is_served_instead_where_the_policy_says_so(run, house, camera, media, caplog):
    async def scene() -> None:
        async with house(policy=lambda stream_id: UnannouncedPicture.SUB) as h:
            main, sub = h.stream(), h.stream("front-door.sub")
            camera(main, media(Codec.H265, None)).push(0.2)
            camera(sub, media(Codec.H264, None)).push(0.2)
            plain = await h.play()
            await plain.until(lambda: plain.pictures)
            assert plain.pictures[0].payload[0] == 0x17
            assert (main.demand.count("rtmp"), sub.demand.count("rtmp")) == (0, 1)
            capable = await h.play(fourccs=["hvc1"])
            await capable.until(lambda: capable.pictures)
            assert capable.pictures[0].payload[:5] == b"\x93hvc1"
            plain.leave()
            await eventually(lambda: not sub.demand.active)

    with caplog.at_level(logging.INFO):
        run(scene())
    assert "gets front-door.sub instead of front-door" in caplog.text


@pytest.mark.parametrize("sub", [None, Codec.H265, "away"])
def test_without_an_h264_sub_stream_the_main_stream_is_sent(run, house, camera, media, sub):
    async def scene() -> None:
        async with house(policy=lambda stream_id: UnannouncedPicture.SUB) as h:
            camera(h.stream(), media(Codec.H265, None)).push(0.2)
            if sub is not None:
                stream = h.stream("front-door.sub")
                if sub != "away":
                    camera(stream, media(sub, None)).push(0.2)
            visitor = await h.play()
            await visitor.until(lambda: visitor.pictures)
            assert visitor.pictures[0].payload[:5] == b"\x93hvc1"
            assert sub is None or not stream.demand.active

    run(scene())


def test_opus_is_left_out_beside_a_picture_and_the_player_is_told(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            camera(h.stream(), media(Codec.H264, Codec.OPUS)).push(0.2)
            visitor = await h.play()
            await visitor.until(lambda: visitor.pictures)
            assert "the sound is left out: it is Opus" in visitor.reason()
            assert not visitor.wire.media(chunk.AUDIO)

    run(scene())


def test_players_stay_over_an_outage_of_the_camera(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            stream = h.stream()
            camera(stream, media()).push(0.2)
            visitor = await h.play()
            await visitor.until(lambda: len(visitor.pictures) == 5)
            stream.end()
            stream.set_status(Status(State.OFFLINE, 0.0, "no route to host"))
            await asyncio.sleep(0.05)
            camera(stream, media(), 30.0).push(0.2)
            await visitor.until(lambda: len(visitor.pictures) == 10)
            assert visitor.pictures[5].timestamp == 30_000
            assert "NetStream.Play.Stop" not in visitor.wire.codes()

    run(scene())


def test_a_stream_that_stays_dead_ends_with_its_reason(run, house, camera, media):
    async def scene() -> None:
        async with house(limits=ServerLimits(tick_s=0.01, dead_s=0.1)) as h:
            stream = h.stream()
            camera(stream, media()).push(0.2)
            visitor = await h.play()
            await visitor.until(lambda: visitor.pictures)
            stream.set_status(Status(State.OFFLINE, 0.0, "no route to host"))
            assert (await visitor.ended())[-1] == "NetStream.Play.StreamNotFound"
            assert visitor.reason() == "front-door is offline: no route to host"
            assert not stream.demand.active

    run(scene())


def test_a_stream_that_is_taken_away_ends_at_once(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            for name in ("a", "b"):
                camera(h.stream(name), media()).push(0.2)
            gone, stays = await h.play("a"), await h.play("b")
            for visitor in (gone, stays):
                await visitor.until(lambda visitor=visitor: visitor.pictures)
            assert h.server.dismiss(h.stream("a"), "a was removed") == 1
            await gone.ended()
            assert gone.reason() == "a was removed"
            assert h.server.status().players == 1

    run(scene())


def test_players_are_pinged(run, house, camera, media):
    async def scene() -> None:
        async with house(limits=ServerLimits(tick_s=0.01, ping_s=0.05)) as h:
            camera(h.stream(), media()).push(0.2)
            visitor = await h.play()
            ping = b"\0\x06"
            await visitor.until(lambda: [m.payload[:2] for m in visitor.wire.media(chunk.USER_CONTROL)].count(ping) >= 2)
            assert not visitor.closed

    run(scene())


def test_a_connection_that_cannot_be_looked_after_is_cut_and_the_others_are_pinged(run, house, camera, media, monkeypatch):
    async def scene() -> None:
        async with house(limits=ServerLimits(tick_s=0.01, ping_s=0.05)) as h:
            camera(h.stream(), media()).push(0.2)
            sick = await h.play()
            (connection,) = h.server._connections

            def fail(now: float) -> None:
                raise ZeroDivisionError

            monkeypatch.setattr(connection, "tick", fail)
            await sick.ended()
            visitor = await h.play()
            await visitor.until(lambda: b"\0\x06" in [m.payload[:2] for m in visitor.wire.media(chunk.USER_CONTROL)])

    run(scene())


def test_a_paused_player_gets_nothing_until_the_next_keyframe_after(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            feed = camera(h.stream(), media())
            feed.push(0.2)
            visitor = await h.play()
            await visitor.until(lambda: len(visitor.pictures) == 5)
            visitor.send(visitor.wire.command("pause", 0.0, None, True, 0.0, stream_id=1))
            await visitor.until(lambda: "NetStream.Pause.Notify" in visitor.wire.codes())
            feed.push(0.5)
            visitor.send(visitor.wire.command("receiveAudio", 0.0, None, False, stream_id=1))
            visitor.send(visitor.wire.command("pause", 0.0, None, False, 0.0, stream_id=1))
            await visitor.until(lambda: "NetStream.Unpause.Notify" in visitor.wire.codes())
            heard = len(visitor.wire.media(chunk.AUDIO))
            feed.push(1.1)
            await visitor.until(lambda: len(visitor.pictures) == 8)
            assert visitor.pictures[5].timestamp == 1000
            assert len(visitor.wire.media(chunk.AUDIO)) == heard

    run(scene())


def test_silence_before_the_handshake_and_before_play_ends_the_connection(run, house):
    async def scene() -> None:
        async with house(limits=ServerLimits(handshake_s=0.05, action_s=0.05, tick_s=0.01)) as h:
            silent = await h.connect()
            await silent.ended()
            idle = await h.connect()
            idle.send(idle.wire.hello())
            await idle.ended()
            assert idle.wire.handshake.done
            assert h.server.status().counters.broken == 2

    run(scene())


@pytest.mark.parametrize(
    ("hello", "hint"), [(b"GET / HTTP/1.1\r\n\r\n", "HTTP"), (b"\x16\x03\x01\x02\x00\x01", "TLS"), (b"\xff" * 50, "RTMP")]
)
def test_what_is_not_rtmp_is_closed_with_a_hint_in_the_log(run, house, caplog, hello, hint):
    async def scene() -> None:
        async with house() as h:
            visitor = await h.connect()
            visitor.send(hello)
            with contextlib.suppress(ConnectionError):
                assert await visitor.reader.read() == b""

    run(scene())
    assert hint in caplog.text


def test_connections_are_limited_per_address_and_in_total(run, house):
    async def scene(limits: ServerLimits) -> None:
        async with house(limits=limits) as h:
            first, second = await h.connect(), await h.connect()
            await eventually(lambda: h.server.status().connections == 2)
            third = await h.connect()
            await third.ended()
            assert h.server.status().counters.turned_away == 1
            first.leave()
            await eventually(lambda: h.server.status().connections == 1)
            fourth = await h.connect()
            fourth.send(fourth.wire.hello())
            await fourth.until(lambda: fourth.wire.handshake.done)
            assert not fourth.closed and not second.closed

    run(scene(ServerLimits(per_address=2)))
    run(scene(ServerLimits(connections=2)))


def test_a_player_that_does_not_read_costs_bounded_memory_and_is_closed(run, house, camera, media):
    slow = ViewerLimits(queue_bytes=400_000, no_progress_s=0.3)

    async def scene() -> None:
        async with house(limits=ServerLimits(tick_s=0.01, viewer=slow)) as h:
            feed = camera(h.stream(), media(noise=True))
            feed.push(0.2)
            stuck = await h.play(SO_RCVBUF=4096)
            healthy = await h.play()
            await eventually(lambda: h.server.status().players == 2)
            pushed_s = 0.2
            while h.server.status().players == 2:
                pushed_s += 0.5
                feed.push(pushed_s)
                count = int(pushed_s * 25)
                await healthy.until(lambda count=count: len(healthy.pictures) >= count)
            counters = h.server.status().counters
            assert counters.too_slow == 1
            assert counters.overflows >= 1
            assert counters.dropped == h.stream().demand.dropped["rtmp"] >= 1
            assert not healthy.closed
            assert [m.timestamp for m in healthy.pictures] == list(range(0, 40 * len(healthy.pictures), 40))
            stuck.leave()

    run(scene())


def test_players_of_a_relay_that_raises_are_told_at_once_and_the_next_one_gets_pictures(run, house, camera, media, monkeypatch):
    """They would see a still picture until the server takes the camera for dead, a minute later."""

    async def scene() -> None:
        async with house(limits=ServerLimits(tick_s=0.01)) as h:
            feed = camera(h.stream(), media())
            feed.push(0.2)
            first = await h.play()
            await first.until(lambda: len(first.pictures) > 2)
            (relay,) = h.server._relays._relays.values()

            def fail(*_: object) -> bytes:
                raise ZeroDivisionError

            monkeypatch.setattr(relay, "_serialise", fail)
            feed.push(0.4)
            await first.ended()
            second = await h.play()
            feed.push(3.0)
            await second.until(lambda: len(second.pictures) > 2)

    run(scene())


def test_a_flood_of_pings_that_are_not_read_is_not_answered_without_end(run, house):
    async def scene() -> None:
        async with house(limits=ServerLimits(messages=1_000_000)) as h:
            visitor = await h.connect(SO_RCVBUF=4096)
            visitor.send(visitor.wire.hello())
            await visitor.until(lambda: visitor.wire.handshake.done)
            ping = chunk.encode_message(2, chunk.USER_CONTROL, 0, 0, b"\0\x06\0\0\0\0") * 1000
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    for _ in range(5000):
                        visitor.send(ping)
                        await visitor.writer.drain()
            (connection,) = h.server._connections
            assert connection._transport.get_write_buffer_size() < 1_000_000
            visitor.writer.transport.abort()

    run(scene())


def test_a_taken_port_is_named(run, house):
    async def scene() -> None:
        async with house() as h:
            second = RtmpServer(h.streams.get, h.allow)
            with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{h.server.port}: another program"):
                await second.start("127.0.0.1", h.server.port)
            await second.stop()
            assert second.port == 0

    run(scene())


def test_an_address_of_another_machine_is_named(run):
    async def scene() -> None:
        with pytest.raises(ListenError, match=r"192\.0\.2\.1:1935"):
            await RtmpServer(lambda name: None, lambda credentials: True).start("192.0.2.1", 1935)

    run(scene())


def test_stopping_closes_players_and_frees_the_port(run, house, camera, media):
    async def scene() -> None:
        async with house() as h:
            camera(h.stream(), media()).push(0.2)
            visitor = await h.play()
            await visitor.until(lambda: visitor.pictures)
            port = h.server.port
            await h.server.stop()
            await visitor.ended()
            assert not h.stream().demand.active
            await h.server.start("127.0.0.1", port)

    run(scene())
