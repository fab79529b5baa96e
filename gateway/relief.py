"""Carries out what `gateway.pressure` decides: shuts the door to new viewers, shortens windows, sends viewers away.

Event loop only; the figures are read on a worker thread. Cameras, publishers, pushes and the pages are never touched.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.gauges import Gauges
from gateway.pressure import Level, Pressure, State, shed

log = logging.getLogger(__name__)

LOOK_S = 0.5
SHED_EVERY_S = 2.0
"""A viewer that was sent away frees its memory within a second; then it is looked again."""


class Output(Protocol):
    """What serves viewers. All outputs of the gateway are one of these."""

    closed_to_new: str
    """Why no new viewer is let in; empty: they are."""

    def viewers(self) -> int:
        """How many there are."""

    def shed(self, count: int, reason: str) -> int:
        """Send the newest away; how many went."""


class Relief:
    """`frugal` is told when memory is to be saved and when no longer; `give_back` returns free heap to the system; `lag` says
    by how many seconds the event loop is late."""

    def __init__(
        self,
        outputs: Sequence[Output],
        frugal: Callable[[bool], None],
        give_back: Callable[[], None],
        lag: Callable[[], float] = lambda: 0.0,
        *,
        gauges: Gauges | None = None,
        pressure: Pressure | None = None,
    ) -> None:
        self._outputs = outputs
        self._frugal = frugal
        self._give_back = give_back
        self._lag = lag
        self._gauges = gauges or Gauges()
        self._pressure = pressure or Pressure()
        self._shed_at = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> State:
        """What holds now."""
        return self._pressure.state

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="relief")

    def stop(self) -> None:
        """Look no more. Harmless if not started."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception:
                log.exception("looking for what runs short failed")  # and must not be the last look

    async def look(self) -> None:
        """One look, and what follows from it."""
        figures = await asyncio.to_thread(self._gauges.read, self._lag())
        now = time.monotonic()
        changed = self._pressure.observe(figures, now)
        if changed is not None:
            self._enter(changed)
        if self.state.level is Level.CRITICAL and now - self._shed_at >= SHED_EVERY_S:
            self._shed_at = now
            self._shed()

    def _enter(self, state: State) -> None:
        if state.level is Level.NORMAL:
            log.warning("the box has room again: viewers are let in")
        else:
            what = "no new viewers are let in" if state.level is Level.TIGHT else "viewers are sent away, cameras stay"
            log.warning("the box is short (%s): %s; %s", state.level.name.lower(), state.reason, what)
        reason = f"the gateway is short of resources ({state.reason}); try again later" if state.level else ""
        for output in self._outputs:
            output.closed_to_new = reason
        self._frugal(state.level is not Level.NORMAL)
        self._give_back()

    def _shed(self) -> None:
        counts = [output.viewers() for output in self._outputs]
        left = shed(sum(counts))
        gone = 0
        for output, count in sorted(zip(self._outputs, counts, strict=True), key=lambda pair: -pair[1]):
            gone += output.shed(min(count, left - gone), f"the gateway is short of resources ({self.state.reason})")
        if gone:
            log.warning("%d viewers were sent away: %s", gone, self.state.reason)
        self._give_back()
