"""A page that has gone leaves nothing behind, also while the garbage collector rests."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

from gateway.http.messages import Request
from gateway.live.server import PATH, LiveService


class Transport:
    """A page that says nothing, and then is gone."""

    def __init__(self, gone: asyncio.Event) -> None:
        self._gone = gone

    async def receive(self) -> Any:
        await self._gone.wait()
        raise RuntimeError("the connection has gone")

    async def send_bytes(self, data: bytes) -> None:
        pass

    async def send_str(self, data: str) -> None:
        pass


class Opening:
    def __init__(self, gone: asyncio.Event) -> None:
        self._gone = gone
        self.opened: weakref.ref[Transport] | None = None

    async def accept(self) -> Transport:
        transport = Transport(self._gone)
        self.opened = weakref.ref(transport)
        return transport

    def close(self, status: int | None = None) -> None:
        pass


def test_the_socket_of_a_page_that_is_gone_is_let_go_at_once():
    """granian closes it when nobody holds it any more: 40 pages that came and went held 40 sockets for minutes."""

    async def main() -> None:
        async def allowed(_request: Request) -> bool:
            return True

        live = LiveService(lambda _stream_id: None, allowed)
        gone = asyncio.Event()
        opening = Opening(gone)
        visit = asyncio.create_task(live.handle(Request("GET", PATH, "", {}, "10.0.0.7", "http"), opening))
        while opening.opened is None:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        gone.set()
        await visit
        del visit
        await asyncio.sleep(0)
        assert opening.opened() is None

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()
