from __future__ import annotations

import random

import pytest

from gateway.rtmp import chunk
from gateway.rtmp.chunk import ChunkLimits, encode_message
from gateway.rtmp.errors import ChunkError, HandshakeError
from gateway.rtmp.handshake import ClientHandshake, ServerHandshake
from gateway.rtmp.link import Link, control, user_control


def pair() -> tuple[Link, Link]:
    """A server's and a client's link that have shaken hands, the way both kinds of session use them."""
    noise = random.Random(1).randbytes
    client_handshake = ClientHandshake(random_bytes=noise)
    server, client = Link(ServerHandshake(noise)), Link(client_handshake)
    list(server.receive(client_handshake.start()))
    opened: list[bool] = []
    list(client.receive(server.taken(), lambda: opened.append(True)))
    assert opened == [True]
    assert client.handshaken and not server.handshaken
    list(server.receive(client.taken()))
    assert server.handshaken
    return server, client


@pytest.mark.parametrize("of_client", [False, True], ids=["server", "client"])
def test_both_sides_answer_pings_and_acknowledge(of_client):
    server, client = pair()
    link = client if of_client else server
    assert list(link.receive(user_control(6, 77) + control(chunk.WINDOW_SIZE, (100).to_bytes(4, "big")))) == []
    assert link.taken() == user_control(7, 77)
    assert [message.payload for message in link.receive(encode_message(4, chunk.AUDIO, 1, 0, bytes(90)))] == [bytes(90)]
    received = len(user_control(6, 77)) + 16 + 102
    assert link.taken() == control(chunk.ACKNOWLEDGEMENT, received.to_bytes(4, "big"))
    assert link.messages == 3


def test_what_follows_the_handshake_in_the_same_packet_is_not_lost():
    noise = random.Random(1).randbytes
    client = ClientHandshake(random_bytes=noise)
    link = Link(ServerHandshake(noise))
    list(link.receive(client.start()))
    c2 = client.feed(link.taken())
    assert [m.payload for m in link.receive(c2 + encode_message(3, chunk.COMMAND, 0, 0, b"x"))] == [b"x"]


def test_errors_of_every_layer_come_through():
    with pytest.raises(HandshakeError):
        list(Link(ServerHandshake()).receive(b"GET / HTTP/1.1\r\n"))
    server, _ = pair()
    with pytest.raises(ChunkError):
        list(server.receive(b"\xff" * 20))


def test_limits_reach_the_chunk_reader():
    link = Link(ServerHandshake(), ChunkLimits(media_bytes=10))
    list(link.receive(b"\x03" + bytes(1536) + bytes(1536)))
    with pytest.raises(ChunkError, match="announces 11 bytes"):
        list(link.receive(encode_message(4, chunk.AUDIO, 1, 0, bytes(11))))
