"""A loop that is held up is noticed, and one that is not is not blamed."""

from __future__ import annotations

import asyncio
import time

from gateway.health.lag import PERIOD_S, LoopLag


def test_a_loop_that_is_held_up_says_for_how_long():
    async def main():
        lag = LoopLag()
        lag.start()
        time.sleep(PERIOD_S + 0.3)  # what no handler may do
        await asyncio.sleep(0)
        assert 0.25 < lag.take_worst() < 5
        await asyncio.sleep(0.01)
        assert lag.histogram.count == 1
        assert lag.histogram.total > 0.25
        lag.stop()

    asyncio.run(main())


def test_a_hang_counts_before_it_is_over():
    now = [100.0]

    async def main():
        lag = LoopLag(lambda: now[0])
        lag.start()
        assert lag.take_worst() == 0.0
        now[0] += 3.0
        assert lag.take_worst() == 3.0 - PERIOD_S
        lag.stop()
        assert lag.take_worst() == 0.0

    asyncio.run(main())


def test_what_was_late_once_is_not_late_for_ever():
    now = [100.0]

    async def main():
        lag = LoopLag(lambda: now[0])
        lag.start()
        now[0] += PERIOD_S + 2.0
        assert lag.last() == 2.0
        lag._ring()
        assert lag.last() == 2.0
        now[0] += PERIOD_S
        lag._ring()
        assert lag.last() == 0.0
        assert lag.take_worst() == 2.0
        lag.stop()

    asyncio.run(main())
