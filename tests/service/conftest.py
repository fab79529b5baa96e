"""A gateway in this process: free ports, a data directory of its own, a cheap password, no cameras."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))

from gateway.config.model import Config, Discovery, HostPort, Listen
from gateway.http.access import Access
from gateway.service import Service

ANY = HostPort("127.0.0.1", 0)
STOP_WITHIN_S = 6.0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(listen=Listen(ANY, ANY, ANY), data_dir=tmp_path / "data", discovery=Discovery(enabled=False))


@pytest.fixture
def serving(tmp_path: Path) -> Callable[[Config], AbstractAsyncContextManager[Service]]:
    """`async with serving(config) as service`: started, and stopped within bounds."""

    @asynccontextmanager
    async def serve(config: Config) -> AsyncIterator[Service]:
        secrets = config.data_dir / "secrets"
        secrets.mkdir(parents=True, exist_ok=True)
        (secrets / "admin.hash").write_text(generate_password_hash("right", method="scrypt:1024:8:1"))
        access, _ = Access.open(config.data_dir)
        service = Service(dataclasses.replace(config), access)
        await service.start()
        try:
            yield service
        finally:
            async with asyncio.timeout(STOP_WITHIN_S):
                assert await service.stop()

    return serve
