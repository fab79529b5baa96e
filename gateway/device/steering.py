"""When to tell a camera to move and when to stop it: the rules, without a camera. Pure; the clock is passed in.

Whoever steers must keep asking. When nothing is heard for `DEAD_MAN_S` (the browser crashed, the phone lost its Wi-Fi)
the camera is stopped. Only the newest wish counts. A stop is not believed until the camera stands still: some ignore
Stop, some stop only the axis that was named, some lose a request. One thread calls everything here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gateway.onvif.ptz import STILL, Vector

DEAD_MAN_S = 1.0
"""Wishes come several times a second; over bad Wi-Fi one gets through in this time, or nobody steers any more."""
REFRESH_S = 0.8
"""A movement is told again after this long, so that the camera's own timeout never ends it."""
CAMERA_TIMEOUT_S = 2.0
"""The camera is told to stop by itself after this long, in case the box or the network dies. Not all cameras do."""
LOOK_AFTER_S = 0.25
"""A motor needs a moment to stand still before it makes sense to look."""
MAX_STOPS = 6
RETRY_STOP_S = 0.3
"""A stop that failed is sent again after this long; sooner would meet the same lost packet."""


class Step(enum.Enum):
    """What to do with the camera now."""

    MOVE = "move"
    STOP = "stop"
    LOOK = "look"
    """Ask where it is: does it stand still?"""
    ZERO = "zero"
    """Move at speed zero, for cameras that do not understand Stop."""


@dataclass(frozen=True, slots=True)
class Order:
    """A step, with the speed for MOVE."""

    step: Step
    speed: Vector = STILL


class Steering:
    """One camera's movement. After every `next` that gives an order, `done` or `failed` tells how it went."""

    def __init__(self) -> None:
        self._wish: Vector | None = None
        self._heard = 0.0
        self._told: Vector | None = None
        """What the camera was told last and may still be doing."""
        self._told_at = 0.0
        self._stops = 0
        self._stopped = False
        """Stop was taken since the last wish."""
        self._sees = False
        """The camera tells whether it moves."""
        self._pending: Step | None = None
        self._not_before = 0.0

    @property
    def idle(self) -> bool:
        """Nothing moves, nothing is to be stopped."""
        return self._wish is None and self._told is None and self._pending is None

    @property
    def moving(self) -> bool:
        """Somebody steers now."""
        return self._wish is not None

    def wish(self, speed: Vector, now: float) -> None:
        """Somebody wants this speed. Standing still is a stop."""
        if speed.still:
            self.halt(now)
            return
        self._wish, self._heard = speed.clamped(), now
        self._pending = None

    def halt(self, now: float) -> None:
        """Somebody wants it to stop, whether or not it moves: another client may have moved it."""
        self._wish = None
        self._stops, self._stopped = 0, False
        self._pending, self._not_before = Step.STOP, now

    def forget(self) -> None:
        """The camera was sent somewhere by other means (a preset): there is nothing to stop."""
        self._wish = self._told = self._pending = None

    def next(self, now: float) -> Order | None:
        """What to do now; None if there is nothing yet, see `due`."""
        if self._wish is not None and now - self._heard > DEAD_MAN_S:
            self.halt(now)
        if self._wish is not None:
            if self._wish != self._told or now - self._told_at >= REFRESH_S:
                return Order(Step.MOVE, self._wish)
            return None
        if self._pending is not None and now >= self._not_before:
            return Order(self._pending)
        return None

    def due(self, now: float) -> float | None:
        """Seconds until `next` may have something; None if it never will without another wish."""
        if self._wish is not None:
            if self._wish != self._told:
                return 0.0
            return max(0.0, min(self._heard + DEAD_MAN_S, self._told_at + REFRESH_S) - now)
        if self._pending is not None:
            return max(0.0, self._not_before - now)
        return None

    def done(self, order: Order, now: float, *, still: bool | None = None) -> None:
        """The camera took the order. For LOOK `still` tells what was seen: None if the camera does not say."""
        match order.step:
            case Step.MOVE:
                self._told, self._told_at = order.speed, now
            case Step.STOP:
                self._stops += 1
                self._stopped = True
                self._after(Step.LOOK, now + LOOK_AFTER_S)
            case Step.ZERO:
                self._stops += 1
                # Where nothing can be seen both ways of stopping were used, and no more can be done.
                self._after(Step.LOOK if self._sees else None, now + LOOK_AFTER_S)
            case Step.LOOK:
                self._sees = still is not None
                turn = Step.ZERO if self._stops % 2 else Step.STOP
                self._after(None if still or self._stops >= MAX_STOPS else turn, now)

    def failed(self, order: Order, now: float) -> bool:
        """The camera did not take it. A failed move may have arrived all the same, so it is followed by a stop.

        False when stopping was given up: the camera does what it does.
        """
        if order.step is Step.MOVE:
            self.halt(now)
            return True
        if order.step is Step.ZERO and self._stopped and not self._sees:
            self._after(None, now)  # it took Stop, and speed zero was only to make sure
            return True
        self._stops += 1
        if self._stops >= MAX_STOPS:
            self._after(None, now)
            return False
        self._after(Step.ZERO if order.step is Step.STOP else Step.STOP, now + RETRY_STOP_S)
        return True

    def _after(self, step: Step | None, at: float) -> None:
        self._pending, self._not_before = step, at
        if step is None:
            self._told = None
