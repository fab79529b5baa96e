"""Requests made up by hand, an authoriser that is quick, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from gateway.http.access import Access
from gateway.http.messages import Request
from gateway.http.secretfiles import SecretFiles

PASSWORD = "correct horse"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory whose password hash is cheap to check."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "admin.hash").write_text(generate_password_hash(PASSWORD, method="scrypt:1024:8:1"))
    return tmp_path


@pytest.fixture
def access(data_dir: Path, clock: Clock) -> Iterator[Access]:
    access = Access(SecretFiles(data_dir), monotonic=clock, wall=clock)
    yield access
    access.close()


MakeRequest = Callable[..., Request]


@pytest.fixture
def make() -> MakeRequest:
    def request(
        path: str = "/hls/yard/index.m3u8", query: str = "", client: str = "10.0.0.7", scheme: str = "https",
        method: str = "GET", **headers: str,
    ) -> Request:  # fmt: skip
        fields = {"host": "box.local:8443"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return Request(method, path, query, fields, client, scheme)

    return request
