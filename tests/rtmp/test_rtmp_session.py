from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtmp import amf0, chunk
from gateway.rtmp.address import Address
from gateway.rtmp.amf0 import UNDEFINED
from gateway.rtmp.capabilities import Capabilities
from gateway.rtmp.chunk import ChunkReader, encode_message
from gateway.rtmp.errors import AmfError, ChunkError, HandshakeError, SessionError
from gateway.rtmp.session import CloseStream, Connect, Failed, Media, Pause, Play, Publish, Receive, ServerSession


def new_session() -> ServerSession:
    return ServerSession(random_bytes=random.Random(1).randbytes)


class Talk:
    """A session and a player that talk to each other."""

    def __init__(self, player) -> None:
        self.session, self.player, self.events = new_session(), player(), []
        self.say(self.player.hello())

    def say(self, data: bytes) -> list:
        """Send bytes and what the handshake asks for; return the new events."""
        before = len(self.events)
        while data:
            out, events = self.session.receive(data)
            self.events += events
            data = self.player.feed(out)
        return self.events[before:]

    def call(self, *values) -> list:
        """Send a command, return the answers to it."""
        before = len(self.player.messages)
        self.say(self.player.command(*values, stream_id=1))
        new = self.player.messages[before:]
        return [amf0.decode(message.payload) for message in new if message.type_id == chunk.COMMAND]


@pytest.fixture
def talk(player) -> Talk:
    talk = Talk(player)
    talk.say(talk.player.connect())
    talk.events.clear()
    talk.player.messages.clear()
    return talk


def test_connect_is_answered_in_the_order_of_nginx_and_srs(player):
    talk = Talk(player)
    assert talk.say(talk.player.connect(flashVer="OBS\n")) == [Connect("live", Capabilities(), "OBS")]
    kinds = [(message.type_id, message.payload) for message in talk.player.messages[:2]]
    assert kinds == [(5, (2_500_000).to_bytes(4, "big")), (6, (2_500_000).to_bytes(4, "big") + b"\x02")]
    # SetChunkSize acts in the reader and is not passed on; that it came is seen from what it lets through.
    assert talk.player.reader._chunk_bytes == 65_536
    ((_, transaction, _, status),) = talk.player.replies("_result")
    assert transaction == 1
    assert status["code"] == "NetConnection.Connect.Success"


@pytest.mark.parametrize(("asked", "answered"), [(0.0, 0.0), (3.0, 3.0), ("x", 0.0)])
def test_object_encoding_is_echoed(player, asked, answered):
    talk = Talk(player)
    talk.say(talk.player.connect(objectEncoding=asked))
    assert talk.player.replies("_result")[0][3]["objectEncoding"] == answered


def test_enhanced_rtmp_is_answered_to_those_who_speak_of_it_only(player):
    plain, listed, mapped = Talk(player), Talk(player), Talk(player)
    plain.say(plain.player.connect())
    assert "videoFourCcInfoMap" not in plain.player.replies("_result")[0][2]
    listed.say(listed.player.connect(fourCcList=["hvc1", "av01", 5.0]))
    assert listed.session.capabilities == Capabilities(True, frozenset({"hvc1", "av01"}))
    told = listed.player.replies("_result")[0][2]
    assert told["fourCcList"] == ["avc1", "hvc1", "av01", "mp4a", "Opus", ".mp3"]
    assert told["videoFourCcInfoMap"] == {"avc1": 4.0, "hvc1": 4.0, "av01": 4.0}
    assert told["audioFourCcInfoMap"] == {"mp4a": 4.0, "Opus": 4.0, ".mp3": 1.0}
    assert told["capsEx"] == 5.0
    flags = {"hvc1": 1.0, "av01": 2.0, "vp09": float("inf"), "vp08": "1"}
    mapped.say(mapped.player.connect(videoFourCcInfoMap=flags, audioFourCcInfoMap={"*": 4.0}, capsEx=1.0))
    assert mapped.session.capabilities == Capabilities(True, frozenset({"hvc1", "*"}), reconnects=True)


def test_a_reconnect_is_asked_only_of_who_understands_it_and_of_the_connection_not_the_stream(player):
    plain, capable = Talk(player), Talk(player)
    plain.say(plain.player.connect(capsEx=4.0))
    assert plain.session.reconnect_request("bye") == b""
    capable.say(capable.player.connect(capsEx=1.0))
    capable.player.feed(capable.session.reconnect_request("bye"))
    assert capable.player.codes() == ["NetConnection.Connect.ReconnectRequest"]
    assert capable.player.messages[-1].stream_id == 0


def test_create_stream_answers_exactly_null_and_the_number_one(talk):
    assert talk.call("createStream", 2.0, None) == [["_result", 2.0, None, 1.0]]


@pytest.mark.parametrize(
    "name", ["releaseStream", "FCSubscribe", "FCUnpublish", "FCUnsubscribe", "_checkbw", "setPeerInfo", "unheard-of"]
)
def test_calls_without_meaning_get_a_result_and_never_an_error(talk, name):
    assert talk.call(name, 7.0, None, "x") == [["_result", 7.0, None, UNDEFINED]]
    assert talk.call(name, 0.0, None, "x") == []


def test_fc_publish_gets_the_extra_message_some_hardware_waits_for(talk):
    assert [reply[0] for reply in talk.call("FCPublish", 3.0, None, "x")] == ["_result", "onFCPublish"]
    assert [reply[0] for reply in talk.call("FCPublish", 0.0, None, "x")] == ["onFCPublish"]


def test_stream_length_is_zero(talk):
    assert talk.call("getStreamLength", 3.0, None, "x") == [["_result", 3.0, None, 0.0]]


@pytest.mark.parametrize("name", ["_result", "_error", "onStatus", "onBWDone"])
def test_replies_of_the_client_are_not_answered(talk, name):
    assert talk.call(name, 9.0, None) == []


@pytest.mark.parametrize(
    "values",
    [
        ("play", 4.0, None, "x?token=t", -2000.0),
        ("play", 0.0, None, "x?token=t"),
        ("play2", 4.0, None, {"streamName": "x?token=t"}),
    ],
)
def test_play_in_its_forms(talk, values):
    assert talk.call(*values) == []
    assert talk.events == [Play(Address("live", "x", {"token": "t"}))]


def test_play_without_a_usable_name_still_gets_an_answer_from_the_caller(talk):
    for values in (("play", 4.0, None), ("play", 4.0, None, 5.0), ("play2", 4.0, None, {})):
        talk.call(*values)
    assert talk.events == [Play(Address("live", ""))] * 3


def test_accepted_play_is_stream_begin_reset_start(talk):
    talk.player.feed(talk.session.accept_play())
    assert talk.player.messages[0].payload == b"\0\0\0\0\0\x01"
    assert talk.player.codes() == ["NetStream.Play.Reset", "NetStream.Play.Start"]
    assert all(message.stream_id == 1 for message in talk.player.messages[1:])


def test_refused_play_has_level_error_and_the_reason(talk):
    talk.player.feed(talk.session.refuse_play("x is offline: wrong password"))
    (status,) = talk.player.replies("onStatus")
    assert status == [
        "onStatus",
        0.0,
        None,
        {"level": "error", "code": "NetStream.Play.StreamNotFound", "description": "x is offline: wrong password"},
    ]


def test_publish_is_an_event_and_its_refusal_the_code_encoders_understand(talk):
    talk.call("publish", 5.0, None, "phone?token=t", "record")
    talk.call("publish", 0.0, None, "phone", "odd")
    talk.call("publish", 0.0, None)
    assert talk.events == [
        Publish(Address("live", "phone", {"token": "t"}), "record"),
        Publish(Address("live", "phone"), "live"),
        Publish(Address("live", ""), "live"),
    ]
    talk.player.feed(talk.session.refuse_publish("publishing is not enabled"))
    assert talk.player.replies("onStatus")[0][3]["code"] == "NetStream.Publish.BadName"


def test_pause_and_unpause_are_answered_and_reported(talk):
    assert [reply[3]["code"] for reply in talk.call("pause", 0.0, None, True, 0.0)] == ["NetStream.Pause.Notify"]
    assert [reply[3]["code"] for reply in talk.call("pauseRaw", 0.0, None, False)] == ["NetStream.Unpause.Notify"]
    assert talk.events == [Pause(True), Pause(False)]


def test_seek_is_answered_and_does_nothing(talk):
    assert [reply[3]["code"] for reply in talk.call("seek", 0.0, None, 5.0)] == ["NetStream.Seek.Notify"]
    assert talk.events == []


def test_audio_and_video_can_be_switched_off(talk):
    talk.call("receiveAudio", 0.0, None, False)
    talk.call("receiveVideo", 0.0, None, True)
    assert talk.events == [Receive(audio=False), Receive(video=True)]


def test_closing_a_stream_keeps_the_connection(talk):
    assert talk.call("closeStream", 0.0, None) == []
    assert talk.call("deleteStream", 0.0, None, 1.0) == []
    talk.call("play", 0.0, None, "x")
    assert talk.events == [CloseStream(), CloseStream(), Play(Address("live", "x"))]


def test_amf3_command_is_a_zero_byte_and_amf0(talk):
    body = b"\0" + amf0.encode("createStream", 2.0, None)
    talk.say(encode_message(3, chunk.COMMAND_AMF3, 0, 0, body))
    talk.say(encode_message(3, chunk.COMMAND_AMF3, 0, 0, body[1:]))
    assert talk.player.replies("_result") == [["_result", 2.0, None, 1.0]] * 2


def test_ping_is_answered_with_its_own_time(talk):
    talk.say(encode_message(2, chunk.USER_CONTROL, 0, 0, b"\0\x06\x01\x02\x03\x04"))
    assert talk.player.messages[-1].payload == b"\0\x07\x01\x02\x03\x04"


def test_our_ping_wraps_at_32_bits(talk):
    talk.player.feed(talk.session.ping((1 << 32) + 5))
    assert talk.player.messages[-1].payload == b"\0\x06\0\0\0\x05"


@pytest.mark.parametrize(
    ("type_id", "payload"),
    [
        (chunk.ACKNOWLEDGEMENT, b"\0\0\0\x01"),
        (chunk.USER_CONTROL, b"\0\x03\0\0\0\x01\0\0\x0b\xb8"),
        (chunk.USER_CONTROL, b"\0\x1f\0\0\0\0"),
        (chunk.USER_CONTROL, b"\0"),
        (chunk.PEER_BANDWIDTH, b"\0\0\0\x01\x02"),
        (chunk.WINDOW_SIZE, b""),
        (chunk.DATA, b"not amf"),
        (chunk.DATA_AMF3, b"\0"),
        (chunk.SHARED_OBJECT, b""),
        (chunk.SHARED_OBJECT_AMF3, b""),
        (chunk.AGGREGATE, b"x"),
        (chunk.AUDIO, b""),
        (chunk.VIDEO, b"\x17\x00"),
        (99, b"?"),
        (chunk.COMMAND, b""),
        (chunk.COMMAND, amf0.encode(5.0, "x")),
    ],
)
def test_messages_that_do_not_concern_us_are_ignored(talk, type_id, payload):
    assert talk.say(encode_message(7, type_id, 0, 0, payload, chunk_bytes=128)) == []
    assert talk.player.messages == []


def test_control_messages_before_connect_and_on_odd_chunk_streams(player):
    talk = Talk(player)
    talk.say(encode_message(9, chunk.SET_CHUNK_SIZE, 1, 0, (4096).to_bytes(4, "big")))
    talk.say(encode_message(9, chunk.WINDOW_SIZE, 1, 0, (1000).to_bytes(4, "big")))
    body = amf0.encode("connect", 1.0, {"app": "live", "pageUrl": "x" * 1000})
    talk.say(encode_message(3, chunk.COMMAND, 0, 0, body, chunk_bytes=4096))
    assert talk.player.replies("_result")
    assert [m.payload for m in talk.player.messages if m.type_id == chunk.ACKNOWLEDGEMENT]


def test_received_bytes_are_acknowledged_by_the_window_of_the_peer(talk):
    talk.say(encode_message(2, chunk.WINDOW_SIZE, 0, 0, (5000).to_bytes(4, "big")))
    silence = encode_message(4, chunk.AUDIO, 1, 0, bytes(100))
    for _ in range(100):
        talk.say(silence)
    acks = [int.from_bytes(m.payload, "big") for m in talk.player.messages if m.type_id == chunk.ACKNOWLEDGEMENT]
    assert len(acks) == 2
    assert acks[1] - acks[0] >= 5000


def test_acknowledgement_survives_four_gibibytes(talk):
    talk.session._link._received = talk.session._link._acknowledged = 0xFFFFFFF0
    talk.say(encode_message(2, chunk.WINDOW_SIZE, 0, 0, (100).to_bytes(4, "big")))
    talk.say(encode_message(4, chunk.AUDIO, 1, 0, bytes(100)))
    (ack,) = [m for m in talk.player.messages if m.type_id == chunk.ACKNOWLEDGEMENT]
    assert int.from_bytes(ack.payload, "big") == (0xFFFFFFF0 + 16 + 112) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (encode_message(3, chunk.COMMAND, 0, 0, amf0.encode("connect", 1.0, {})), SessionError),
        (encode_message(3, chunk.COMMAND, 0, 0, b"\x03" * 50), AmfError),
        (b"\xff" * 20, ChunkError),
    ],
)
def test_broken_peers_fail_and_are_not_listened_to_any_more(talk, data, error):
    (event,) = talk.say(data)
    assert isinstance(event, Failed)
    assert isinstance(event.error, error)
    assert talk.session.receive(b"more") == (b"", [])


def test_commands_before_connect_fail(player):
    talk = Talk(player)
    (event,) = talk.say(talk.player.play("x"))
    assert isinstance(event.error, SessionError)


def test_handshake_errors_are_events_too():
    out, (event,) = new_session().receive(b"GET / HTTP/1.1\r\n")
    assert out == b""
    assert isinstance(event.error, HandshakeError)


def conversation(player) -> bytes:
    """Everything a player says from its first byte on, with a pause and a second play."""
    client, session = player(digest=True), new_session()
    hello = client.hello()
    said = hello + client.feed(session.receive(hello)[0])
    said += client.connect(fourCcList=["hvc1"]) + client.play("a?token=t")
    said += encode_message(2, chunk.USER_CONTROL, 0, 0, b"\0\x03\0\0\0\x01\0\0\x0b\xb8")
    said += client.command("pause", 0.0, None, True, 0.0, stream_id=1)
    said += client.command("closeStream", 0.0, None, stream_id=1) + client.play("b")
    return said


def run(pieces: list[bytes]) -> tuple[bytes, list]:
    session, out, events = new_session(), b"", []
    for piece in pieces:
        sent, found = session.receive(piece)
        out += sent
        events += found
    return out, events


def test_byte_by_byte_is_the_same_conversation(player):
    said = conversation(player)
    out, events = run([said])
    assert [type(event) for event in events] == [Connect, Play, Pause, CloseStream, Play]
    assert run([said[n : n + 1] for n in range(len(said))]) == (out, events)


def test_truncated_at_every_byte_of_the_commands_raises_nothing(player):
    said = conversation(player)
    for end in range(3073, len(said)):
        run([said[:end], b"\xff" * 20])


@settings(max_examples=60)
@given(st.data())
def test_a_changed_byte_raises_nothing_and_splits_do_not_matter(player, data):
    said = bytearray(conversation(player))
    at = data.draw(st.integers(3073, len(said) - 1))
    said[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(said)))
    assert run([bytes(said)]) == run([bytes(said[:cut]), bytes(said[cut:])])


@given(st.binary(max_size=500))
def test_random_bytes_after_the_handshake_raise_nothing(data):
    session = new_session()
    session.receive(b"\x03" + bytes(1536) + bytes(1536))
    session.receive(data)
    assert list(ChunkReader().feed(session.ping(1)))


def picture(payload: bytes = b"\x17\0\0\0\0x", type_id: int = chunk.VIDEO, timestamp: int = 40) -> bytes:
    return encode_message(6, type_id, 1, timestamp, payload, chunk_bytes=128)


def test_media_is_heard_from_publishers_only_and_until_they_stop(talk):
    talk.say(picture())
    assert talk.events == []
    talk.call("publish", 5.0, None, "phone?key=k", "live")
    talk.say(picture(b"v") + picture(b"a", chunk.AUDIO, 0xFFFFFFFE) + picture(b"g", chunk.AGGREGATE))
    media = [Media(9, 40, b"v"), Media(8, 0xFFFFFFFE, b"a"), Media(22, 40, b"g")]
    assert talk.events == [Publish(Address("live", "phone", {"key": "k"}), "live"), *media]
    talk.events.clear()
    assert talk.call("FCUnpublish", 6.0, None, "phone") == [["_result", 6.0, None, UNDEFINED]]
    talk.say(picture())
    assert talk.events == [CloseStream()]


@pytest.mark.parametrize("way", ["closeStream", "deleteStream", "play"])
def test_every_way_to_stop_publishing(talk, way):
    talk.call("publish", 5.0, None, "phone", "live")
    talk.call(way, 0.0, None, "x")
    talk.events.clear()
    talk.say(picture())
    assert talk.events == []


def test_publish_is_accepted_as_ffmpeg_and_obs_wait_for_it(talk):
    talk.call("publish", 5.0, None, "phone", "live")
    talk.player.feed(talk.session.accept_publish())
    (status,) = talk.player.replies("onStatus")
    assert status[:3] == ["onStatus", 0.0, None]
    assert (status[3]["level"], status[3]["code"]) == ("status", "NetStream.Publish.Start")


def test_only_an_accepted_publisher_may_send_large_messages(talk, player):
    large = picture(bytes(3_000_000))
    talk.call("publish", 5.0, None, "phone", "live")
    talk.player.feed(talk.session.accept_publish())
    talk.events.clear()
    talk.say(large)
    assert [len(event.payload) for event in talk.events] == [3_000_000]
    stranger = Talk(player)
    stranger.say(stranger.player.connect())
    stranger.call("publish", 5.0, None, "phone", "live")
    stranger.say(large)
    assert isinstance(stranger.events[-1], Failed)
    assert isinstance(stranger.events[-1].error, ChunkError)


def test_a_message_over_eight_mebibytes_ends_even_a_publisher(talk):
    talk.call("publish", 5.0, None, "phone", "live")
    talk.player.feed(talk.session.accept_publish())
    talk.say(picture(bytes(8 * 1024 * 1024 + 1)))
    assert isinstance(talk.events[-1], Failed)


def test_publishers_get_acknowledgements(talk):
    talk.call("publish", 5.0, None, "phone", "live")
    talk.player.feed(talk.session.accept_publish())
    for _ in range(30):
        talk.say(picture(bytes(100_000)))
    assert len(talk.player.media(chunk.ACKNOWLEDGEMENT)) == 1


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_publish_raises_nothing_and_splits_do_not_matter(player, data):
    talk = player()
    said = talk.command("publish", 5.0, None, "phone?key=k", "live", stream_id=1) + picture(bytes(300)) + picture(b"a", 8)
    said = bytearray(said + talk.command("FCUnpublish", 6.0, None, "phone"))
    at = data.draw(st.integers(0, len(said) - 1))
    said[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(said)))
    hello = conversation(player)[:3073] + talk.connect()
    assert run([hello, bytes(said)]) == run([hello, bytes(said[:cut]), bytes(said[cut:])])
