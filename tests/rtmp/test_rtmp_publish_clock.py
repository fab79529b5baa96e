from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gateway.media.timestamps import Timeline
from gateway.rtmp.publish_clock import PublishClock

START = 90_000
AAC = 1920
"""1024 samples at 48 kHz, in ticks of 90 kHz."""
U32 = st.integers(0, 0xFFFFFFFF)


def opened(at: float = 0.0) -> PublishClock:
    return PublishClock(Timeline(), at)


def pictures(clock: PublishClock, times: list[int], arrival: float = 0.0, composition: int = 0) -> list:
    return [clock.video(time & 0xFFFFFFFF, composition, arrival + 0.04 * n) for n, time in enumerate(times)]


def test_milliseconds_become_ticks_from_the_start_of_the_timeline():
    stamps = pictures(opened(), [700, 740, 780])
    assert [stamp.dts for stamp in stamps] == [START, START + 3600, START + 7200]
    assert stamps[-1].duration == 3600


def test_times_pass_two_to_the_32_unnoticed():
    stamps = pictures(opened(), [2**32 - 40, 2**32, 2**32 + 40])
    assert [stamp.dts - START for stamp in stamps] == [0, 3600, 7200]
    assert not any(stamp.discontinuity for stamp in stamps)


def test_b_frames_keep_their_presentation_times():
    clock = opened()
    stamps = [clock.video(40 * n, cts, 0.04 * n) for n, cts in enumerate([80, 200, 80, 0, 40])]
    assert [(stamp.pts - stamp.dts) // 90 for stamp in stamps] == [80, 200, 80, 0, 40]


def test_negative_composition_moves_decoding_and_never_the_picture():
    clock = opened()
    stamps = [clock.video(40 * n, cts, 0.04 * n) for n, cts in enumerate([0, 80, -40, -40, 80, -40, -40])]
    assert all(stamp.pts >= stamp.dts for stamp in stamps)
    # The first of them is squeezed behind the decoding time that is already out.
    assert [stamp.pts - START for stamp in stamps[2:]] == [3601, *(90 * t for t in (80, 240, 160, 200))]


def test_sound_keeps_its_place_though_its_burst_arrives_before_the_pictures():
    clock = opened()
    sounds = [clock.audio(1000 + 21 * n, AAC, 0.0) for n in range(140)]
    picture = clock.video(1000, 0, 0.1)
    assert picture.dts == sounds[0].dts
    assert not picture.discontinuity


def test_a_track_with_a_clock_of_its_own_joins_where_it_arrives():
    clock = opened()
    pictures(clock, [40 * n for n in range(25)])
    sound = clock.audio(3_600_000, AAC, 1.0)
    assert abs(sound.dts - START - 90_000) < 3600


def test_one_odd_picture_moves_nothing():
    stamps = pictures(opened(), [0, 40, 80, 3_600_000, 160, 200])
    assert [stamp.dts - START for stamp in stamps] == [0, 3600, 7200, 10_800, 14_400, 18_000]
    assert not any(stamp.discontinuity for stamp in stamps)


def test_a_restarted_clock_goes_on_where_it_was_and_is_marked():
    stamps = pictures(opened(), [900_000, 900_040, 0, 40, 80])
    assert [stamp.dts - START for stamp in stamps] == [0, 3600, 7200, 10_800, 14_400]
    assert [stamp.discontinuity for stamp in stamps] == [False, False, False, True, False]


def test_sound_follows_the_jump_of_its_picture_in_sync():
    clock = opened()
    for n in range(10):
        clock.video(500_000 + 40 * n, 0, 0.04 * n)
        clock.audio(500_000 + 40 * n, 3600, 0.04 * n)
    jumped = [(clock.video(40 * n, 0, 0.4 + 0.04 * n), clock.audio(40 * n, 3600, 0.4 + 0.04 * n)) for n in range(5)]
    assert all(picture.dts == sound.dts for picture, sound in jumped[1:])


def test_a_small_step_back_squeezes_pictures_and_drops_sound():
    clock = opened()
    stamps = pictures(clock, [0, 400, 200, 240, 440])
    dts = [stamp.dts - START for stamp in stamps]
    assert dts == [0, 36_000, 36_001, 36_002, 39_600]
    clock = opened()
    sounds = [clock.audio(time, AAC, 0.02 * n) for n, time in enumerate([0, 400, 200, 220, 421])]
    assert [sound is not None for sound in sounds] == [True, True, False, False, True]


def test_sound_sent_in_batches_under_one_time_is_kept():
    clock = opened()
    sounds = [clock.audio(time, AAC, time / 1000) for time in (0, 0, 43, 43, 85, 85)]
    assert all(sounds)
    assert [later.dts - earlier.dts > 1700 for earlier, later in itertools.pairwise(sounds)] == [True] * 5


def test_sound_whose_clock_stood_still_joins_the_picture_again():
    clock = opened()
    clock.audio(0, AAC, 0.0)
    for n in range(500):
        picture = clock.video(40 * n, 0, 0.04 * n)
    sound = clock.audio(21, AAC, 20.0)
    assert abs(sound.dts - picture.dts) < 9000
    assert sound.discontinuity


def test_a_publisher_that_comes_back_goes_on_after_the_time_it_was_away():
    timeline = Timeline()
    last = pictures(PublishClock(timeline, 0.0), [5000, 5040])[-1]
    clock = PublishClock(timeline, 10.0)
    assert clock.resumed
    again = clock.video(0, 0, 10.0)
    assert 9 * 90_000 < again.dts - last.dts < 11 * 90_000
    early = PublishClock(timeline, 10.0)
    early.video(1000, 0, 10.0)
    assert early.audio(0, AAC, 10.0) is None


@given(st.lists(st.tuples(st.booleans(), U32, st.integers(-(2**23), 2**23 - 1), st.floats(0, 30)), max_size=60), U32)
def test_whatever_comes_time_goes_on_within_each_track(messages, start):
    timeline = Timeline()
    clock, arrival = PublishClock(timeline, 0.0), 0.0
    last = {True: 0, False: 0}
    for n, (is_video, timestamp, composition, waited) in enumerate(messages):
        if n == 30:
            clock = PublishClock(timeline, arrival)
        arrival += waited
        timestamp = timestamp if n % 3 else start
        stamp = clock.video(timestamp, composition, arrival) if is_video else clock.audio(timestamp, AAC, arrival)
        if stamp is not None:
            assert stamp.dts > last[is_video]
            assert stamp.dts <= stamp.pts <= stamp.dts + 11 * 90_000
            last[is_video] = stamp.dts
