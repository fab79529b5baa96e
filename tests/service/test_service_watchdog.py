"""The watchdog is fed by progress alone, and what is stuck is named once."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import textwrap
import threading

import pytest
from child import ROOT, Child, until

from gateway.pulse import Promise, Role
from gateway.systemd.notify import Notifier
from gateway.watchdog import Watchdog


class Patient:
    """Says what a test wants."""

    def __init__(self) -> None:
        self.due = {"the scheduler": (Role.VITAL, 10.0)}

    def promises(self):
        return [Promise(name, role, due) for name, (role, due) in self.due.items()]

    def summary(self):
        return "2 cameras, 1 live"


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        yield heard


@pytest.fixture
def notifier(manager):
    made = Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "3000000"})
    yield made
    made.close()


def said(manager):
    manager.setblocking(False)
    messages = []
    try:
        while True:
            messages.append(manager.recv(65536).decode())
    except BlockingIOError:
        return messages


def test_it_is_fed_only_while_there_is_progress(manager, notifier):
    patient, now = Patient(), [0.0]
    watchdog = Watchdog(patient, notifier, lambda: now[0])
    watchdog.look()
    assert said(manager) == ["STATUS=2 cameras, 1 live", "WATCHDOG=1"]
    now[0] = 0.5
    watchdog.look()
    assert said(manager) == []
    now[0] = 1.0
    watchdog.look()
    assert said(manager) == ["WATCHDOG=1"]
    now[0] = 11.0
    assert not watchdog.look().alive
    assert said(manager) == ["STATUS=2 cameras, 1 live; stuck: the scheduler"]


def test_a_stuck_reader_is_named_once_with_where_it_stands_and_the_others_live_on(manager, notifier, caplog):
    patient, let_go = Patient(), threading.Event()
    thread = threading.Thread(target=let_go.wait, name="pull yard")
    thread.start()
    patient.due = {"pull yard": (Role.READER, -1.0), "pull door": (Role.READER, 9.0), "the scheduler": (Role.VITAL, 9.0)}
    watchdog = Watchdog(patient, notifier, lambda: 0.0)
    with caplog.at_level(logging.INFO, "gateway.watchdog"):
        assert watchdog.look().alive
        watchdog.look()
        let_go.set()
        thread.join()
        patient.due["pull yard"] = (Role.READER, 5.0)
        watchdog.look()
    assert said(manager) == ["STATUS=2 cameras, 1 live; stuck: pull yard", "WATCHDOG=1", "STATUS=2 cameras, 1 live"]
    first, second = caplog.messages
    assert first.startswith("pull yard is stuck, everything else runs on:\n")
    assert "wait" in first
    assert second == "pull yard moves again"


def test_a_patient_that_cannot_be_asked_is_not_fed(manager, notifier, caplog):
    patient = Patient()
    patient.promises = lambda: 1 / 0

    async def main():
        watchdog = Watchdog(patient, notifier)
        watchdog.start()
        await asyncio.sleep(0)
        await watchdog.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "cannot tell whether it makes progress" in caplog.text
    assert said(manager) == []


HANGS = """
    import threading, time
    from gateway import cli, run

    async def hang(service, notifier):
        time.sleep(600)

    run._reload = hang
    cli.main(["run", "-c", "CONFIG"])
"""
CONFIG = """
listen: {https: off, http: "127.0.0.1:0", rtmp: off}
discovery: {enabled: false}
cameras: {yard: {rtsp: "rtsp://127.0.0.1:1/live"}}
"""


def test_a_hung_event_loop_is_not_fed_and_its_end_says_where_it_hung(manager, tmp_path):
    """What systemd does: no food within WatchdogSec, so SIGABRT; the log then has every thread's stack."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1500000", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(HANGS).replace("CONFIG", str(config))]
    child = Child(command, tmp_path / "log", environ)
    try:
        for expected in (b"READY=1", b"STATUS=1 cameras, 0 live", b"WATCHDOG=1", b"WATCHDOG=1"):
            assert until_heard(manager, expected), child.text
        child.send(signal.SIGHUP)
        manager.settimeout(3)
        with pytest.raises(TimeoutError):
            while True:  # what was under way; then silence for twice the watchdog's time
                manager.recv(65536)
        child.send(signal.SIGABRT)
        assert child.wait(10) == -signal.SIGABRT
        until(lambda: "Fatal Python error: Aborted" in child.text, 5, "stacks")
        assert "in hang" in child.text
    finally:
        child.end(signal.SIGKILL)


def until_heard(manager, expected):
    while True:
        try:
            if manager.recv(65536) == expected:
                return True
        except TimeoutError:
            return False
