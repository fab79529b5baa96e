"""What a server that is pushed to receives, message by message."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind
from gateway.rtmp import amf0, chunk, flv
from gateway.rtmp.chunk import ChunkReader, Message
from gateway.rtmp.push_feed import PushFeed, fourccs_of
from gateway.rtmp.silence import SILENT_UNIT
from gateway.rtmp.viewer import Viewer

STREAM_ID = 7


class Wire:
    """A transport that nobody is slow on, and what came out of it."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def get_write_buffer_size(self) -> int:
        return 0

    @property
    def messages(self) -> list[Message]:
        reader = ChunkReader(partial_bytes=1 << 24)
        reader._set_chunk_size(chunk.OUR_CHUNK_BYTES.to_bytes(4, "big"))
        return list(reader.feed(self.data))

    @property
    def chunk_streams(self) -> set[int]:
        reader = ChunkReader(partial_bytes=1 << 24)
        reader._set_chunk_size(chunk.OUR_CHUNK_BYTES.to_bytes(4, "big"))
        list(reader.feed(self.data))
        return set(reader._streams)

    def of(self, type_id: int) -> list[Message]:
        return [message for message in self.messages if message.type_id == type_id]


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def feed(wire):
    def make(stream: Stream, **more) -> PushFeed:
        made = PushFeed(stream, Viewer(wire, frozenset(), 0.0), STREAM_ID, monotonic=lambda: 0.0, **more)
        made.open()
        return made

    return make


def test_it_begins_at_the_last_keyframe_with_metadata_and_headers_and_time_zero(wire, feed, camera, media):
    stream = Stream("x")
    camera(stream, media(), 20_000.0).push(1.5)
    feed(stream)
    first, *rest = wire.messages
    assert (first.type_id, first.timestamp, first.stream_id) == (chunk.DATA, 0, STREAM_ID)
    envelope, name, values = amf0.decode(first.payload)
    assert (envelope, name, values["width"]) == ("@setDataFrame", "onMetaData", 160.0)
    assert [message.payload for message in rest[:2]] == [flv.sequence_header(track) for track in stream.tracks]
    assert (rest[2].type_id, rest[2].payload[0], rest[2].timestamp) == (chunk.VIDEO, 0x17, 0)
    assert {message.stream_id for message in wire.messages} == {STREAM_ID}
    assert max(wire.chunk_streams) < 32  # nginx takes none from 32 on


def test_times_count_from_zero_however_long_the_camera_runs(wire, feed, camera, media):
    stream = Stream("x")
    source = camera(stream, media(), 5 * 3600.0)
    feed(stream)
    source.push(2.0)
    video, audio = wire.of(chunk.VIDEO)[1:], wire.of(chunk.AUDIO)[1:]
    assert [message.timestamp for message in video] == list(range(0, 2000, 40))
    assert audio[0].timestamp <= 22
    assert {after.timestamp - before.timestamp for before, after in itertools.pairwise(audio)} <= {21, 22}
    assert [m.payload[5:] for m in video] == [f.payload for f in media().video]
    assert [m.payload[2:] for m in audio] == [f.payload for f in media().audio][: len(audio)]


def test_pictures_that_are_shown_later_than_decoded_keep_their_distance(wire, feed, camera, media):
    stream, frames = Stream("x"), media(b_frames=2)
    source = camera(stream, frames, 100.0)
    feed(stream)
    source.push(1.0)
    shown = [int.from_bytes(message.payload[2:5], "big") for message in wire.of(chunk.VIDEO)[1:]]
    expected = [(frame.pts - frame.dts) // 90 for frame in frames.video[:25]]
    assert shown == expected
    assert max(shown) > 0


def test_sound_before_the_first_picture_is_left_out(wire, feed, camera, media):
    stream = Stream("x")
    camera(stream, media(), 10.0).push(0.5)
    opened = feed(stream)
    late = media().audio[0]
    opened.on_frame(replace(late, dts=late.dts + 48_000 * 9))
    assert all(message.timestamp < 600 for message in wire.messages)


def test_silence_is_sent_where_the_camera_has_no_sound_and_only_there(wire, feed, camera, media):
    stream = Stream("x")
    source = camera(stream, media(audio=None), 10.0)
    feed(stream, silent_audio=True)
    source.push(2.0)
    header, *units = wire.of(chunk.AUDIO)
    assert header.payload[:2] == b"\xaf\x00"
    assert {unit.payload for unit in units} == {b"\xaf\x01" + SILENT_UNIT}
    assert len(units) in range(90, 94)
    assert {after.timestamp - before.timestamp for before, after in itertools.pairwise(units)} == {21, 22}
    assert amf0.decode(wire.messages[0].payload)[2]["audiocodecid"] == 10.0


def test_without_the_option_there_is_no_track_that_is_not_there(wire, feed, camera, media):
    stream = Stream("x")
    source = camera(stream, media(audio=None), 10.0)
    feed(stream)
    source.push(1.0)
    assert not wire.of(chunk.AUDIO)


def test_opus_goes_to_who_announced_it_and_becomes_silence_elsewhere(wire, feed, camera, media):
    stream = Stream("x")
    source = camera(stream, media(audio=Codec.OPUS), 10.0)
    source.push(0.1)
    assert fourccs_of(stream.tracks) == ("Opus",)
    plain = feed(stream, silent_audio=True)
    assert [track.codec for track in plain.untaken] == [Codec.OPUS]
    source.push(1.0)
    assert {message.payload[0] for message in wire.of(chunk.AUDIO)} == {0xAF}
    wire.data = b""
    taken = feed(stream, fourccs=frozenset({"Opus"}))
    source.push(2.0)
    assert not taken.untaken
    assert wire.of(chunk.AUDIO)[-1].payload[1:5] == b"Opus"


@pytest.mark.parametrize(
    ("fourccs", "enhanced", "sent"),
    [(set(), False, 0), ({"hvc1"}, False, 1), ({"*"}, False, 1), (set(), True, 1)],
)
def test_h265_goes_to_who_takes_it(wire, feed, camera, media, fourccs, enhanced, sent):
    stream = Stream("x")
    source = camera(stream, media(Codec.H265), 10.0)
    opened = feed(stream, fourccs=fourccs, enhanced=enhanced)
    source.push(0.5)
    assert bool(opened.untaken) is not bool(sent)
    assert bool(wire.of(chunk.VIDEO)) is bool(sent)


def test_a_camera_that_comes_back_goes_on_on_the_same_clock(wire, feed, camera, media):
    stream = Stream("x")
    camera(stream, media(), 100.0).push(1.0)
    feed(stream)
    stream.end()
    camera(stream, media(width=320), 130.0).push(1.0)
    video = wire.of(chunk.VIDEO)
    headers = [message for message in video if message.payload[1] == 0]
    assert len(headers) == 2 and headers[0].payload != headers[1].payload
    assert headers[1].timestamp == 30_000
    assert len(wire.of(chunk.DATA)) == 2


def test_a_closed_feed_hears_nothing_more(wire, feed, camera, media):
    stream = Stream("x")
    source = camera(stream, media(), 0.0)
    opened = feed(stream)
    source.push(0.5)
    opened.close()
    before = len(wire.data)
    source.push(1.0)
    assert len(wire.data) == before
    assert opened.largest_bytes == max(len(frame.payload) + 5 for frame in media().video[:12])


def test_a_stream_of_sound_alone_begins_at_once(wire, feed, camera, media):
    stream = Stream("x")
    source = camera(stream, media(video=None), 50.0)
    feed(stream)
    source.push(0.5)
    assert wire.of(chunk.AUDIO)[1].timestamp == 0
    assert isinstance(media(video=None).audio[0], Frame)
    assert all(frame.kind is Kind.AUDIO for frame in media(video=None).frames)
