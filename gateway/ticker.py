"""Work that comes round on a clock nobody can set, and the system clock's steps, noticed. Event loop only.

APScheduler plans by the system clock: set back by an hour, an interval of half a second pauses for an hour. So the shortest
work runs here, and with every turn the plans of the scheduler are moved along when the system clock has jumped. Set forward,
it would count every run that was missed, one after the other: see `Interval`.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from collections.abc import Callable

from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.interval import IntervalTrigger

log = logging.getLogger(__name__)

STEP_S = 1.0
"""A clock is adjusted by less than this without anybody noticing; NTP slews below 0.128 s and steps above."""


class ClockSteps:
    """Notices that the system clock was set. Pure."""

    def __init__(self, monotonic: float, wall: float) -> None:
        self._ahead = wall - monotonic

    def observe(self, monotonic: float, wall: float) -> float:
        """By how many seconds it was set forward (negative: back) since the last call; 0 if it was not."""
        ahead = wall - monotonic
        step = ahead - self._ahead
        self._ahead = ahead
        return step if abs(step) >= STEP_S else 0.0


class Ticker:
    """Calls `work` every `interval_s`, and `stepped` before it when the system clock was set meanwhile."""

    def __init__(
        self,
        interval_s: float,
        work: Callable[[], None],
        stepped: Callable[[float], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._interval_s = interval_s
        self._work = work
        self._stepped = stepped
        self._monotonic = monotonic
        self._wall = wall
        self._steps = ClockSteps(monotonic(), wall())
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first turn comes after one interval."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="ticker")

    def stop(self) -> None:
        """No further turn. Harmless if not started."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                self.turn()
            except Exception:
                log.exception("the regular look at all cameras failed")  # and must not be the last one

    def turn(self) -> None:
        """One turn; runs by itself."""
        step = self._steps.observe(self._monotonic(), self._wall())
        if step:
            log.warning("the system clock was set %s by %.0f s", "forward" if step > 0 else "back", abs(step))
            self._stepped(step)
        self._work()


class Interval(IntervalTrigger):  # type: ignore[misc]  # apscheduler has no types
    """An interval whose missed runs are one run, without being counted.

    APScheduler 3.11 lists the runs since the last one before it merges them: a box without a clock battery that finds the time
    after a year in a drawer would list 30 million for a job of every second, and its event loop stand still for minutes.
    """

    def get_next_fire_time(
        self, previous_fire_time: datetime.datetime | None, now: datetime.datetime
    ) -> datetime.datetime | None:
        """The next run; after a pause, the one that would have been the last."""
        if previous_fire_time is not None:
            # in Unix time: by the wall's clock an hour comes twice in autumn, and the next run could lie before this one
            previous = previous_fire_time.timestamp()
            missed = (now.timestamp() - previous) // self.interval_length
            if missed > 0:
                previous += missed * self.interval_length
                previous_fire_time = datetime.datetime.fromtimestamp(previous, previous_fire_time.tzinfo)
        following: datetime.datetime | None = super().get_next_fire_time(previous_fire_time, now)
        return following


def move_jobs(scheduler: BaseScheduler, step_s: float) -> None:
    """Have every planned job run after the time that was left for it before the system clock was set by `step_s`."""
    for job in scheduler.get_jobs():
        if job.next_run_time is not None:
            job.modify(next_run_time=job.next_run_time + datetime.timedelta(seconds=step_s))
