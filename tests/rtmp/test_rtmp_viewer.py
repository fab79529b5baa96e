from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import UnannouncedPicture
from gateway.media.track import Codec, TrackConfig
from gateway.rtmp.batch import Batch, Headers, Want
from gateway.rtmp.capabilities import Capabilities
from gateway.rtmp.lane import Lane
from gateway.rtmp.viewer import BURST_BYTES, Viewer, ViewerLimits

SEND, SUB, REFUSE = UnannouncedPicture

H264 = TrackConfig(Codec.H264, 90_000, b"", "")
H265 = TrackConfig(Codec.H265, 90_000, b"", "")
AAC = TrackConfig(Codec.AAC, 48_000, b"", "")
OPUS = TrackConfig(Codec.OPUS, 48_000, b"", "")
PCMA = TrackConfig(Codec.PCMA, 8_000, b"", "")
HEADERS = Headers(b"<AV>", b"<V>", b"<A>")
LIMITS = ViewerLimits(queue_bytes=100, queue_s=3.0, catch_up_s=10.0)


class Pipe:
    """A transport whose peer reads when told to."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.buffered = 0
        self.stuck = False
        self.viewer: Viewer | None = None

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        if self.stuck:
            self.buffered += len(data)
            if self.viewer is not None:
                self.viewer.block()

    def get_write_buffer_size(self) -> int:
        return self.buffered


def key(data: bytes = b"K") -> Batch:
    return Batch(data, 0, True)


def inter(data: bytes = b"p") -> Batch:
    return Batch(data, 0, False)


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def viewer(pipe) -> Viewer:
    pipe.viewer = Viewer(pipe, Capabilities(), 0.0, limits=LIMITS)
    return pipe.viewer


def release(viewer: Viewer, pipe: Pipe) -> None:
    """The peer reads everything."""
    pipe.stuck, pipe.buffered = False, 0
    viewer.unblock()


def test_headers_come_first_then_the_cache_then_live(viewer, pipe):
    viewer.start(HEADERS, [key(), inter()], 0.0)
    viewer.offer(inter(b"q"), 0.1)
    assert b"".join(pipe.sent) == b"<AV>Kpq"


def test_the_pictures_at_the_start_go_out_in_few_writes_and_are_shared_once_the_player_is_full(viewer, pipe):
    cached = [key(b"K" * BURST_BYTES)] + [inter(b"p" * (BURST_BYTES // 4))] * 6
    viewer.start(None, cached, 0.0)
    assert [len(data) for data in pipe.sent] == [BURST_BYTES, BURST_BYTES, BURST_BYTES // 2]
    full = Pipe()
    full.viewer = Viewer(full, Capabilities(), 0.0)
    full.stuck = True
    full.viewer.start(None, cached, 0.0)
    assert [len(data) for data in full.sent] == [BURST_BYTES]
    assert all(item.data is cached[1].whole for item in full.viewer._queue)


def test_without_a_cache_the_first_picture_is_a_keyframe(viewer, pipe):
    viewer.start(HEADERS, [], 0.0)
    viewer.offer(inter(), 0.1)
    viewer.offer(key(), 0.2)
    assert pipe.sent == [b"<AV>", b"K"]


def test_a_full_transport_gets_no_more_and_the_queue_is_sent_in_order(viewer, pipe):
    viewer.start(HEADERS, [key()], 0.0)
    pipe.stuck = True
    viewer.offer(inter(b"0123456789ab"), 0.1)
    for letter in (b"a", b"b", b"c"):
        viewer.offer(inter(letter), 0.2)
    assert pipe.sent[-1] == b"0123456789ab", "the rest of a write that the kernel did not take stays in the transport"
    assert viewer.waiting_bytes == 3
    release(viewer, pipe)
    assert pipe.sent[-3:] == [b"a", b"b", b"c"]
    assert viewer.waiting_bytes == 0


def test_over_the_byte_bound_it_jumps_to_the_newest_keyframe(viewer, pipe):
    viewer.start(HEADERS, [key()], 0.0)
    viewer.block()
    for batch in (inter(b"x" * 60), key(b"N"), inter(b"y" * 30), inter(b"z" * 20)):
        viewer.offer(batch, 0.1)
    release(viewer, pipe)
    assert pipe.sent == [b"<AV>", b"K", b"N", b"y" * 30, b"z" * 20]
    assert (viewer.overflows, viewer.dropped) == (1, 1)


def test_over_the_time_bound_without_a_newer_keyframe_it_waits_for_one(viewer, pipe):
    viewer.start(HEADERS, [key()], 0.0)
    viewer.block()
    viewer.offer(inter(b"a"), 1.0)
    viewer.offer(inter(b"b"), 4.1)
    viewer.offer(inter(b"c"), 4.2)
    viewer.offer(key(b"N"), 4.3)
    release(viewer, pipe)
    assert pipe.sent == [b"<AV>", b"K", b"N"]
    assert viewer.dropped == 2


def test_new_headers_are_never_dropped(viewer, pipe):
    viewer.start(HEADERS, [key()], 0.0)
    viewer.block()
    viewer.headers(Headers(b"<old>", b"", b""), 0.1)
    viewer.offer(key(b"L"), 0.1)
    viewer.headers(Headers(b"<new>", b"", b""), 0.2)
    viewer.offer(key(b"M" * 50), 0.2)
    viewer.offer(inter(b"x" * 60), 0.3)
    assert viewer.overflows == 1
    viewer.offer(key(b"N"), 0.4)
    release(viewer, pipe)
    assert pipe.sent == [b"<AV>", b"K", b"<new>", b"N"]


def test_kept_headers_do_not_age_into_the_next_overflow(viewer, pipe):
    viewer.start(None, [key()], 0.0)
    viewer.block()
    viewer.headers(HEADERS, 0.0)
    viewer.offer(inter(b"a"), 4.0)
    assert viewer.overflows == 1
    viewer.offer(key(b"N"), 5.0)
    assert viewer.overflows == 1


def test_a_keyframe_larger_than_the_queue_is_not_kept(viewer, pipe):
    viewer.start(HEADERS, [key()], 0.0)
    viewer.block()
    viewer.offer(inter(b"a"), 0.1)
    viewer.offer(key(b"N" * 200), 0.2)
    assert viewer.waiting_bytes == 0


def test_the_first_burst_may_be_larger_and_slower_than_the_queue(viewer, pipe):
    pipe.stuck = True
    viewer.start(HEADERS, [key(b"K" * 50)] + [inter(b"p" * 50)] * 6, 0.0)
    viewer.offer(inter(b"q"), 9.0)
    assert viewer.overflows == 0
    viewer.offer(inter(b"q"), 10.5)
    assert viewer.overflows == 1


def test_once_caught_up_the_normal_bounds_hold(viewer, pipe):
    pipe.stuck = True
    viewer.start(HEADERS, [key(b"K" * 50)] + [inter(b"p" * 50)] * 6, 0.0)
    release(viewer, pipe)
    viewer.block()
    viewer.offer(inter(b"x" * 101), 1.0)
    assert viewer.overflows == 1


def test_three_overflows_in_half_a_minute_are_too_slow(viewer):
    viewer.start(HEADERS, [key()], 0.0)
    viewer.block()
    for second in (0.0, 10.0):
        viewer.offer(key(b"x" * 101), second)
    assert viewer.check(10.0) == ""
    viewer.offer(key(b"x" * 101), 20.0)
    assert "3 times behind" in viewer.failure
    assert viewer.too_slow


def test_overflows_far_apart_are_forgiven(viewer):
    viewer.start(HEADERS, [key()], 0.0)
    viewer.block()
    for second in (0.0, 20.0, 40.0, 60.0):
        viewer.offer(key(b"x" * 101), second)
    assert viewer.overflows == 4
    assert viewer.failure == ""


def test_nothing_taken_for_ten_seconds_is_too_slow(viewer, pipe):
    viewer.start(HEADERS, [key()], 0.0)
    assert viewer.check(1.0) == ""
    pipe.stuck = True
    viewer.offer(inter(), 1.5)
    assert viewer.check(10.9) == ""
    assert "took nothing" in viewer.check(11.1)


def test_slow_progress_is_progress(viewer, pipe):
    pipe.stuck = True
    viewer.start(HEADERS, [key(b"K" * 100)], 0.0)
    for second in range(5, 50, 5):
        pipe.buffered -= 1
        assert viewer.check(float(second)) == ""


def test_a_silent_camera_is_not_a_slow_player(viewer):
    viewer.start(HEADERS, [key()], 0.0)
    assert viewer.check(1000.0) == ""


def test_pause_sends_nothing_but_headers_and_goes_on_at_a_keyframe(viewer, pipe):
    viewer.start(HEADERS, [key()], 0.0)
    viewer.pause(True)
    viewer.offer(key(b"L"), 0.1)
    viewer.headers(Headers(b"<new>", b"", b""), 0.2)
    viewer.pause(False)
    viewer.offer(inter(), 0.3)
    viewer.offer(key(b"M"), 0.4)
    assert pipe.sent == [b"<AV>", b"K", b"<new>", b"M"]


def test_audio_and_video_can_be_switched_off_and_on(viewer, pipe):
    viewer.start(HEADERS, [key()], 0.0)
    viewer.receive(False, None)
    viewer.offer(Batch(b"aap", 2, False), 0.1)
    viewer.receive(True, False)
    viewer.offer(Batch(b"aap", 2, False), 0.2)
    viewer.offer(inter(), 0.2)
    viewer.receive(None, True)
    viewer.offer(inter(), 0.3)
    viewer.offer(key(), 0.4)
    assert pipe.sent == [b"<AV>", b"K", b"p", b"aa", b"K"]
    viewer.receive(False, False)
    assert viewer.want is Want.NONE
    viewer.offer(key(), 0.5)
    assert len(pipe.sent) == 5


@pytest.mark.parametrize(
    ("tracks", "fourccs", "policy", "refused", "want"),
    [
        ((H264, AAC), [], REFUSE, False, Want.ALL),
        ((H265, AAC), [], SEND, False, Want.ALL),
        ((H265, AAC), [], SUB, False, Want.ALL),
        ((H265, AAC), [], REFUSE, True, None),
        ((H265, AAC), ["hvc1"], REFUSE, False, Want.ALL),
        ((H265, AAC), ["*"], REFUSE, False, Want.ALL),
        ((H265, AAC), ["av01"], REFUSE, True, None),
        ((H265, OPUS), ["hvc1"], SEND, False, Want.VIDEO),
        ((H264, OPUS), [], REFUSE, False, Want.VIDEO),
        ((H264, OPUS), [], SEND, False, Want.VIDEO),
        ((H264, OPUS), ["Opus"], REFUSE, False, Want.ALL),
        ((OPUS,), [], REFUSE, True, None),
        ((OPUS,), [], SEND, False, Want.ALL),
        ((H264, PCMA), ["*"], SEND, False, Want.VIDEO),
        ((H264,), [], REFUSE, False, Want.ALL),
    ],
)
def test_codecs_against_what_the_player_announces(pipe, tracks, fourccs, policy, refused, want):
    viewer = Viewer(pipe, Capabilities(fourccs=frozenset(fourccs)), 0.0)
    assert bool(viewer.fit(tracks, policy)) is refused
    if want is not None:
        assert viewer.want is want


def test_headers_of_tracks_that_do_not_fit_are_not_sent(pipe):
    viewer = Viewer(pipe, Capabilities(), 0.0)
    viewer.fit((H264, OPUS), REFUSE)
    assert viewer.note == "the sound is left out: it is Opus, and this player announces none"
    viewer.start(HEADERS, [Batch(b"aaK", 2, True)], 0.0)
    assert pipe.sent == [b"<V>", b"K"]


def send(lane: Lane, batch: Batch, now: float) -> None:
    """What a relay does with each batch."""
    others = tuple(lane.others)
    lane.send(batch.whole)
    for viewer in others:
        viewer.offer(batch, now)


def test_a_player_in_step_is_in_the_lane_and_leaves_it_for_whatever_needs_a_look(viewer, pipe):
    lane = Lane()
    viewer.enter(lane)
    viewer.start(HEADERS, [], 0.0)
    assert viewer in lane.others, "waits for its first keyframe"
    send(lane, key(), 0.1)
    assert viewer in lane.takers
    for leave, back in (
        (lambda: viewer.receive(False, None), lambda: viewer.receive(True, None)),
        (viewer.block, viewer.unblock),
        (lambda: viewer.pause(True), lambda: (viewer.pause(False), send(lane, key(), 0.2))),
    ):
        leave()
        assert viewer in lane.others and viewer not in lane.takers
        back()
        assert viewer in lane.takers and viewer not in lane.others
    viewer.exit()
    viewer.unblock()
    assert not lane.takers and not lane.others


def test_a_transport_that_fills_up_while_the_lane_is_sent_gets_nothing_twice(viewer, pipe):
    lane = Lane()
    viewer.enter(lane)
    viewer.start(HEADERS, [key()], 0.0)
    pipe.stuck = True
    send(lane, inter(b"a"), 0.1)
    send(lane, inter(b"b"), 0.2)
    assert pipe.sent[-1] == b"a"
    release(viewer, pipe)
    send(lane, inter(b"c"), 0.3)
    assert b"".join(pipe.sent) == b"<AV>Kabc"
    assert viewer.written_bytes == len(b"<AV>Kabc")


@given(st.lists(st.sampled_from("kibupsav"), max_size=60))
def test_in_the_lane_or_not_a_player_gets_the_same(steps):
    def play(lane: Lane | None) -> tuple[bytes, int]:
        pipe = Pipe()
        pipe.viewer = viewer = Viewer(pipe, Capabilities(), 0.0, limits=LIMITS)
        if lane is not None:
            viewer.enter(lane)
        viewer.start(HEADERS, [], 0.0)
        for number, step in enumerate(steps):
            if step in "ki":
                batch = Batch(b"a%d,v%d;" % (number, number), len(b"a%d," % number), step == "k")
                if lane is None:
                    viewer.offer(batch, 0.0)
                else:
                    send(lane, batch, 0.0)
            elif step == "b":
                pipe.stuck = True
            elif step == "u":
                release(viewer, pipe)
            elif step in "ps":
                viewer.pause(step == "p")
            else:
                viewer.receive(viewer.want.value != "all" if step == "a" else None, True if step == "v" else None)
        return b"".join(pipe.sent), viewer.written_bytes

    assert play(None) == play(Lane())


@given(st.lists(st.tuples(st.sampled_from("kihbu"), st.integers(1, 60), st.floats(0, 2)), max_size=60))
def test_memory_is_bounded_and_what_is_sent_always_decodes(steps):
    pipe = Pipe()
    viewer = Viewer(pipe, Capabilities(), 0.0, limits=LIMITS)
    viewer.start(Headers(b"H0", b"", b""), [], 0.0)
    now, newest = 0.0, 0
    for number, (kind, size, pause) in enumerate(steps, 1):
        now += pause
        if kind == "h":
            newest += 1
            viewer.headers(Headers(b"H%d" % newest, b"", b""), now)
            viewer.offer(key(b"K%d,%d" % (number, newest)), now)
        elif kind == "k":
            viewer.offer(key(b"K%d,%d" % (number, newest) + b"." * size), now)
        elif kind == "i":
            viewer.offer(inter(b"p%d,%d" % (number, newest) + b"." * size), now)
        elif kind == "b":
            viewer.block()
        else:
            viewer.unblock()
        assert viewer.waiting_bytes <= LIMITS.queue_bytes + 10
    viewer.unblock()
    headers, last, decodable = b"", 0, False
    for data in pipe.sent:
        if data[:1] == b"H":
            headers = data[1:]
            continue
        current, belongs = data[1:].rstrip(b".").split(b",")
        assert int(current) > last
        assert belongs == headers
        decodable = decodable or data[:1] == b"K"
        assert decodable
        last = int(current)
