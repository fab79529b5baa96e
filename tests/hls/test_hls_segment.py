"""Names and sums of segments."""

from gateway.hls.segment import Part, Segment, map_name, part_name, segment_name


def test_names() -> None:
    assert (segment_name(7), part_name(7, 2), map_name(1)) == ("s7.m4s", "s7.p2.m4s", "init-1.mp4")


def test_segment_sums_its_parts() -> None:
    segment = Segment(1, 1, False, 0.0)
    assert not segment.independent
    segment.add(Part(200_000, True, b"ab"))
    segment.add(Part(10_000, False, b""))
    assert (segment.duration_us, segment.size, segment.payload()) == (210_000, 2, b"ab")
    assert segment.independent
