"""The file of the journal: SQLite with a write-ahead log, so that a power cut costs the last seconds and never the file.

Used by one thread, the store's. A file that is damaged is moved aside, not repaired: the newest rows matter, and the cameras
matter more. Raises sqlite3.Error; `store` decides what to do about it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.journal.availability import HourRow
from gateway.journal.incident import Incident
from gateway.journal.kinds import IncidentKind

log = logging.getLogger(__name__)

FILE_NAME = "incidents.db"
DAMAGED_SUFFIX = ".damaged"
MAX_ROWS = 20_000
"""Some 3 MB. Beyond it the oldest go, however young they are."""
HOURS_KEPT_S = 8 * 86400.0
CACHE_KIB = 128
JOURNAL_BYTES = 512 * 1024
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS incident (
  id INTEGER PRIMARY KEY, camera TEXT NOT NULL, kind TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
  began REAL NOT NULL, ended REAL, count INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS incident_camera ON incident (camera, id);
CREATE TABLE IF NOT EXISTS hour (
  camera TEXT NOT NULL, hour INTEGER NOT NULL, seen_s INTEGER NOT NULL, live_s INTEGER NOT NULL,
  PRIMARY KEY (camera, hour)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (one INTEGER PRIMARY KEY CHECK (one = 1), alive REAL NOT NULL, clean INTEGER NOT NULL);
"""
_COLUMNS = "id, camera, kind, code, reason, began, ended, count"


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the run before this one ended."""

    alive: float
    """Unix seconds when it last said that it lives."""
    clean: bool
    """It was stopped, not cut off."""


class Database:
    """An open file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open or make the file, moving a damaged one aside. Raises sqlite3.Error, OSError."""
        try:
            return cls(_connect(path))
        except sqlite3.OperationalError:
            raise  # locked, full, not writable: the file may be good
        except sqlite3.DatabaseError as error:
            move_aside(path, str(error))
            return cls(_connect(path))

    def close(self) -> None:
        """Put everything into the file."""
        self._connection.close()

    def last_run(self) -> LastRun | None:
        """How the run before ended; None for the first one."""
        row = self._connection.execute("SELECT alive, clean FROM run").fetchone()
        return LastRun(float(row[0]), bool(row[1])) if row is not None else None

    def begin_run(self, wall: float) -> None:
        """This run lives; what went on when the last one ended, ended then as far as anybody knows."""
        with self._connection as connection:
            row = connection.execute("SELECT alive FROM run").fetchone()
            if row is not None:
                connection.execute("UPDATE incident SET ended = max(began, ?) WHERE ended IS NULL", row)
            self._alive(connection, wall, clean=False)

    def write(self, incidents: Iterable[Incident], hours: Iterable[HourRow], wall: float, *, clean: bool = False) -> None:
        """Write all of it or nothing."""
        rows = [
            (one.id, one.camera, one.kind.value, one.code, one.reason, one.began, one.ended, one.count) for one in incidents
        ]
        with self._connection as connection:
            connection.executemany(f"INSERT OR REPLACE INTO incident ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany(
                "INSERT OR REPLACE INTO hour (camera, hour, seen_s, live_s) VALUES (?, ?, ?, ?)",
                [(row.camera, row.hour, row.seen_s, row.live_s) for row in hours],
            )
            self._alive(connection, wall, clean=clean)

    def tidy(self, wall: float, keep_s: float) -> None:
        """Delete what is too old or too much."""
        with self._connection as connection:
            connection.execute("DELETE FROM incident WHERE ended IS NOT NULL AND ended < ?", (wall - keep_s,))
            connection.execute(
                "DELETE FROM incident WHERE id <= (SELECT id FROM incident ORDER BY id DESC LIMIT 1 OFFSET ?)", (MAX_ROWS,)
            )
            connection.execute("DELETE FROM hour WHERE hour < ?", (int(wall - HOURS_KEPT_S) // 3600,))

    def incidents(self, camera: str | None, limit: int, before: int | None = None) -> list[Incident]:
        """The newest first; `camera` empty: the gateway's own, None: all. `before` is an id."""
        wanted = [] if camera is None else ["camera = ?"]
        values: list[str | int] = [] if camera is None else [camera]
        if before is not None:
            wanted.append("id < ?")
            values.append(before)
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        # no value is in the text
        query = f"SELECT {_COLUMNS} FROM incident {where} ORDER BY id DESC LIMIT ?"  # nosec B608
        found = self._connection.execute(query, (*values, limit)).fetchall()
        return [incident for row in found if (incident := _incident(row)) is not None]

    def recent(self, per_camera: int) -> list[Incident]:
        """The newest of every camera and of the gateway, newest first."""
        cameras = [str(row[0]) for row in self._connection.execute("SELECT DISTINCT camera FROM incident")]
        found = [one for camera in cameras for one in self.incidents(camera, per_camera)]
        return sorted(found, key=lambda one: -one.id)

    def hours(self, wall: float) -> list[HourRow]:
        """What was seen in the last days."""
        since = int(wall - HOURS_KEPT_S) // 3600
        found = self._connection.execute("SELECT camera, hour, seen_s, live_s FROM hour WHERE hour >= ?", (since,))
        return [HourRow(str(camera), int(hour), int(seen), int(live)) for camera, hour, seen, live in found]

    def newest_id(self) -> int:
        """0 for an empty file."""
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM incident").fetchone()[0])

    @staticmethod
    def _alive(connection: sqlite3.Connection, wall: float, *, clean: bool) -> None:
        connection.execute("INSERT OR REPLACE INTO run (one, alive, clean) VALUES (1, ?, ?)", (wall, int(clean)))


def move_aside(path: Path, why: str) -> None:
    """Make room for a new file; the newest damaged one is kept for whoever wants to look. Raises OSError."""
    kept = path.with_name(path.name + DAMAGED_SUFFIX)
    path.replace(kept)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    log.error("incidents: %s is damaged (%s): moved to %s, a new one is begun", path.name, why, kept.name)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=2.0, cached_statements=16)
    try:
        path.chmod(0o600)
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        with closing(connection.execute("PRAGMA quick_check(1)")) as found:
            verdict = str(found.fetchone()[0])
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict.splitlines()[0])  # noqa: TRY301  # treated as what SQLite says by itself
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # NORMAL leaves commits in the page cache for half a minute; there is one in 5 s at most
            "wal_autocheckpoint = 64",
            f"journal_size_limit = {JOURNAL_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > _VERSION:
            raise sqlite3.DatabaseError(f"made by a newer gateway, version {version}")  # noqa: TRY301
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _incident(row: Sequence[object]) -> Incident | None:
    """None for a kind that a newer gateway wrote."""
    number, camera, kind, code, reason, began, ended, count = row
    try:
        return Incident(
            int(str(number)),
            str(camera),
            IncidentKind(kind),
            str(code),
            str(reason),
            float(str(began)),
            float(str(ended)) if ended is not None else None,
            int(str(count)),
        )
    except ValueError:
        return None
