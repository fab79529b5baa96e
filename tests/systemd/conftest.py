"""A socket that hears what a service manager or a journal would."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))

from service_socket import Ear


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    heard = Ear(str(tmp_path / "socket"))
    yield heard
    heard.socket.close()
