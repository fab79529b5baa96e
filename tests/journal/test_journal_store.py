"""The journal's file survives what happens to files on small boxes, and never holds anybody up."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path

import pytest

from gateway.box.facts import Box
from gateway.journal import database as database_module
from gateway.journal.availability import HourRow
from gateway.journal.database import FILE_NAME, Database
from gateway.journal.incident import Incident
from gateway.journal.kinds import IncidentKind
from gateway.journal.store import Past, Store
from gateway.private_files import DAMAGED_SUFFIX

T0 = 1_700_000_000.0
OPEN_S = 10.0
YEAR_S = 365 * 86400.0


def incident(number: int, camera: str = "door", *, ended: float | None = None, began: float = T0) -> Incident:
    return Incident(number, camera, IncidentKind.OFFLINE, "unreachable", "no route", began, ended, 1)


class Opened:
    """A store that is open, and what it found."""

    def __init__(self, folder: Path, wall=lambda: T0) -> None:
        self.past: Past | None = None
        self._opened = threading.Event()
        self._tried = threading.Event()
        self.store = Store(
            folder,
            keep_s=YEAR_S,
            opened=self._found,
            looked=lambda _box: self._tried.set(),
            wall=wall,
            look=lambda _folder: Box(),
        )
        self.store.start()
        assert self._tried.wait(OPEN_S)

    def _found(self, past: Past) -> None:
        self.past = past
        self._opened.set()

    def rows(self, camera: str | None = None, limit: int = 100) -> list[Incident]:
        return self.store.ask(camera, limit).result(OPEN_S)


def test_what_was_written_is_there_after_a_restart_and_what_went_on_has_ended(tmp_path):
    first = Opened(tmp_path)
    assert first.past == Past(None, (), (), 0)
    first.store.put([incident(1, ended=T0 + 5), incident(2, "yard"), incident(3, "")], [HourRow("door", 472222, 3600, 3000)])
    first.store.put([incident(2, "yard", began=T0 - 5)])
    first.store.close()
    second = Opened(tmp_path)
    past = second.past
    assert past is not None
    assert past.last_run is not None
    assert past.last_run.clean
    assert [one.id for one in past.recent] == [3, 2, 1]
    assert past.hours == (HourRow("door", 472222, 3600, 3000),)
    assert past.newest_id == 3
    assert [(one.id, one.ended) for one in second.rows()] == [(3, T0), (2, T0), (1, T0 + 5)]
    assert [one.id for one in second.rows("yard")] == [2]
    assert [one.id for one in second.rows("")] == [3]
    second.store.close()


def test_a_killed_gateway_is_noticed_and_loses_nothing_that_was_written(tmp_path):
    script = f"""
import sys, threading, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from gateway.journal.incident import Incident
from gateway.journal.kinds import IncidentKind
from gateway.journal.store import Store
store = Store(Path({str(tmp_path)!r}), keep_s=1e9, opened=lambda past: None, looked=lambda box: None)
store.start()
for number in range(1, 2000):
    store.put([Incident(number, "door", IncidentKind.OFFLINE, "c", "r" * 200, {T0}, None, 1)])
    if number % 20 == 0:
        store.ask("door", 1).result(10)
        print(number, flush=True)
time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    written = 0
    while written < 400:
        written = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    again = Opened(tmp_path)
    assert again.past is not None
    assert again.past.last_run is not None
    assert not again.past.last_run.clean
    rows = again.rows(limit=5000)
    assert len(rows) >= written
    assert all(row.ended is not None for row in rows)
    again.store.close()


@pytest.mark.parametrize("damage", ["garbage", "middle", "empty"])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path, damage, caplog):
    first = Opened(tmp_path)
    first.store.put([incident(number, reason_pad) for number, reason_pad in enumerate(["c" * 3000] * 60, 1)])
    first.rows()
    first.store.close()
    path = tmp_path / FILE_NAME
    if damage == "garbage":
        path.write_bytes(b"this is no database, whatever it was before" * 100)
    elif damage == "middle":
        data = bytearray(path.read_bytes())
        data[4096:20480] = b"\xff" * 16384
        path.write_bytes(data)
    else:
        path.write_bytes(b"")
    second = Opened(tmp_path)
    second.store.put([incident(1000, "new")])
    assert [one.id for one in second.rows("new")] == [1000]
    second.store.close()
    aside = path.with_name(path.name + DAMAGED_SUFFIX)
    assert aside.exists() is (damage != "empty")
    assert ("is damaged" in caplog.text) is (damage != "empty")


def test_a_full_disk_costs_history_only_and_is_written_when_there_is_room(tmp_path, monkeypatch, caplog):
    one = Opened(tmp_path)
    full = {"is": True}
    write = Database.write

    def limited(self, *args, **more):
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        self._connection.execute(f"PRAGMA max_page_count = {pages if full['is'] else 100_000}")
        return write(self, *args, **more)

    monkeypatch.setattr(Database, "write", limited)
    monkeypatch.setattr("gateway.journal.store.RETRY_S", 0.0)
    caplog.set_level("INFO")
    one.store.put([incident(number, "x" * 2000) for number in range(1, 50)])
    with pytest.raises(sqlite3.Error, match="full"):
        one.rows()
    assert "full" in one.store.trouble
    with pytest.raises(sqlite3.Error, match="full"):
        one.rows()  # the file has been opened again meanwhile, which a full disk allows
    assert one.store.pending == 49
    assert "written to disk again" not in caplog.text
    full["is"] = False
    deadline = time.monotonic() + OPEN_S
    while one.store.trouble and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(one.rows()) == 49
    assert one.store.pending == 0
    one.store.close()
    assert caplog.text.count("kept in memory only") == 1


def test_a_folder_that_cannot_be_written_keeps_nobody_from_going_on(tmp_path):
    one = Opened(tmp_path / "missing")
    assert one.past == Past(None, (), (), 0)
    one.store.put([incident(1)])
    assert one.store.trouble
    with pytest.raises(sqlite3.Error):
        one.rows()
    one.store.close()


def test_a_disk_that_hangs_holds_nobody_up(tmp_path):
    hang = threading.Event()
    store = Store(
        tmp_path,
        keep_s=YEAR_S,
        opened=lambda _past: None,
        looked=lambda _box: None,
        look=lambda _folder: (hang.wait(OPEN_S), Box())[1],
    )
    store.start()
    began = time.monotonic()
    for number in range(5000):
        store.put([incident(number)])
    answer = store.ask("door", 1)
    assert time.monotonic() - began < OPEN_S / 2, "it did not wait for the disk"
    with pytest.raises(FutureTimeout):
        answer.result(0.05)
    hang.set()
    assert answer.result(OPEN_S)
    store.close()


def test_old_and_surplus_rows_go_and_open_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "MAX_ROWS", 50)
    database = Database.open(tmp_path / FILE_NAME)
    old = [incident(number, ended=T0 - 2 * YEAR_S, began=T0 - 2 * YEAR_S) for number in range(1, 11)]
    young = [incident(number, ended=T0) for number in range(20, 100)]
    database.write([*old, incident(11, began=T0 - 2 * YEAR_S), *young], [HourRow("door", 1, 1, 1)], T0)
    database.tidy(T0, YEAR_S)
    assert [one.id for one in database.incidents(None, 1000)] == list(range(99, 49, -1))
    assert database.hours(T0) == []
    monkeypatch.setattr(database_module, "MAX_ROWS", 1000)
    database.write([*old, incident(11, began=T0 - 2 * YEAR_S)], [], T0)
    database.tidy(T0, YEAR_S)
    assert [one.id for one in database.incidents(None, 1000)][-1] == 11, "it still goes on"
    assert [one.id for one in database.incidents(None, 3, before=60)] == [59, 58, 57]
    database.close()


def test_the_file_is_for_its_owner_only(tmp_path):
    Database.open(tmp_path / FILE_NAME).close()
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0


def test_a_kind_that_a_newer_gateway_wrote_is_passed_over(tmp_path):
    database = Database.open(tmp_path / FILE_NAME)
    database.write([incident(1)], [], T0)
    database._connection.execute("INSERT INTO incident VALUES (2, '', 'earthquake', '', '', 1, 2, 1)")
    database._connection.commit()
    assert [one.id for one in database.incidents(None, 10)] == [1]
    database.close()


def test_what_is_committed_is_on_the_disk_and_not_only_with_the_kernel(tmp_path):
    """Documented: a power cut costs five seconds. SQLite's NORMAL leaves half a minute with the kernel."""
    database = Database.open(tmp_path / FILE_NAME)
    full = 2
    assert database._connection.execute("PRAGMA synchronous").fetchone() == (full,)
    database.close()
