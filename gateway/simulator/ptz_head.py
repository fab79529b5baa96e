"""The motors of a virtual camera: where it looks at any moment. Pure; the clock is passed in.

The event loop gives orders, the encoder's thread asks where it looks: what moves is one immutable value, replaced as a
whole. Places are pan and tilt from -1 to 1 and zoom from 0 to 1, as the PTZ face reports them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TURN_PER_S = 0.5
"""At full speed from end to end in four seconds: fast enough for a test, slow enough to be watched."""
LIMITS = ((-1.0, 1.0), (-1.0, 1.0), (0.0, 1.0))
MAX_PRESETS = 16

Place = tuple[float, float, float]
"""Pan, tilt, zoom."""
CENTRE: Place = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Travel:
    """A movement since `begun`, ending at `until`; at `speed` per second, or towards `target`."""

    origin: Place
    begun: float
    speed: Place = CENTRE
    until: float = math.inf
    target: Place | None = None

    def at(self, now: float) -> Place:
        if self.target is not None:
            way = [end - start for start, end in zip(self.origin, self.target, strict=True)]
            needed = max(map(abs, way)) / TURN_PER_S
            part = 1.0 if needed <= 0 else min(max((now - self.begun) / needed, 0.0), 1.0)
            pan, tilt, zoom = (start + length * part for start, length in zip(self.origin, way, strict=True))
            return pan, tilt, zoom
        passed = min(now, self.until) - self.begun
        pan, tilt, zoom = (
            min(max(start + speed * passed, low), high)
            for start, speed, (low, high) in zip(self.origin, self.speed, LIMITS, strict=True)
        )
        return pan, tilt, zoom

    def moving(self, now: float) -> bool:
        if self.target is not None:
            return self.at(now) != self.target
        return any(self.speed) and now < self.until


class PtzHead:
    """The motors of one camera."""

    def __init__(self) -> None:
        self._travel = _Travel(CENTRE, 0.0)
        self.presets: dict[str, tuple[str, Place]] = {}
        """Name and place by token."""
        self.home = CENTRE
        self.orders: list[str] = []
        """What was asked of it, newest last, for tests and the curious."""

    def place(self, now: float) -> Place:
        """Where it looks."""
        return self._travel.at(now)

    def moving(self, now: float) -> bool:
        """Whether a motor runs."""
        return self._travel.moving(now)

    def run(self, speed: Place, now: float, timeout_s: float | None = None) -> None:
        """Move at `speed` (each -1 to 1) until told otherwise, or for `timeout_s`."""
        scaled = (speed[0] * TURN_PER_S, speed[1] * TURN_PER_S, speed[2] * TURN_PER_S)
        until = math.inf if timeout_s is None else now + timeout_s
        self._travel = _Travel(self.place(now), now, scaled, until)

    def stop(self, now: float, *, pan_tilt: bool = True, zoom: bool = True) -> None:
        """Stop all motors, or only some: the others go on."""
        pan, tilt, inward = self._travel.speed
        rest = (0.0 if pan_tilt else pan, 0.0 if pan_tilt else tilt, 0.0 if zoom else inward)
        self._travel = _Travel(self.place(now), now, rest, self._travel.until)

    def go(self, target: Place, now: float) -> None:
        """Go to a place. Raises ValueError if it is out of reach."""
        if not all(low <= part <= high for part, (low, high) in zip(target, LIMITS, strict=True)):
            raise ValueError("out of reach")
        self._travel = _Travel(self.place(now), now, target=target)

    def remember(self, name: str, now: float, token: str = "") -> str:
        """Make this place a preset, a new one or `token` again; its token. Raises KeyError, ValueError if all are taken."""
        if token and token not in self.presets:
            raise KeyError(token)
        if not token:
            token = next((str(n) for n in range(1, MAX_PRESETS + 1) if str(n) not in self.presets), "")
            if not token:
                raise ValueError("all presets are taken")
        self.presets[token] = (name or f"Preset {token}", self.place(now))
        return token
