from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from gateway.config.model import UnannouncedPicture
from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Codec, TrackConfig
from gateway.rtmp import amf0, chunk, relay
from gateway.rtmp.capabilities import Capabilities
from gateway.rtmp.chunk import ChunkReader, Message, encode_message
from gateway.rtmp.relay import Relay
from gateway.rtmp.relays import Relays
from gateway.rtmp.viewer import Viewer


class Wire:
    """A player that reads everything; counts the writes and decodes what they hold."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def messages(self, *kinds: int) -> list[Message]:
        reader = ChunkReader(partial_bytes=1 << 24)
        size = encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, chunk.OUR_CHUNK_BYTES.to_bytes(4, "big"))
        found = list(reader.feed(size + b"".join(self.writes)))
        return [message for message in found if not kinds or message.type_id in kinds]


class Timers:
    """`loop.call_later` under the test's control."""

    def __init__(self) -> None:
        self.due: list[tuple[float, object]] = []

    def __call__(self, delay, callback):
        entry = (delay, callback)
        self.due.append(entry)
        timers = self

        class Handle:
            def cancel(self) -> None:
                if entry in timers.due:
                    timers.due.remove(entry)

        return Handle()

    def fire(self) -> None:
        due, self.due = self.due, []
        for _, callback in due:
            callback()


class Bench:
    """A stream, its relay, and players."""

    def __init__(self, camera, media, *, policy=UnannouncedPicture.SEND, start_s=0.0) -> None:
        self.now = 100.0
        self.timers = Timers()
        self.stream = Stream("front-door", monotonic=lambda: self.now)
        self.camera = camera(self.stream, media, start_s)
        self.policy = policy
        self.relay = self.new_relay()

    def new_relay(self) -> Relay:
        return Relay(self.stream, self.policy, monotonic=lambda: self.now, call_later=self.timers)

    def join(self, *fourccs: str) -> Wire:
        wire = Wire()
        viewer = Viewer(wire, Capabilities(fourccs=frozenset(fourccs)), self.now)
        assert self.relay.refusal(viewer) == ""
        self.relay.join(viewer)
        return wire


@pytest.fixture
def bench(camera, media):
    async def make(*arguments, **options) -> Bench:
        return Bench(camera, *arguments, **options)

    return lambda *arguments, **options: asyncio.run(make(*arguments or (media(),), **options))


def kinds(messages: list[Message]) -> list[int]:
    return [message.type_id for message in messages]


def is_key(message: Message) -> bool:
    return message.type_id == chunk.VIDEO and message.payload[0] >> 4 & 7 == 1 and message.payload[1] != 0


def test_a_player_gets_metadata_at_zero_then_audio_and_video_headers_then_a_keyframe(bench):
    b = bench()
    b.camera.push(0.5)
    messages = b.join().messages()
    assert kinds(messages[:4]) == [chunk.DATA, chunk.AUDIO, chunk.VIDEO, chunk.VIDEO]
    assert messages[0].timestamp == 0
    assert messages[1].payload[1] == 0
    assert messages[2].payload[:2] == b"\x17\x00"
    assert is_key(messages[3])


def test_late_joiner_gets_the_last_keyframe_at_once_and_everything_since(bench):
    b = bench()
    b.join()
    b.camera.push(1.5)
    wire = b.join()
    first, *rest = wire.messages(chunk.VIDEO)[1:]
    assert is_key(first)
    assert first.timestamp == 1000
    assert [message.timestamp for message in rest] == list(range(1040, 1500, 40))
    b.camera.push(1.6)
    assert wire.messages(chunk.VIDEO)[-1].timestamp == 1560


def test_all_players_share_the_same_bytes(bench):
    b = bench()
    b.camera.push(0.1)
    one, two = b.join(), b.join()
    one.writes.clear()
    two.writes.clear()
    b.camera.push(0.5)
    assert len(one.writes) == len(two.writes) > 5
    assert all(first is second for first, second in zip(one.writes, two.writes, strict=True))


def test_audio_rides_with_the_pictures(bench):
    b = bench()
    b.camera.push(1.0)
    wire = b.join()
    wire.writes.clear()
    b.camera.push(2.0)
    audio, video = (sum(message.type_id == kind for message in wire.messages()) for kind in (chunk.AUDIO, chunk.VIDEO))
    assert (video, audio) == (25, 47)
    assert len(wire.writes) <= 26
    times = [message.timestamp for message in wire.messages()]
    assert max(after - before for before, after in itertools.pairwise(times)) <= 40


def test_lone_audio_waits_forty_milliseconds_at_most(bench, media):
    b = bench(media(None, Codec.AAC))
    b.camera.push(0.5)
    wire = b.join()
    b.camera.push(0.6)
    assert [delay for delay, _ in b.timers.due] == [relay.AUDIO_WAIT_S]
    before = len(wire.messages(chunk.AUDIO))
    b.timers.fire()
    assert len(wire.messages(chunk.AUDIO)) > before
    assert b.timers.due == []


def test_a_crowd_of_players_is_written_to_less_often_and_keyframes_do_not_wait(bench, monkeypatch):
    monkeypatch.setattr(relay, "MERGE_FROM_VIEWERS", 2)
    b = bench()
    b.camera.push(0.52)
    wires = [b.join(), b.join()]
    b.timers.fire()
    before = len(wires[0].messages(chunk.VIDEO))
    b.now += 1.0
    b.camera.push(0.64)
    assert len(wires[0].messages(chunk.VIDEO)) == before
    assert [delay for delay, _ in b.timers.due] == [relay.MERGE_S]
    writes = len(wires[0].writes)
    b.timers.fire()
    assert len(wires[0].writes) == writes + 1
    assert len(wires[0].messages(chunk.VIDEO)) == before + 3
    late = b.join()
    b.camera.push(1.01)
    for wire in (*wires, late):
        times = [message.timestamp for message in wire.messages(chunk.VIDEO)[1:]]
        assert times == list(range(0, 1040, 40))


def test_in_a_crowd_a_picture_goes_at_once_if_something_has_waited_for_it(bench, media, monkeypatch):
    monkeypatch.setattr(relay, "MERGE_FROM_VIEWERS", 1)
    b = bench(media(Codec.H264, None))
    b.camera.push(0.1)
    wire = b.join()
    b.timers.fire()
    writes = len(wire.writes)
    b.camera.push(0.14)
    assert len(wire.writes) == writes
    b.now += relay.MERGE_YOUNG_S + 0.001
    b.camera.push(0.18)
    assert len(wire.writes) == writes + 1
    assert [message.timestamp for message in wire.messages(chunk.VIDEO)[-2:]] == [120, 160]
    assert b.timers.due == []


def test_in_a_crowd_a_picture_does_not_wait_for_one_that_comes_much_later(bench, media, monkeypatch):
    monkeypatch.setattr(relay, "MERGE_FROM_VIEWERS", 1)
    b = bench(media(Codec.H264, None, fps=10, gop=10))
    b.camera.push(0.1)
    wire = b.join()
    b.camera.push(0.4)
    assert [message.timestamp for message in wire.messages(chunk.VIDEO)[1:]] == [0, 100, 200, 300]


def test_audio_only_stream_starts_with_its_header(bench, media):
    b = bench(media(None, Codec.AAC))
    b.camera.push(0.5)
    b.timers.fire()
    wire = b.join()
    b.camera.push(0.6)
    b.timers.fire()
    messages = wire.messages()
    assert kinds(messages[:2]) == [chunk.DATA, chunk.AUDIO]
    assert "videocodecid" not in amf0.decode(messages[0].payload)[1]


def test_video_only_stream_names_no_audio(bench, media):
    b = bench(media(Codec.H264, None))
    b.camera.push(0.5)
    messages = b.join().messages()
    assert set(kinds(messages)) == {chunk.DATA, chunk.VIDEO}
    assert "audiocodecid" not in amf0.decode(messages[0].payload)[1]


def test_b_frames_have_dts_as_timestamp_and_signed_composition_time(bench, media):
    b = bench(media(Codec.H264, None, b_frames=2))
    b.camera.push(1.0)
    pictures = b.join().messages(chunk.VIDEO)[1:]
    shown = [m.timestamp + int.from_bytes(m.payload[2:5], "big", signed=True) for m in pictures]
    assert shown != sorted(shown)
    assert sorted(shown) == list(range(shown[0], shown[0] + 40 * len(shown), 40))


@pytest.mark.parametrize("boundary", [0xFFFFFF, 0x80000000, 0x100000000])
def test_timestamps_go_over_the_boundaries(bench, boundary):
    b = bench(start_s=boundary / 1000 - 0.5)
    b.camera.push(0.1)
    wire = b.join()
    b.camera.push(1.5)
    times = [message.timestamp for message in wire.messages(chunk.VIDEO)[1:]]
    steps = [(later - earlier) & 0xFFFFFFFF for earlier, later in itertools.pairwise(times)]
    assert set(steps) <= {39, 40, 41}
    assert times[0] == (boundary - 500) & 0xFFFFFFFF
    assert len(times) == 38


def test_new_tracks_bring_new_headers_right_before_the_next_keyframe(bench, camera, media):
    b = bench(media(Codec.H264, None))
    wire = b.join()
    b.camera.push(0.5)
    camera(b.stream, media(Codec.H265, None), 10.0).push(0.2)
    messages = wire.messages()
    new = next(n for n, message in enumerate(messages) if n and message.type_id == chunk.DATA)
    assert messages[new + 1].payload[:5] == b"\x90hvc1"
    assert is_key(messages[new + 2])
    assert messages[new + 1].timestamp == messages[new + 2].timestamp == 10_000
    late = b.join().messages()
    assert late[1].payload[:5] == b"\x90hvc1"


def test_pictures_of_an_ended_session_are_not_shown_as_live(bench, camera, media):
    b = bench()
    stay = b.join()
    b.camera.push(0.5)
    b.stream.end()
    wire = b.join()
    assert kinds(wire.messages()) == [chunk.DATA, chunk.AUDIO, chunk.VIDEO]
    camera(b.stream, media(), 10.0).push(0.3)
    assert is_key(wire.messages(chunk.VIDEO)[1])
    assert wire.messages(chunk.VIDEO)[1].timestamp == 10_000
    assert stay.messages(chunk.VIDEO)[-1].timestamp == 10_280


def test_frames_that_share_a_rounded_millisecond_still_grow(bench, media):
    b = bench(media(Codec.H264, None))
    b.camera.push(0.1)
    wire = b.join()
    last = b.camera.media.video[2]
    b.stream.push([replace(last, dts=last.dts + step, pts=last.pts + step, keyframe=False) for step in (1, 2, 3)])
    times = [message.timestamp for message in wire.messages(chunk.VIDEO)[1:]]
    assert times == [0, 40, 80, 81, 82, 83]
    composition = wire.messages(chunk.VIDEO)[-1].payload[2:5]
    assert int.from_bytes(composition, "big", signed=True) == 0, "ffmpeg guesses times anew after a negative one"


def test_h265_is_refused_by_policy_only_to_players_that_do_not_announce_it(bench, media):
    b = bench(media(Codec.H265, Codec.AAC), policy=UnannouncedPicture.REFUSE)
    b.camera.push(0.5)
    refusal = b.relay.refusal(Viewer(Wire(), Capabilities(), 0.0))
    assert "H.265" in refusal and "Enhanced RTMP" in refusal
    assert b.join("hvc1").messages(chunk.VIDEO)


def test_opus_is_left_out_by_policy_where_the_picture_still_plays(bench, media):
    b = bench(media(Codec.H264, Codec.OPUS), policy=UnannouncedPicture.REFUSE)
    b.camera.push(0.5)
    plain, capable = b.join(), b.join("Opus")
    b.camera.push(0.6)
    assert set(kinds(plain.messages())) == {chunk.DATA, chunk.VIDEO}
    assert "audiocodecid" not in amf0.decode(plain.messages()[0].payload)[1]
    assert set(kinds(capable.messages())) == {chunk.DATA, chunk.VIDEO, chunk.AUDIO}


def test_a_player_that_cannot_take_the_new_codec_is_told_so(bench, camera, media):
    b = bench(media(Codec.H264, None), policy=UnannouncedPicture.REFUSE)
    b.camera.push(0.1)
    viewer = Viewer(Wire(), Capabilities(), b.now)
    b.relay.join(viewer)
    camera(b.stream, media(Codec.H265, None), 10.0).push(0.2)
    assert "H.265" in viewer.failure
    assert not viewer.too_slow
    assert b.relay.viewers == 0


def test_cache_over_its_bounds_is_given_up_until_the_next_keyframe(bench, media, monkeypatch):
    monkeypatch.setattr(relay, "CACHE_BYTES", 3000)
    b = bench(media(Codec.H264, None, noise=True))
    b.camera.push(0.5)
    wire = b.join()
    assert b.relay.cached_bytes <= 3000
    b.camera.push(0.6)
    assert kinds(wire.messages()) == [chunk.DATA, chunk.VIDEO]
    b.camera.push(1.1)
    assert is_key(wire.messages(chunk.VIDEO)[1])


def test_cache_older_than_its_bound_is_given_up(bench, media, monkeypatch):
    monkeypatch.setattr(relay, "CACHE_S", 0.3)
    b = bench()
    b.camera.push(0.8)
    assert b.relay.cached_bytes == 0


def test_a_frame_too_large_for_rtmp_is_counted_and_left_out(bench, media):
    b = bench(media(Codec.H264, None))
    b.camera.push(0.1)
    wire = b.join()
    last = b.camera.media.video[2]
    b.stream.push([replace(last, dts=last.dts + 1, payload=bytes(0x1000000), keyframe=False)])
    b.camera.push(0.2)
    assert b.relay.unserialisable == 1
    assert wire.messages(chunk.VIDEO)[-1].timestamp == 160


def test_g711_that_slips_through_is_left_out(bench):
    b = bench()
    config = TrackConfig(Codec.PCMA, 8_000, b"", "")
    b.relay.on_tracks((b.camera.media.video[0].config, config))
    b.relay.on_frame(b.camera.media.video[0])
    b.relay.on_frame(Frame(config, 0, 0, 160, True, False, 0.0, b"x" * 160))
    assert b.timers.due == []
    assert kinds(b.join().messages())[:2] == [chunk.DATA, chunk.VIDEO]


def test_closing_leaves_the_stream_and_its_timer(bench):
    b = bench()
    wire = b.join()
    b.camera.push(0.5)
    b.relay.on_frame(b.camera.media.audio[0])
    b.relay.close()
    count = len(wire.writes)
    b.camera.push(1.0)
    assert len(wire.writes) == count
    assert b.timers.due == []


def test_relays_exist_while_there_are_players(camera, media):
    async def run() -> None:
        stream = Stream("x")
        camera(stream, media()).push(0.2)
        relays = Relays(lambda _: UnannouncedPicture.SEND, lambda: 0.0)
        first, second = Viewer(Wire(), Capabilities(), 0.0), Viewer(Wire(), Capabilities(), 0.0)
        found, refusal = relays.join(stream, first)
        assert found is not None and refusal == ""
        found.join(first)
        again, _ = relays.join(stream, second)
        assert again is found
        again.join(second)
        relays.leave(found, first)
        assert len(relays) == 1
        relays.leave(found, second)
        assert len(relays) == 0

    asyncio.run(run())


def test_a_refused_player_leaves_no_relay_behind(camera, media):
    async def run() -> None:
        stream = Stream("x")
        camera(stream, media(Codec.H265, None)).push(0.2)
        relays = Relays(lambda _: UnannouncedPicture.REFUSE, lambda: 0.0)
        found, refusal = relays.join(stream, Viewer(Wire(), Capabilities(), 0.0))
        assert found is None and refusal
        assert len(relays) == 0

    asyncio.run(run())
