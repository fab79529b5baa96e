"""Symptoms of broken camera clocks, each by its name."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gateway.media.timestamps import START_S, Timeline
from gateway.media.track import Kind

RATE = 90_000
BASE = round(START_S * RATE)


def run(times, *, kind=Kind.VIDEO, rate=RATE, step_s=0.04, reorder=0, timeline=None, start=100.0):
    session = (timeline or Timeline()).open(start)
    return [session.stamp(kind, rate, pts, start + i * step_s, reorder=reorder, duration=0) for i, pts in enumerate(times)]


def dts(stamps):
    return [stamp.dts - BASE for stamp in stamps]


def test_first_keyframe_without_a_time_is_kept():
    assert dts(run([None, 3600, 7200])) == [0, 3600, 7200]


def test_first_keyframe_without_a_time_when_the_clock_does_not_start_at_zero():
    assert dts(run([None, 987_654_321, 987_654_321 + 3600])) == [0, 3600, 7200]


def test_b_frames_get_decoding_times_from_the_declared_reordering():
    stamps = run([0, 10800, 3600, 7200, 21600, 14400, 18000], reorder=1)
    assert all(stamp.pts >= stamp.dts for stamp in stamps)
    assert [stamp.pts - BASE for stamp in stamps] == [0, 10800, 3600, 7200, 21600, 14400, 18000]
    assert sorted(dts(stamps)) == dts(stamps)
    assert len(set(dts(stamps))) == len(stamps)


def test_b_frames_of_a_camera_that_declares_nothing_settle():
    order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11]
    stamps = run([n * 3600 for n in order], reorder=None)
    assert all(a.dts < b.dts for a, b in itertools.pairwise(stamps))
    assert [stamp.pts - BASE for stamp in stamps[4:]] == [n * 3600 for n in order[4:]]


def test_one_frame_stamped_hours_away_moves_nothing():
    stamps = run([0, 3600, 7200, 4 * 3600 * RATE, 14400, 18000])
    assert dts(stamps) == [0, 3600, 7200, 10800, 14400, 18000]
    assert not any(stamp.discontinuity for stamp in stamps)


def test_clock_that_jumps_and_stays_is_bridged_and_marked_once():
    there = 10 * 3600 * RATE
    stamps = run([0, 3600, 7200, there, there + 3600, there + 7200])
    assert dts(stamps) == [0, 3600, 7200, 10800, 14400, 18000]
    assert [stamp.discontinuity for stamp in stamps] == [False] * 4 + [True, False]


def test_clock_that_jumps_back_is_bridged():
    stamps = run([RATE * 100, RATE * 100 + 3600, 0, 3600, 7200])
    assert dts(stamps) == [0, 3600, 7200, 10800, 14400]


def test_small_step_back_squeezes_video_and_never_repeats_a_time():
    stamps = run([0, 3600, 7200, 3200, 6800, 10400, 14000])
    assert all(a.dts < b.dts for a, b in itertools.pairwise(stamps))
    assert stamps[-1].pts - BASE == 14000


def test_small_step_back_drops_audio_until_it_catches_up():
    stamps = run([0, 1024, 2048, 1500, 2524, 3548], kind=Kind.AUDIO, rate=48_000, step_s=0.0213)
    assert [stamp is None for stamp in stamps] == [False, False, False, True, False, False]


def test_duplicate_times_are_spread():
    assert dts(run([0, 3600, 3600, 7200])) == [0, 3600, 3601, 7200]


def test_reconnect_goes_on_where_the_session_ended_plus_the_outage():
    timeline = Timeline()
    first = run([0, 3600, 7200], timeline=timeline)
    session = timeline.open(110.0)
    again = session.stamp(Kind.VIDEO, RATE, 0, 110.0)
    assert session.resumed
    assert again.dts > first[-1].dts
    gap_s = (again.dts - first[-1].dts) / RATE
    assert 9.5 < gap_s < 10.5


def test_wifi_outage_of_three_seconds_is_not_a_jump():
    timeline = Timeline().open(0.0)
    timeline.stamp(Kind.VIDEO, RATE, 0, 0.0)
    burst = timeline.stamp(Kind.VIDEO, RATE, 3600, 3.0)
    assert burst.dts - BASE == 3600
    assert not burst.discontinuity


def both(session, start, seconds, *, audio_from, audio_zero=0):
    """Play 25 fps video and 50 audio packets/s; the audio clock starts at `audio_zero` when it first speaks."""
    video = audio = None
    for n in range(int(seconds * 25)):
        now = start + n * 0.04
        video = session.stamp(Kind.VIDEO, RATE, n * 3600, now)
        if n * 0.04 >= audio_from:
            for half in (0, 1):
                ticks = round(((n * 0.04 - audio_from) + half * 0.02) * 8000) + audio_zero
                audio = session.stamp(Kind.AUDIO, 8000, ticks, now + half * 0.02, duration=160)
    return video.pts / RATE, audio.pts / 8000


def test_microphone_that_speaks_up_late_joins_the_picture():
    video_s, audio_s = both(Timeline().open(0.0), 0.0, 40, audio_from=28)
    assert abs(video_s - audio_s) < 0.1


def test_tracks_with_a_common_clock_keep_their_exact_offset():
    session = Timeline().open(0.0)
    first = session.stamp(Kind.VIDEO, RATE, 0, 0.0)
    sound = session.stamp(Kind.AUDIO, 8000, 3200, 0.7, duration=160)
    assert round(sound.pts / 8000 - first.pts / RATE, 6) == 0.4


def test_audio_clock_that_stood_still_during_silence_rejoins_the_picture():
    session = Timeline().open(0.0)
    both(session, 0.0, 10, audio_from=0)
    for n in range(250, 1000):
        video = session.stamp(Kind.VIDEO, RATE, n * 3600, n * 0.04)
    for n in range(100):
        audio = session.stamp(Kind.AUDIO, 8000, 80_000 + n * 160, 40 + n * 0.02, duration=160)
        if n % 2 == 0:
            video = session.stamp(Kind.VIDEO, RATE, (1000 + n // 2) * 3600, 40 + n * 0.02)
    assert abs(video.pts / RATE - audio.pts / 8000) < 0.2


@given(
    st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1, max_size=60),
    st.sampled_from([0, 1, 2, None]),
)
def test_whatever_the_camera_sends_decoding_times_grow_and_precede_presentation(times, reorder):
    stamps = run(times, reorder=reorder)
    for before, after in itertools.pairwise(stamps):
        assert after.dts > before.dts
    assert all(stamp.pts >= stamp.dts and stamp.duration > 0 for stamp in stamps)


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=60))
def test_whatever_the_camera_sends_audio_times_grow(times):
    stamps = [stamp for stamp in run(times, kind=Kind.AUDIO, rate=8000) if stamp is not None]
    for before, after in itertools.pairwise(stamps):
        assert after.dts > before.dts


def test_clock_that_steps_back_again_and_again_puts_no_pictures_behind_where_the_stream_says_it_reorders_none():
    """Each step was taken for one picture more that the camera reorders: 0.3 s of delay after twenty of them."""
    times, at = [], 0
    for number in range(500):
        at += 3600 if number % 25 else -27_000
        times.append(at)
    assert all(stamp.pts - stamp.dts <= 1 for stamp in run(times)[-20:])


def test_stream_that_no_longer_says_how_much_it_reorders_is_learned_again():
    session = Timeline().open(100.0)
    for number in range(10):
        session.stamp(Kind.VIDEO, RATE, number * 3600, 100 + number * 0.04, reorder=0)
    order = [10, 13, 11, 12, 16, 14, 15, 19, 17, 18, 22, 20, 21]
    stamps = [session.stamp(Kind.VIDEO, RATE, n * 3600, 100 + n * 0.04, reorder=None) for n in order]
    assert [stamp.pts - stamps[-1].pts for stamp in stamps[-3:]] == [3600, -3600, 0]
