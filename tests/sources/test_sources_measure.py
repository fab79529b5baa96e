"""What a stream really delivers: counted from frames, without a camera."""

from __future__ import annotations

import pytest

from gateway.media.frame import Frame
from gateway.media.track import VIDEO_CLOCK_HZ, Codec, TrackConfig
from gateway.sources.measure import KEYFRAMES_S, WATCH_S, Tally

VIDEO = TrackConfig(Codec.H264, VIDEO_CLOCK_HZ, b"", "avc1", 1280, 720)
AUDIO = TrackConfig(Codec.AAC, 48_000, b"", "mp4a")


class Watch:
    """A tally on a clock that follows the frames."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stopped_at: float | None = None
        self.tally = Tally(self.enough, lambda: self.now)

    def enough(self) -> None:
        self.stopped_at = self.now if self.stopped_at is None else self.stopped_at

    def see(self, fps: float, gop: int, seconds: float, size: int = 1000, first: int = 0) -> None:
        number = first
        while self.now < seconds and self.stopped_at is None:
            ticks = round(number / fps * VIDEO_CLOCK_HZ)
            self.now = number / fps
            self.tally.frame(Frame(VIDEO, ticks, ticks, 0, number % gop == 0, False, 0.0, bytes(size)))
            number += 1


def test_rates_and_keyframes():
    watch = Watch()
    watch.see(fps=20, gop=40, seconds=60)
    found = watch.tally.result()
    assert found is not None
    assert found.fps == pytest.approx(20)
    assert (found.keyframe_interval, found.gop) == (2.0, 40)
    assert found.bitrate == pytest.approx(20 * 1000 * 8, rel=0.01)
    assert watch.stopped_at == pytest.approx(WATCH_S)
    assert (found.codec, found.width, found.height, found.audio) == ("h264", 1280, 720, "")


def test_smart_codec_is_watched_longer_for_its_second_keyframe():
    watch = Watch()
    watch.see(fps=10, gop=100, seconds=60)
    found = watch.tally.result()
    assert found is not None
    assert (found.keyframe_interval, watch.stopped_at) == (10.0, 10.0)
    watch = Watch()
    watch.see(fps=10, gop=100_000, seconds=60)
    found = watch.tally.result()
    assert found is not None
    assert (found.keyframe_interval, found.gop) == (0.0, 0)
    assert watch.stopped_at == pytest.approx(KEYFRAMES_S)


def test_counting_begins_with_a_keyframe():
    watch = Watch()
    watch.see(fps=10, gop=20, seconds=60, first=7)
    found = watch.tally.result()
    assert found is not None
    assert found.keyframe_interval == 2.0


def test_sound_is_named_and_silence_is_no_picture():
    tally = Tally()
    tally.begin(frozenset(), "G.711 transcoded to AAC")
    tally.frame(Frame(AUDIO, 0, 0, 1024, True, False, 0.0, b"x"))
    assert tally.result() is None
    tally.frame(Frame(VIDEO, 0, 0, 0, True, False, 0.0, b"x"))
    found = tally.result()
    assert found is not None
    assert (found.audio, found.audio_note, found.fps, found.bitrate) == ("aac", "G.711 transcoded to AAC", 0.0, 0.0)
