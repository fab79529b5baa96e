"""Steers one camera: takes commands from anywhere, and talks to the camera on a thread of its own.

The thread lives while somebody steers and half a minute longer. It has its own connection, with one request at a time;
while a request is under way only the newest wish is kept, so a slow camera never works off a queue of old movements.
What moves is stopped when nobody asks any more (`gateway.device.steering`), and when the driver is closed.

The newest command counts, also between kinds: a way to a preset ends the movement that was asked for before it, one that is
asked for later comes after it, and a stop takes back every way that has not begun.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gateway.device.steering import CAMERA_TIMEOUT_S, Order, Steering, Step
from gateway.errors import GatewayError, ProtocolError, SourceError
from gateway.onvif.ptz import Vector
from gateway.onvif.ptz_client import PtzClient

log = logging.getLogger(__name__)

T = TypeVar("T")

IDLE_S = 30.0
"""A connection is kept this long after the last command."""
LOOK_APART_S = 0.15
"""Between two looks at the position: what still turns has visibly moved by then."""
STANDS_STILL = 0.002
"""Positions closer than this are one place; encoders of motors jitter in the last digit."""
MAX_WAITING = 8
"""Commands other than movements that may wait; more are a defect or an attack."""


class Busy(GatewayError):
    """More commands wait than a camera can work off."""


class Opened(Protocol):
    """A connection to a camera that can be steered."""

    @property
    def ptz(self) -> PtzClient: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Errand:
    """A command that is not a movement, and whoever waits for its end."""

    run: Callable[[PtzClient], object]
    moves: bool
    future: Future[object]


class Driver:
    """The driver of one camera. `connect` opens its connection; it blocks and raises SourceError. Methods: any thread."""

    def __init__(self, name: str, connect: Callable[[], Opened], clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._connect = connect
        self._clock = clock
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._connected = False
        # what came in and has not been looked at yet
        self._wish: Vector | None = None
        self._wished_at = 0.0
        self._halt = False
        self._errands: deque[_Errand] = deque()
        self.trouble: SourceError | None = None
        """What went wrong with the last movement; None once one worked."""

    def move(self, speed: Vector) -> None:
        """Move at `speed` from now on, for as long as this is asked again. Standing still means stop. Never blocks."""
        if speed.still:
            self.stop()
            return
        with self._changed:
            self._wish, self._wished_at = speed.clamped(), self._clock()
            self._halt = False
            self._wake()

    def stop(self) -> None:
        """Stop, whoever moves it; what would set it in motion and has not begun is taken back. Never blocks."""
        with self._changed:
            self._wish, self._halt = None, True
            taken_back = [errand for errand in self._errands if errand.moves]
            self._errands = deque(errand for errand in self._errands if not errand.moves)
            self._wake()
        for errand in taken_back:
            if errand.future.set_running_or_notify_cancel():
                errand.future.set_exception(ProtocolError("it was stopped before it began"))

    def errand(self, run: Callable[[PtzClient], T], *, moves: bool) -> Future[T]:
        """Have something else done; `moves` tells that the camera goes somewhere by it. Raises Busy. Never blocks."""
        future: Future[T] = Future()
        with self._changed:
            if len(self._errands) >= MAX_WAITING:
                raise Busy("the camera is busy with earlier commands")
            if moves:
                self._wish = None
            self._errands.append(_Errand(run, moves, future))  # type: ignore[arg-type]  # of some T, given back as it came
            self._wake()
        return future

    def close(self) -> list[threading.Thread]:
        """End: what moves is stopped first. The thread returned still does that; one that has not even reached the camera
        need not be waited for.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            return [self._thread] if self._connected and self._thread is not None and self._thread.is_alive() else []

    def _wake(self) -> None:
        if self._closing:
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name=f"ptz {self._name}", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    # From here on: the driver's thread.

    def _run(self) -> None:
        try:
            opened = self._connect()
        except SourceError as error:
            self._give_up(error)
            return
        except Exception as error:
            log.exception("camera %s: steering failed", self._name)
            self._give_up(ProtocolError(f"steering failed: {error}"))
            return
        with self._changed:
            self._connected = True
        try:
            self._drive(opened.ptz)
        except Exception as error:
            log.exception("camera %s: steering failed", self._name)
            self._give_up(ProtocolError(f"steering failed: {error}"))
        finally:
            self._connected = False
            opened.close()

    def _give_up(self, error: SourceError) -> None:
        log.warning("camera %s: cannot be steered: %s", self._name, error)
        with self._changed:
            self.trouble = error
            self._wish, self._halt = None, False
            errands, self._errands = list(self._errands), deque()
            self._thread = None
        for errand in errands:
            if errand.future.set_running_or_notify_cancel():
                errand.future.set_exception(error)

    def _drive(self, ptz: PtzClient) -> None:
        steering = Steering()
        idle_since = self._clock()
        while True:
            self._take(steering)
            order = steering.next(self._clock())
            if order is not None:
                self._carry_out(ptz, steering, order)
            elif not self._run_errand(ptz, steering):
                if not steering.idle:
                    idle_since = self._clock()
                if self._wait(steering, idle_since + IDLE_S):
                    return
                continue
            idle_since = self._clock()

    def _take(self, steering: Steering) -> None:
        """Hand new wishes to `steering`."""
        with self._changed:
            if self._halt or (self._closing and steering.moving):
                steering.halt(self._clock())
            elif self._wish is not None and not self._closing:
                if any(errand.moves for errand in self._errands):
                    return  # it was asked for later, so it comes after them
                steering.wish(self._wish, self._wished_at)
            self._wish, self._halt = None, False

    def _wait(self, steering: Steering, until: float) -> bool:
        """Wait for something to do; True if the thread has nothing left to live for."""
        with self._changed:
            if self._wish is not None or self._halt or self._errands:
                return False
            now = self._clock()
            due = steering.due(now)
            if due is None and (self._closing or now >= until):
                self._thread = None  # whoever comes now starts another
                return True
            self._changed.wait(due if due is not None else until - now)
            return False

    def _carry_out(self, ptz: PtzClient, steering: Steering, order: Order) -> None:
        still = None
        try:
            match order.step:
                case Step.MOVE:
                    ptz.move(order.speed, CAMERA_TIMEOUT_S)
                case Step.STOP:
                    ptz.stop()
                case Step.ZERO:
                    ptz.hold()
                case Step.LOOK:
                    still = self._stands_still(ptz)
        except SourceError as error:
            if order.step is Step.MOVE:
                self.trouble = error
                log.warning("camera %s: it does not move: %s", self._name, error)
            if not steering.failed(order, self._clock()):
                self.trouble = error
                log.warning("camera %s: it cannot be stopped: %s", self._name, error)
        else:
            if order.step is Step.MOVE:
                self.trouble = None
            steering.done(order, self._clock(), still=still)

    def _stands_still(self, ptz: PtzClient) -> bool | None:
        """Whether the camera stands, None if it does not tell. IDLE alone proves nothing: some cameras always say it."""
        try:
            first = ptz.status()
            if first.moving:
                return False
            if first.position is None:
                return None
            with self._changed:
                self._changed.wait_for(lambda: self._wish is not None, LOOK_APART_S)
            second = ptz.status()
        except SourceError:
            return None
        if second.position is None:
            return None
        return _distance(first.position, second.position) <= STANDS_STILL

    def _run_errand(self, ptz: PtzClient, steering: Steering) -> bool:
        """Run the next errand; False if there is none."""
        with self._changed:
            errand = self._errands.popleft() if self._errands else None
        if errand is None:
            return False
        if self._closing:
            errand.future.cancel()
        elif errand.future.set_running_or_notify_cancel():
            try:
                result = errand.run(ptz)
            except SourceError as error:
                errand.future.set_exception(error)
            except Exception as error:
                errand.future.set_exception(ProtocolError(f"steering failed: {error}"))
                raise
            else:
                if errand.moves:
                    steering.forget()
                errand.future.set_result(result)
        return True


def _distance(one: Vector, other: Vector) -> float:
    return max(abs(one.pan - other.pan), abs(one.tilt - other.tilt), abs(one.zoom - other.zoom))
