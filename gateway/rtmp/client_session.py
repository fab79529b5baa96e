"""The publisher's side of one RTMP connection (RTMP 1.0 sections 5.2 and 7), without any I/O.

Bytes go in, bytes to send and events come out; media is written beside it once `Started` has come. The order of commands is
FFmpeg's, which every server has been tried with: connect, releaseStream, FCPublish, createStream, publish. Servers differ in
what they answer to the middle ones, so only the answers to connect, createStream and publish are waited for. How long is
the caller's business; `step` says for what.

Nothing a server sends is trusted: texts are cut and cleaned, unfinished messages bounded, answers to questions never asked
ignored.

Pure; called from the event loop.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.rtmp import amf0, chunk
from gateway.rtmp.capabilities import announced
from gateway.rtmp.chunk import DEFAULT_CHUNK_BYTES, Message, encode_message
from gateway.rtmp.errors import RtmpError
from gateway.rtmp.handshake import ClientHandshake, RandomBytes
from gateway.rtmp.link import Link, control
from gateway.rtmp.session import CSID_COMMAND

CLIENT = "FMLE/3.0 (compatible; Camera Gateway)"
"""Content networks let only known encoders in, and FFmpeg and OBS claim to be this one too."""
TEXT_CHARS = 300
"""Of a server's description; it is shown on the wall."""
_FOURCC_ENCODE_FORWARD = 2 | 4
_CAPS_RECONNECT = 1
_CONNECT, _RELEASE, _FC_PUBLISH, _CREATE, _PUBLISH, _FC_UNPUBLISH, _DELETE = map(float, range(1, 8))
_WRAP = 0xFFFFFFFF


class Step(enum.Enum):
    """What the server has to answer next; the values complete "did not answer ..."."""

    HANDSHAKE = "the handshake"
    CONNECT = "connect"
    CREATE = "createStream"
    PUBLISH = "publish"
    STARTED = "nothing"


@dataclass(frozen=True, slots=True)
class Connected:
    """The server takes the application."""

    fourccs: frozenset[str]
    """Enhanced RTMP codecs it says it takes; `*` for all."""


@dataclass(frozen=True, slots=True)
class Started:
    """Media may be sent on message stream `stream_id`."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server said no, before or after `Started`."""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The server wants the connection to end, and has nothing against another one."""

    description: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The server broke the protocol. Always the last event."""

    error: RtmpError = field(compare=False)


Event = Connected | Started | Rejected | Ended | Failed


class ClientSession:
    """One publish. Send what `start` returns, then feed it with `receive`."""

    def __init__(
        self,
        *,
        url: str,
        app: str,
        name: str,
        announce: tuple[str, ...] = (),
        random_bytes: RandomBytes = os.urandom,
    ) -> None:
        """`url` is scheme, host and port without path; `app` and `name` may have queries.

        `announce` are the FourCCs of what will be sent beyond H.264 and AAC. Without any, Enhanced RTMP is not mentioned: some
        old servers fail on the array it needs.
        """
        self._url = url
        self._app = app
        self._name = name
        self._announce = announce
        self._handshake = ClientHandshake(random_bytes=random_bytes)
        self._link = Link(self._handshake)
        self._chunk_bytes = DEFAULT_CHUNK_BYTES
        self._events: list[Event] = []
        self._over = False
        self._stream_id = 0
        self.step = Step.HANDSHAKE

    def start(self) -> bytes:
        """What to send first."""
        return self._handshake.start()

    def receive(self, data: bytes) -> tuple[bytes, list[Event]]:
        """Take bytes of the server; return bytes to send to it and what happened. Raises nothing."""
        if self._over:
            return b"", []
        try:
            for message in self._link.receive(data, self._connect):
                self._message(message)
        except RtmpError as error:
            self._over = True
            self._events.append(Failed(error))
        events, self._events = self._events, []
        return self._link.taken(), events

    def finish(self) -> bytes:
        """What to send before closing, so that the server ends the stream for its viewers at once."""
        if self.step is not Step.STARTED:
            return b""
        self._command("FCUnpublish", _FC_UNPUBLISH, None, self._name)
        self._command("deleteStream", _DELETE, None, float(self._stream_id))
        return self._link.taken()

    def _message(self, message: Message) -> None:
        kind, payload = message.type_id, message.payload
        if kind == chunk.COMMAND:
            self._answer(payload)
        elif kind == chunk.COMMAND_AMF3:
            self._answer(payload[1:] if payload[:1] == b"\0" else payload)

    def _answer(self, payload: bytes) -> None:
        values = amf0.decode(payload)
        name = values[0] if values else None
        transaction = values[1] if len(values) > 1 else None
        if name == "onStatus":
            self._on_status(_status(values))
        elif name == "_error":
            # To releaseStream and FCPublish it means nothing: half of the servers do not know them.
            if (transaction, self.step) in ((_CONNECT, Step.CONNECT), (_CREATE, Step.CREATE), (_PUBLISH, Step.PUBLISH)):
                self._reject(_status(values))
        elif name == "_result" and transaction == _CONNECT and self.step is Step.CONNECT:
            self._connected(values)
        elif name == "_result" and transaction == _CREATE and self.step is Step.CREATE:
            number = values[3] if len(values) > 3 else None
            self._created(number if isinstance(number, float) else 0.0)
        elif name == "close":
            self._events.append(Ended("the server asked to close the connection"))

    def _connect(self) -> None:
        self.step = Step.CONNECT
        info: dict[str, amf0.Value] = {
            "app": self._app,
            "type": "nonprivate",
            "flashVer": CLIENT,
            "tcUrl": f"{self._url}/{self._app}",
        }
        if self._announce:
            codecs = dict.fromkeys(self._announce, float(_FOURCC_ENCODE_FORWARD))
            info["fourCcList"] = list(self._announce)
            info["videoFourCcInfoMap"] = {code: bits for code, bits in codecs.items() if code != "Opus"}
            info["audioFourCcInfoMap"] = {code: bits for code, bits in codecs.items() if code == "Opus"}
            info["capsEx"] = float(_CAPS_RECONNECT)
        self._command("connect", _CONNECT, info)

    def _connected(self, values: list[amf0.Value]) -> None:
        fourccs: set[str] = set()
        for value in values[2:4]:
            if isinstance(value, Mapping):
                fourccs |= announced(value).fourccs
        self._events.append(Connected(frozenset(fourccs)))
        self.step = Step.CREATE
        self._link.out.append(control(chunk.SET_CHUNK_SIZE, chunk.OUR_CHUNK_BYTES.to_bytes(4, "big")))
        self._chunk_bytes = chunk.OUR_CHUNK_BYTES
        self._command("releaseStream", _RELEASE, None, self._name)
        self._command("FCPublish", _FC_PUBLISH, None, self._name)
        self._command("createStream", _CREATE, None)

    def _created(self, number: float) -> None:
        if not 0 < number <= _WRAP:
            self._events.append(Rejected("createStream", "the server has no stream to give"))
            return
        self._stream_id = int(number)
        self.step = Step.PUBLISH
        self._command("publish", _PUBLISH, None, self._name, "live", stream_id=self._stream_id)

    def _on_status(self, status: Mapping[str, amf0.Value]) -> None:
        code = _text(status.get("code"))
        if code == "NetStream.Publish.Start":
            if self.step is Step.PUBLISH:
                self.step = Step.STARTED
                self._events.append(Started(self._stream_id))
        elif code == "NetConnection.Connect.ReconnectRequest":
            self._events.append(Ended(_text(status.get("description")) or "the server asked to connect anew"))
        elif status.get("level") == "error" or code in ("NetStream.Publish.BadName", "NetStream.Publish.Denied"):
            self._reject(status)
        elif code in ("NetStream.Unpublish.Success", "NetConnection.Connect.Closed"):
            self._events.append(Ended(_text(status.get("description")) or "the server ended the stream"))

    def _reject(self, status: Mapping[str, amf0.Value]) -> None:
        code = _text(status.get("code"))
        self._events.append(Rejected(code, _text(status.get("description")) or code or "no reason given"))

    def _command(self, *values: amf0.Value, stream_id: int = 0) -> None:
        body = amf0.encode(*values)
        self._link.out.append(encode_message(CSID_COMMAND, chunk.COMMAND, stream_id, 0, body, chunk_bytes=self._chunk_bytes))


def _status(values: list[amf0.Value]) -> Mapping[str, amf0.Value]:
    """The information object of an answer; some servers leave the null before it out."""
    return next((value for value in reversed(values[2:4]) if isinstance(value, Mapping)), {})


def _text(value: amf0.Value) -> str:
    """A server's text, fit for one line of a log."""
    if not isinstance(value, str):
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in value[:TEXT_CHARS]).strip()
