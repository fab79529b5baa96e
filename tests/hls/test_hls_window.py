"""The window over hours: numbers that only grow, bytes that stay bounded, playlists the linter accepts at every step."""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from playlist_linter import Linter, Parsed
from synthetic import AUDIO, VIDEO, camera, render, trafs, video

from gateway.hls import window as window_module
from gateway.hls.cutter import Pace
from gateway.hls.window import Window
from gateway.media.frame import Frame
from gateway.media.track import Codec, TrackConfig, Tracks

FIRST = 1000


def make(tracks: Tracks = (VIDEO,), window_s: float = 12.0) -> Window:
    window = Window(Pace(), window_s, first_number=FIRST, changed=lambda: None)
    window.on_tracks(tracks)
    return window


def feed(window: Window, frames: Iterable[Frame], linter: Linter | None = None) -> Parsed | None:
    """Push frames; lint the playlist after every change."""
    linter = linter or Linter()
    version = window.version
    for frame in frames:
        window.on_frame(frame)
        if window.version != version and window.ready:
            version = window.version
            window.seen()
            linter.check(render(window))
    return linter.last


def test_a_minute_of_camera_gives_only_valid_playlists() -> None:
    window, linter = make((VIDEO, AUDIO)), Linter()
    last = feed(window, camera(60, with_audio=True), linter)
    assert last is not None
    assert linter.checked > 250
    assert len(last.complete) == 6
    assert last.first_msn == FIRST + 23
    assert last.hint == f"{window.run_id}/s{FIRST + 29}.p9.m4s"


@pytest.mark.parametrize("seed", range(12))
def test_unruly_cameras_give_only_valid_playlists(seed: int) -> None:
    chance = random.Random(seed)
    window, linter = make(), Linter()
    at, index = 90_000, 0
    fps, gop = chance.choice([5, 10, 25]), chance.choice([10, 50, 400])
    for _ in range(700):
        broken = chance.random() < 0.004
        index = 0 if broken else index + 1
        feed(window, [video(at, key=index % gop == 0, broken=broken)], linter)
        at += round(90_000 / fps * chance.uniform(0.6, 1.5)) if chance.random() > 0.01 else chance.randrange(1_000_000)
        fps = chance.choice([1, 5, 15, 25]) if chance.random() < 0.005 else fps
    assert linter.checked


def test_not_ready_before_a_segment_is_complete_and_the_gop_known() -> None:
    window = make()
    feed(window, camera(2))
    assert not window.ready
    feed(window, camera(0.5, start_s=2))
    assert window.ready


def test_playlist_is_never_shorter_than_window_and_three_targets() -> None:
    for gop in (50, 100, 200):
        window = make(window_s=12.0)
        last = feed(window, camera(120, gop=gop))
        assert last is not None
        listed = sum(segment.duration or 0 for segment in last.complete)
        assert listed >= max(12, 3 * last.target)
        assert len(last.complete) >= 6


def test_parts_concatenate_to_their_segment() -> None:
    window = make((VIDEO, AUDIO))
    feed(window, camera(12, with_audio=True))
    for segment in window.segments:
        assert segment.payload() == b"".join(part.payload for part in segment.parts)
        assert all(trafs(part.payload) for part in segment.parts)


def test_fragment_times_add_up_to_the_declared_durations() -> None:
    window = make()
    feed(window, camera(20))
    for before, after in pairwise([part for segment in window.segments for part in segment.parts]):
        [first], [second] = trafs(before.payload), trafs(after.payload)
        assert second.decode_time == first.end
        assert second.decode_time - first.decode_time == before.duration_us * 90_000 // 1_000_000


def test_fragment_sequence_numbers_grow() -> None:
    window = make()
    feed(window, camera(12))
    numbers = [int.from_bytes(part.payload[20:24], "big") for segment in window.segments for part in segment.parts]
    assert numbers == sorted(set(numbers))


def test_reconnect_is_a_discontinuity_with_its_own_map() -> None:
    window, linter = make(), Linter()
    feed(window, camera(10), linter)
    window.on_tracks((VIDEO,))
    last = feed(window, camera(10, start_s=60), linter)
    assert last is not None
    text = render(window)
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert text.count("#EXT-X-MAP:") == 2
    assert window.map(1) == window.map(2)


def test_discontinuity_that_scrolls_out_is_counted() -> None:
    window, linter = make(), Linter()
    feed(window, camera(10), linter)
    window.on_tracks((VIDEO,))
    last = feed(window, camera(60, start_s=60), linter)
    assert last is not None
    assert last.discontinuity_sequence == 1
    assert "#EXT-X-DISCONTINUITY\n" not in render(window)


def test_new_configuration_makes_a_new_init_segment() -> None:
    window = make()
    feed(window, camera(6))
    larger = TrackConfig(Codec.H264, 90_000, VIDEO.extradata, VIDEO.codec_string, width=640, height=360)
    window.on_tracks((larger,))
    for frame in camera(6, start_s=7):
        window.on_frame(replace(frame, config=larger))
    assert window.map(1) != window.map(2)
    assert window.tracks == (larger,)


def test_codec_without_a_place_in_fmp4_is_refused_with_a_reason() -> None:
    g711 = TrackConfig(Codec.PCMU, 8000, b"", "", sample_rate=8000, channels=1)
    window = make((g711,))
    for index in range(200):
        window.on_frame(Frame(g711, index * 160, index * 160, 160, True, False, 0.0, b"x"))
    assert not window.ready
    assert "pcmu" in window.refusal
    window.on_tracks((VIDEO,))
    feed(window, camera(6, start_s=10))
    assert window.ready
    assert window.refusal == ""


def test_program_dates_follow_media_time_through_arrival_jitter() -> None:
    chance = random.Random(1)
    window = make()
    for frame in camera(30):
        window.on_frame(replace(frame, wall=frame.wall + chance.uniform(0, 0.3)))
    for before, after in pairwise(window.segments):
        step = after.program_date_time - before.program_date_time
        assert step == pytest.approx(before.duration_us / 1e6, abs=0.05)


def test_program_date_follows_a_clock_that_was_set() -> None:
    window = make()
    feed(window, camera(10))
    for frame in camera(10, start_s=10):
        window.on_frame(replace(frame, wall=frame.wall + 3600))
    assert window.segments[-1].program_date_time - window.segments[0].program_date_time > 3600


def test_removed_segments_stay_fetchable_for_as_long_as_the_draft_demands() -> None:
    window = make()
    for frame in camera(100):
        window.on_frame(frame)
        window.seen()
    listed = sum(segment.duration_us for segment in window.segments if segment.complete) / 1e6
    gone = window.media_sequence - 1
    kept = [msn for msn in range(FIRST, window.media_sequence) if window.segment(msn) is not None]
    assert kept[-1] == gone
    assert 2 * len(kept) >= listed
    assert window.segment(kept[0] - 1) is None


def test_segments_that_no_client_was_told_of_are_not_kept() -> None:
    window = make()
    for frame in camera(100):
        window.on_frame(frame)
    assert window.segment(window.media_sequence) is not None
    assert window.segment(window.media_sequence - 1) is None


def test_window_nobody_watches_is_short_and_grows_in_use() -> None:
    window = make()
    for frame in camera(60):
        window.on_frame(frame)
    short = len([segment for segment in window.segments if segment.complete])
    feed(window, camera(30, start_s=60))
    assert (short, len([segment for segment in window.segments if segment.complete])) == (3, 6)


def test_memory_is_bounded_even_by_a_camera_gone_mad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "MAX_WINDOW_BYTES", 1_000_000)
    window = make()
    for frame in camera(30):
        window.on_frame(video(frame.dts, key=frame.keyframe, size=10_000))
        assert window.size <= 1_600_000
    held = sum(segment.size for segment in window.segments)
    assert window.size == held


def test_retired_maps_are_forgotten() -> None:
    window = make()
    for session in range(12):
        window.on_tracks((VIDEO,))
        feed(window, camera(10, start_s=session * 20))
    assert window.map(1) is None
    assert window.map(12) is not None


def test_parked_window_keeps_numbers_and_forgets_pictures() -> None:
    window, linter = make(), Linter()
    before = feed(window, camera(20), linter)
    assert before is not None
    window.park()
    assert not window.ready
    assert window.size == 0
    window.on_tracks((VIDEO,))
    after = feed(window, camera(10, start_s=500), Linter())
    assert after is not None
    assert after.first_msn > before.segments[-1].msn
    assert after.discontinuity_sequence >= before.discontinuity_sequence
    assert (after.target, after.part_target) == (before.target, before.part_target)
    assert "#EXT-X-DISCONTINUITY\n" in render(window)


def test_part_target_chosen_anew_while_nobody_looks_leaves_no_old_parts() -> None:
    window = make()
    for frame in camera(10):
        window.on_frame(frame)
    window.on_tracks((VIDEO,))
    feed(window, camera(10, fps=8, gop=16, start_s=20))
    assert window.cutter.part_target_us == 263_000
    assert {segment.map_index for segment in window.segments} == {2}


def test_short_stall_leaves_the_playlist_valid_and_everything_fetchable() -> None:
    window, linter = make((VIDEO, AUDIO)), Linter()
    feed(window, camera(10, with_audio=True), linter)
    last = feed(window, camera(8, start_s=19, with_audio=True), linter)
    assert last is not None
    assert "#EXT-X-DISCONTINUITY\n" not in render(window)
    assert all(trafs(part.payload) for segment in window.segments for part in segment.parts)


def test_discontinuity_numbers_stay_small_because_players_index_arrays_by_them() -> None:
    for first, expected in ((0, 0), (1_767_225_600 + 3600 * 24 * 365, 8760)):
        window = Window(Pace(), 12.0, first_number=first, changed=lambda: None)
        assert (window.media_sequence, window.discontinuity_sequence) == (first, expected)


def test_position_before_the_first_part() -> None:
    assert make().position == (FIRST - 1, 0, 0)
    assert make().next_part == (FIRST, 0)
    assert make().bit_rates() == (0, 0)
    assert make().segment(FIRST) is None


def test_rest_of_a_broken_session_is_no_measure_of_the_bit_rate() -> None:
    """One segment of a single keyframe made 12 Mbit/s of 0.8."""
    window = make()
    for frame in camera(8):
        window.on_frame(frame)
    usual, _ = window.bit_rates()
    window.on_tracks((VIDEO,))
    window.on_frame(video(10 * 90_000, key=True, size=20_000))
    window.on_tracks((VIDEO,))
    for frame in camera(4, start_s=12):
        window.on_frame(frame)
    assert window.bit_rates()[0] == pytest.approx(usual, rel=0.1)
