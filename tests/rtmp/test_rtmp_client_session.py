"""The publisher's side of a connection: against our own server's session, and against servers that answer anything else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtmp import amf0, chunk
from gateway.rtmp.address import Address
from gateway.rtmp.chunk import ChunkReader, encode_message
from gateway.rtmp.client_session import TEXT_CHARS, ClientSession, Connected, Ended, Failed, Rejected, Started, Step
from gateway.rtmp.errors import ChunkError, HandshakeError
from gateway.rtmp.handshake import ServerHandshake
from gateway.rtmp.session import CloseStream, Connect, Media, Publish, ServerSession


def client(**more) -> ClientSession:
    options = {"url": "rtmp://media.example", "app": "live", "name": "yard?key=k", "random_bytes": random.Random(1).randbytes}
    return ClientSession(**(options | more))


class Far:
    """A server that says what a test wants, and keeps what it is told."""

    def __init__(self, session: ClientSession) -> None:
        self.session = session
        self.handshake = ServerHandshake(random.Random(2).randbytes)
        self.reader = ChunkReader()
        self.told: list[list] = []
        self.controls: list[chunk.Message] = []
        self.events: list = []
        self._hear(session.start())

    def say(self, *values, type_id: int = chunk.COMMAND) -> list:
        body = amf0.encode(*values)
        return self.send(encode_message(3, type_id, 0, 0, body, chunk_bytes=128))

    def send(self, data: bytes) -> list:
        out, events = self.session.receive(data)
        self._hear(out)
        self.events += events
        return events

    def _hear(self, data: bytes) -> None:
        if not self.handshake.done:
            answer = self.handshake.feed(data)
            if answer:
                self.send(answer)
                return
            data = self.handshake.rest
        for message in self.reader.feed(data):
            if message.type_id == chunk.COMMAND:
                self.told.append(amf0.decode(message.payload))
            else:
                self.controls.append(message)

    @property
    def names(self) -> list:
        return [values[0] for values in self.told]


def connected(**more) -> Far:
    far = Far(client(**more))
    far.say("_result", 1.0, {"fmsVer": "x"}, {"level": "status", "code": "NetConnection.Connect.Success"})
    return far


def publishing() -> Far:
    far = connected()
    far.say("_result", 4.0, None, 7.0)
    return far


def started() -> Far:
    far = publishing()
    far.say("onStatus", 0.0, None, {"level": "status", "code": "NetStream.Publish.Start"})
    return far


def test_our_own_server_takes_the_stream():
    near, far = client(announce=("hvc1", "Opus")), ServerSession(random_bytes=random.Random(3).randbytes)
    heard, met = [], []
    data = near.start()
    while data:
        answer, events = far.receive(data)
        met += events
        if any(isinstance(event, Publish) for event in events):
            answer += far.accept_publish()
        data, events = near.receive(answer)
        heard += events
    assert heard == [Connected(frozenset({"avc1", "hvc1", "av01", "mp4a", "Opus", ".mp3"})), Started(1)]
    assert [type(event) for event in met] == [Connect, Publish]
    assert met[0].client.startswith("FMLE/3.0")
    assert met[0].capabilities.fourccs >= {"hvc1", "Opus"}
    assert met[1] == Publish(Address("live", "yard", {"key": "k"}), "live")
    _, events = far.receive(encode_message(6, chunk.VIDEO, 1, 40, b"picture") + near.finish())
    assert events == [Media(chunk.VIDEO, 40, b"picture"), CloseStream(), CloseStream()]


def test_commands_come_in_the_order_of_ffmpeg():
    far = started()
    assert far.names == ["connect", "releaseStream", "FCPublish", "createStream", "publish"]
    (connect, release, fc_publish, create, publish) = far.told
    assert connect[1:] == [
        1.0,
        {
            "app": "live",
            "type": "nonprivate",
            "flashVer": "FMLE/3.0 (compatible; Camera Gateway)",
            "tcUrl": "rtmp://media.example/live",
        },
    ]
    assert release[1:] == [2.0, None, "yard?key=k"]
    assert fc_publish[1:] == [3.0, None, "yard?key=k"]
    assert create[1:] == [4.0, None]
    assert publish[1:] == [5.0, None, "yard?key=k", "live"]
    assert far.events == [Connected(frozenset()), Started(7)]
    assert far.session.step is Step.STARTED


def test_enhanced_rtmp_is_mentioned_only_when_it_is_needed():
    announced = Far(client(announce=("hvc1", "Opus"))).told[0][2]
    assert announced["fourCcList"] == ["hvc1", "Opus"]
    assert (announced["videoFourCcInfoMap"], announced["audioFourCcInfoMap"]) == ({"hvc1": 6.0}, {"Opus": 6.0})
    assert "fourCcList" not in Far(client()).told[0][2]


@pytest.mark.parametrize(
    ("properties", "taken"),
    [
        ({"fourCcList": ["hvc1", 5.0]}, {"hvc1"}),
        ({"fourCcList": ["*"]}, {"*"}),
        ({"videoFourCcInfoMap": {"hvc1": 4.0, "av01": 1.0, "vp09": 2.0, "x": "1", "y": float("nan")}}, {"hvc1", "av01"}),
        ({"videoFourCcInfoMap": "hvc1", "fourCcList": {"a": "b"}}, set()),
    ],
)
def test_what_a_server_takes_is_read_from_both_versions(properties, taken):
    for values in (({}, properties), (properties, {})):
        far = Far(client())
        assert far.say("_result", 1.0, *values) == [Connected(frozenset(taken))]


def test_no_answer_but_the_right_one_moves_anything():
    far = Far(client())
    for stray in (("_result", 4.0, None, 7.0), ("_error", 2.0, None, {}), ("_error", 9.0, None, {}), ("onBWDone", 0.0)):
        assert far.say(*stray) == []
    assert far.session.step is Step.CONNECT
    far = connected()
    for stray in (("_result", 1.0, {}), ("_result", 5.0, None, 7.0), ("_error", 3.0, None, {}), (), (7.0,), ("_result",)):
        assert far.say(*stray) == []
    far.say("onStatus", 0.0, None, {"code": "NetStream.Publish.Start"})  # before createStream was answered
    assert far.session.step is Step.CREATE
    assert far.events == [Connected(frozenset())]


@pytest.mark.parametrize("number", [0.0, -1.0, float("nan"), float("inf"), 2.0**40, "7", None])
def test_a_stream_number_that_is_none(number):
    assert connected().say("_result", 4.0, None, number) == [Rejected("createStream", "the server has no stream to give")]


@pytest.mark.parametrize(
    ("make", "transaction"),
    [(lambda: Far(client()), 1.0), (connected, 4.0), (publishing, 5.0)],
    ids=["connect", "create", "publish"],
)
def test_refusals_carry_the_servers_words(make, transaction):
    status = {"level": "error", "code": "NetConnection.Connect.Rejected", "description": "go\naway\x1b[31m " + "x" * 5000}
    (event,) = make().say("_error", transaction, None, status)
    assert event.code == "NetConnection.Connect.Rejected"
    assert event.description.startswith("go away [31m xx")
    assert len(event.description) <= TEXT_CHARS


def test_refused_publish_in_the_forms_of_nginx_srs_and_others():
    for status in (
        {"level": "error", "code": "NetStream.Publish.BadName", "description": "Already publishing"},
        {"code": "NetStream.Publish.Denied", "description": "Already publishing"},
        {"level": "error", "description": "Already publishing"},
    ):
        (event,) = publishing().say("onStatus", 0.0, None, status)
        assert isinstance(event, Rejected)
        assert event.description == "Already publishing"
    assert publishing().say("onStatus", 0.0, {"level": "error", "code": "x"}) == [Rejected("x", "x")]
    assert publishing().say("onStatus", 0.0, None, {"level": "error"}) == [Rejected("", "no reason given")]


def test_a_server_that_wants_the_connection_to_end():
    request = {"level": "status", "code": "NetConnection.Connect.ReconnectRequest", "description": "maintenance"}
    assert started().say("onStatus", 0.0, None, request) == [Ended("maintenance")]
    (event,) = started().say("onStatus", 0.0, None, {"code": "NetStream.Unpublish.Success"})
    assert event == Ended("the server ended the stream")
    assert started().say("close", 0.0) == [Ended("the server asked to close the connection")]


def test_pings_are_answered_and_bytes_acknowledged():
    far = started()
    far.send(encode_message(2, chunk.USER_CONTROL, 0, 0, bytes((0, 6)) + b"time"))
    assert far.controls[-1].payload == bytes((0, 7)) + b"time"
    far.send(encode_message(2, chunk.WINDOW_SIZE, 0, 0, (1000).to_bytes(4, "big")))
    far.controls.clear()
    far.send(encode_message(6, chunk.DATA, 0, 0, bytes(1000), chunk_bytes=128))
    assert [message.type_id for message in far.controls] == [chunk.ACKNOWLEDGEMENT]


def test_amf3_commands_are_amf0_with_a_zero_before():
    far = Far(client())
    body = b"\0" + amf0.encode("_result", 1.0, {}, {})
    assert far.send(encode_message(3, chunk.COMMAND_AMF3, 0, 0, body)) == [Connected(frozenset())]


def test_goodbye_is_said_only_where_something_was_begun():
    assert client().finish() == connected().session.finish() == publishing().session.finish() == b""
    far = started()
    before = len(far.told)
    far._hear(far.session.finish())
    assert far.told[before:] == [["FCUnpublish", 6.0, None, "yard?key=k"], ["deleteStream", 7.0, None, 7.0]]


def test_a_web_server_is_no_rtmp_server():
    session = client()
    session.start()
    _, (event,) = session.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert isinstance(event, Failed)
    assert isinstance(event.error, HandshakeError)
    assert session.receive(b"more") == (b"", [])


def test_a_server_that_announces_a_huge_message_is_left():
    far = started()
    (event,) = far.send(bytes((3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0)))
    assert isinstance(event, Failed)
    assert isinstance(event.error, ChunkError)


@given(st.binary(max_size=400), st.integers(0, 4), st.integers(1, 50))
@settings(max_examples=200, deadline=None)
def test_no_bytes_of_a_server_raise_anything(data, stage, piece):
    session = (lambda: Far(client()), connected, publishing, started, started)[stage]().session
    for start in range(0, len(data), piece):
        _, events = session.receive(data[start : start + piece])
        assert all(isinstance(event, Connected | Started | Rejected | Ended | Failed) for event in events)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "level", "description"]), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["_result", "_error", "onStatus", "close", "onFCPublish"])


@given(st.lists(st.tuples(NAMES, st.sampled_from([0.0, 1.0, 4.0, 5.0]), VALUES, VALUES), max_size=12))
@settings(max_examples=150, deadline=None)
def test_no_commands_of_a_server_raise_anything_and_media_needs_a_start(commands):
    far = Far(client())
    for command in commands:
        far.say(*command)
    started_on = [event for event in far.events if isinstance(event, Started)]
    assert len(started_on) == (far.session.step is Step.STARTED)
