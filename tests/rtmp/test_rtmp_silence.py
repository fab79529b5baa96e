"""The silent track decodes to silence, keeps the stream's clock to the sample, and is there only where no sound is."""

from __future__ import annotations

import itertools
from dataclasses import replace

import av
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.rtmp.silence import MAX_GAP_FRAMES, RATE_HZ, SILENT_TRACK, SILENT_UNIT, Silenced

H264 = TrackConfig(Codec.H264, 90_000, b"", "")
AAC = TrackConfig(Codec.AAC, 44_100, b"", "")


class Catcher:
    def __init__(self) -> None:
        self.tracks: list = []
        self.frames: list[Frame] = []

    def on_tracks(self, tracks) -> None:
        self.tracks.append(tracks)

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    @property
    def sounds(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.kind is Kind.AUDIO]


def picture(dts: int, *, keyframe: bool = False) -> Frame:
    return Frame(H264, dts, dts, 3600, keyframe, False, 0.0, b"x")


def test_both_decoders_of_ffmpeg_hear_nothing_and_complain_of_nothing():
    # the one in fixed point rounds everything up, by less than the last of 16 bits
    for name, quiet in (("aac", 0), ("aac_fixed", 2**16)):
        decoder = av.CodecContext.create(name, "r")
        decoder.extradata = SILENT_TRACK.extradata
        heard = [frame for _ in range(10) for frame in decoder.decode(av.Packet(SILENT_UNIT))]
        assert len(heard) == 10
        for frame in heard:
            assert (frame.samples, frame.sample_rate, frame.layout.nb_channels) == (1024, RATE_HZ, 2)
            assert abs(frame.to_ndarray()).max() <= quiet


def test_units_stand_at_multiples_of_1024_samples_of_the_streams_clock():
    catcher = Catcher()
    silenced = Silenced(catcher)
    silenced.on_tracks((H264,))
    assert catcher.tracks == [(H264, SILENT_TRACK)]
    start = 7 * 3600 * 90_000 + 1234
    for number in range(250):
        silenced.on_frame(picture(start + number * 3600, keyframe=number == 0))
    assert catcher.frames[0].kind is Kind.VIDEO  # players start at a keyframe
    times = [frame.dts for frame in catcher.sounds]
    assert all(dts % 1024 == 0 for dts in times)
    assert times == list(range(times[0], times[-1] + 1, 1024))
    seconds = (start + 249 * 3600) / 90_000
    assert seconds - 1024 / RATE_HZ < times[-1] / RATE_HZ <= seconds


def test_no_sound_is_ahead_of_its_picture():
    catcher = Catcher()
    silenced = Silenced(catcher)
    silenced.on_tracks((H264,))
    for number in range(50):
        silenced.on_frame(picture(90_000 + number * 3003))
    order = [frame.seconds for frame in catcher.frames]
    assert all(after - before > -0.04 for before, after in itertools.pairwise(order))


def test_a_stream_with_sound_is_left_alone():
    catcher = Catcher()
    silenced = Silenced(catcher)
    for tracks in ((H264, AAC), (AAC,), ()):
        silenced.on_tracks(tracks)
        silenced.on_frame(picture(90_000))
    assert catcher.tracks == [(H264, AAC), (AAC,), ()]
    assert not catcher.sounds


def test_a_microphone_that_speaks_up_takes_the_place_of_the_silence():
    catcher = Catcher()
    silenced = Silenced(catcher)
    silenced.on_tracks((H264,))
    silenced.on_frame(picture(90_000))
    silenced.on_frame(picture(180_000))
    heard = len(catcher.sounds)
    assert heard
    silenced.on_tracks((H264, AAC))
    sound = replace(picture(3 * 44_100), config=AAC)
    silenced.on_frame(sound)
    silenced.on_frame(picture(270_000))
    assert catcher.sounds[heard:] == [sound]


def test_sound_that_comes_after_its_picture_is_not_squeezed_behind_the_silence():
    # players got half a second of it within some milliseconds, because times must grow
    catcher = Catcher()
    silenced = Silenced(catcher)
    silenced.on_tracks((H264,))
    silenced.on_frame(picture(90_000, keyframe=True))
    silenced.on_frame(picture(180_000))
    silence_ends = (catcher.sounds[-1].dts + 1024) / RATE_HZ
    heard = len(catcher.sounds)
    silenced.on_tracks((H264, AAC))
    silenced.on_frame(picture(183_600, keyframe=True))
    for number in range(40):
        silenced.on_frame(replace(picture(round(1.6 * 44_100) + 1024 * number), config=AAC))
    times = [frame.seconds for frame in catcher.sounds[heard:]]
    assert silence_ends <= times[0] < silence_ends + 1024 / 44_100
    assert len(times) > 15
    # a stream that falls silent again and has sound once more begins with a clean slate
    silenced.on_tracks((H264, AAC))
    silenced.on_frame(replace(picture(5 * 44_100), config=AAC))
    assert catcher.sounds[-1].dts == 5 * 44_100


def test_an_outage_of_an_hour_makes_no_hour_of_silence():
    catcher = Catcher()
    silenced = Silenced(catcher)
    silenced.on_tracks((H264,))
    silenced.on_frame(picture(90_000))
    silenced.on_frame(picture(3600 * 90_000))
    silenced.on_frame(picture(3600 * 90_000 + 9000))
    assert 4 <= len(catcher.sounds) <= 6


@given(st.lists(st.integers(1, 90_000 * 5), max_size=40))
def test_times_grow_whatever_the_pictures_do(steps):
    catcher = Catcher()
    silenced = Silenced(catcher)
    silenced.on_tracks((H264,))
    dts = 90_000
    for step in steps:
        dts += step
        silenced.on_frame(picture(dts))
    times = [frame.dts for frame in catcher.sounds]
    assert times == sorted(set(times))
    assert len(times) <= MAX_GAP_FRAMES * max(1, len(steps))
