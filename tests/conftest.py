"""For all tests: what continuous integration runs is the same every time; at a desk, property tests try new cases."""

import os
from collections.abc import Iterator

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
