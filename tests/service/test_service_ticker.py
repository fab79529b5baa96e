"""Somebody sets the system clock while the gateway runs."""

from __future__ import annotations

import asyncio
import datetime

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from gateway.ticker import ClockSteps, Ticker, move_jobs


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
