"""The box runs short of memory, descriptors or time: viewers pay, cameras do not, and it is said once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gauges import Gauges
from gateway.hls.viewers import Viewers
from gateway.media.demand import Demand
from gateway.pressure import CALM_S, Figures, Level, Pressure, shed
from gateway.relief import Relief

GB = 1 << 30
FINE = Figures(memory_free=GB, memory_total=2 * GB, stalled_share=0.0, files_used=100, files_limit=65536, lag_s=0.0)


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({"memory_free": 100 << 20}, Level.TIGHT, "100 MB of memory left"),
        ({"memory_free": 40 << 20}, Level.CRITICAL, "40 MB of memory left"),
        ({"memory_total": 64 * GB, "memory_free": 2 * GB}, Level.NORMAL, ""),
        ({"stalled_share": 0.2}, Level.TIGHT, "waiting for memory 20% of the time"),
        ({"stalled_share": 0.5}, Level.CRITICAL, "waiting"),
        ({"files_used": 880, "files_limit": 1000}, Level.TIGHT, "880 of 1000 file descriptors in use"),
        ({"files_used": 990, "files_limit": 1000}, Level.CRITICAL, "file descriptors"),
    ],
)
def test_a_shortage_is_seen_at_once_and_named(change, level, words):
    pressure = Pressure()
    state = pressure.observe(replace(FINE, **change), 0.0)
    assert pressure.state.level is level
    assert words in pressure.state.reason
    assert (state is None) == (level is Level.NORMAL)


def test_one_late_turn_of_the_loop_is_no_shortage_and_three_are():
    pressure = Pressure()
    late = replace(FINE, lag_s=1.5)
    assert pressure.observe(late, 0.0) is None
    assert pressure.observe(FINE, 1.0) is None
    assert [pressure.observe(late, t) is not None for t in (2.0, 3.0, 4.0)] == [False, False, True]


def test_a_level_is_left_only_after_a_calm_time_with_room_to_spare():
    pressure = Pressure()
    short = replace(FINE, memory_free=100 << 20)
    pressure.observe(short, 0.0)
    hardly = replace(FINE, memory_free=140 << 20)
    for second in range(100):
        assert pressure.observe(hardly, 1.0 + second) is None
    assert pressure.observe(FINE, 200.0) is None
    assert pressure.observe(hardly, 201.0) is None
    assert pressure.observe(FINE, 202.0) is None
    changed = pressure.observe(FINE, 202.0 + CALM_S)
    assert changed is not None
    assert changed.level is Level.NORMAL


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60))
def test_it_never_calls_less_memory_less_short(megabytes):
    first, last = Pressure(), Pressure()
    first.observe(replace(FINE, memory_free=min(megabytes) << 20), 0.0)
    for second, free in enumerate(megabytes):
        last.observe(replace(FINE, memory_free=free << 20), float(second) / 10)
    assert first.state.level >= last.state.level


def test_a_tenth_goes_at_a_time_and_at_least_one():
    assert [shed(count) for count in (0, 1, 9, 10, 11, 500)] == [0, 1, 1, 1, 2, 50]


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_the_limit_of_any_control_group_above_us_counts(tmp_path):
    gauges = Gauges(
        tree(
            tmp_path,
            {
                "proc/meminfo": "MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    4000000 kB\n",
                "proc/self/cgroup": "0::/system.slice/gateway.service\n",
                "proc/pressure/memory": "some avg10=9.00 avg60=0.00\nfull avg10=12.50 avg60=0.00 avg300=0.00 total=1\n",
                "sys/fs/cgroup/system.slice/gateway.service/memory.max": "max\n",
                "sys/fs/cgroup/system.slice/gateway.service/memory.current": "5\n",
                "sys/fs/cgroup/system.slice/memory.max": "300000000\n",
                "sys/fs/cgroup/system.slice/memory.current": "290000000\n",
                "sys/fs/cgroup/system.slice/memory.stat": "anon 5\ninactive_file 20000000\n",
            },
        )
    )
    figures = gauges.read(0.25)
    assert (figures.memory_free, figures.memory_total) == (30_000_000, 300_000_000)
    assert (figures.stalled_share, figures.lag_s) == (0.125, 0.25)
    assert 0 < figures.files_used < figures.files_limit


def test_a_kernel_that_tells_nothing_is_no_shortage(tmp_path):
    pressure = Pressure()
    assert pressure.observe(Gauges(tmp_path).read(0.0), 0.0) is None


class FakeOutput:
    def __init__(self, viewers: int) -> None:
        self.closed_to_new = ""
        self.count = viewers

    def viewers(self) -> int:
        return self.count

    def shed(self, count: int, reason: str) -> int:
        assert "memory" in reason
        self.count -= count
        return count


class FakeGauges(Gauges):
    def __init__(self) -> None:
        self.figures = FINE

    def read(self, lag_s: float) -> Figures:
        return replace(self.figures, lag_s=lag_s)


def test_the_door_is_shut_windows_shrink_and_the_most_watched_output_pays_first(caplog):
    caplog.set_level(logging.WARNING)
    crowd, few = FakeOutput(100), FakeOutput(5)
    frugal: list[bool] = []
    gauges = FakeGauges()
    relief = Relief((few, crowd), frugal.append, lambda: None, gauges=gauges)

    async def main() -> None:
        await relief.look()
        assert (crowd.closed_to_new, caplog.messages) == ("", [])
        gauges.figures = replace(FINE, memory_free=100 << 20)
        for _ in range(3):
            await relief.look()
        assert "100 MB of memory left" in crowd.closed_to_new
        assert few.closed_to_new == crowd.closed_to_new
        assert (crowd.count, few.count, frugal) == (100, 5, [True])
        assert len(caplog.messages) == 1
        gauges.figures = replace(FINE, memory_free=10 << 20)
        await relief.look()
        await relief.look()
        assert (crowd.count, few.count) == (89, 5)

    asyncio.run(main())
    assert [message.split(":")[0] for message in caplog.messages] == [
        "the box is short (tight)",
        "the box is short (critical)",
        "11 viewers were sent away",
    ]


def test_an_hls_viewer_that_was_sent_away_is_refused_for_a_while_and_the_oldest_stays():
    now = [0.0]
    viewers = Viewers(Demand(), lambda: now[0])
    for name in ("first", "second", "third"):
        with viewers.present((name,)):
            pass
    assert viewers.shed(1) == 1
    assert [viewers.was_sent_away((name,)) for name in ("first", "second", "third")] == [False, False, True]
    assert viewers.shed(1) == 1
    assert viewers.was_sent_away(("second",))
    now[0] = 31.0
    assert not viewers.was_sent_away(("third",))


def test_a_processor_that_cannot_keep_up_shuts_the_door():
    output = FakeOutput(5)
    relief = Relief((output,), lambda _frugal: None, lambda: None, lambda: 1.2, gauges=FakeGauges())

    async def main() -> None:
        for _ in range(3):
            assert output.closed_to_new == ""
            await relief.look()

    asyncio.run(main())
    assert "the processor is 1.2 s behind" in output.closed_to_new
