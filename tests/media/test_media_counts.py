"""What is counted of a stream survives sessions and a new configuration, and counts each thing once."""

from __future__ import annotations

from gateway.media import h264
from gateway.media.counts import Counts
from gateway.media.frame import Frame
from gateway.media.joiner import Joiner, Packet
from gateway.media.meter import Meter
from gateway.media.state import State, Status
from gateway.media.stream import Stream
from gateway.media.timestamps import Timeline
from gateway.media.track import Codec, Kind, TrackConfig

VIDEO = TrackConfig(Codec.H264, 90_000, b"\x01", "avc1.42C01E", width=640, height=360)
LIVE = Status(State.LIVE, 0.0)


def picture(number: int, *, key: bool = False) -> Frame:
    return Frame(VIDEO, number * 3600, number * 3600, 3600, key, False, number / 25, b"x" * 100)


def test_a_failure_that_is_told_twice_counts_once():
    counts, connecting = Counts(), Status(State.CONNECTING, 0.0)
    waiting = Status(State.OFFLINE, 1.0, "no route", "unreachable", next_retry=2.0)
    trying = Status(State.OFFLINE, 1.0, "no route", "unreachable")
    for before, after in ((connecting, waiting), (waiting, trying), (trying, waiting), (waiting, trying), (trying, LIVE)):
        counts.observe(before, after)
    assert counts.failures == {"unreachable": 2}
    assert (counts.sessions, counts.interruptions) == (1, 0)


def test_late_is_no_new_session_and_nobody_watching_is_no_failure():
    counts = Counts()
    late, idle = Status(State.LATE, 0.0, "late", "late"), Status(State.OFFLINE, 0.0, "nobody", "idle")
    for before, after in ((idle, LIVE), (LIVE, late), (late, LIVE), (LIVE, idle), (idle, LIVE)):
        counts.observe(before, after)
    assert (counts.sessions, counts.interruptions, counts.failures) == (2, 0, {})


def test_a_publisher_that_goes_is_an_interruption_without_a_next_try():
    counts = Counts()
    counts.observe(LIVE, Status(State.OFFLINE, 0.0, "gone", "waiting"))
    assert (counts.interruptions, counts.failures) == (1, {"waiting": 1})


def test_what_arrives_is_counted_over_sessions():
    stream = Stream("door")
    for begin in (0, 100):
        stream.begin(frozenset({Kind.VIDEO}))
        stream.push([picture(begin, key=True), picture(begin + 1)])
        stream.end()
    assert (stream.counts.frames, stream.counts.received) == (4, 400)
    stream.demand.dropped["rtmp"] += 3
    assert stream.counts.dropped["rtmp"] == 3


def test_repairs_of_time_are_counted_where_they_are_made():
    counts = Counts()
    session = Timeline(counts).open(10.0)
    for number, pts in enumerate((0, 3600, 3_600_000_000, 10800, 9000)):
        session.stamp(Kind.VIDEO, 90_000, pts, 10.0 + number * 0.04)
    assert (counts.jumps, counts.squeezed, counts.silenced) == (1, 1, 0)
    session.stamp(Kind.AUDIO, 8000, 0, 10.2, duration=160)
    session.stamp(Kind.AUDIO, 8000, 160, 10.22, duration=160)
    session.stamp(Kind.AUDIO, 8000, 160, 10.24, duration=160)
    assert counts.silenced == 1


def test_packets_that_are_one_picture_are_counted():
    counts = Counts()
    joiner = Joiner(h264.begins_picture, counts)
    for pts in (0, 0, 3600, 3600, 7200, 7200):
        joiner.push(Packet(pts, [b"x"], False))
    assert counts.joined == 2, "the second half of the very first picture is not joined any more"


def test_even_pictures_have_no_jitter_and_uneven_ones_have():
    even, uneven = Meter(), Meter()
    for number in range(200):
        even.add(picture(number), number * 0.04)
        uneven.add(picture(number), number * 0.04 + (0.1 if number % 2 else 0.0))
    assert even.jitter_s < 1e-6
    assert 0.08 < uneven.jitter_s < 0.12
