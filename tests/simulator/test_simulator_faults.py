"""Faults bend exactly what they promise and nothing else."""

from __future__ import annotations

import pytest

from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.simulator.faults import MAX_JUMP_S, Faults, Frozen

VIDEO = TrackConfig(Codec.H264, 90_000, b"", "avc1.42C01F", 640, 360)
AUDIO = TrackConfig(Codec.AAC, 16_000, b"", "mp4a.40.2", sample_rate=16_000, channels=1)


def picture(number: int, *, keyframe: bool = False) -> Frame:
    return Frame(VIDEO, number * 3600, number * 3600, 3600, keyframe, False, 0.0, b"picture")


def sound(number: int) -> Frame:
    return Frame(AUDIO, number * 1024, number * 1024, 1024, True, False, 0.0, b"sound")


def test_without_faults_frames_pass_as_they_are():
    frames = [picture(1, keyframe=True), sound(1)]
    passed = Faults().gate().apply(frames)
    assert all(one is other for one, other in zip(passed, frames, strict=True))


def test_frozen_video_lets_sound_flow():
    faults = Faults()
    faults.freeze(Frozen.VIDEO)
    assert [frame.kind for frame in faults.gate().apply([picture(1), sound(1), picture(2)])] == [Kind.AUDIO]


def test_frozen_all_lets_nothing_flow():
    faults = Faults()
    faults.freeze(Frozen.ALL)
    assert faults.gate().apply([picture(1), sound(1)]) == []


def test_thawed_video_goes_on_with_a_keyframe():
    faults = Faults()
    gate = faults.gate()
    faults.freeze(Frozen.VIDEO)
    gate.apply([picture(1)])
    faults.freeze(Frozen.NOTHING)
    later = [picture(2), sound(2), picture(3, keyframe=True), picture(4)]
    assert gate.apply(later) == later[1:]


def test_jumps_add_up_and_move_both_tracks_by_the_same_time():
    faults = Faults()
    gate = faults.gate()
    faults.jump(10.0)
    faults.jump(-2.5)
    moved = gate.apply([picture(0), sound(0)])
    assert [frame.seconds for frame in moved] == [7.5, 7.5]
    assert moved[0].pts == moved[0].dts


def test_absurd_jumps_are_refused():
    faults = Faults()
    for seconds in (MAX_JUMP_S * 2, float("nan"), float("-inf")):
        with pytest.raises(ValueError, match="at most"):
            faults.jump(seconds)
    assert faults.jump_s == 0.0
