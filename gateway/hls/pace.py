"""Chooses PART-TARGET and TARGETDURATION, the two promises an HLS playlist may never change.

Pure. PART-TARGET is n frames of the measured frame rate plus a little, because a part may last at most the target and at
least 85 % of it: with n frames in the middle of that range, ordinary jitter stays inside. TARGETDURATION is the length of
the segments that the measured keyframe interval gives.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

PART_HEADROOM = 1.05
"""Target over n frames. n frames may then last 0.89 to 1.05 of their nominal time without help from the boundary's slack."""
TARGET_CEILING_S = 10
"""Smart codecs stretch GOPs to 10 s; beyond that a segment is cut without a keyframe, or non-LL players wait forever."""
ROUNDING_S = 0.49
"""EXTINF rounded to the nearest integer must not exceed TARGETDURATION (4.4.3.1): a segment may be this much longer."""


def frame_interval(times: Sequence[int]) -> float:
    """Typical distance of frames (ticks) from at least two decode times; a few lost or doubled frames do not matter."""
    distances = [later - earlier for earlier, later in itertools.pairwise(times)]
    median = statistics.median(distances)
    usual = [distance for distance in distances if 0.5 * median <= distance <= 1.5 * median]
    return statistics.fmean(usual or distances)


def part_target_ms(interval_s: float, wanted_s: float) -> int:
    """PART-TARGET in whole milliseconds for frames `interval_s` apart and a configured part duration."""
    frames = max(1, round(wanted_s / interval_s))
    return max(1, math.ceil(frames * interval_s * 1000 * PART_HEADROOM))


def segment_length(keyframe_interval_s: float, wanted_s: float) -> float:
    """Seconds between the cuts that `cut_here` makes, or somewhat more: a whole number of GOPs, the one nearest to the wish."""
    return keyframe_interval_s * max(1, math.ceil(wanted_s / keyframe_interval_s - 0.5))


def cut_here(length_s: float, gop_s: float, wanted_s: float) -> bool:
    """At a keyframe: is a segment of `length_s` nearer to the wish now than one GOP later? In doubt it is."""
    return length_s + 0.6 * gop_s >= wanted_s


def target_duration(segment_s: float, part_s: float) -> int:
    """TARGETDURATION for segments of about `segment_s` made of parts of up to `part_s`; whole seconds up to the ceiling.

    A segment is cut early when one more part might make it too long, so the expected one must fit with a part to spare.
    """
    return min(TARGET_CEILING_S, max(1, math.ceil(segment_s + part_s - ROUNDING_S)))
