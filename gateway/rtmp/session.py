"""The server's side of one RTMP connection (RTMP 1.0 sections 5.4, 6 and 7), without any I/O.

Bytes go in, bytes to send and events come out. Decisions (may this client play, is there such a stream) are the caller's: it
answers a `Play` or `Publish` event later with `accept_play`, `refuse_play`, `accept_publish` or `refuse_publish` and sends
what they return.
What is answered to which client, and why some calls are answered although nobody needs it, is written at each command.

Pure; called from the event loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.rtmp import amf0, chunk
from gateway.rtmp.address import Address, parse_address
from gateway.rtmp.capabilities import Capabilities, announced, offered
from gateway.rtmp.chunk import ChunkLimits, Message, encode_message
from gateway.rtmp.errors import RtmpError, SessionError
from gateway.rtmp.handshake import RandomBytes, ServerHandshake
from gateway.rtmp.link import PING_REQUEST, STREAM_BEGIN, WINDOW_BYTES, Link, control, user_control

PUBLISHER_PARTIAL_BYTES = 16 * 1024 * 1024
"""Unfinished messages of an accepted publisher: a 4K keyframe, and sound between its chunks."""
STREAM_ID = 1
"""The only message stream, as in nginx: media is serialised once for all players, so all of them must have the same."""
CSID_COMMAND, CSID_AUDIO, CSID_STATUS, CSID_VIDEO = 3, 4, 5, 6
"""All below 32, where nginx's pull and push stop listening."""
_DYNAMIC = 2
_MEDIA = frozenset({chunk.AUDIO, chunk.VIDEO, chunk.AGGREGATE})

_REPLIES = frozenset({"_result", "_error", "onStatus", "onBWDone"})


@dataclass(frozen=True, slots=True)
class Connect:
    """The client has introduced itself."""

    app: str
    capabilities: Capabilities
    """Of Enhanced RTMP. Most players that can decode its codecs announce nothing."""
    client: str
    """`flashVer`, at most 64 printable characters."""


@dataclass(frozen=True, slots=True)
class Play:
    """The client asks for a stream; answer with `accept_play` or `refuse_play`."""

    address: Address


@dataclass(frozen=True, slots=True)
class Publish:
    """The client wants to send a stream; answer with `accept_publish` or `refuse_publish`.

    Some hardware does not wait for the answer: `Media` may follow at once, and belongs to nobody until it is accepted.
    """

    address: Address
    kind: str
    """`live`, `record` or `append`; encoders for cameras send `live`."""


@dataclass(frozen=True, slots=True)
class Media:
    """An audio, video or aggregate message after `Publish`."""

    type_id: int
    timestamp: int
    """Milliseconds modulo 2^32."""
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """The player wants media to stop, or to go on. Already answered."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Receive:
    """The player switches its audio or video off or on. None: unchanged."""

    audio: bool | None = None
    video: bool | None = None


@dataclass(frozen=True, slots=True)
class CloseStream:
    """The client ends its play or publish and stays connected; another may follow."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer broke the protocol; close the connection. Always the last event."""

    error: RtmpError = field(compare=False)


Event = Connect | Play | Publish | Media | Pause | Receive | CloseStream | Failed


class ServerSession:
    """One client. Feed it with `receive` until that returns a `Failed` event."""

    def __init__(self, *, limits: ChunkLimits | None = None, random_bytes: RandomBytes = os.urandom) -> None:
        self._link = Link(ServerHandshake(random_bytes), limits)
        self._out = self._link.out
        self._events: list[Event] = []
        self._failed = False
        self._app = ""
        self._tc_url = ""
        self.capabilities = Capabilities()
        """As in `Connect`."""
        self.connected = False
        self._publishing = False

    @property
    def handshaken(self) -> bool:
        """The handshake is over."""
        return self._link.handshaken

    @property
    def messages(self) -> int:
        """Received so far, of any kind."""
        return self._link.messages

    def receive(self, data: bytes) -> tuple[bytes, list[Event]]:
        """Take bytes of the client; return bytes to send to it and what happened. Raises nothing."""
        if self._failed:
            return b"", []
        try:
            for message in self._link.receive(data):
                self._message(message)
        except RtmpError as error:
            self._failed = True
            self._events.append(Failed(error))
        events, self._events = self._events, []
        return self._link.taken(), events

    def accept_play(self, note: str = "") -> bytes:
        """What comes before the first media message. `note` says what of the stream this player does not get."""
        return b"".join(
            (
                user_control(STREAM_BEGIN, STREAM_ID),
                _on_status("status", "NetStream.Play.Reset", "Playing and resetting"),
                _on_status("status", "NetStream.Play.Start", note or "Started playing"),
            )
        )

    def refuse_play(self, description: str, *, code: str = "NetStream.Play.StreamNotFound") -> bytes:
        """End of a play, before or after it began. Players stop and show `description`; close after sending it."""
        return _on_status("error", code, description)

    def accept_publish(self) -> bytes:
        """The publisher may send, and from now on messages of full size."""
        self._link.reader.partial_bytes = PUBLISHER_PARTIAL_BYTES
        start = _on_status("status", "NetStream.Publish.Start", "Publishing")
        return user_control(STREAM_BEGIN, STREAM_ID) + start

    def refuse_publish(self, description: str) -> bytes:
        """The code every encoder understands as final, whatever the reason; close after sending it."""
        self._publishing = False
        return _on_status("error", "NetStream.Publish.BadName", description)

    def reconnect_request(self, description: str) -> bytes:
        """Ask for a new connection to the same address; empty for a client that would not understand it."""
        if not self.capabilities.reconnects:
            return b""
        return _on_status("status", "NetConnection.Connect.ReconnectRequest", description, stream_id=0)

    def ping(self, milliseconds: int) -> bytes:
        """A PingRequest. Answers are not required: OBS and many cameras send none."""
        return user_control(PING_REQUEST, milliseconds)

    def _message(self, message: Message) -> None:
        kind, payload = message.type_id, message.payload
        if kind in _MEDIA:
            if self._publishing:
                self._events.append(Media(kind, message.timestamp, payload))
        elif kind == chunk.COMMAND:
            self._command(payload)
        elif kind == chunk.COMMAND_AMF3:
            # In practice one zero byte and then AMF0, from every client that asks for objectEncoding 3.
            self._command(payload[1:] if payload[:1] == b"\0" else payload)
        # Everything else has nothing to say: acknowledgements, buffer lengths, peer bandwidth, shared objects, and metadata,
        # which encoders leave out, send late, or fill with tracks that never come.

    def _command(self, payload: bytes) -> None:
        values = amf0.decode(payload)
        name = values[0] if values else None
        if not isinstance(name, str):
            return
        transaction = values[1] if len(values) > 1 else 0.0
        number = transaction if isinstance(transaction, float) else 0.0
        if name == "connect":
            self._connect(number, values[2:])
            return
        if name in _REPLIES:
            return
        if not self.connected:
            raise SessionError(f"{name[:32]!r} before connect")
        handler = _COMMANDS.get(name)
        if handler is not None:
            # values[2] is the command object, null for all of these.
            handler(self, number, values[3:])
        else:
            # releaseStream, FCSubscribe, _checkbw and whatever else: FFmpeg fails on _error, some hardware
            # waits for any answer at all, nobody minds this one.
            self._result(number, None, amf0.UNDEFINED)

    def _connect(self, transaction: float, values: list[amf0.Value]) -> None:
        if self.connected:
            raise SessionError("connect came twice")
        info = values[0] if values and isinstance(values[0], Mapping) else {}
        self._app, self._tc_url = _text(info.get("app")), _text(info.get("tcUrl"))
        encoding = info.get("objectEncoding")
        self.capabilities = announced(info)
        self.connected = True
        self._out.append(control(chunk.WINDOW_SIZE, WINDOW_BYTES.to_bytes(4, "big")))
        self._out.append(control(chunk.PEER_BANDWIDTH, WINDOW_BYTES.to_bytes(4, "big") + bytes((_DYNAMIC,))))
        self._out.append(control(chunk.SET_CHUNK_SIZE, chunk.OUR_CHUNK_BYTES.to_bytes(4, "big")))
        properties: dict[str, amf0.Value] = {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31.0, "mode": 1.0}
        if self.capabilities.enhanced:
            properties |= offered()
        status: dict[str, amf0.Value] = {
            "level": "status",
            "code": "NetConnection.Connect.Success",
            "description": "Connection succeeded.",
            "objectEncoding": encoding if isinstance(encoding, float) else 0.0,
        }
        self._result(transaction, properties, status)
        client = "".join(letter for letter in _text(info.get("flashVer"))[:64] if letter.isprintable())
        self._events.append(Connect(self._address("").app, self.capabilities, client))

    def _create_stream(self, transaction: float, _values: list[amf0.Value]) -> None:
        # Exactly null and a number: FFmpeg and GStreamer read it at fixed places.
        self._result(transaction, None, float(STREAM_ID))

    def _stream_length(self, transaction: float, _values: list[amf0.Value]) -> None:
        self._result(transaction, None, 0.0)

    def _fc_publish(self, transaction: float, _values: list[amf0.Value]) -> None:
        self._result(transaction, None, amf0.UNDEFINED)
        status: dict[str, amf0.Value] = {"level": "status", "code": "NetStream.Publish.Start", "description": ""}
        self._send(CSID_COMMAND, 0, amf0.encode("onFCPublish", 0.0, None, status))

    def _fc_unpublish(self, transaction: float, _values: list[amf0.Value]) -> None:
        self._result(transaction, None, amf0.UNDEFINED)
        if self._publishing:
            self._close_stream(transaction, [])

    def _play(self, _transaction: float, values: list[amf0.Value]) -> None:
        first = values[0] if values else None
        name = first.get("streamName") if isinstance(first, Mapping) else first
        self._publishing = False
        self._events.append(Play(self._address(_text(name))))

    def _publish(self, _transaction: float, values: list[amf0.Value]) -> None:
        kind = _text(values[1]) if len(values) > 1 else ""
        address = self._address(_text(values[0]) if values else "")
        self._publishing = True
        self._events.append(Publish(address, kind if kind in ("record", "append") else "live"))

    def _pause(self, _transaction: float, values: list[amf0.Value]) -> None:
        paused = bool(values[0]) if values else True
        code = "NetStream.Pause.Notify" if paused else "NetStream.Unpause.Notify"
        self._out.append(_on_status("status", code, "Paused" if paused else "Going on with the live picture"))
        self._events.append(Pause(paused))

    def _seek(self, _transaction: float, _values: list[amf0.Value]) -> None:
        self._out.append(_on_status("status", "NetStream.Seek.Notify", "Live streams have one position"))

    def _receive_audio(self, _transaction: float, values: list[amf0.Value]) -> None:
        self._events.append(Receive(audio=bool(values[0]) if values else True))

    def _receive_video(self, _transaction: float, values: list[amf0.Value]) -> None:
        self._events.append(Receive(video=bool(values[0]) if values else True))

    def _close_stream(self, _transaction: float, _values: list[amf0.Value]) -> None:
        self._publishing = False
        self._events.append(CloseStream())

    def _address(self, name: str) -> Address:
        return parse_address(self._app, self._tc_url, name)

    def _result(self, transaction: float, *values: amf0.Value) -> None:
        # Transaction 0 means "do not answer"; GStreamer's rtmp2sink sends releaseStream and FCPublish that way.
        if transaction:
            self._send(CSID_COMMAND, 0, amf0.encode("_result", transaction, *values))

    def _send(self, csid: int, stream_id: int, body: bytes) -> None:
        self._out.append(encode_message(csid, chunk.COMMAND, stream_id, 0, body))


_COMMANDS: Mapping[str, Callable[[ServerSession, float, list[amf0.Value]], None]] = {
    "createStream": ServerSession._create_stream,
    "getStreamLength": ServerSession._stream_length,
    "FCPublish": ServerSession._fc_publish,
    "FCUnpublish": ServerSession._fc_unpublish,
    "play": ServerSession._play,
    "play2": ServerSession._play,
    "publish": ServerSession._publish,
    "pause": ServerSession._pause,
    "pauseRaw": ServerSession._pause,
    "seek": ServerSession._seek,
    "receiveAudio": ServerSession._receive_audio,
    "receiveVideo": ServerSession._receive_video,
    "closeStream": ServerSession._close_stream,
    "deleteStream": ServerSession._close_stream,
}


def _on_status(level: str, code: str, description: str, *, stream_id: int = STREAM_ID) -> bytes:
    # String, zero, null, object: FFmpeg reads onStatus at fixed offsets.
    status: dict[str, amf0.Value] = {"level": level, "code": code, "description": description}
    return encode_message(CSID_STATUS, chunk.COMMAND, stream_id, 0, amf0.encode("onStatus", 0.0, None, status))


def _text(value: amf0.Value) -> str:
    return value if isinstance(value, str) else ""
