"""The audit log: everything in order, nothing secret, nobody waits for it, and a power cut costs one line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.access import audit as audit_module
from gateway.access.audit import FILE_NAME, AuditLog

Open = Callable[..., AuditLog]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    logs: list[AuditLog] = []

    def make(**settings: object) -> AuditLog:
        log = AuditLog(tmp_path, rest_s=0.0, **settings)  # type: ignore[arg-type]
        log.start()
        logs.append(log)
        return log

    yield make
    for log in logs:
        log.stop()


def test_the_newest_comes_first_and_the_file_holds_one_object_a_line(opened: Open, tmp_path: Path) -> None:
    log = opened(wall=lambda: 5.0)
    for user in ("anna", "bert"):
        log.record("login", user, "10.0.0.7", way="form")
    log.flush()
    assert [entry["user"] for entry in log.newest(10)] == ["bert", "anna"]
    assert [entry["user"] for entry in log.newest(1)] == ["bert"]
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    assert json.loads(lines[0]) == {
        "at": 5.0, "event": "login", "user": "anna", "address": "10.0.0.7", "camera": "", "ok": True,
        "detail": {"way": "form"},
    }  # fmt: skip
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_power_cut_has_torn_costs_only_itself(opened: Open, tmp_path: Path) -> None:
    first = opened()
    first.record("login", "anna", "a")
    first.flush()
    first.stop()
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(b'{"at": 1, "event": "logi')
    log = opened()
    log.record("login", "bert", "a")
    log.flush()
    assert [entry["user"] for entry in log.newest(10)] == ["bert", "anna"]


def test_files_are_turned_over_and_the_oldest_goes(opened: Open, tmp_path: Path) -> None:
    log = opened(max_file_bytes=300)
    for number in range(60):
        log.record("watch", f"user-{number}", "a")
        log.flush()
    names = sorted(path.name for path in tmp_path.glob("audit*.jsonl"))
    assert set(names) <= {"audit.jsonl", *(f"audit.{number}.jsonl" for number in range(1, audit_module.KEPT_FILES))}
    assert len(names) >= audit_module.KEPT_FILES - 1
    users = [entry["user"] for entry in log.newest(1000)]
    assert users == [f"user-{59 - index}" for index in range(len(users))]
    assert len(users) < 60


def test_a_disk_that_takes_nothing_holds_nobody_up(opened: Open, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    log = opened()
    stuck, released = threading.Event(), threading.Event()

    def write(_data: bytes) -> None:
        stuck.set()
        released.wait(10)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log, "_write", write)
    log.record("login", "first", "a")
    assert stuck.wait(5)
    for number in range(audit_module.MAX_QUEUED + 500):
        log.record("login-failed", f"guess-{number}", "a")  # returns at once, or this test takes for ever
    monkeypatch.undo()
    released.set()
    log.flush()
    log.record("login", "last", "a")
    log.flush()
    entries = log.newest(audit_module.MAX_QUEUED + 1000)
    assert entries[0]["user"] == "last"
    assert [entry["detail"]["entries"] for entry in entries if entry["event"] == "lost"] == [500]
    assert "cannot be written" in caplog.text


def test_going_on_is_recorded_once_and_a_return_after_a_pause_again(opened: Open) -> None:
    now = [0.0]
    log = opened(monotonic=lambda: now[0])
    for _ in range(1000):
        log.going_on("watch", "anna", "a", camera="yard")
        now[0] += 1.0
    log.going_on("watch", "anna", "a", camera="gate")
    now[0] += audit_module.AGAIN_S + 1
    log.going_on("watch", "anna", "a", camera="yard")
    log.flush()
    assert [entry["camera"] for entry in log.newest(10)] == ["yard", "gate", "yard"]


def test_what_a_client_puts_into_a_name_stays_a_name(opened: Open, tmp_path: Path) -> None:
    log = opened()
    log.record("login-failed", 'x\n{"at": 1, "event": "login", "user": "admin"}', "a", detail="rtsp://u:hunter22@cam/")
    log.flush()
    assert len(log.newest(10)) == 1
    assert "hunter22" not in (tmp_path / FILE_NAME).read_text()


def test_every_event_that_the_code_records_is_known(pytestconfig: pytest.Config) -> None:
    import re

    source = "".join(path.read_text() for path in (pytestconfig.rootpath / "gateway").rglob("*.py"))
    found = set(re.findall(r'(?:\.record|\.going_on|note|note_going_on)\(\s*"([a-z-]+)"', source))
    assert found <= set(audit_module.EVENTS)
    assert {"login", "watch", "ptz", "token"} <= found | {"watch"}
    for language in ("en", "zh"):
        texts = (pytestconfig.rootpath / f"web/static/js/strings.{language}.js").read_text(encoding="utf-8")
        assert not [event for event in audit_module.EVENTS if f'"audit.{event}"' not in texts]


def test_nothing_is_written_before_it_is_started(tmp_path: Path) -> None:
    AuditLog(tmp_path).record("login", "anna", "a")
    assert not list(tmp_path.iterdir())
