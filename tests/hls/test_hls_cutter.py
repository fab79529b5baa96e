"""Where parts and segments end, with cameras of every temper. No encoder: frames are numbers."""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import AUDIO, VIDEO, WALL, audio, camera, video

from gateway.hls import cutter as cutter_module
from gateway.hls import pace
from gateway.hls.cutter import Cut, Cutter, Pace
from gateway.media.fragment import TrackRun
from gateway.media.frame import Frame
from gateway.media.track import TrackConfig, Tracks


def cut(frames: Iterable[Frame], tracks: Tracks = (VIDEO,), wanted: Pace | None = None) -> tuple[Cutter, list[Cut]]:
    cutter = Cutter(wanted or Pace())
    cuts = cutter.start(tracks)
    for frame in frames:
        cuts += cutter.add(frame)
    return cutter, cuts


def is_filler(one: Cut) -> bool:
    """No picture begins in it."""
    return one.runs[0].track_id == 2 or not one.runs[0].samples


def check_rules(cutter: Cutter, cuts: list[Cut]) -> None:
    """Everything the draft demands of durations."""
    target_us = cutter.part_target_us
    length_us = 0
    for one in cuts:
        assert 0 < one.duration_us <= target_us
        if not (one.ends_segment or one.independent):
            assert one.duration_us >= 0.85 * target_us
        length_us += one.duration_us
        if one.ends_segment:
            assert (length_us + 500_000) // 1_000_000 <= cutter.target_duration
            length_us = 0
    for run_before, run in pairwise([one.runs[0] for one in cuts if one.runs[0].track_id == 1]):
        end = run_before.decode_time + sum(sample.duration for sample in run_before.samples)
        assert run.decode_time >= end


def check_pictures(cuts: list[Cut], frames: list[Frame]) -> None:
    """Every frame is there once, in order, and shown when it was taken."""
    shown = []
    for one in cuts:
        for run in one.runs:
            if run.track_id != 1:
                continue
            time = run.decode_time
            for sample in run.samples:
                assert sample.duration > 0
                assert sample.offset >= 0
                shown.append((sample.payload, time + sample.offset))
                time += sample.duration
    shift = cutter_module.ORIGIN_S * 90_000
    assert shown == [(frame.payload, frame.pts + shift) for frame in frames][: len(shown)]
    assert len(frames) - len(shown) <= 60


@pytest.mark.parametrize(
    ("fps", "gop"), [(25, 50), (30, 30), (15, 60), (12.5, 25), (10, 10), (8, 16), (5, 10), (2, 4), (1, 2), (60, 60)]
)
def test_regular_cameras_get_equal_parts_and_whole_gops(fps: float, gop: int) -> None:
    frames = list(camera(30, fps=fps, gop=gop))
    cutter, cuts = cut(frames)
    check_rules(cutter, cuts)
    check_pictures(cuts, frames)
    assert not any(is_filler(one) for one in cuts)
    starts = [after for before, after in pairwise(cuts) if before.ends_segment]
    assert starts
    assert all(one.independent for one in starts)
    inner = {one.duration_us for one in cuts[1:] if not one.ends_segment}
    assert max(inner) - min(inner) <= 12


def test_part_is_closed_by_the_frame_that_starts_the_next() -> None:
    cutter = Cutter(Pace())
    cutter.start((VIDEO,))
    closed_at = [frame.dts for frame in camera(4) if cutter.add(frame)]
    assert closed_at[1:5] == [index * 18_000 for index in range(3, 7)], "once the measurement at the start is done"


@pytest.mark.parametrize(("fps", "share"), [(25, 0.1), (5, 0.1), (12, 0.1), (2, 0.1), (25, 0.45), (8, 0.3)])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), gop_s=st.sampled_from([1, 2, 3.1, 20]))
def test_jitter_breaks_no_rule(seed: int, gop_s: float, fps: int, share: float) -> None:
    chance = random.Random(seed)
    gop = round(gop_s * fps)
    ticks = [round((index + 1 + chance.uniform(-share, share)) * 90_000 / fps) for index in range(12 * fps)]
    frames = [video(at, key=index % gop == 0) for index, at in enumerate(ticks)]
    cutter, cuts = cut(frames)
    check_rules(cutter, cuts)
    check_pictures(cuts, frames)
    if share <= 0.1:
        assert not any(is_filler(one) for one in cuts)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.integers(1, 400_000), min_size=60, max_size=200),
    keys=st.integers(1, 40),
    part_s=st.sampled_from([0.1, 0.2, 0.5, 1.0]),
)
def test_no_order_of_frames_breaks_a_rule(steps: list[int], keys: int, part_s: float) -> None:
    at, frames = 0, []
    for index, step in enumerate(steps):
        frames.append(video(at, key=index % keys == 0))
        at += step
    cutter, cuts = cut(frames, wanted=Pace(part_s, 2.0))
    check_rules(cutter, cuts)


@pytest.mark.parametrize("with_audio", [True, False])
def test_frame_rate_drop_at_night_becomes_fillers_not_long_parts(with_audio: bool) -> None:
    frames = [*camera(10, with_audio=with_audio), *camera(20, fps=2, gop=4, start_s=10, with_audio=with_audio)]
    cutter, cuts = cut(frames, (VIDEO, AUDIO) if with_audio else (VIDEO,))
    check_rules(cutter, cuts)
    check_pictures(cuts, [frame for frame in frames if frame.config is VIDEO])
    assert sum(one.duration_us for one in cuts) == pytest.approx(30e6, abs=1.5e6), "declared time is real time"
    fillers = [one for one in cuts if is_filler(one)]
    assert fillers
    assert {one.duration_us for one in fillers} == {cutter.part_target_us}
    assert all((one.runs[0].track_id == 2) is with_audio for one in fillers)
    for track in (1, 2) if with_audio else (1,):
        runs = [run for one in cuts for run in one.runs if run.track_id == track and one.wall > WALL + 11]
        for before, after in pairwise(runs):
            end = before.decode_time + sum(sample.duration for sample in before.samples)
            assert end == after.decode_time, "the picture's sample lasts: no hole in a player's buffer"


def test_slightly_slower_camera_needs_fillers_only_now_and_then() -> None:
    frames = [*camera(10, fps=25), *camera(20, fps=4, gop=8, start_s=10)]
    cutter, cuts = cut(frames)
    check_rules(cutter, cuts)
    fillers = [one for one in cuts if is_filler(one)]
    assert len(fillers) < (len(cuts) - len(fillers)) / 2


def test_gop_beyond_the_ceiling_is_cut_without_keyframe() -> None:
    cutter, cuts = cut(camera(40, gop=25 * 60))
    check_rules(cutter, cuts)
    assert cutter.target_duration == pace.TARGET_CEILING_S
    starts = [after for before, after in pairwise(cuts) if before.ends_segment]
    assert starts
    assert not any(one.independent for one in starts)


def test_first_gop_cut_short_does_not_fix_a_wrong_target_while_nobody_looks() -> None:
    frames = [*camera(0.8, start_s=0), *camera(30, gop=100, start_s=0.8)]
    cutter, cuts = cut(frames)
    check_rules(cutter, cuts)
    assert cutter.target_duration == 5, "the first segment holds 0.8 s and the GOP of 4 s after it"
    starts = [after for before, after in pairwise(cuts) if before.ends_segment]
    assert all(one.independent for one in starts)


def test_sealed_targets_never_move() -> None:
    cutter, cuts = cut(camera(6))
    cutter.seal()
    promised = (cutter.part_target_us, cutter.target_duration)
    for frame in camera(30, fps=4, gop=60, start_s=6):
        cuts += cutter.add(frame)
    cuts += cutter.start((VIDEO, AUDIO))
    for frame in camera(10, fps=50, gop=100, start_s=40, with_audio=True):
        cuts += cutter.add(frame)
    assert (cutter.part_target_us, cutter.target_duration) == promised
    check_rules(cutter, cuts)


def test_part_target_that_is_promised_before_a_new_session_is_measured_holds_for_it() -> None:
    """It was measured anew, and the playlist that had just been given out emptied."""
    cutter, cuts = cut(camera(6))
    cuts += cutter.start((VIDEO, AUDIO))
    frames = list(camera(10, fps=30, gop=60, start_s=10, with_audio=True))
    for frame in frames[:4]:
        cuts += cutter.add(frame)
    cutter.seal()
    promised = cutter.part_target_us
    for frame in frames[4:]:
        cuts += cutter.add(frame)
    assert cutter.part_target_us == promised
    check_rules(cutter, cuts)


def test_gop_that_outgrows_the_promise_is_noticed() -> None:
    cutter, _ = cut(camera(6))
    assert not cutter.outgrown
    cutter.seal()
    frames = list(camera(17, gop=125, start_s=6))
    for frame in frames[:130]:
        cutter.add(frame)
    assert not cutter.outgrown, "one keyframe was late"
    for frame in frames[130:]:
        cutter.add(frame)
    assert cutter.outgrown


def test_sound_of_a_broken_session_reaches_the_end_of_its_pictures_and_the_next_begins_with_them() -> None:
    """Each reconnect of a camera with sound stopped the picture of a browser for a GOP."""
    cutter, cuts = cut(camera(6.1, with_audio=True), (VIDEO, AUDIO))
    for index, start_s in enumerate((8.0, 15.0)):
        cuts += cutter.start((VIDEO, AUDIO))
        for frame in camera(5, start_s=start_s, with_audio=True):
            if frame.kind is VIDEO.kind or not index or frame.seconds > start_s + 0.3:
                cuts += cutter.add(frame)
    cuts += cutter.flush()
    check_rules(cutter, cuts)
    for epoch in (2, 3):
        pictures = [run for one in cuts if one.epoch == epoch for run in one.runs if run.track_id == 1]
        sound = [run for one in cuts if one.epoch == epoch for run in one.runs if run.track_id == 2]

        def end(run: TrackRun, rate: int) -> float:
            return (run.decode_time + sum(sample.duration for sample in run.samples)) / rate

        assert sound[0].decode_time / 48_000 == pytest.approx(pictures[0].decode_time / 90_000, abs=0.03)
        assert end(sound[-1], 48_000) == pytest.approx(end(pictures[-1], 90_000), abs=0.03)
        for before, after in pairwise(sound):
            assert end(before, 48_000) == pytest.approx(after.decode_time / 48_000)


@pytest.mark.parametrize("ahead_s", [-0.5, -0.3, 0.0, 0.3, 0.8])
@pytest.mark.parametrize("broken", [False, True])
def test_sound_that_runs_on_through_a_new_size_or_a_clock_jump_never_goes_back(ahead_s: float, broken: bool) -> None:
    """What had come ahead of its pictures was in the epoch before; the next frame was stretched back over it."""
    frames: list[Frame] = []
    for frame in camera(20, with_audio=True):
        shift = round(ahead_s * 48_000) if frame.kind is not VIDEO.kind else 0
        moved = replace(frame, dts=frame.dts + shift, pts=frame.pts + shift)
        frames.append(replace(moved, discontinuity=broken and frame.keyframe and frame.seconds == 12))
    cutter = Cutter(Pace())
    cuts = cutter.start((VIDEO, AUDIO))
    for frame in frames:
        if not broken and frame.keyframe and frame.kind is VIDEO.kind and frame.seconds == 12:
            cuts += cutter.start((VIDEO, AUDIO))
        cuts += cutter.add(frame)
    assert cuts[-1].epoch == 2
    sound = [run for one in cuts for run in one.runs if run.track_id == 2]
    for before, after in pairwise(sound):
        assert after.decode_time >= before.decode_time + sum(sample.duration for sample in before.samples) - 512


def test_known_keyframe_interval_settles_at_once() -> None:
    cutter = Cutter(Pace())
    cutter.hint(4.0)
    assert cutter.settled
    assert cutter.target_duration == 4


def test_keyframes_faster_than_parts_do_not_make_short_parts() -> None:
    cutter, cuts = cut(camera(10, gop=1))
    check_rules(cutter, cuts)
    assert all(one.independent for one in cuts)
    assert {round(one.duration_us, -3) for one in cuts if not one.ends_segment} == {200_000}


def test_keyframe_inside_a_part_is_not_called_independent() -> None:
    cutter, cuts = cut(camera(20, gop=12))
    check_rules(cutter, cuts)
    for one in cuts:
        assert one.independent == one.runs[0].samples[0].keyframe


def test_audio_rides_in_the_part_of_its_time() -> None:
    _, cuts = cut(camera(10, with_audio=True), (VIDEO, AUDIO))
    end = None
    for one in cuts:
        picture, sound = one.runs
        assert sound.track_id == 2
        begin_s = picture.decode_time / 90_000
        assert begin_s - 0.05 <= sound.decode_time / 48_000 <= begin_s + 0.3
        assert end is None or sound.decode_time == end
        end = sound.decode_time + sum(sample.duration for sample in sound.samples)


def test_silent_audio_track_delays_nothing() -> None:
    _, cuts = cut(camera(4), (VIDEO, AUDIO))
    assert cuts
    assert all(len(one.runs) == 1 for one in cuts)


def test_audio_only_stream_is_cut_by_its_own_clock() -> None:
    cutter, cuts = cut((audio(index * 1024) for index in range(500)), (AUDIO,))
    check_rules(cutter, cuts)
    assert all(one.independent and len(one.runs) == 1 and one.runs[0].track_id == 1 for one in cuts)
    assert sum(one.ends_segment for one in cuts) >= 4


def test_reconnect_closes_part_and_segment_and_starts_an_epoch() -> None:
    again = list(camera(4, start_s=20))
    again[0] = video(again[0].dts, key=True, broken=True)
    cutter, cuts = cut([*camera(5), *again])
    check_rules(cutter, cuts)
    [change] = [(before, after) for before, after in pairwise(cuts) if before.epoch != after.epoch]
    assert change[0].ends_segment
    assert change[1].independent
    assert not any(is_filler(one) for one in cuts), "an outage is a discontinuity, not a row of fillers"


def test_clock_jump_inside_a_gop_goes_on_without_a_new_epoch() -> None:
    frames = list(camera(6))
    frames[60] = video(frames[60].dts, broken=True)
    _, cuts = cut(frames)
    assert {one.epoch for one in cuts} == {1}


def test_silence_longer_than_a_stall_is_a_new_epoch() -> None:
    cutter, cuts = cut([*camera(5), *camera(5, start_s=30)])
    check_rules(cutter, cuts)
    assert {one.epoch for one in cuts} == {1, 2}


def test_short_stall_is_filled_for_its_time() -> None:
    cutter, cuts = cut([*camera(5), *camera(5, start_s=8)])
    check_rules(cutter, cuts)
    assert {one.epoch for one in cuts} == {1}
    assert sum(one.duration_us for one in cuts if is_filler(one)) == pytest.approx(3e6, abs=0.45e6)


def test_new_tracks_end_what_was_open() -> None:
    cutter, _cuts = cut(camera(5))
    last = cutter.start((VIDEO, AUDIO))
    assert [one.ends_segment for one in last] == [True]
    assert last[0].tracks == (VIDEO,)


def test_negative_first_times_are_moved_above_zero() -> None:
    frames = [video(frame.dts - 90_000 * 15, key=frame.keyframe) for frame in camera(5)]
    _, cuts = cut(frames)
    assert min(run.decode_time for one in cuts for run in one.runs) >= 0


def test_b_frames_keep_their_presentation_times() -> None:
    offsets = (0, 10_800, 3600)
    frames = [replace(frame, pts=frame.dts + offsets[index % 3]) for index, frame in enumerate(camera(6))]
    _, cuts = cut(frames)
    check_pictures(cuts, frames)


def test_frames_without_keyframe_for_minutes_do_not_eat_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutter_module, "MAX_SEGMENT_BYTES", 200_000)
    frames = [video(index, key=index == 0, size=1000) for index in range(2000)]
    cutter, cuts = cut(frames)
    assert cuts, "even when time stands still"
    assert cutter.pending_bytes <= 200_000
    size = 0
    for one in cuts:
        size += sum(len(sample.payload) for run in one.runs for sample in run.samples)
        assert size <= 210_000
        if one.ends_segment:
            size = 0


def test_frames_before_any_tracks_are_ignored() -> None:
    assert Cutter(Pace()).add(video(0, key=True)) == []


def test_flush_without_frames_cuts_nothing() -> None:
    assert Cutter(Pace()).flush() == []


def test_lead_clock_change_keeps_the_promised_part_target() -> None:
    slow = TrackConfig(AUDIO.codec, 16_000, AUDIO.extradata, "mp4a.40.2", sample_rate=16_000, channels=1)
    cutter, cuts = cut(camera(6))
    cutter.seal()
    cuts += cutter.start((slow,))
    for index in range(200):
        at = 16_000 * 7 + index * 1024
        cuts += cutter.add(Frame(slow, at, at, 1024, True, False, 0.0, b"a"))
    check_rules(cutter, [one for one in cuts if one.tracks == (slow,)])
    assert any(one.tracks == (slow,) for one in cuts)
