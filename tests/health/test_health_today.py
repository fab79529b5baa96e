"""What happened since midnight, and not before."""

from __future__ import annotations

import time

from gateway.health.today import Today
from gateway.media.counts import Counts

NOON = time.mktime((2026, 3, 14, 12, 0, 0, 0, 0, -1))


def test_midnight_begins_anew_and_the_first_day_begins_with_the_gateway():
    today, counts = Today(), Counts()
    today.turn(NOON, {"door": counts})
    counts.interruptions, counts.jumps = 5, 2
    counts.failures["timeout"] = 4
    assert today.of("door", counts).interruptions == 5
    today.turn(NOON + 3600, {"door": counts})
    assert today.of("door", counts).interruptions == 5
    today.turn(NOON + 86400, {"door": counts})
    counts.interruptions = 6
    counts.failures["ended"] += 1
    day = today.of("door", counts)
    assert (day.interruptions, day.failures, day.repairs, day.lost) == (1, {"ended": 1}, 0, None)
