"""The first 3073 bytes of RTMP in each direction (Adobe's RTMP 1.0 specification, section 5.2), without any I/O.

Two kinds exist. *Simple* echoes random bytes. *Digest* signs them with keys published with the Flash Player; Flash-era
encoders and `rtmpdump -W` insist on it, and FFmpeg verifies it whenever the server's version bytes are not zero. The
server answers in kind: digest if the client's C1 carries a valid one, simple otherwise.

Pure; called from the event loop.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable

from gateway.rtmp.errors import HandshakeError

PACKET_BYTES = 1536
"""Size of C1, S1, C2 and S2."""
VERSION = 3
DIGEST_BYTES = 32

_TAIL = bytes.fromhex("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
_PLAYER_TEXT = b"Genuine Adobe Flash Player 001"
_SERVER_TEXT = b"Genuine Adobe Flash Media Server 001"
_PLAYER_KEY = _PLAYER_TEXT + _TAIL
_SERVER_KEY = _SERVER_TEXT + _TAIL

_OUR_SERVER_VERSION = bytes((5, 0, 1, 1))
"""Any version from 3 on makes FFmpeg check our digest and signature, which proves the code on every connection."""
_OUR_PLAYER_VERSION = bytes((9, 0, 124, 2))
"""Flash Player 9.0.124: the first one with digests, what FFmpeg and librtmp claim to be."""

_SCHEME_BASES = (8, 772)
"""Where the four bytes stand that say where the digest is; scheme 0, scheme 1."""
_OFFSET_MODULUS = 728

_TLS_HANDSHAKE = 0x16
_RTMPE_VERSIONS = (6, 8)
_HTTP_FIRST_LETTERS = b"GPHODC"

RandomBytes = Callable[[int], bytes]


class ServerHandshake:
    """Our side when a client connects to us."""

    def __init__(self, random_bytes: RandomBytes = os.urandom) -> None:
        self._random = random_bytes
        self._buffer = bytearray()
        self._answered = False
        self.done = False
        self.rest = b""
        """What came after the handshake; grows with every `feed` once `done`."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the peer, return bytes for it.

        Raises:
            HandshakeError: it is no RTMP client; the text names what it looks like.
        """
        if self.done:
            self.rest += data
            return b""
        self._buffer += data
        answer = b""
        if not self._answered:
            if self._buffer:
                _check_version(self._buffer[0], "client")
            if len(self._buffer) < 1 + PACKET_BYTES:
                return b""
            c1 = bytes(self._buffer[1 : 1 + PACKET_BYTES])
            del self._buffer[: 1 + PACKET_BYTES]
            self._answered = True
            answer = bytes((VERSION,)) + self._answer(c1)
        if len(self._buffer) >= PACKET_BYTES:
            # C2 is not verified: many clients echo something else, and nothing depends on it.
            self.rest = bytes(self._buffer[PACKET_BYTES:])
            self._buffer.clear()
            self.done = True
        return answer

    def _answer(self, c1: bytes) -> bytes:
        found = find_digest(c1, _PLAYER_TEXT) if any(c1[4:8]) else None
        if found is None:
            return bytes(8) + self._random(PACKET_BYTES - 8) + c1
        scheme, digest = found
        s1 = sign(bytes(4) + _OUR_SERVER_VERSION + self._random(PACKET_BYTES - 8), scheme, _SERVER_TEXT)
        return s1 + _signature_packet(self._random, digest, _SERVER_KEY)


class ClientHandshake:
    """Our side when we connect to a server."""

    def __init__(self, *, digest: bool = True, random_bytes: RandomBytes = os.urandom) -> None:
        self._random = random_bytes
        self._digest = digest
        self._buffer = bytearray()
        self._digest_sent = b""
        self.done = False
        self.verified = False
        """The server answered with a digest and a signature that are right. Not required of any server."""
        self.rest = b""
        """What came after the handshake; grows with every `feed` once `done`."""

    def start(self) -> bytes:
        """C0 and C1, to be sent first."""
        version = _OUR_PLAYER_VERSION if self._digest else bytes(4)
        c1 = bytes(4) + version + self._random(PACKET_BYTES - 8)
        if self._digest:
            c1 = sign(c1, 0, _PLAYER_TEXT)
            offset = digest_offset(c1, 0)
            self._digest_sent = c1[offset : offset + DIGEST_BYTES]
        return bytes((VERSION,)) + c1

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the server, return bytes for it (C2, once S0, S1 and S2 are here).

        Raises:
            HandshakeError: it is no RTMP server.
        """
        if self.done:
            self.rest += data
            return b""
        self._buffer += data
        if self._buffer:
            _check_version(self._buffer[0], "server")
        size = 1 + 2 * PACKET_BYTES
        if len(self._buffer) < size:
            return b""
        s1 = bytes(self._buffer[1 : 1 + PACKET_BYTES])
        s2 = bytes(self._buffer[1 + PACKET_BYTES : size])
        self.rest = bytes(self._buffer[size:])
        self._buffer.clear()
        self.done = True
        found = find_digest(s1, _SERVER_TEXT) if self._digest and any(s1[4:8]) else None
        if found is None:
            return s1
        key = hmac.digest(_SERVER_KEY, self._digest_sent, "sha256")
        expected = hmac.digest(key, s2[:-DIGEST_BYTES], "sha256")
        self.verified = hmac.compare_digest(expected, s2[-DIGEST_BYTES:])
        return _signature_packet(self._random, found[1], _PLAYER_KEY)


def digest_offset(packet: bytes, scheme: int) -> int:
    """Where scheme 0 or 1 puts the digest in a C1 or S1."""
    base = _SCHEME_BASES[scheme]
    return base + 4 + sum(packet[base : base + 4]) % _OFFSET_MODULUS


def find_digest(packet: bytes, key: bytes) -> tuple[int, bytes] | None:
    """Scheme and digest of a C1 or S1 if one verifies under `key`."""
    for scheme in range(len(_SCHEME_BASES)):
        offset = digest_offset(packet, scheme)
        digest = packet[offset : offset + DIGEST_BYTES]
        if hmac.compare_digest(_digest_without(packet, offset, key), digest):
            return scheme, digest
    return None


def sign(packet: bytes, scheme: int, key: bytes) -> bytes:
    """`packet` with its digest under `key` written where `scheme` wants it."""
    offset = digest_offset(packet, scheme)
    return packet[:offset] + _digest_without(packet, offset, key) + packet[offset + DIGEST_BYTES :]


def _digest_without(packet: bytes, offset: int, key: bytes) -> bytes:
    return hmac.digest(key, packet[:offset] + packet[offset + DIGEST_BYTES :], "sha256")


def _signature_packet(random_bytes: RandomBytes, digest: bytes, key: bytes) -> bytes:
    body = random_bytes(PACKET_BYTES - DIGEST_BYTES)
    return body + hmac.digest(hmac.digest(key, digest, "sha256"), body, "sha256")


def _check_version(first: int, peer: str) -> None:
    if first == VERSION:
        return
    if first == _TLS_HANDSHAKE:
        raise HandshakeError(f"the {peer} speaks TLS; this port is plain RTMP (rtmp://, not rtmps:// or https://)")
    if first in _RTMPE_VERSIONS:
        raise HandshakeError(f"the {peer} speaks RTMPE (encrypted RTMP), which is not supported; use rtmp://")
    if first in _HTTP_FIRST_LETTERS:
        raise HandshakeError(f"the {peer} speaks HTTP; this port is RTMP (web pages are on the HTTP and HTTPS ports)")
    raise HandshakeError(f"the {peer} does not speak RTMP (first byte 0x{first:02x}, expected 0x03)")
