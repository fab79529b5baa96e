"""What an RTMP peer's bytes go through before a session sees anything, the same for both sides and without any I/O.

Handshake, chunks to messages, acknowledgements, pings: nothing here depends on who plays, publishes or pushes. A session
(`ServerSession` when a client connects to us, the publisher's side when we connect to a server) iterates over `receive`,
appends its own answers to `out`, and sends what `taken` returns.

Pure; called from the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.rtmp import chunk
from gateway.rtmp.chunk import ChunkLimits, ChunkReader, Message, encode_message
from gateway.rtmp.handshake import ClientHandshake, ServerHandshake

WINDOW_BYTES = 2_500_000
"""Acknowledgement window we announce, and assume of a peer that announces none: what nginx, SRS and others use."""
CSID_CONTROL = 2
STREAM_BEGIN, PING_REQUEST, PING_RESPONSE = 0, 6, 7
_WRAP = 0xFFFFFFFF


def control(type_id: int, body: bytes) -> bytes:
    """A protocol control message: always on chunk stream 2 and message stream 0."""
    return encode_message(CSID_CONTROL, type_id, 0, 0, body)


def user_control(event: int, value: int) -> bytes:
    """A user control message whose only field has four bytes."""
    return control(chunk.USER_CONTROL, event.to_bytes(2, "big") + (value & _WRAP).to_bytes(4, "big"))


class Link:
    """One connection's incoming side."""

    def __init__(self, handshake: ServerHandshake | ClientHandshake, limits: ChunkLimits | None = None) -> None:
        self._handshake: ServerHandshake | ClientHandshake | None = handshake
        self.reader = ChunkReader(limits)
        self.out: list[bytes] = []
        """Bytes for the peer, in order."""
        self.messages = 0
        """Received so far, those that are answered here included."""
        self._received = 0
        self._acknowledged = 0
        self._peer_window = WINDOW_BYTES

    @property
    def handshaken(self) -> bool:
        """The handshake is over."""
        return self._handshake is None

    def taken(self) -> bytes:
        """What is to be sent now."""
        data = b"".join(self.out)
        self.out.clear()
        return data

    def receive(self, data: bytes, opened: Callable[[], None] | None = None) -> Iterator[Message]:
        """Messages for the session. `opened` is called once, when the handshake is over and before the first message.

        Raises:
            RtmpError: the peer broke the protocol, or passes a limit.
        """
        if self._handshake is not None:
            self.out.append(self._handshake.feed(data))
            if not self._handshake.done:
                return
            data, self._handshake = self._handshake.rest, None
            if opened is not None:
                opened()
        # Counted from the end of the handshake. Modulo 2^32 like the field it is sent in, so any amount may pass.
        self._received = (self._received + len(data)) & _WRAP
        for message in self.reader.feed(data):
            self.messages += 1
            kind, payload = message.type_id, message.payload
            if kind == chunk.WINDOW_SIZE:
                # Cameras send control messages on odd chunk streams and before connect; neither matters.
                self._peer_window = int.from_bytes(payload[:4], "big") or self._peer_window
            elif kind == chunk.USER_CONTROL and len(payload) >= 6 and payload[:2] == PING_REQUEST.to_bytes(2, "big"):
                self.out.append(user_control(PING_RESPONSE, int.from_bytes(payload[2:6], "big")))
            else:
                yield message
        if (self._received - self._acknowledged) & _WRAP >= self._peer_window:
            self._acknowledged = self._received
            self.out.append(control(chunk.ACKNOWLEDGEMENT, self._received.to_bytes(4, "big")))
