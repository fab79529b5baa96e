"""Somebody sets the system clock while the gateway runs."""

from __future__ import annotations

import asyncio
import datetime
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from gateway.ticker import ClockSteps, Interval, Ticker, move_jobs


@pytest.mark.parametrize("step", [-3600.0, 3600.0, 1e8, -1.5])
def test_a_clock_that_is_set_is_noticed_once(step):
    steps = ClockSteps(100.0, 1_700_000_000.0)
    assert steps.observe(100.5, 1_700_000_000.5) == 0
    assert steps.observe(101.0, 1_700_000_001.0 + step) == pytest.approx(step)
    assert steps.observe(101.5, 1_700_000_001.5 + step) == 0


def test_a_clock_that_is_slewed_or_a_late_turn_is_no_step():
    steps = ClockSteps(0.0, 1000.0)
    assert steps.observe(90.0, 1090.1) == 0
    assert steps.observe(91.0, 1091.5) == 0


def test_one_failing_look_is_not_the_last():
    async def main() -> int:
        looks = 0
        enough = asyncio.Event()

        def look() -> None:
            nonlocal looks
            looks += 1
            if looks > 2:
                enough.set()
            raise RuntimeError("a defect")

        ticker = Ticker(0.001, look, lambda _step: None)
        ticker.start()
        await asyncio.wait_for(enough.wait(), 5)
        ticker.stop()
        return looks

    assert asyncio.run(main()) >= 3


def test_a_step_is_told_before_the_look():
    told: list[object] = []
    walls = iter((1000.0, 5000.0))
    ticker = Ticker(1, lambda: told.append("look"), told.append, monotonic=lambda: 0.0, wall=lambda: next(walls))
    ticker.turn()
    assert told == [4000.0, "look"]


def test_planned_work_is_not_put_off_by_a_clock_that_was_set_back():
    """APScheduler alone would run nothing until the clock has caught up with the plan."""

    async def main() -> None:
        scheduler = AsyncIOScheduler(event_loop=asyncio.get_running_loop())
        scheduler.add_job(lambda: None, "interval", seconds=600)
        scheduler.start()
        (job,) = scheduler.get_jobs()
        before = job.next_run_time
        move_jobs(scheduler, -3600.0)
        assert scheduler.get_jobs()[0].next_run_time == before - datetime.timedelta(hours=1)
        scheduler.shutdown(wait=False)

    asyncio.run(main())


class Counting(Interval):
    asked = 0

    def get_next_fire_time(self, previous_fire_time, now):
        self.asked += 1
        return super().get_next_fire_time(previous_fire_time, now)


def test_a_box_that_finds_the_time_after_a_year_does_not_count_the_seconds():
    """APScheduler listed 30 million missed runs, and the event loop stood still until systemd killed the gateway."""

    async def main() -> None:
        ran = asyncio.Event()
        interval = Counting(seconds=1)
        scheduler = AsyncIOScheduler(event_loop=asyncio.get_running_loop())
        scheduler.start(paused=True)
        job = scheduler.add_job(ran.set, interval, coalesce=True, misfire_grace_time=None)
        now = datetime.datetime.now(job.next_run_time.tzinfo)
        job.modify(next_run_time=now - datetime.timedelta(days=365))
        interval.asked = 0
        scheduler.resume()
        await asyncio.wait_for(ran.wait(), 5)
        assert interval.asked < 10
        assert datetime.timedelta(0) < scheduler.get_jobs()[0].next_run_time - now < datetime.timedelta(seconds=3)
        scheduler.shutdown(wait=False)

    asyncio.run(main())


def test_an_interval_keeps_its_beat_when_a_run_is_late():
    interval = Interval(seconds=10)
    first = interval.start_date
    for late_s, next_s in ((0.0, 10), (9.9, 10), (10.0, 20), (35.5, 40)):
        now = first + datetime.timedelta(seconds=late_s)
        assert interval.get_next_fire_time(first, now) == first + datetime.timedelta(seconds=next_s)


@pytest.mark.parametrize("late_s", [1.0, 5.5, 3600.0, 7200.0])
@pytest.mark.parametrize("moment", ["2026-10-25T00:30:00", "2026-10-25T01:30:00", "2026-03-29T00:59:59"])
def test_an_interval_goes_forward_through_the_hour_that_comes_twice_and_the_one_that_does_not_come(moment, late_s):
    """A run that was late in the second of them was followed by one an hour before, and so on without end."""
    berlin = ZoneInfo("Europe/Berlin")
    previous = datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC).timestamp()
    now = previous + late_s
    interval = Interval(seconds=1, timezone=berlin)
    following = interval.get_next_fire_time(
        datetime.datetime.fromtimestamp(previous, berlin), datetime.datetime.fromtimestamp(now, berlin)
    )
    assert 0 < following.timestamp() - now <= 1
