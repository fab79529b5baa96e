"""moof+mdat as parsed back by a reader of our own, byte for byte."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.fragment import Fragment, Sample, TrackRun, fragment, frame_run
from gateway.media.frame import Frame
from gateway.media.track import Codec, TrackConfig

CONFIG = TrackConfig(Codec.H264, 90_000, b"\x01", "avc1.64000C", width=320, height=176)


def boxes(data: bytes) -> list[tuple[str, bytes]]:
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found.append((kind.decode(), data[at + 8 : at + size]))
        at += size
    assert at == len(data)
    return found


def read(data: bytes) -> tuple[int, list[tuple[int, int, list[tuple[bytes, int, int, bool]]]]]:
    """Sequence number and, per traf, track id, decode time and samples (payload, duration, offset, keyframe)."""
    (kind, moof), (mdat_kind, _) = boxes(data)
    assert (kind, mdat_kind) == ("moof", "mdat")
    (mfhd_kind, mfhd), *rest = boxes(moof)
    assert mfhd_kind == "mfhd"
    tracks = []
    for traf_kind, traf in rest:
        assert traf_kind == "traf"
        inner = dict(boxes(traf))
        flags, track_id = struct.unpack(">II", inner["tfhd"])
        assert flags == 0x020000, "default-base-is-moof"
        version, decode_time = struct.unpack(">IQ", inner["tfdt"])
        assert version >> 24 == 1, "64-bit decode time"
        head, count, at = struct.unpack_from(">IIi", inner["trun"])
        assert head >> 24 == 1, "signed composition offsets"
        samples = []
        rows = list(struct.iter_unpack(">IIIi", inner["trun"][12:]))
        assert len(rows) == count
        for duration, size, sample_flags, offset in rows:
            samples.append((data[at : at + size], duration, offset, sample_flags >> 16 & 1 == 0))
            at += size
        tracks.append((track_id, decode_time, samples))
    return struct.unpack_from(">I", mfhd, 4)[0], tracks


SAMPLES = st.builds(
    Sample,
    payload=st.binary(max_size=50),
    duration=st.integers(1, 2**32 - 1),
    offset=st.integers(-(2**31), 2**31 - 1),
    keyframe=st.booleans(),
)
RUNS = st.builds(TrackRun, st.integers(1, 9), st.integers(0, 2**64 - 1), st.lists(SAMPLES, min_size=1, max_size=8))


@given(st.integers(0, 2**32 - 1), st.lists(RUNS, min_size=1, max_size=3))
def test_every_sample_is_found_where_trun_says(sequence: int, runs: list[TrackRun]) -> None:
    found_sequence, tracks = read(fragment(sequence, runs))
    assert found_sequence == sequence
    assert tracks == [
        (run.track_id, run.decode_time, [(s.payload, s.duration, s.offset, s.keyframe) for s in run.samples]) for run in runs
    ]


EMPTY = st.builds(TrackRun, st.just(2), st.integers(0, 9), st.just(()))


@given(st.lists(RUNS, max_size=3), st.lists(EMPTY, min_size=1, max_size=2))
def test_size_is_known_before_anything_is_written(runs: list[TrackRun], empty: list[TrackRun]) -> None:
    lazy = Fragment(5, [*runs, *empty])
    size = lazy.size
    assert len(lazy.payload) == size
    assert lazy.payload is lazy.payload


def test_a_single_frame_keeps_its_times() -> None:
    frame = Frame(CONFIG, 7200, 10_800, 3600, True, False, 0.0, b"frame")
    _, [(track_id, decode_time, samples)] = read(fragment(3, [frame_run(1, frame)]))
    assert (track_id, decode_time, samples) == (1, 7200, [(b"frame", 3600, 3600, True)])


def test_a_track_without_samples_says_that_it_is_empty() -> None:
    (_, moof), (_, mdat) = boxes(fragment(1, [TrackRun(1, 7200, ())]))
    inner = dict(boxes(dict(boxes(moof))["traf"]))
    assert struct.unpack(">II", inner["tfhd"]) == (0x030000, 1)
    assert struct.unpack(">IQ", inner["tfdt"]) == (1 << 24, 7200)
    assert "trun" not in inner
    assert mdat == b""


def test_a_frame_without_duration_still_lasts_a_tick() -> None:
    frame = Frame(CONFIG, 0, 0, 0, False, False, 0.0, b"x")
    assert frame_run(1, frame).samples[0].duration == 1


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [TrackRun(1, -1, ())],
        [TrackRun(1, -1, (Sample(b"", 1, 0, True),))],
        [TrackRun(1, 0, (Sample(b"", 2**32, 0, True),))],
        [TrackRun(1, 0, (Sample(b"", 1, 2**31, True),))],
    ],
)
def test_values_that_do_not_fit_are_refused(runs: list[TrackRun]) -> None:
    with pytest.raises(ValueError, match=r"."):
        fragment(1, runs)
