"""RTMPS: players, publishers and pushes with the box's certificate, and everything that is not TLS on its port."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import errno
import hashlib
import ipaddress
import logging
import re
import resource
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from gateway.config.model import Push, Secret
from gateway.http.addresses import BoxNames
from gateway.http.certificates import Certificates
from gateway.media.state import State
from gateway.media.stream import Stream
from gateway.media.track import Kind
from gateway.rtmp import tls as tls_module
from gateway.rtmp.push import PushLimits, PushState, PushTask
from gateway.rtmp.server import RtmpServer, ServerLimits
from gateway.rtmp.tls import ServerTls
from gateway.rtmp.viewer import ViewerLimits
from gateway.sources.publish import PublishSource

WAIT_S = 30.0
PYAV = """
import av, sys
with av.open(sys.argv[1], timeout=10) as source:
    for number, frame in enumerate(source.decode(video=0)):
        if number == 24:
            break
print(number + 1)
"""


def names() -> BoxNames:
    return BoxNames(("localhost",), (ipaddress.ip_address("127.0.0.1"),))


class House:
    """A server on both ports, with a camera `yard` and one that is published to, `phone`."""

    def __init__(self, folder: Path, limits: ServerLimits | None = None) -> None:
        self.certificates = Certificates(folder, names=names)
        self.tls = ServerTls(self.certificates)
        self.yard = Stream("yard")
        self.phone = PublishSource("phone", Secret("sesame"))
        self.phone.start()
        streams = {"yard": self.yard, "phone": self.phone.stream}
        self.server = RtmpServer(streams.get, lambda asked: True, publish={"phone": self.phone}.get, limits=limits)

    async def start(self) -> None:
        await self.tls.refresh()
        await self.server.start("127.0.0.1", 0)
        await self.server.start_tls("127.0.0.1", 0, self.tls.context)

    @property
    def broken(self) -> int:
        return self.server.status().counters.broken


@pytest.fixture
def house(tmp_path):
    @contextlib.asynccontextmanager
    async def open_house(limits: ServerLimits | None = None) -> AsyncIterator[House]:
        made = House(tmp_path, limits)
        await made.start()
        try:
            yield made
        finally:
            await made.server.stop()

    return open_house


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


async def output_of(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "timeout",
        str(WAIT_S),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode(errors="replace")


async def certificate_of(port: int) -> bytes:
    """What the port shows now (DER)."""
    context = ssl._create_unverified_context()
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.close()
    return shown


@pytest.mark.e2e
def test_ffmpeg_and_pyav_play_and_ffmpeg_publishes_over_tls(house, camera, media):
    async def main() -> None:
        async with house() as made:
            filming = asyncio.create_task(camera(made.yard, media(), 1000.0).run())
            url = f"rtmps://127.0.0.1:{made.server.tls_port}/live"
            source = "-re -f lavfi -i testsrc=size=160x120:rate=25 -f lavfi -i sine"
            codecs = "-c:v libx264 -preset ultrafast -g 25 -c:a aac"
            command = f"ffmpeg -v error {source} {codecs} -t 3 -f flv {url}/phone?key=sesame"
            publishing = asyncio.create_task(output_of(*command.split()))
            played, decoded = await asyncio.gather(
                output_of(*f"ffmpeg -hide_banner -v warning -stats -i {url}/yard -t 2 -f null -".split()),
                output_of(sys.executable, "-c", PYAV, f"{url}/yard"),
            )
            assert re.findall(r"frame=\s*(\d+)", played)[-1] == "50", played
            assert decoded == "25\n"
            await until(lambda: made.phone.stream.status.state is State.LIVE)
            assert not await publishing
            assert {track.kind for track in made.phone.stream.tracks} == {Kind.VIDEO, Kind.AUDIO}
            filming.cancel()

    uvloop.run(main())


@pytest.mark.parametrize("loop", [uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
def test_push_trusts_the_authority_the_fingerprint_or_anybody_but_not_by_itself(house, camera, media, loop):
    async def main() -> None:
        async with house() as made:
            filming = asyncio.create_task(camera(made.yard, media(), 1000.0).run())
            fingerprint = hashlib.sha256(await certificate_of(made.server.tls_port)).hexdigest()
            place = {"host": "127.0.0.1", "port": made.server.tls_port, "app": "live", "key": Secret("phone?key=sesame")}
            for more, code in (
                ({"ca_file": made.certificates.authority}, ""),
                ({"fingerprint": fingerprint}, ""),
                ({"verify": False}, ""),
                ({}, "certificate"),
                ({"fingerprint": "ab" * 32}, "certificate"),
                ({"ca_file": made.certificates.authority, "host": "localhost.invalid"}, "unreachable"),
                ({"ca_file": made.certificates.server.parent / "nowhere"}, "certificate"),
                ({"verify": False, "port": made.server.port}, "protocol"),
            ):
                task = PushTask(made.yard, Push(**(place | {"tls": True} | more)), limits=PushLimits(tick_s=0.02))
                task.start()
                wanted = PushState.LIVE if not code else PushState.REFUSED if code == "certificate" else PushState.RETRYING
                await until(lambda task=task: task.status().state in (PushState.LIVE, PushState.REFUSED, PushState.RETRYING))
                status = task.status()
                assert (status.state, status.code) == (wanted, code), (more, status)
                assert ("see ca_file, fingerprint and verify" in status.reason) is (not more)
                task.stop()
                await until(lambda: made.server.status().publishers == 0)
            assert "speaks no TLS on this port; is it rtmp:// there?" in status.reason
            filming.cancel()

    loop(main())


def test_push_to_plain_port_of_tls_is_told_what_it_looks_like(house, caplog):
    async def main() -> None:
        async with house() as made:
            for first, said in (
                (b"\x03" + bytes(1536), "the client speaks no TLS; this port is encrypted RTMP (rtmps://, not rtmp://)"),
                (b"GET / HTTP/1.1\r\n\r\n", "the client speaks HTTP; this port is encrypted RTMP"),
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", made.server.tls_port)
                writer.write(first)
                with contextlib.suppress(ConnectionError):
                    await reader.read()
                writer.close()
                await until(lambda said=said: said in caplog.text)
            _, writer = await asyncio.open_connection("127.0.0.1", made.server.port)
            writer.write(b"\x16\x03\x01\x02\x00\x01\x00")
            await until(lambda: "the client speaks TLS; this port is plain RTMP" in caplog.text)
            writer.close()

    caplog.set_level(logging.WARNING)
    uvloop.run(main())
    assert len(caplog.records) == 3


def test_500_half_open_handshakes_end_in_time_and_cost_no_cpu(house, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    monkeypatch.setattr(tls_module, "HANDSHAKES_PER_ADDRESS", 1000)

    async def main() -> float:
        async with house(ServerLimits(handshake_s=2.0)) as made:
            listener = made.server._tls
            writers = []
            for number in range(500):
                _, writer = await asyncio.open_connection("127.0.0.1", made.server.tls_port)
                writer.write(b"\x16\x03\x01\x02\x00\x01\x00"[: number % 8])
                writers.append(writer)
            await until(lambda: listener.handshakes + made.broken >= 500)
            before = resource.getrusage(resource.RUSAGE_SELF)
            await until(lambda: not listener.handshakes)
            after = resource.getrusage(resource.RUSAGE_SELF)
            assert made.broken == 500
            shown = await certificate_of(made.server.tls_port)
            assert shown
            for writer in writers:
                writer.close()
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    try:
        cpu_s = uvloop.run(main())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert cpu_s < 0.5  # a loop over 500 sockets would take all it can get of the two seconds they are open


def test_one_address_cannot_take_all_handshakes(house, monkeypatch, caplog):
    monkeypatch.setattr(tls_module, "HANDSHAKES_PER_ADDRESS", 3)

    async def main() -> None:
        async with house() as made:
            writers = [(await asyncio.open_connection("127.0.0.1", made.server.tls_port))[1] for _ in range(5)]
            await until(lambda: made.server.status().counters.turned_away == 2)
            assert made.server._tls.handshakes == 3
            for writer in writers:
                writer.close()
            await until(lambda: not made.server._tls.handshakes)
            assert await certificate_of(made.server.tls_port)

    uvloop.run(main())
    assert "turned away: too many TLS handshakes at once" in caplog.text


def test_listener_outlives_a_moment_without_file_descriptors(house, monkeypatch, caplog):
    monkeypatch.setattr(tls_module, "ACCEPT_PAUSE_S", 0.01)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        accept, failures = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")] * 3

        async def failing(listening):
            if failures:
                raise failures.pop()
            return await accept(listening)

        loop.sock_accept = failing
        async with house() as made:
            assert await certificate_of(made.server.tls_port)
        assert not failures

    asyncio.run(main())
    assert caplog.text.count("cannot accept a connection: Too many open files") == 1


def test_renewed_certificate_is_shown_to_the_next_and_the_player_stays(house, camera, media):
    async def main() -> None:
        async with house() as made:
            first = await certificate_of(made.server.tls_port)
            filming = asyncio.create_task(camera(made.yard, media(), 1000.0).run())
            place = Push("127.0.0.1", made.server.tls_port, "live", Secret("phone?key=sesame"), tls=True, verify=False)
            task = PushTask(made.yard, place)
            task.start()
            await until(lambda: task.status().state is PushState.LIVE)
            await made.tls.refresh()
            assert await certificate_of(made.server.tls_port) == first
            now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=790)
            made.certificates._now = lambda: now
            await made.tls.refresh()
            assert await certificate_of(made.server.tls_port) != first
            sent = task.status().sent_bytes
            await until(lambda: task.status().sent_bytes > sent)
            assert task.status().state is PushState.LIVE
            task.stop()
            filming.cancel()

    uvloop.run(main())


def test_damaged_certificate_keeps_the_old_one_in_use(house, caplog):
    async def main() -> None:
        async with house() as made:
            first = await certificate_of(made.server.tls_port)
            made.certificates.ensure = lambda: False
            made.certificates.server.write_text("nonsense")
            await made.tls.refresh()
            assert "rtmps: the certificate could not be renewed" in caplog.text
            assert await certificate_of(made.server.tls_port) == first

    uvloop.run(main())


@pytest.mark.parametrize("loop", [uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
def test_player_that_reads_nothing_over_tls_costs_bounded_memory_and_is_given_up(house, camera, media, player, loop):
    limits = ServerLimits(viewer=ViewerLimits(queue_bytes=1 << 20, overflows=2))

    async def main() -> None:
        async with house(limits) as made:
            heavy = media(noise=True, gop=5, width=640, height=480, seconds=1)
            filming = asyncio.create_task(camera(made.yard, heavy, 1000.0).run())
            context = ssl._create_unverified_context()
            reader, writer = await asyncio.open_connection("127.0.0.1", made.server.tls_port, ssl=context)
            wire = player()
            writer.write(wire.hello())
            while not wire.handshake.done:
                writer.write(wire.feed(await reader.read(65536)))
            writer.write(wire.connect() + wire.play("yard"))
            most = 0
            async with asyncio.timeout(WAIT_S):
                while not made.server.status().counters.too_slow:
                    for connection in made.server._connections:
                        if connection.playing:
                            waiting = connection._playing.viewer.waiting_bytes
                            most = max(most, waiting + connection._transport.get_write_buffer_size())
                    await asyncio.sleep(0.01)
            # the bound, the pictures since the last keyframe that every player starts with, and what TLS holds
            largest = max(len(frame.payload) for frame in heavy.frames)
            assert 0 < most < (1 << 20) + 6 * largest + (1 << 18)
            filming.cancel()
            writer.close()

    loop(main())


def test_stopping_ends_handshakes_and_frees_the_port(house):
    async def main() -> None:
        async with house() as made:
            port = made.server.tls_port
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await until(lambda: made.server._tls.handshakes)
            await made.server.stop()
            assert made.server.tls_port == 0
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", port)
            writer.close()

    uvloop.run(main())
