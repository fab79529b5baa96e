"""Tests whose foreign programs are missing: skipped where people run single tests, failed where everything was installed."""

import os

import pytest

INSTALLED = "GATEWAY_TESTS_INSTALLED" in os.environ
"""`./install.sh test` sets it, after it has installed all that the tests need."""


def absent(reason: str) -> None:
    """A program that `install.sh test` installs is not there."""
    if INSTALLED:
        pytest.fail(f"{reason}, although install.sh has installed everything")
    pytest.skip(f"{reason}: ./install.sh test installs it")
