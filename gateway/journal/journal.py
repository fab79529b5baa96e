"""The journal: watches cameras and box, remembers the newest incidents, keeps all on disk, tells whoever listens.

Event loop only, but for `ask`. Everything shown on the health page comes from memory; the file is for what is older.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from gateway.box.facts import Box
from gateway.journal.availability import DAY_HOURS, HOURS, Availability
from gateway.journal.conditions import BoxConditions
from gateway.journal.incident import Change, Ids, Incident, Step
from gateway.journal.kinds import IncidentKind
from gateway.journal.store import RECENT_PER_CAMERA, Past, Store
from gateway.journal.trouble import CameraTrouble
from gateway.media.state import State, Status

log = logging.getLogger(__name__)

HOURS_EVERY_S = 60.0
"""How often the seconds of the current hour go to disk."""

CLOCK_STEP_S = 2.0
"""A clock that is set by less bothers nobody."""

_UNWATCHED = frozenset({State.DISABLED, State.CONNECTING})
"""Neither here nor away: the seconds after a start are nobody's fault."""

Listener = Callable[[Change], None]


class Journal:
    """Between `start` and `stop`."""

    def __init__(
        self,
        data_dir: Path,
        keep_s: float,
        version: str,
        listener: Listener,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        look: Callable[[Path], Box] | None = None,
    ) -> None:
        """`listener` hears of every change but recounts; it must return at once."""
        self.box = Box()
        """As last seen."""
        self.availability = Availability()
        self.counts: Counter[IncidentKind] = Counter()
        """Incidents since the start."""
        self._version = version
        self._listener = listener
        self._monotonic = monotonic
        self._wall = wall
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ids = Ids()
        self._troubles: dict[str, CameraTrouble] = {}
        self._conditions = BoxConditions(self._ids)
        self._recent: dict[str, deque[Incident]] = {}
        self._looked_at: float | None = None
        self._hours_at = monotonic()
        self._store = Store(
            data_dir,
            keep_s=keep_s,
            opened=lambda past: self._later(self._restore, past),
            looked=lambda box: self._later(self._see, box),
            wall=wall,
            monotonic=monotonic,
            **({"look": look} if look is not None else {}),
        )

    @property
    def trouble(self) -> str:
        """Why nothing is written to disk; empty while all is well."""
        return self._store.trouble

    @property
    def pending(self) -> int:
        """Incidents not on disk yet."""
        return self._store.pending

    @property
    def open(self) -> list[Incident]:
        """What goes on now, the gateway's first."""
        return [*self._conditions.open, *(one for trouble in self._troubles.values() for one in trouble.open)]

    def configure(self, keep_s: float) -> None:
        """The configuration has changed."""
        self._store.keep_s = keep_s

    def start(self) -> None:
        """Open the file in the background."""
        self._loop = asyncio.get_running_loop()
        self._store.start()

    async def stop(self) -> None:
        """Write everything. What goes on is ended by the next start, as far as this run has seen it."""
        self._store.put((), self.availability.take_changes(self._wall()))
        await asyncio.to_thread(self._store.close)
        self._loop = None

    def observe(self, cameras: Mapping[str, Status]) -> None:
        """Look at all configured cameras; called twice a second."""
        now, wall = self._monotonic(), self._wall()
        passed_s = now - self._looked_at if self._looked_at is not None else 0.0
        self._looked_at = now
        changes: list[Change] = []
        for camera in self._troubles.keys() - cameras.keys():
            changes += self._troubles.pop(camera).end(wall)
            self.availability.forget(camera)
        for camera, status in cameras.items():
            trouble = self._troubles.get(camera)
            if trouble is None:
                trouble = self._troubles[camera] = CameraTrouble(camera, self._ids)
            changes += trouble.observe(status, now, wall)
            if status.state not in _UNWATCHED:
                self.availability.observe(camera, status.state is State.LIVE, passed_s, wall)
        if changes:
            self._take(changes)
        if now - self._hours_at >= HOURS_EVERY_S:
            self._hours_at = now
            self._store.put((), self.availability.take_changes(wall))

    def judge(self, lag_s: float) -> None:
        """Look at what is known of the box, and at the event loop's worst lag since the last call; every few seconds."""
        self._take(self._conditions.observe(self.box, lag_s, self._monotonic(), self._wall()))

    def clock_was_set(self, step_s: float) -> None:
        """The system clock was set forward by so many seconds, or back."""
        if abs(step_s) >= CLOCK_STEP_S:
            reason = f"the clock was set {'forward' if step_s > 0 else 'back'} by {abs(step_s):.0f} s"
            self._take([self._noted(IncidentKind.CLOCK_STEP, reason, self._wall())])

    def last(self, camera: str) -> list[Incident]:
        """The newest incidents of a camera, of the gateway for an empty id; newest first."""
        return list(self._recent.get(camera, ()))

    def ask(self, camera: str | None, limit: int, before: int | None = None) -> Future[list[Incident]]:
        """Incidents out of the file, newest first. Any thread."""
        return self._store.ask(camera, limit, before)

    def uptime(self, camera: str) -> tuple[float | None, float | None]:
        """Share of the watched time with a picture: of the last 24 hours, and of the last 7 days."""
        wall = self._wall()
        return self.availability.share(camera, DAY_HOURS, wall), self.availability.share(camera, HOURS, wall)

    # --- inside -----------------------------------------------------------------------------------------------------------

    def _later(self, what: Callable[..., None], *args: object) -> None:
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(what, *args)
        except RuntimeError:
            pass  # the loop is closed: the gateway has ended

    def _see(self, box: Box) -> None:
        self.box = box

    def _restore(self, past: Past) -> None:
        self._ids.after(past.newest_id)
        wall, last = self._wall(), past.last_run
        self.availability.restore(past.hours, wall)
        for incident in reversed(past.recent):
            if incident.ended is None and last is not None:
                incident = replace(incident, ended=max(incident.began, last.alive))
            self._remember(incident)
        noted = []
        if last is not None and not last.clean:
            reason = "the gateway was cut off: power, a crash or a kill"
            noted.append(self._noted(IncidentKind.UNCLEAN_SHUTDOWN, reason, min(last.alive, wall)))
        noted.append(self._noted(IncidentKind.START, f"Camera Gateway {self._version} was started", wall))
        self._take(noted)

    def _noted(self, kind: IncidentKind, reason: str, at: float) -> Change:
        return Change(Step.NOTED, Incident(self._ids.next(self._wall()), "", kind, kind.value, reason, at, at))

    def _take(self, changes: Iterable[Change]) -> None:
        changes = list(changes)
        for change in changes:
            incident = change.incident
            self._remember(incident)
            if change.step is Step.COUNTED:
                continue
            if change.step in (Step.BEGAN, Step.NOTED):
                self.counts[incident.kind] += 1
            if change.step is not Step.NOTED or incident.kind is not IncidentKind.START:
                who = f"camera {incident.camera}" if incident.camera else "gateway"
                log.info("incident of %s %s: %s: %s", who, change.step.value, incident.kind.value, incident.reason)
            self._listener(change)
        if changes:
            self._store.put([change.incident for change in changes])

    def _remember(self, incident: Incident) -> None:
        recent = self._recent.setdefault(incident.camera, deque(maxlen=RECENT_PER_CAMERA))
        for place, known in enumerate(recent):
            if known.id == incident.id:
                recent[place] = incident
                return
        recent.appendleft(incident)
