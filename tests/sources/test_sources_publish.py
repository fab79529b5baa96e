from __future__ import annotations

import pytest

from gateway.config.model import SecondPublisher, Secret
from gateway.media.frame import Frame
from gateway.media.state import State, Status
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.rtmp.publisher import Publisher
from gateway.sources.publish import PublishSource

VIDEO = TrackConfig(Codec.H264, 90_000, b"", "avc1.42C00A", width=160, height=120)
AUDIO = TrackConfig(Codec.AAC, 48_000, b"", "mp4a.40.2", sample_rate=48_000, channels=1)
ONLY_VIDEO, ONLY_AUDIO = frozenset({Kind.VIDEO}), frozenset({Kind.AUDIO})


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock) -> PublishSource:
    source = PublishSource("phone", Secret("sesame"), monotonic=clock, wall=clock)
    source.start()
    return source


def publisher(source, clock, client="10.0.0.7") -> Publisher:
    """A publisher whose connection closes as soon as it is dismissed."""
    one = Publisher(client, source, clock(), lambda reason: one.end(reason, clock()))
    return one


def picture(dts: int, keyframe: bool = True) -> Frame:
    return Frame(VIDEO, dts, dts, 3600, keyframe, False, 0.0, b"picture")


def go_live(source, clock) -> Publisher:
    one = publisher(source, clock)
    assert source.open(one, clock()) == ""
    source.begin(one, ONLY_VIDEO, "")
    source.push(one, [picture(1)])
    return one


def test_it_waits_says_so_and_goes_live_with_the_first_frames(source, clock):
    assert (source.stream.status.state, source.stream.status.code) == (State.OFFLINE, "waiting")
    assert source.stream.status.reason == "waiting for the publisher"
    one = publisher(source, clock)
    assert source.open(one, clock()) == ""
    assert source.stream.status.state is State.CONNECTING
    source.begin(one, ONLY_VIDEO, "Speex sound cannot be served")
    assert source.stream.status.state is State.CONNECTING
    source.push(one, [picture(1)])
    assert source.stream.status.state is State.LIVE
    assert source.audio_note == "Speex sound cannot be served"
    assert source.stream.tracks == (VIDEO,)
    source.close(one, "the publisher left")
    assert (source.stream.status.state, source.stream.status.reason) == (State.OFFLINE, "the publisher left")
    assert source.stream.last_keyframe is not None


def test_pictures_that_stop_are_late_and_return(source, clock):
    one = go_live(source, clock)
    clock.now += 2
    source.tick()
    assert source.stream.status.state is State.LATE
    source.push(one, [picture(4000)])
    source.tick()
    assert source.stream.status.state is State.LIVE


@pytest.mark.parametrize("in_the_last_second", [1, 2, 3])
def test_publisher_that_has_stopped_is_not_called_live_again_for_a_moment(source, clock, in_the_last_second):
    """The rate of its last second, which had begun and ended with few pictures, made it a slow camera that may be late."""
    one = go_live(source, clock)
    for number in range(250 + in_the_last_second):
        clock.now = 100 + number / 25
        source.push(one, [picture(3600 * (number + 1), number % 25 == 0)])
    states = []
    for _ in range(40):
        clock.now += 0.5
        source.tick()
        states.append(source.stream.status.state)
    assert State.LIVE not in states[states.index(State.LATE) :]


def test_sound_alone_is_never_late_even_after_a_publisher_with_a_picture(source, clock):
    source.close(go_live(source, clock), "the publisher left")
    one = publisher(source, clock)
    source.open(one, clock())
    source.begin(one, ONLY_AUDIO, "")
    source.push(one, [Frame(AUDIO, 100_000, 100_000, 1024, True, False, 0.0, b"sound")])
    clock.now += 60
    source.tick()
    assert source.stream.status.state is State.LIVE


@pytest.mark.parametrize("params", [{"key": "sesame"}, {"token": "sesame"}, {"user": "x", "pass": "sesame"}])
def test_the_key_in_its_places(source, params):
    assert source.admits(params)


@pytest.mark.parametrize(
    "params", [{}, {"key": ""}, {"key": "Sesame"}, {"user": "sesame"}, {"key": "s\udcff\0"}, {"key": "x" * 9999}]
)
def test_other_keys_are_refused(source, params):
    assert not source.admits(params)


def test_a_key_with_a_plus_sign_survives_the_query_string():
    source = PublishSource("phone", Secret("a+b/c="))
    source.start()
    assert source.admits({"key": "a b/c="})


def test_it_takes_nobody_while_it_is_not_started_or_stopped_and_says_why(clock):
    source = PublishSource("phone", Secret("sesame"), monotonic=clock)
    source.stream.set_status(Status(State.DISABLED, 0.0, "switched off in the configuration", "disabled"))
    refused = "phone takes no publisher: switched off in the configuration"
    assert source.open(publisher(source, clock), clock()) == refused
    source.start()
    assert source.open(publisher(source, clock), clock()) == ""
    assert source.stop() == []
    assert "the camera was removed" in source.open(publisher(source, clock), clock())


def test_a_second_publisher_replaces_the_first_where_the_camera_says_so(clock):
    source = PublishSource("phone", Secret("sesame"), second=SecondPublisher.REPLACE, monotonic=clock, wall=clock)
    source.start()
    first = go_live(source, clock)
    second = publisher(source, clock)
    assert source.open(second, clock()) == ""
    source.push(first, [picture(9000)])
    assert source.stream.status.state is State.CONNECTING
    source.begin(second, ONLY_VIDEO, "")
    source.push(second, [picture(10_000)])
    assert source.stream.status.state is State.LIVE


def test_a_silent_publisher_makes_room_and_can_do_no_more(source, clock):
    first = go_live(source, clock)
    second = publisher(source, clock, "10.0.0.8")
    assert source.open(second, clock()) == "somebody is already publishing phone"
    clock.now += 5.1
    second = publisher(source, clock, "10.0.0.8")
    assert source.open(second, clock()) == ""
    assert source.stream.status.state is State.CONNECTING
    source.begin(first, ONLY_AUDIO, "old")
    source.push(first, [picture(9000)])
    source.close(first, "late")
    assert source.stream.status.state is State.CONNECTING
    assert source.audio_note == ""
    source.begin(second, ONLY_VIDEO, "")
    source.push(second, [picture(10_000)])
    assert source.stream.status.state is State.LIVE


def test_a_phone_whose_connection_was_cut_is_let_in_again_soon(source, clock):
    go_live(source, clock)
    assert source.open(publisher(source, clock), clock()) == "somebody is already publishing phone"
    clock.now += 1.6
    assert source.open(publisher(source, clock, "10.0.0.8"), clock()) == "somebody is already publishing phone"
    assert source.open(publisher(source, clock), clock()) == ""


def test_stopping_lets_the_publisher_go(source, clock):
    go_live(source, clock)
    source.stop()
    assert source.stream.status.state is State.OFFLINE
    source.retry_now()
    source.stop()
