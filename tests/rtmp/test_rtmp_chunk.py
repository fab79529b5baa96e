from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtmp import chunk
from gateway.rtmp.chunk import ChunkLimits, ChunkReader, Message, encode_message
from gateway.rtmp.errors import ChunkError


def read(data: bytes, **options: object) -> list[Message]:
    return list(ChunkReader(**options).feed(data))


def basic(form: int, csid: int) -> bytes:
    return bytes((form << 6 | csid,))


def type0(csid: int, timestamp: int, length: int, type_id: int = 9, stream_id: int = 1) -> bytes:
    field = min(timestamp, 0xFFFFFF).to_bytes(3, "big")
    extended = timestamp.to_bytes(4, "big") if timestamp >= 0xFFFFFF else b""
    return basic(0, csid) + field + length.to_bytes(3, "big") + bytes((type_id,)) + stream_id.to_bytes(4, "little") + extended


def type1(csid: int, delta: int, length: int, type_id: int = 9) -> bytes:
    return basic(1, csid) + delta.to_bytes(3, "big") + length.to_bytes(3, "big") + bytes((type_id,))


BOUNDARIES = [0, 1, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x100000005]
messages = st.tuples(
    st.sampled_from([2, 3, 63, 64, 319, 320, 65_599]),
    st.sampled_from([8, 9, 18, 20, 22]),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from(BOUNDARIES) | st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=700),
)


@given(st.lists(messages, max_size=6), st.sampled_from([1, 5, 128, 300, 65_536]))
def test_what_is_written_is_read_back(items, size):
    wire = encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, size.to_bytes(4, "big"))
    for csid, kind, stream_id, timestamp, payload in items:
        wire += encode_message(csid, kind, stream_id, timestamp, payload, chunk_bytes=size)
    expected = [Message(kind, sid, timestamp & 0xFFFFFFFF, payload) for _, kind, sid, timestamp, payload in items]
    assert read(wire) == expected


@settings(max_examples=40)
@given(st.lists(messages, min_size=1, max_size=3), st.sampled_from([4, 128]))
def test_byte_by_byte_gives_the_same_messages(items, size):
    wire = encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, size.to_bytes(4, "big"))
    for csid, kind, stream_id, timestamp, payload in items:
        wire += encode_message(csid, kind, stream_id, timestamp, payload, chunk_bytes=size)
    reader = ChunkReader()
    assert [message for byte in wire for message in reader.feed(bytes((byte,)))] == read(wire)


def outcome(reader: ChunkReader, pieces: list[bytes]) -> tuple[list[Message], bool]:
    found: list[Message] = []
    try:
        for piece in pieces:
            for message in reader.feed(piece):
                found.append(message)  # noqa: PERF402 - what came before an error counts
    except ChunkError:
        return found, True
    return found, False


@given(st.binary(max_size=400))
def test_random_bytes_give_the_same_result_whole_and_byte_by_byte(data):
    assert outcome(ChunkReader(), [data]) == outcome(ChunkReader(), [bytes((byte,)) for byte in data])


@pytest.mark.parametrize("timestamp", BOUNDARIES)
def test_extended_timestamp_is_repeated_on_every_continuation(timestamp):
    wire = encode_message(6, 9, 1, timestamp, b"a" * 300, chunk_bytes=128)
    timestamp &= 0xFFFFFFFF
    extended = timestamp.to_bytes(4, "big") if timestamp >= 0xFFFFFF else b""
    assert wire.count(basic(3, 6) + extended + b"a" * 44) == 2
    assert len(wire) == 12 + 300 + 2 + 3 * len(extended)
    assert read(wire) == [Message(9, 1, timestamp, b"a" * 300)]


def test_written_parts_are_one_payload():
    assert encode_message(4, 8, 1, 5, b"ab", b"cd") == encode_message(4, 8, 1, 5, b"abcd")


def test_message_over_the_protocol_maximum_is_refused():
    with pytest.raises(ChunkError, match="does not fit"):
        encode_message(4, 9, 1, 0, bytes(0x1000000))


def test_obs_leaves_the_extended_timestamp_out_on_continuations():
    body = bytes(range(1, 201))
    wire = type0(6, 0x1234567, 200) + body[:128] + basic(3, 6) + body[128:]
    assert read(wire) == [Message(9, 1, 0x1234567, body)]


def test_omitted_extended_timestamp_whose_payload_begins_like_it():
    body = bytes(128) + b"\x01\x23" + b"\xff" * 20
    wire = type0(6, 0x1234567, len(body)) + body[:128] + basic(3, 6) + body[128:]
    reader = ChunkReader()
    assert [m for byte in wire for m in reader.feed(bytes((byte,)))] == [Message(9, 1, 0x1234567, body)]


def test_type_1_and_2_add_deltas_and_type_3_repeats_the_last_one():
    wire = type0(4, 1000, 1) + b"a"
    wire += type1(4, 20, 1) + b"b"
    wire += basic(2, 4) + (30).to_bytes(3, "big") + b"c"
    wire += basic(3, 4) + b"d"
    assert [(m.timestamp, m.payload) for m in read(wire)] == [(1000, b"a"), (1020, b"b"), (1050, b"c"), (1080, b"d")]


def test_type_3_right_after_type_0_adds_the_timestamp_field_as_the_specification_says():
    assert [m.timestamp for m in read(type0(4, 40, 1) + b"a" + basic(3, 4) + b"b")] == [40, 80]


def test_delta_wraps_at_32_bits():
    wire = type0(4, 0xFFFFFFF0, 1) + b"a" + type1(4, 0x20, 1) + b"b"
    assert [m.timestamp for m in read(wire)] == [0xFFFFFFF0, 0x10]


def test_extended_delta_is_32_bits_and_may_be_repeated_by_the_next_message():
    extended = (0x1000000).to_bytes(4, "big")
    wire = type0(4, 5, 1) + b"a" + type1(4, 0xFFFFFF, 1) + extended + b"b" + basic(3, 4) + extended + b"c"
    assert [m.timestamp for m in read(wire)] == [5, 0x1000005, 0x2000005]


def test_fresh_chunk_stream_may_start_with_type_1_but_not_with_2_or_3():
    assert read(type1(5, 7, 1) + b"x") == [Message(9, 0, 7, b"x")]
    for form in (2, 3):
        with pytest.raises(ChunkError, match="starts without"):
            read(basic(form, 5) + bytes(12))


@pytest.mark.parametrize("form", [0, 1, 2])
def test_header_in_the_middle_of_a_message_closes(form):
    with pytest.raises(ChunkError, match="middle"):
        read(type0(4, 0, 200) + bytes(128) + basic(form, 4) + bytes(11))


def test_interleaved_messages_are_put_together_separately():
    video, audio = bytes(range(200)), b"A" * 150
    wire = type0(6, 10, 200) + video[:128] + type0(4, 11, 150, 8) + audio[:128]
    wire += basic(3, 6) + video[128:] + basic(3, 4) + audio[128:]
    assert read(wire) == [Message(9, 1, 10, video), Message(8, 1, 11, audio)]


def test_three_byte_chunk_stream_id_is_little_endian_and_any_form_fits_any_id():
    wire = bytes((0x01, 0x02, 0x01)) + type0(3, 0, 1)[1:] + b"a" + bytes((0xC1, 0x02, 0x01)) + b"b"
    wire += bytes((0x00, 0x00)) + type0(3, 0, 1)[1:] + b"c" + bytes((0xC1, 0x00, 0x00)) + b"d"
    assert [m.payload for m in read(wire)] == [b"a", b"b", b"c", b"d"]


def test_abort_drops_the_partial_message():
    wire = type0(6, 0, 200) + bytes(128) + encode_message(2, chunk.ABORT, 0, 0, (6).to_bytes(4, "big"))
    wire += type0(6, 5, 1) + b"x"
    assert read(wire) == [Message(9, 1, 5, b"x")]


def test_abort_of_nothing_is_ignored():
    for payload in (b"", (9).to_bytes(4, "big")):
        assert read(encode_message(2, chunk.ABORT, 0, 0, payload)) == []


@pytest.mark.parametrize("size", [128, 4096, 0xFFFFFF, 0x7FFFFFFF, 0x80000000 | 4096])
def test_chunk_size_is_taken_without_its_top_bit_and_capped(size):
    wire = encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, size.to_bytes(4, "big"))
    payload = b"z" * 5000
    wire += encode_message(6, 9, 1, 0, payload, chunk_bytes=min(size & 0x7FFFFFFF, 0xFFFFFF))
    assert [m.payload for m in read(wire)] == [payload]


@pytest.mark.parametrize("payload", [bytes(4), b"\x80\0\0\0", b"\0\0"])
def test_chunk_size_of_zero_or_nothing_closes(payload):
    with pytest.raises(ChunkError):
        read(encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, payload))


def test_empty_messages_are_messages():
    assert read(type0(4, 3, 0, 8) + basic(3, 4)) == [Message(8, 1, 3, b""), Message(8, 1, 6, b"")]


def test_announced_length_is_limited_by_type():
    limits = ChunkLimits(media_bytes=1000, other_bytes=100)
    assert read(type0(4, 0, 1000), limits=limits) == []
    for length, kind in ((1001, 9), (101, 20), (101, 1)):
        with pytest.raises(ChunkError, match="announces"):
            read(type0(4, 0, length, kind), limits=limits)


def test_unfinished_messages_are_limited_by_what_was_received_over_all_chunk_streams():
    part = b"".join(type0(3 + number, 0, 1_000_000) + bytes(128) for number in range(60))
    assert read(part) == []
    with pytest.raises(ChunkError, match="unfinished"):
        read(part, partial_bytes=59 * 128)


def test_number_of_chunk_streams_is_limited():
    with pytest.raises(ChunkError, match="64 chunk streams"):
        read(b"".join(encode_message(csid, 8, 1, 0, b"x") for csid in range(3, 3 + 65)))


def test_chunk_size_1_is_accepted_for_a_while_only():
    one = encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, (1).to_bytes(4, "big"))
    message = encode_message(6, 9, 1, 0, bytes(2000), chunk_bytes=1)
    assert len(read(one + message)) == 1
    with pytest.raises(ChunkError, match="over and over"):
        read(one + message * 20)


def test_flood_of_empty_messages_closes():
    with pytest.raises(ChunkError, match="over and over"):
        read(type0(4, 3, 0, 8) + basic(3, 4) * 20_000)
