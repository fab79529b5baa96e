"""Names and sums of segments."""

from gateway.hls.segment import Part, Segment, map_name, part_name, segment_name
from gateway.media.fragment import Fragment, Sample, TrackRun, fragment


def test_names() -> None:
    assert (segment_name(7), part_name(7, 2), map_name(1)) == ("s7.m4s", "s7.p2.m4s", "init-1.mp4")


def test_segment_sums_its_parts() -> None:
    segment = Segment(1, 1, False, 0.0)
    assert not segment.independent
    runs = [TrackRun(1, 0, (Sample(b"ab", 1, 0, True),))]
    segment.add(Part(200_000, True, Fragment(1, runs)))
    segment.add(Part(10_000, False, Fragment(2, [TrackRun(1, 1, ())])))
    assert segment.payload() == fragment(1, runs) + fragment(2, [TrackRun(1, 1, ())])
    assert (segment.duration_us, segment.size) == (210_000, len(segment.payload()))
    assert segment.independent
