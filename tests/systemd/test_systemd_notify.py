"""systemd hears what the gateway says, and a gateway without systemd says nothing to nobody."""

from __future__ import annotations

import os
import time

import pytest
from service_socket import Ear

from gateway.systemd.notify import Notifier


def test_everything_is_said_as_systemd_understands_it(ear):
    notifier = Notifier({"NOTIFY_SOCKET": ear.address})
    before = time.monotonic_ns() // 1000
    for say in (notifier.ready, notifier.reloading, notifier.feed, notifier.stopping):
        say()
    assert ear.next() == b"READY=1"
    kind, stamp = ear.next().decode().split("\n")
    assert kind == "RELOADING=1"
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    assert ear.next() == b"WATCHDOG=1"
    assert ear.next() == b"STOPPING=1"
    notifier.close()


def test_the_status_is_said_when_it_changes_and_in_one_line(ear):
    notifier = Notifier({"NOTIFY_SOCKET": ear.address})
    for text in ("16 cameras, 15 live", "16 cameras, 15 live", "a\nb"):
        notifier.status(text)
    assert ear.next() == b"STATUS=16 cameras, 15 live"
    assert ear.next() == b"STATUS=a b"
    assert ear.silent()
    notifier.close()


def test_an_abstract_socket_is_found(tmp_path):
    ear = Ear(f"@camera-gateway-test-{os.getpid()}")
    notifier = Notifier({"NOTIFY_SOCKET": ear.address})
    notifier.ready()
    assert ear.next() == b"READY=1"
    notifier.close()
    ear.socket.close()


@pytest.mark.parametrize("address", ["", "@", "relative", "/nobody/listens/here"])
def test_without_anybody_who_listens_nothing_happens(address):
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready()
    notifier.status("16 cameras")
    notifier.close()
    notifier.feed()


@pytest.mark.parametrize(
    ("usec", "pid", "every"),
    [("30000000", "", 10.0), ("30000000", "own", 10.0), ("30000000", "1", None), ("0", "", None), ("x", "", None)],
)
def test_the_watchdog_is_fed_thrice_within_its_time_and_only_by_whom_it_is_for(ear, usec, pid, every):
    pid = str(os.getpid()) if pid == "own" else pid  # not a parameter: every worker must collect the same tests
    environ = {"NOTIFY_SOCKET": ear.address, "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    notifier = Notifier(environ)
    assert notifier.feed_every_s == every
    notifier.close()


def test_a_full_socket_delays_nobody(ear):
    notifier = Notifier({"NOTIFY_SOCKET": ear.address})
    began = time.monotonic()
    for _ in range(5000):
        notifier.feed()
    assert time.monotonic() - began < 5
    notifier.close()
