from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtmp import flv_parse
from gateway.rtmp.flv_parse import Part, Role

NANO_OFFSET = bytes((2,)) + b"\0\0\1"
"""ModEx data of three bytes; the byte behind it says which modifier it was and what follows."""


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"\x17\0\0\0\0avcC", Part("avc1", Role.CONFIGURATION, b"avcC")),
        (b"\x17\1\0\0\x28nal", Part("avc1", Role.MEDIA, b"nal", True, 40)),
        (b"\x27\1\xff\xff\xd8nal", Part("avc1", Role.MEDIA, b"nal", False, -40)),
        (b"\x1c\0\0\0\0hvcC", Part("hvc1", Role.CONFIGURATION, b"hvcC")),
        (b"\x2c\1\0\0\1nal", Part("hvc1", Role.MEDIA, b"nal", False, 1)),
        (b"\x90hvc1hvcC", Part("hvc1", Role.CONFIGURATION, b"hvcC")),
        (b"\x91hvc1\0\0\x28nal", Part("hvc1", Role.MEDIA, b"nal", True, 40)),
        (b"\xa1avc1\xff\xff\xffnal", Part("avc1", Role.MEDIA, b"nal", False, -1)),
        (b"\xa3hvc1nal", Part("hvc1", Role.MEDIA, b"nal")),
        (b"\x91av01obu", Part("av01", Role.MEDIA, b"obu", True)),
        (b"\x97" + NANO_OFFSET + b"\x03hvc1nal", Part("hvc1", Role.MEDIA, b"nal", True)),
        (b"\x97\xff\x01\x00" + bytes(257) + b"\x03hvc1nal", Part("hvc1", Role.MEDIA, b"nal", True)),
        (b"\x96\x01hvc1\x00\0\0\0nal", Part("hvc1", Role.MEDIA, b"nal", True)),
        (b"\x96\x13hvc1\x01\0\0\1X\x00\0\0\3nal", Part("hvc1", Role.MEDIA, b"nal", True)),
        (b"\x96\x23av01\x01\0\0\1Xhvc1\x00\0\0\3nal", Part("hvc1", Role.MEDIA, b"nal", True)),
        (b"\x12whatever", Part("Sorenson H.263", Role.MEDIA, b"")),
        (b"\x91vp09frame", Part("vp09", Role.MEDIA, b"frame", True)),
        (b"\x91\n\0\xff\x1bframe", Part("????", Role.MEDIA, b"frame", True)),
    ],
)
def test_pictures_in_every_form(body, part):
    assert flv_parse.video(body) == part


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x17",
        b"\x17\1\0\0\0",
        b"\x17\2\0\0\0end",
        b"\x57\1\0\0\0seek",
        b"\x94hvc1\2hdr",
        b"\x92hvc1",
        b"\x95hvc1ts",
        b"\xd1x",
        b"\x91hvc1\0\0",
        b"\x90hv",
        b"\x97",
        b"\x97" + NANO_OFFSET,
        b"\x97" + (NANO_OFFSET + b"\x07") * 40 + b"\x03hvc1nal",
        b"\x96",
        b"\x96\x01hvc1\x01\0\0\0nal",
        b"\x96\x13hvc1\x00\xff\xff\xffnal",
    ],
)
def test_what_is_no_picture_is_nothing(body):
    assert flv_parse.video(body) is None


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"\xaf\0\x12\x10", Part("mp4a", Role.CONFIGURATION, b"\x12\x10")),
        (b"\xaf\1aac", Part("mp4a", Role.MEDIA, b"aac")),
        (b"\x90OpusOpusHead", Part("Opus", Role.CONFIGURATION, b"OpusHead")),
        (b"\x91mp4aaac", Part("mp4a", Role.MEDIA, b"aac")),
        (b"\x95\x01Opus\0sound", Part("Opus", Role.MEDIA, b"sound")),
        (b"\x97" + NANO_OFFSET + b"\x01Opussound", Part("Opus", Role.MEDIA, b"sound")),
        (b"\x2fmp3", Part(".mp3", Role.MEDIA, b"mp3", channels=2)),
        (b"\xeemp3", Part(".mp3", Role.MEDIA, b"mp3")),
        (b"\x91.mp3mp3", Part(".mp3", Role.MEDIA, b"mp3")),
        (b"\x72alaw", Part("alaw", Role.MEDIA, b"alaw")),
        (b"\x83ulaw", Part("ulaw", Role.MEDIA, b"ulaw", channels=2)),
        (b"\x32pcm", Part("PCM", Role.MEDIA, b"")),
        (b"\xcf", Part("FLV sound format 12", Role.MEDIA, b"")),
    ],
)
def test_sound_in_every_form(body, part):
    assert flv_parse.audio(body) == part


@pytest.mark.parametrize("body", [b"", b"\xaf", b"\xaf\0", b"\xaf\1", b"\x7f", b"\x94Opus\0\2", b"\x92Opus", b"\x91Op"])
def test_silence_and_marks_are_nothing(body):
    assert flv_parse.audio(body) is None


def tag(kind: int, timestamp: int, body: bytes) -> bytes:
    time = (timestamp & 0xFFFFFF).to_bytes(3, "big") + bytes((timestamp >> 24,))
    return bytes((kind,)) + len(body).to_bytes(3, "big") + time + bytes(3) + body + (len(body) + 11).to_bytes(4, "big")


def test_an_aggregate_is_rebased_on_its_own_time():
    body = tag(9, 0x01000000, b"v") + tag(8, 0x01000017, b"a") + tag(9, 0x01000028, b"w")
    assert list(flv_parse.aggregate(body, 500)) == [(9, 500, b"v"), (8, 523, b"a"), (9, 540, b"w")]
    assert list(flv_parse.aggregate(body[:-6], 500)) == [(9, 500, b"v"), (8, 523, b"a")]


@given(st.binary(max_size=80), st.integers(0, 0xFFFFFFFF))
def test_random_bodies_raise_nothing(body, timestamp):
    for part in (flv_parse.video(body), flv_parse.audio(body)):
        assert part is None or part.fourcc.isprintable()
    assert all(when <= 0xFFFFFFFF for _, when, _ in flv_parse.aggregate(body, timestamp))
