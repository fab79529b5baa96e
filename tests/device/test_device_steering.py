"""The rules of steering, on a clock of their own."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.device.steering import (
    DEAD_MAN_S,
    LOOK_AFTER_S,
    MAX_STOPS,
    REFRESH_S,
    RETRY_STOP_S,
    Order,
    Steering,
    Step,
)
from gateway.onvif.ptz import Vector

RIGHT, UP = Vector(pan=0.5), Vector(tilt=1.0)


class Head:
    """A camera that takes orders from a Steering, on a clock that only runs when told."""

    def __init__(self, *, sees: bool = True, obeys: tuple[Step, ...] = (Step.STOP, Step.ZERO)) -> None:
        self.steering = Steering()
        self.now = 100.0
        self.moves = False
        self.sees = sees
        self.obeys = obeys
        self.took: list[Step] = []
        self.gave_up = False

    def run(self, seconds: float, fails: tuple[Step, ...] = ()) -> list[Step]:
        """Let time pass, doing what is due; the steps taken meanwhile."""
        end, before = self.now + seconds, len(self.took)
        while True:
            order = self.steering.next(self.now)
            if order is not None:
                self.take(order, fails)
                continue
            due = self.steering.due(self.now)
            if due is None or self.now + due > end:
                self.now = end
                return self.took[before:]
            self.now += max(due, 1e-6)

    def take(self, order: Order, fails: tuple[Step, ...]) -> None:
        self.took.append(order.step)
        if order.step in fails:
            self.gave_up = not self.steering.failed(order, self.now) or self.gave_up
            return
        if order.step is Step.MOVE:
            self.moves = True
        elif order.step in self.obeys:
            self.moves = False
        still = (not self.moves if self.sees else None) if order.step is Step.LOOK else None
        self.steering.done(order, self.now, still=still)


def test_nothing_is_sent_while_nobody_steers():
    head = Head()
    assert head.run(60) == []
    assert head.steering.idle


def test_browser_that_crashed_leaves_no_camera_turning():
    head = Head()
    head.steering.wish(RIGHT, head.now)
    head.run(DEAD_MAN_S + 0.01)
    assert head.took[-1] is Step.STOP
    assert not head.moves
    assert head.run(60)[-1] is Step.LOOK
    assert head.steering.idle


def test_camera_that_honours_its_timeout_keeps_moving_while_somebody_asks():
    head = Head()
    for _ in range(40):
        head.steering.wish(RIGHT, head.now)
        head.run(0.2)
    assert head.moves
    assert set(head.took) == {Step.MOVE}
    assert 7 / REFRESH_S <= len(head.took) <= 9 / REFRESH_S + 1, "neither every wish nor fewer than the timeout needs"


def test_newest_wish_wins():
    head = Head()
    head.steering.wish(RIGHT, head.now)
    head.steering.wish(UP, head.now)
    assert head.steering.next(head.now) == Order(Step.MOVE, UP)


def test_stop_that_is_ignored_is_followed_by_speed_zero():
    head = Head(obeys=(Step.ZERO,))
    head.steering.wish(RIGHT, head.now)
    head.run(0.1)
    head.steering.halt(head.now)
    assert head.run(5) == [Step.STOP, Step.LOOK, Step.ZERO, Step.LOOK]
    assert not head.moves
    assert head.steering.idle


def test_camera_that_tells_nothing_gets_both_ways_of_stopping_once():
    head = Head(sees=False)
    head.steering.wish(RIGHT, head.now)
    head.run(0.1)
    head.steering.halt(head.now)
    assert head.run(5) == [Step.STOP, Step.LOOK, Step.ZERO]
    assert head.run(5, fails=(Step.ZERO,)) == []
    head.steering.halt(head.now)
    assert head.run(5, fails=(Step.ZERO,)) == [Step.STOP, Step.LOOK, Step.ZERO], "a fault of speed zero ends it, too"
    assert not head.gave_up


def test_stop_that_is_lost_is_sent_again():
    head = Head()
    head.steering.wish(RIGHT, head.now)
    head.run(0.1)
    head.steering.halt(head.now)
    assert head.run(RETRY_STOP_S / 2, fails=(Step.STOP,)) == [Step.STOP]
    assert head.run(5)[0] is Step.ZERO
    assert not head.moves


def test_camera_that_cannot_be_stopped_is_given_up_after_some_tries():
    head = Head(obeys=())
    head.steering.wish(RIGHT, head.now)
    head.run(0.1)
    head.steering.halt(head.now)
    steps = head.run(60)
    assert sum(step in (Step.STOP, Step.ZERO) for step in steps) == MAX_STOPS
    head.steering.halt(head.now)
    head.run(60, fails=(Step.STOP, Step.ZERO))
    assert head.gave_up
    assert head.steering.idle


def test_failed_move_is_followed_by_a_stop_because_it_may_have_arrived():
    head = Head()
    head.steering.wish(RIGHT, head.now)
    assert head.run(LOOK_AFTER_S, fails=(Step.MOVE,))[:2] == [Step.MOVE, Step.STOP]


def test_new_wish_while_a_stop_is_being_verified_moves_at_once():
    head = Head()
    head.steering.wish(RIGHT, head.now)
    head.run(0.1)
    head.steering.halt(head.now)
    head.run(0.01)
    head.steering.wish(UP, head.now)
    assert head.run(0.01) == [Step.MOVE]


def test_stop_is_sent_although_nobody_here_has_moved_the_camera():
    head = Head()
    head.moves = True
    head.steering.halt(head.now)
    head.run(1)
    assert not head.moves


@given(st.lists(st.tuples(st.sampled_from(["wish", "still", "halt", "forget"]), st.floats(0, 3), st.booleans()), max_size=30))
def test_whatever_happens_the_camera_stands_still_in_the_end(script: list[tuple[str, float, bool]]):
    head = Head()
    for action, seconds, lossy in script:
        match action:
            case "wish":
                head.steering.wish(Vector(seconds - 1.5, 0.3, 0), head.now)
            case "still":
                head.steering.wish(Vector(), head.now)
            case "halt":
                head.steering.halt(head.now)
            case _:
                head.steering.forget()
                head.moves = False  # a preset: the camera stops by itself
        head.run(seconds, fails=(Step.STOP, Step.MOVE) if lossy else ())
    head.run(60)
    assert not head.moves
    assert head.steering.idle


@given(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3))
def test_speeds_are_clamped(parts: tuple[float, float, float]):
    speed = Vector(*parts).clamped()
    assert all(-1 <= part <= 1 and math.isfinite(part) for part in (speed.pan, speed.tilt, speed.zoom))
