"""The wall's protocol: what is written is read again, and nothing a client sends gets further than here."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_page import AUDIO, VIDEO, picture, sound

from gateway.live import messages
from gateway.live.messages import Ack, BadMessage, Format, Pong, RecordKind, Subscribe, Unsubscribe
from gateway.media.frame import Frame
from gateway.media.state import State, Status

frames = st.builds(
    Frame,
    config=st.sampled_from([VIDEO, AUDIO]),
    dts=st.integers(0, 1 << 48),
    pts=st.just(0),
    duration=st.integers(0, 0xFFFFFFFF),
    keyframe=st.booleans(),
    discontinuity=st.booleans(),
    wall=st.floats(0, 1e11),
    payload=st.binary(max_size=300),
)


@given(st.lists(st.tuples(frames, st.integers(0, 1 << 20)), max_size=5), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_frames_are_read_as_they_were_written_however_many_go_in_a_message(many, channel, epoch):
    made = [replace(frame, pts=frame.dts + offset) for frame, offset in many]
    data = b"".join(messages.frame_record(channel, epoch, Format.FRAMES, frame, 1) for frame in made)
    read = messages.read_records(data)
    assert len(read) == len(made)
    for record, frame in zip(read, made, strict=True):
        assert (record.kind, record.channel, record.epoch) == (RecordKind.FRAME, channel, epoch)
        assert (record.dts, record.offset, record.duration) == (frame.dts, frame.pts - frame.dts, frame.duration)
        assert bool(record.flags & messages.KEYFRAME) == frame.keyframe
        assert bool(record.flags & messages.DISCONTINUITY) == frame.discontinuity
        assert bool(record.flags & messages.AUDIO) == (frame.config is AUDIO)
        assert record.payload == frame.payload
        assert record.wall_ms == frame.wall * 1000


@given(st.binary(max_size=200))
def test_damaged_records_are_refused_or_read_never_anything_else(data):
    try:
        records = messages.read_records(data)
    except BadMessage:
        return
    assert sum(messages.HEAD.size + len(record.payload) for record in records) == len(data)


@given(st.one_of(st.text(max_size=200), st.binary(max_size=50), st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.sampled_from(["type", "bytes", "t", "stream", "format", "focused"]), inner, max_size=6)), max_leaves=12,
).map(json.dumps)))  # fmt: skip
def test_whatever_a_client_sends_is_a_message_or_refused(data):
    try:
        parsed = messages.parse(data)
    except BadMessage:
        return
    assert isinstance(parsed, Subscribe | Unsubscribe | Ack | Pong)


def test_every_message_of_a_client_is_understood():
    def parse(**fields: object) -> messages.ClientMessage:
        return messages.parse(json.dumps(fields))

    assert parse(type="subscribe", stream="yard.sub", format="frames") == Subscribe("yard.sub", Format.FRAMES, False)
    wanted = Subscribe("yard", Format.FMP4_AUDIO, True)
    assert parse(type="subscribe", stream="yard", format="fmp4-audio", focused=True) == wanted
    assert parse(type="unsubscribe", stream="yard", format="fmp4") == Unsubscribe("yard", Format.FMP4)
    assert parse(type="ack", bytes=17) == Ack(17)
    assert parse(type="pong", t=1.5) == Pong(1.5)


@pytest.mark.parametrize(
    "data",
    [
        "", "[]", "null", "{}", '{"type": "sing"}', '{"type": "ack"}', '{"type": "ack", "bytes": -1}',
        '{"type": "ack", "bytes": true}', '{"type": "ack", "bytes": 1e300}', '{"type": "pong", "t": NaN}',
        '{"type": "pong", "t": "now"}', '{"type": "subscribe", "stream": "", "format": "frames"}',
        '{"type": "subscribe", "stream": "a", "format": "avi"}', '{"type": "subscribe", "format": "frames"}',
        '{"type": "subscribe", "stream": "a", "format": ["frames"]}', "x" * 5000, b"\x00",
        '{"type": "subscribe", "stream": "' + "a" * 200 + '", "format": "frames"}', "[" * 3000,
    ],
)  # fmt: skip
def test_nonsense_is_refused(data):
    with pytest.raises(BadMessage):
        messages.parse(data)


def test_a_configuration_has_what_each_kind_of_decoder_asks_for():
    def config(wanted: Format) -> tuple[dict[str, object], bytes]:
        (record,) = messages.read_records(messages.config_record(7, 3, wanted, (VIDEO, AUDIO)))
        assert (record.kind, record.channel, record.epoch) == (RecordKind.CONFIG, 7, 3)
        (length,) = struct.unpack_from(">I", record.payload)
        return json.loads(record.payload[4 : 4 + length]), record.payload[4 + length :]

    bare, extradata = config(Format.FRAMES)
    assert extradata == VIDEO.extradata
    assert bare["video"] == {"codec": "avc1.64000C", "clock": 90_000, "width": 320, "height": 176, "channels": 0}
    assert bare["audio"] is None
    silent, init = config(Format.FMP4)
    assert silent["mime"] == 'video/mp4; codecs="avc1.64000C"'
    assert init[4:8] == b"ftyp"
    assert init.count(b"trak") == 1
    both, init = config(Format.FMP4_AUDIO)
    assert both["mime"] == 'video/mp4; codecs="avc1.64000C,mp4a.40.2"'
    assert both["audio"]["clock"] == 48_000
    assert init.count(b"trak") == 2


def test_sound_alone_and_codecs_without_a_decoder_are_no_configuration():
    with pytest.raises(ValueError, match="no video"):
        messages.config_record(1, 1, Format.FRAMES, (AUDIO,))
    with pytest.raises(ValueError, match="configuration"):
        messages.config_record(1, 1, Format.FMP4, (replace(VIDEO, extradata=b""),))


def test_fragments_name_the_track_of_the_init_segment():
    video = messages.read_records(messages.frame_record(1, 1, Format.FMP4_AUDIO, picture(5), 1))[0].payload
    heard = messages.read_records(messages.frame_record(1, 1, Format.FMP4_AUDIO, sound(5), 2))[0].payload
    assert video[4:8] == heard[4:8] == b"moof"

    def track(fragment: bytes) -> int:
        return int.from_bytes(fragment[(at := fragment.index(b"tfhd") + 8) : at + 4], "big")

    assert (track(video), track(heard)) == (1, 2)


def test_times_that_fit_no_field_are_an_error_of_that_frame_only():
    with pytest.raises(ValueError, match="frame at"):
        messages.frame_record(1, 1, Format.FRAMES, replace(picture(0), pts=1 << 40), 1)


def test_a_state_carries_no_password():
    status = Status(State.OFFLINE, 5.0, "rtsp://admin:secret@cam/ refused", "unreachable", 9.0)
    told = json.loads(messages.state_text("yard", status))
    assert told == {
        "type": "state", "stream": "yard", "state": "offline", "since": 5.0, "reason": "rtsp://***@cam/ refused",
        "code": "unreachable", "next_retry": 9.0,
    }  # fmt: skip
