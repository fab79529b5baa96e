"""A frame becomes a record once, whoever watches, and every viewer starts with the newest keyframe."""

from __future__ import annotations

from paper_page import AUDIO, VIDEO_HD, begun, picture, sound

from gateway.live.feed import Feed
from gateway.live.messages import Format, read_records
from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Kind


class Recorder:
    """A viewer that keeps what it is given."""

    def __init__(self) -> None:
        self.starts: list[tuple[bytes | None, list[bytes], list[bool]]] = []
        self.configs: list[bytes] = []
        self.frames: list[bytes] = []
        self.keyframes: list[bool] = []
        self.problems: list[str] = []

    def on_start(self, feed: Feed, past: list[tuple[bytes, bool]]) -> None:
        self.starts.append((feed.config, [record for record, _ in past], [video for _, video in past]))

    def on_config(self, feed: Feed, record: bytes) -> None:
        self.configs.append(record)

    def on_frame(self, feed: Feed, record: bytes, keyframe: bool, video: bool) -> None:
        self.frames.append(record)
        self.keyframes.append(keyframe and video)

    def on_unplayable(self, feed: Feed, reason: str) -> None:
        self.problems.append(reason)


def numbers(records: list[bytes]) -> list[int]:
    return [int(read_records(record)[0].payload) for record in records]


def test_a_viewer_starts_with_the_newest_keyframe_and_goes_on():
    stream = begun(Stream("yard"))
    feed, viewer = Feed(3, Format.FRAMES, stream), Recorder()
    feed.join(viewer)
    stream.push([picture(3), picture(4, key=True)])
    ((config, past, video),) = viewer.starts
    assert config == feed.config is not None
    assert numbers(past) == [0, 1, 2]
    assert video == [True] * 3
    assert numbers(viewer.frames) == [3, 4]
    assert viewer.keyframes == [False, True]
    assert viewer.configs == []


def test_two_viewers_get_the_very_same_bytes():
    stream = begun(Stream("yard"))
    feed, one, other = Feed(3, Format.FMP4, stream), Recorder(), Recorder()
    feed.join(one)
    feed.join(other)
    stream.push([picture(3)])
    assert one.frames[0] is other.frames[0]
    assert stream.demand.count("ws") == 2


def test_a_viewer_that_asks_again_starts_again_and_counts_once():
    stream = begun(Stream("yard"))
    feed, viewer = Feed(3, Format.FRAMES, stream), Recorder()
    feed.join(viewer)
    stream.push([picture(3)])
    feed.join(viewer)
    assert numbers(viewer.starts[1][1]) == [0, 1, 2, 3]
    assert stream.demand.count("ws") == 1
    feed.leave(viewer)
    feed.leave(viewer)
    assert not stream.demand.active
    stream.push([picture(4)])
    assert numbers(viewer.frames) == [3]


def test_a_feed_that_failed_is_taken_up_by_who_asks_again(monkeypatch):
    """A page whose picture stands still asks again; it was given the past, and then nothing for ever."""
    stream = begun(Stream("yard"))
    feed, viewer = Feed(3, Format.FRAMES, stream), Recorder()
    feed.join(viewer)
    with monkeypatch.context() as patch:
        patch.setattr(feed, "_record", lambda _: 1 / 0)
        stream.push([picture(3)])
    stream.push([picture(4)])
    assert viewer.frames == []
    feed.join(viewer)
    stream.push([picture(5)])
    assert numbers(viewer.frames) == [5]


def test_a_viewer_of_a_camera_that_is_away_is_told_when_it_comes():
    stream = Stream("yard")
    feed, viewer = Feed(3, Format.FRAMES, stream), Recorder()
    feed.join(viewer)
    assert viewer.starts == [(None, [], [])]
    begun(stream)
    assert len(viewer.configs) == 1
    assert numbers(viewer.frames) == [0, 1, 2]


def test_the_past_of_a_session_that_ended_is_never_sent():
    stream = begun(Stream("yard"))
    stream.end()
    feed, viewer = Feed(3, Format.FRAMES, stream), Recorder()
    feed.join(viewer)
    assert viewer.starts[0][1] == []


def test_sound_goes_only_to_those_who_hear_it():
    stream = begun(Stream("yard"), with_audio=True)
    seeing, hearing = Recorder(), Recorder()
    Feed(3, Format.FMP4, stream).join(seeing)
    Feed(4, Format.FMP4_AUDIO, stream).join(hearing)
    stream.push([sound(1), picture(3)])
    assert len(seeing.frames) == 1
    assert len(hearing.frames) == 2
    assert False in hearing.starts[0][2] or hearing.starts[0][2] == [True] * 3


def test_new_parameters_begin_a_new_epoch():
    stream = begun(Stream("yard"))
    feed, viewer = Feed(3, Format.FRAMES, stream), Recorder()
    feed.join(viewer)
    stream.push([picture(3, key=True, config=VIDEO_HD)])
    (config,) = viewer.configs
    before, after = read_records(viewer.starts[0][0] or b"")[0], read_records(config)[0]
    assert after.epoch > before.epoch
    assert b"avc1.64001F" in after.payload
    assert read_records(viewer.frames[0])[0].epoch == after.epoch


def test_a_camera_configured_anew_goes_on_for_its_viewers():
    old, new = begun(Stream("yard")), begun(Stream("yard"))
    feed, viewer = Feed(3, Format.FRAMES, old), Recorder()
    feed.join(viewer)
    feed.rebind(new)
    old.push([picture(3)])
    assert viewer.frames == []
    assert not old.demand.active
    assert new.demand.count("ws") == 1
    assert numbers(viewer.starts[1][1]) == [0, 1, 2]
    new.push([picture(4)])
    assert numbers(viewer.frames) == [4]


def test_a_stream_without_a_picture_is_refused_with_its_reason():
    stream = Stream("yard")
    feed, viewer = Feed(3, Format.FRAMES, stream), Recorder()
    feed.join(viewer)
    stream.begin(frozenset({Kind.AUDIO}))
    stream.push([Frame(AUDIO, 0, 0, 1024, True, False, 0.0, b"a")])
    assert viewer.problems == ["the stream has no video"]
    # what was wrong with a stream is not said of the one that takes its place, nor to who comes when nothing is known yet
    feed.rebind(Stream("yard"))
    feed.leave(viewer)
    feed.join(viewer)
    assert viewer.problems == ["the stream has no video"]
    assert viewer.frames == []
