"""Keeps the journal on disk from a thread of its own: a slow, full or dead disk costs history, never a picture.

`put` and `ask` only append to a queue. What cannot be written waits in memory, bounded, and is tried again; the log says
once that it does not work and once that it works again. Times are Unix seconds.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gateway.box.facts import Box, read_box
from gateway.journal.availability import HourRow
from gateway.journal.database import FILE_NAME, Database, LastRun, move_aside
from gateway.journal.incident import Incident

log = logging.getLogger(__name__)

T = TypeVar("T")

WRITE_EVERY_S = 5.0
"""What is a few seconds old is lost in a power cut; a flash card lives longer for it."""
ALIVE_EVERY_S = 60.0
"""So exactly is it known afterwards when the power went."""
TIDY_EVERY_S = 6 * 3600.0
LOOK_EVERY_S = 5.0
"""How often the box is looked at."""
RETRY_S = 30.0
MAX_PENDING = 2000
RECENT_PER_CAMERA = 10
STOP_S = 2.0
_CORRUPT = ("malformed", "not a database", "corrupt")


@dataclass(frozen=True, slots=True)
class Past:
    """What the file held when it was opened."""

    last_run: LastRun | None
    recent: tuple[Incident, ...]
    hours: tuple[HourRow, ...]
    newest_id: int


class Store:
    """The thread and its file. `start` once, `close` once."""

    def __init__(
        self,
        folder: Path,
        *,
        keep_s: float,
        opened: Callable[[Past], None],
        looked: Callable[[Box], None],
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        look: Callable[[Path], Box] = read_box,
    ) -> None:
        """`opened` and `looked` are called on the store's thread."""
        self.keep_s = keep_s
        """How long incidents are kept; may be changed at any time."""
        self.trouble = ""
        """Why nothing is written at the moment; empty while all is well."""
        self._folder = folder
        self._path = folder / FILE_NAME
        self._opened = opened
        self._looked = looked
        self._wall = wall
        self._monotonic = monotonic
        self._look = look
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._pending: OrderedDict[int, Incident] = OrderedDict()
        self._hours: dict[tuple[str, int], HourRow] = {}
        self._database: Database | None = None
        self._ever_opened = self._told = False
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    @property
    def pending(self) -> int:
        """Incidents that are not on disk yet."""
        return len(self._pending)

    def start(self) -> None:
        """Open the file, on the thread."""
        self._thread.start()

    def put(self, incidents: Iterable[Incident], hours: Iterable[HourRow] = ()) -> None:
        """Keep these as they are now. Any thread; returns at once."""
        wanted, seen = tuple(incidents), tuple(hours)
        self._orders.put(lambda: self._keep(wanted, seen))

    def ask(self, camera: str | None, limit: int, before: int | None = None) -> Future[list[Incident]]:
        """See `Database.incidents`. The future fails with sqlite3.Error where there is no file."""
        answer: Future[list[Incident]] = Future()

        def read() -> None:
            try:
                self._write()
                if self._database is None:
                    raise sqlite3.OperationalError(self.trouble or "the file is not open")  # noqa: TRY301
                answer.set_result(self._database.incidents(camera, limit, before))
            except Exception as error:
                answer.set_exception(error)

        self._orders.put(read)
        return answer

    def close(self) -> None:
        """Write what is left. Blocks for at most `STOP_S`; harmless if never started."""
        if self._thread.ident is not None:
            self._orders.put(None)
            self._thread.join(STOP_S)

    # --- the thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        written = alive = looked = tidied = self._monotonic()
        self._open()
        self._inspect()
        while True:
            try:
                order = self._orders.get(timeout=1.0)
            except queue.Empty:
                pass
            else:
                if order is None:
                    break
                order()
            now = self._monotonic()
            if self._database is None and now >= self._retry_at:
                self._open()
                self._write()
            dirty = bool(self._pending or self._hours)
            if (dirty and now - written >= WRITE_EVERY_S) or now - alive >= ALIVE_EVERY_S:
                written = alive = now
                self._write()
            if now - looked >= LOOK_EVERY_S:
                looked = now
                self._inspect()
            if now - tidied >= TIDY_EVERY_S:
                tidied = now
                self._guarded(lambda database: database.tidy(self._wall(), self.keep_s))
        self._write(clean=True)
        if self._database is not None:
            self._guarded(Database.close)

    def _inspect(self) -> None:
        try:
            self._looked(self._look(self._folder))
        except Exception:
            log.exception("looking at the box failed")

    def _keep(self, incidents: tuple[Incident, ...], hours: tuple[HourRow, ...]) -> None:
        for incident in incidents:
            self._pending[incident.id] = incident
            self._pending.move_to_end(incident.id)
        self._hours.update({(row.camera, row.hour): row for row in hours})
        while len(self._pending) > MAX_PENDING:
            self._pending.popitem(last=False)
        while len(self._hours) > MAX_PENDING:
            del self._hours[next(iter(self._hours))]

    def _open(self) -> None:
        past = Past(None, (), (), 0)
        try:
            self._database = database = Database.open(self._path)
            if not self._ever_opened:
                past = Past(
                    database.last_run(),
                    tuple(database.recent(RECENT_PER_CAMERA)),
                    tuple(database.hours(self._wall())),
                    database.newest_id(),
                )
                database.begin_run(self._wall())
                database.tidy(self._wall(), self.keep_s)
                self._works()  # later only what was written proves it: a full disk can be opened and read
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            self._tell(Past(None, (), (), 0))
            return
        self._ever_opened = True
        self._tell(past)

    def _tell(self, past: Past) -> None:
        """Once: whoever waits to begin does not wait for a disk."""
        if not self._told:
            self._told = True
            self._opened(past)

    def _write(self, *, clean: bool = False) -> None:
        incidents, hours = list(self._pending.values()), list(self._hours.values())
        if self._guarded(lambda database: database.write(incidents, hours, self._wall(), clean=clean)):
            self._pending.clear()
            self._hours.clear()

    def _guarded(self, work: Callable[[Database], None]) -> bool:
        """Do it with the file; True if that went well."""
        if self._database is None:
            return False
        try:
            work(self._database)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return False
        self._works()
        return True

    def _fail(self, error: Exception) -> None:
        trouble = str(error)
        if self.trouble != trouble:
            log.warning("incidents are kept in memory only, the disk does not take them: %s", trouble)
        self.trouble = trouble
        self._retry_at = self._monotonic() + RETRY_S
        database, self._database = self._database, None
        if database is not None:
            try:
                database.close()
            except sqlite3.Error:
                pass  # it has just said that it cannot
        if any(word in trouble for word in _CORRUPT) and self._ever_opened:
            try:
                move_aside(self._path, trouble)
            except OSError as failed:
                log.warning("incidents: the damaged file stays where it is: %s", failed)

    def _works(self) -> None:
        if self.trouble:
            log.info("incidents are written to disk again")
            self.trouble = ""
