"""What hostile and broken peers have done to other servers (see the incidents named), and that it does nothing here."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import textwrap

import pytest

from gateway.rtmp import amf0, chunk, connection
from gateway.rtmp.chunk import ChunkReader, encode_message
from gateway.rtmp.errors import ChunkError
from gateway.rtmp.server import RtmpServer, ServerLimits
from gateway.rtmp.session import CloseStream, Connect, Failed, Play, Publish, ServerSession

WAIT_S = 5.0


def opened(player) -> tuple[ServerSession, object]:
    """A session after handshake and connect, and its player."""
    session, client = ServerSession(random_bytes=random.Random(1).randbytes), player()
    client.feed(session.receive(client.feed(session.receive(client.hello())[0]))[0])
    client.feed(session.receive(client.connect())[0])
    return session, client


# What real clients send, and the transaction numbers whose answers they wait for.
CLIENTS = {
    "ffmpeg publishes": (
        [
            ("releaseStream", 2.0, None, "a"),
            ("FCPublish", 3.0, None, "a"),
            ("createStream", 4.0, None),
            ("publish", 5.0, None, "a?key=k", "live"),
            ("FCUnpublish", 6.0, None, "a"),
            ("deleteStream", 7.0, None, 1.0),
        ],
        {2.0, 3.0, 4.0, 6.0},
        [Publish, CloseStream, CloseStream],
    ),
    "GStreamer rtmp2sink": (
        [
            ("releaseStream", 0.0, None, "a"),
            ("FCPublish", 0.0, None, "a"),
            ("createStream", 2.0, None),
            ("publish", 0.0, None, "a", "live"),
        ],
        {2.0},
        [Publish],
    ),
    "nginx pushes": ([("createStream", 2.0, None), ("publish", 0.0, None, "a", "live")], {2.0}, [Publish]),
    "ffmpeg, mpv and VLC play": (
        [("createStream", 2.0, None), ("getStreamLength", 3.0, None, "a"), ("play", 4.0, None, "a", -2000.0)],
        {2.0, 3.0},
        [Play],
    ),
    "rtmpdump and GStreamer rtmpsrc": (
        [("createStream", 2.0, None), ("FCSubscribe", 3.0, None, "a"), ("play", 4.0, None, "a", -1000.0)],
        {2.0, 3.0},
        [Play],
    ),
    "GStreamer rtmp2src": ([("createStream", 2.0, None), ("play", 0.0, None, "a", -2.0)], {2.0}, [Play]),
    "nginx pulls": ([("createStream", 2.0, None), ("play", 0.0, None, "a", -2000.0, -1000.0)], {2.0}, [Play]),
    "Flash asks for bandwidth": ([("_checkbw", 2.0, None), ("createStream", 3.0, None)], {2.0, 3.0}, []),
}


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("type_id", [chunk.COMMAND, chunk.COMMAND_AMF3], ids=["amf0", "amf3"])
def test_every_clients_calls_are_answered_once_and_never_with_an_error(player, name, type_id):
    calls, answered, expected = CLIENTS[name]
    session, client = opened(player)
    client.messages.clear()
    events = []
    for call in calls:
        body = amf0.encode(*call)
        wire = encode_message(3, type_id, 1, 0, b"\0" + body if type_id == chunk.COMMAND_AMF3 else body, chunk_bytes=128)
        out, found = session.receive(wire)
        client.feed(out)
        events += found
    assert [type(event) for event in events] == expected
    assert sorted(reply[1] for reply in client.replies("_result")) == sorted(answered)
    assert not client.replies("_error")


@pytest.mark.parametrize("name", CLIENTS)
def test_every_clients_calls_cut_off_at_any_byte_raise_nothing(player, name):
    said = b"".join(player().command(*call) for call in CLIENTS[name][0])
    for end in range(len(said)):
        session, _ = opened(player)
        session.receive(said[:end])
        session.receive(b"\xff" * 20)


@pytest.mark.parametrize("depth", [17, 65, 4_000, 15_000])
@pytest.mark.parametrize(
    "opening", [b"\x03\0\x01a", b"\x0a\0\0\0\x01", b"\x08\0\0\0\x01\0\x01a"], ids=["object", "array", "ecma"]
)
@pytest.mark.parametrize("call", ["connect", "publish", "@setDataFrame"])
def test_deeply_nested_values_kill_the_connection_and_nothing_else(player, call, opening, depth):
    # SRS died of heap corruption; Red5, flvmeta and ZLMediaKit of recursion
    session, _ = opened(player)
    body = amf0.encode(call, 1.0) + (opening * depth)[:65_000]
    type_id = chunk.DATA if call.startswith("@") else chunk.COMMAND
    _, events = session.receive(encode_message(3, type_id, 1, 0, body, chunk_bytes=128))
    assert [type(event) for event in events] == ([] if type_id == chunk.DATA else [Failed])


@pytest.mark.parametrize("size", [0, 1, 127, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_no_announced_chunk_size_makes_us_allocate(size):
    # nginx-rtmp allocated 2 GiB for 0x7FFFFFFF
    reader = ChunkReader()
    wire = encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, size.to_bytes(4, "big"))
    if size & 0x7FFFFFFF == 0:
        with pytest.raises(ChunkError):
            list(reader.feed(wire))
        return
    assert list(reader.feed(wire)) == []
    assert reader._chunk_bytes <= 0xFFFFFF
    assert len(reader._buffer) == 0


def test_sixteen_announced_mebibytes_on_every_chunk_stream_hold_what_was_received():
    # Red5: announced sizes were believed. Here every stranger may hold 128 KiB, whatever is announced.
    readers = [ChunkReader() for _ in range(20)]
    part = b"".join(
        bytes((csid,)) + b"\0\0\0" + (8 << 20).to_bytes(3, "big") + b"\x09\x01\0\0\0" + bytes(128) for csid in range(3, 63)
    )
    more = b"".join(bytes((0xC0 | csid,)) + bytes(128) for csid in range(3, 63))
    for reader in readers:
        assert list(reader.feed(part)) == []
        with pytest.raises(ChunkError, match="unfinished"):
            for _ in range(100):
                list(reader.feed(more))
        assert reader._held <= 128 * 1024 + 128


@pytest.fixture
def server():
    @contextlib.asynccontextmanager
    async def run(**limits):
        server = RtmpServer(lambda name: None, lambda credentials: True, limits=ServerLimits(tick_s=0.01, **limits))
        await server.start("127.0.0.1", 0)
        try:
            yield server
        finally:
            await server.stop()

    return run


async def closed(reader: asyncio.StreamReader) -> None:
    """Read until the server has closed."""
    async with asyncio.timeout(WAIT_S):
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass


async def shake_hands(port: int, client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(client.hello())
    while not client.handshake.done:
        writer.write(client.feed(await reader.read(65_536)))
    return reader, writer


def test_a_byte_now_and_then_does_not_keep_a_handshake_open(server):
    # node-media-server waits for ever
    async def scene() -> None:
        async with server(handshake_s=0.3) as listening:
            reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
            writer.write(b"\x03")
            ended = asyncio.ensure_future(closed(reader))
            sent = 0
            while not ended.done():
                writer.write(b"\0")
                sent += 1
                await asyncio.sleep(0.02)
            assert sent < 3072
            assert listening.status().counters.broken == 1
            writer.close()

    asyncio.run(scene())


def test_asking_and_closing_over_and_over_buys_no_time(player, monkeypatch):
    monkeypatch.setattr(connection, "AUTHORISE_S", 0.3)
    monkeypatch.setattr(connection, "FLUSH_S", 0.0)

    async def scene() -> None:
        blocked = asyncio.Event()

        async def never(_credentials) -> bool:
            await blocked.wait()
            return True

        server = RtmpServer(lambda name: None, never, limits=ServerLimits(tick_s=0.01, wait_live_s=0.0))
        await server.start("127.0.0.1", 0)
        client = player()
        reader, writer = await shake_hands(server.port, client)
        writer.write(client.connect())
        ended = asyncio.ensure_future(closed(reader))
        while not ended.done():
            writer.write(client.command("play", 0.0, None, "x") + client.command("closeStream", 0.0, None))
            await asyncio.sleep(0.02)
        assert server.status().counters.broken == 1
        writer.close()
        await server.stop()

    asyncio.run(scene())


def test_a_flood_of_small_messages_ends_whoever_does_not_publish(player, server, caplog):
    async def scene() -> None:
        async with server(messages=50) as listening:
            client = player()
            reader, writer = await shake_hands(listening.port, client)
            writer.write(client.connect() + encode_message(2, chunk.USER_CONTROL, 0, 0, b"\0\x03\0\0\0\x01\0\0\x0b\xb8") * 60)
            await closed(reader)
            assert listening.status().counters.broken == 1
            writer.close()

    asyncio.run(scene())
    assert "too many messages" in caplog.text


NO_FILES_LEFT = """
    import asyncio, resource, socket, sys
    import uvloop
    from gateway.rtmp.server import RtmpServer

    async def main():
        server = RtmpServer(lambda name: None, lambda credentials: True)
        await server.start("127.0.0.1", 0)
        port = server.port
        used = len(__import__("os").listdir("/proc/self/fd"))
        limit = used + 12
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        # one process: every connection costs two, its own end and the server's
        clients = []
        try:
            while True:
                sock = socket.socket()
                sock.setblocking(False)
                clients.append(sock)
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
                await asyncio.sleep(0)
        except OSError as error:
            print("full:", error.errno)
        await asyncio.sleep(0.1)
        for sock in clients:
            sock.close()
        async with asyncio.timeout(20):
            while True:
                sock = socket.socket()
                sock.setblocking(False)
                try:
                    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
                    await asyncio.get_running_loop().sock_sendall(sock, b"\\x03" + bytes(1536))
                    answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 1), 2)
                except (OSError, TimeoutError):
                    answer = b""
                finally:
                    sock.close()
                if answer == b"\\x03":
                    break
                await asyncio.sleep(0.05)
        print("recovered")
        await server.stop()

    (uvloop if sys.argv[1] == "uvloop" else asyncio).run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_server_out_of_files_accepts_again_once_there_are_some(loop):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NO_FILES_LEFT), loop], capture_output=True, text=True, timeout=60, check=False
    )
    assert "full: 24" in done.stdout, done.stderr
    assert "recovered" in done.stdout, done.stderr


@pytest.mark.parametrize("app", ["live`id`", "$(reboot)", "../../etc", "a'\"b", "x\r\nX-Injected: 1", "<script>", "\x00", "é"])
def test_names_that_could_hurt_a_shell_a_path_or_a_page_are_no_names(player, app):
    # SRS CVE-2023-34105, Red5 PR 482
    session, client = ServerSession(random_bytes=random.Random(1).randbytes), player()
    session.receive(client.feed(session.receive(client.hello())[0]))
    _, events = session.receive(client.connect(app) + client.command("play", 4.0, None, app))
    assert isinstance(events[0], Connect)
    assert (events[0].app, events[1].address.app, events[1].address.name) in {("", "", ""), ("", "", "etc")}
