from __future__ import annotations

import hmac
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtmp import handshake
from gateway.rtmp.errors import HandshakeError
from gateway.rtmp.handshake import PACKET_BYTES, ClientHandshake, ServerHandshake


def seeded(seed: int) -> handshake.RandomBytes:
    return random.Random(seed).randbytes


def both(*, digest: bool, rest: bytes = b"") -> tuple[ServerHandshake, ClientHandshake, bytes]:
    server, client = ServerHandshake(seeded(1)), ClientHandshake(digest=digest, random_bytes=seeded(2))
    answer = server.feed(client.start())
    server.feed(client.feed(answer) + rest)
    return server, client, answer


def test_simple_echoes_c1_and_leaves_the_version_zero_so_that_ffmpeg_verifies_nothing():
    server, client, answer = both(digest=False, rest=b"next")
    assert server.done and client.done
    assert len(answer) == 1 + 2 * PACKET_BYTES
    assert answer[:1] == b"\x03"
    assert answer[5:9] == bytes(4)
    assert answer[1 + PACKET_BYTES :] == ClientHandshake(digest=False, random_bytes=seeded(2)).start()[1:]
    assert server.rest == b"next"


def test_digest_is_answered_with_a_signature_the_client_verifies():
    server, client, _ = both(digest=True)
    assert server.done
    assert client.verified


@pytest.mark.parametrize("scheme", [0, 1])
def test_digest_is_found_and_answered_in_the_scheme_of_the_client(scheme):
    c1 = handshake.sign(bytes(4) + b"\x80\x00\x07\x02" + seeded(3)(PACKET_BYTES - 8), scheme, b"Genuine Adobe Flash Player 001")
    answer = ServerHandshake(seeded(1)).feed(b"\x03" + c1)
    s1 = answer[1 : 1 + PACKET_BYTES]
    found = handshake.find_digest(s1, b"Genuine Adobe Flash Media Server 001")
    assert found is not None
    assert found[0] == scheme


def test_version_without_a_valid_digest_falls_back_to_simple():
    c1 = bytes(4) + b"\x09\x00\x7c\x02" + seeded(3)(PACKET_BYTES - 8)
    answer = ServerHandshake(seeded(1)).feed(b"\x03" + c1)
    assert answer[1 + PACKET_BYTES :] == c1


def test_client_does_not_trust_a_wrong_signature():
    server, client = ServerHandshake(seeded(1)), ClientHandshake(random_bytes=seeded(2))
    answer = bytearray(server.feed(client.start()))
    answer[-1] ^= 1
    client.feed(bytes(answer))
    assert client.done
    assert not client.verified


def test_bytes_after_the_handshake_are_kept_on_both_sides():
    server, client = ServerHandshake(seeded(1)), ClientHandshake(random_bytes=seeded(2))
    c2 = client.feed(server.feed(client.start()) + b"abc")
    assert client.rest == b"abc"
    assert client.feed(b"def") == b""
    assert client.rest == b"abcdef"
    server.feed(c2)
    assert server.feed(b"more") == b""
    assert server.rest == b"more"


@pytest.mark.parametrize(
    ("first", "hint"),
    [
        (b"\x16\x03\x01\x02\x00", "TLS"),
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST /open/1 HTTP/1.1\r\n", "HTTP"),
        (b"\x06", "RTMPE"),
        (b"\x08", "RTMPE"),
        (b"\x00", "does not speak RTMP"),
    ],
)
def test_what_is_not_rtmp_is_named_at_its_first_byte(first, hint):
    with pytest.raises(HandshakeError, match=hint):
        ServerHandshake().feed(first)
    with pytest.raises(HandshakeError, match=hint):
        ClientHandshake().feed(first)


def test_digest_value_is_the_specified_hmac():
    packet = seeded(5)(PACKET_BYTES)
    signed = handshake.sign(packet, 0, b"key")
    offset = 12 + sum(packet[8:12]) % 728
    expected = hmac.digest(b"key", packet[:offset] + packet[offset + 32 :], "sha256")
    assert signed[offset : offset + 32] == expected


@given(st.lists(st.integers(1, 1 + 2 * PACKET_BYTES), max_size=5), st.booleans())
def test_any_split_gives_the_same_answer(cuts, digest):
    client = ClientHandshake(digest=digest, random_bytes=seeded(2))
    whole = client.start()
    whole += client.feed(ServerHandshake(seeded(1)).feed(whole)) + b"rest"
    split = ServerHandshake(seeded(1))
    out = b""
    edges = [0, *sorted(cuts), len(whole)]
    for start, end in itertools.pairwise(edges):
        out += split.feed(whole[start:end])
    reference = ServerHandshake(seeded(1))
    assert out == reference.feed(whole)
    assert split.done
    assert split.rest == reference.rest == b"rest"


@given(st.binary(max_size=4000))
def test_random_bytes_raise_nothing_but_handshake_errors(data):
    for side in (ServerHandshake(), ClientHandshake()):
        try:
            side.feed(data)
        except HandshakeError:
            pass
