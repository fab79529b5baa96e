from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.frame import Frame
from gateway.media.timestamps import Timeline
from gateway.media.track import Codec, Kind
from gateway.rtmp import chunk, flv
from gateway.rtmp.ingest import HELD_BYTES, Ingest

BOTH = frozenset(Kind)


class Encoder:
    """Turns frames into the messages of a publisher and feeds them to an `Ingest`, a moment of real time for each."""

    def __init__(self, timeline: Timeline | None = None, start: float = 100.0) -> None:
        self.ingest = Ingest(timeline or Timeline())
        self.now = start
        self.out: list[Frame] = []

    def say(self, type_id: int, timestamp: int, body: bytes) -> list[Frame]:
        new = self.ingest.take(type_id, timestamp & 0xFFFFFFFF, body, self.now, self.now + 1e9)
        self.out += new
        return new

    def header(self, frame: Frame) -> list[Frame]:
        return self.say(_type(frame), 0, flv.sequence_header(frame.config))

    def send(self, frames, offset_ms: int = 0, realtime: bool = True) -> None:
        start = self.now
        for frame in frames:
            if realtime:
                self.now = start + frame.seconds
            time = round(frame.seconds * 1000)
            composition = round((frame.pts - frame.dts) * 1000 / frame.config.clock_rate)
            self.say(_type(frame), time + offset_ms, flv.frame_prefix(frame, composition) + frame.payload)

    def kinds(self) -> set[Kind]:
        return {frame.kind for frame in self.out}


def _type(frame: Frame) -> int:
    return chunk.VIDEO if frame.kind is Kind.VIDEO else chunk.AUDIO


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


def test_both_tracks_start_at_once_when_both_headers_are_there(encoder, media):
    frames = media(b_frames=2).frames
    encoder.header(frames[0])
    encoder.header(media().audio[0])
    assert encoder.ingest.expected is None or encoder.ingest.expected == BOTH
    encoder.send(frames)
    assert encoder.ingest.expected == BOTH
    assert encoder.out[0].keyframe and encoder.out[0].kind is Kind.VIDEO
    video = [frame for frame in encoder.out if frame.kind is Kind.VIDEO]
    sent = media(b_frames=2).video
    assert [frame.payload for frame in video] == [frame.payload for frame in sent]
    assert [f.pts - video[0].dts for f in video] == [f.pts - sent[0].dts for f in sent]
    assert {frame.wall > 1e9 for frame in encoder.out} == {True}
    assert not any(frame.discontinuity for frame in encoder.out)
    sounds = [frame for frame in encoder.out if frame.kind is Kind.AUDIO]
    assert {frame.config.clock_rate for frame in sounds} == {48_000}
    assert all(abs(later.dts - earlier.dts - 1024) <= 48 for earlier, later in itertools.pairwise(sounds))


def test_a_stream_without_sound_waits_a_second_of_real_time_and_loses_nothing(encoder, media):
    frames = media(audio=None).video
    encoder.header(frames[0])
    encoder.send(frames[:24])
    assert encoder.out == []
    encoder.send(frames[24:], realtime=True)
    assert encoder.ingest.expected == {Kind.VIDEO}
    assert len(encoder.out) == len(frames)


def test_an_encoder_faster_than_time_is_not_mistaken_for_one_without_sound(encoder, media):
    frames = media(audio=None, seconds=2).video
    encoder.header(frames[0])
    encoder.send(frames, realtime=False)
    assert encoder.ingest.expected is None
    encoder.header(media().audio[0])
    encoder.send(media().audio[:1], realtime=False)
    assert encoder.ingest.expected == BOTH
    assert len(encoder.out) == len(frames) + 1


def test_what_is_held_back_is_bounded(encoder, media):
    frame = media(audio=None).video[0]
    encoder.header(frame)
    big = flv.frame_prefix(frame, 0) + frame.payload + (HELD_BYTES // 4).to_bytes(4, "big") + b"\x65" * (HELD_BYTES // 4)
    for n in range(5):
        encoder.say(chunk.VIDEO, 40 * n, big)
    assert encoder.ingest.expected == {Kind.VIDEO}


def test_sound_alone_is_a_stream(encoder, media):
    frames = media(None, Codec.AAC).audio
    encoder.header(frames[0])
    encoder.send(frames)
    assert encoder.ingest.expected == {Kind.AUDIO}
    assert len(encoder.out) == len(frames)


def test_nothing_comes_before_the_first_keyframe(encoder, media):
    frames = media().frames
    encoder.header(frames[0])
    encoder.header(media().audio[0])
    encoder.send(frames[10:])
    assert encoder.out[0].keyframe and encoder.out[0].kind is Kind.VIDEO


def test_a_picture_that_comes_late_starts_with_a_keyframe(encoder, media):
    encoder.header(media().audio[0])
    encoder.send(media().audio)
    assert encoder.ingest.expected == {Kind.AUDIO}
    encoder.header(media().video[0])
    encoder.send(media().video[10:], 2000)
    assert next(frame for frame in encoder.out if frame.kind is Kind.VIDEO).keyframe


def test_the_first_keyframe_after_a_reconnect_is_marked_and_time_goes_on(media):
    timeline = Timeline()
    first = Encoder(timeline)
    for encoder in (first, Encoder(timeline, 110.0)):
        encoder.header(media().video[0])
        encoder.header(media().audio[0])
        encoder.send(media().frames)
    assert [frame.discontinuity for frame in encoder.out[:3]] == [True, False, False]
    assert encoder.out[0].seconds > first.out[-1].seconds
    assert encoder.out[0].seconds - first.out[0].seconds == pytest.approx(10, abs=0.2)


def test_aggregates_and_foreign_messages(encoder, media):
    frame = media().video[0]
    body = flv.sequence_header(frame.config)
    tag = bytes((9,)) + len(body).to_bytes(3, "big") + bytes(7) + body + bytes(4)
    assert encoder.say(chunk.AGGREGATE, 0, tag) == []
    encoder.header(media().audio[0])
    assert encoder.ingest.expected == BOTH
    assert encoder.say(chunk.AGGREGATE, 0, b"\x12" + bytes(10)) == []
    assert encoder.say(chunk.VIDEO, 0, b"") == []


def test_sound_that_is_not_wanted_is_left_out_and_not_waited_for(media):
    encoder = Encoder()
    encoder.ingest = Ingest(Timeline(), audio=False)
    encoder.header(media().audio[0])
    encoder.header(media().video[0])
    encoder.send(media().frames[:5])
    assert encoder.ingest.expected == {Kind.VIDEO}
    assert encoder.kinds() == {Kind.VIDEO}
    encoder.say(chunk.AUDIO, 0, b"\xbf")
    assert encoder.ingest.note == ""


def test_aac_that_nobody_can_decode_is_named_until_its_configuration_comes(encoder, media):
    encoder.header(media().video[0])
    encoder.send(media().frames)
    assert encoder.ingest.note == "AAC sound without its configuration cannot be served"
    assert encoder.kinds() == {Kind.VIDEO}
    encoder.header(media().audio[0])
    encoder.send(media().frames, 2000)
    assert encoder.ingest.note == ""
    assert encoder.kinds() == BOTH


def test_sound_seconds_ahead_of_its_picture_keeps_its_place(encoder, media):
    # a relay that sends the sound of its buffer first
    encoder.header(media().video[0])
    encoder.header(media().audio[0])
    encoder.send(media().audio, realtime=False)
    encoder.send(media().video, realtime=False)
    pictures = [frame.seconds for frame in encoder.out if frame.kind is Kind.VIDEO]
    assert pictures[-1] - pictures[0] == pytest.approx(media().video[-1].seconds, abs=0.01)
    for kind in BOTH:
        times = [frame.dts for frame in encoder.out if frame.kind is kind]
        assert times == sorted(set(times))


def test_what_cannot_be_served_is_said(encoder):
    encoder.say(chunk.VIDEO, 0, b"\x91vp09frame")
    encoder.say(chunk.AUDIO, 0, b"\xbf")
    assert encoder.ingest.unsupported == "VP9 video and Speex sound"


@settings(max_examples=60)
@given(data=st.data())
def test_times_hold_what_frames_promise_whatever_the_messages_say(media, data):
    encoder = Encoder()
    encoder.header(media().video[0])
    encoder.header(media().audio[0])
    for frame in data.draw(st.lists(st.sampled_from(media().frames), max_size=30)):
        encoder.now += data.draw(st.floats(0, 8))
        rate = data.draw(st.sampled_from([b"\x11\x90", b"\x12\x10", b"\x15\x88"]))
        encoder.say(chunk.AUDIO, 0, b"\xaf\0" + rate)
        prefix = flv.frame_prefix(frame, data.draw(st.integers(-9000, 9000)))
        encoder.say(_type(frame), data.draw(st.integers(0, 2**32)), prefix + frame.payload)
    last = dict.fromkeys(Kind, 0.0)
    for frame in encoder.out:
        assert frame.seconds > last[frame.kind]
        assert frame.pts >= frame.dts
        last[frame.kind] = frame.seconds
