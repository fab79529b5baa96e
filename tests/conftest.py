"""For all tests: what continuous integration runs is the same every time; at a desk, property tests try new cases."""

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(autouse=True)
def ordinary_priority() -> Iterator[None]:
    """A test whose process ends with a real-time priority has spoiled the machine for all that follow (`own_thread`)."""
    yield
    assert os.sched_getscheduler(0) not in (os.SCHED_FIFO, os.SCHED_RR), "a library gave this thread a real-time priority"


LOG_TAIL_LINES = 60


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure that comes once in a hundred runs is understood from what the gateway said at that time, or never."""
    report = yield
    if report.failed and (testbed := sys.modules.get("gateway_process")):
        for gateway in testbed.STARTED:
            with suppress(OSError):  # its folder may be gone, and the failure must be told all the same
                tail = gateway.log.splitlines()[-LOG_TAIL_LINES:]
                report.sections.append((f"gateway in {gateway.folder.name}", "\n".join(tail)))
    return report
