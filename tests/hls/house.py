"""The HLS service with two streams fed by hand, and how a test asks it: as a player does, without real time and sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from gateway.hls.server import HlsService, HlsSettings
from gateway.http.messages import Request, Response
from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Kind

NOW = 1_800_000_000


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class House:
    """A service with one always-on stream `cam` and one on-demand stream `cam.sub`."""

    def __init__(self) -> None:
        self.cam, self.sub = Stream("cam"), Stream("cam.sub")
        self.clock = Clock()
        self.streams = {"cam": self.cam, "cam.sub": self.sub}
        for stream in self.streams.values():
            stream.begin(frozenset({Kind.VIDEO}))
        self.service = HlsService(
            self.streams.get, HlsSettings(), lambda stream: stream.id == "cam", monotonic=self.clock, wall=lambda: NOW
        )
        self.service.attach(self.cam)
        self.service.attach(self.sub)

    async def get(self, path: str, method: str = "GET", **headers: str) -> Response:
        path, _, query = path.partition("?")
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.service.handle(Request(method, path, query, names, "10.0.0.1", "http"))

    async def asking(self, path: str) -> asyncio.Task[Response]:
        """A request that is held."""
        task = asyncio.create_task(self.get(path))
        await asyncio.sleep(0.005)
        assert not task.done(), f"{path} was answered at once"
        return task

    async def live(self) -> str:
        return text(await self.get("/hls/cam/live.m3u8"))


def text(response: Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.decode()


def header(response: Response, name: str) -> str | None:
    return next((value for key, value in response.headers if key == name), None)


def run(scenario: Callable[[House], Awaitable[None]], frames: Iterable[Frame] = ()) -> None:
    async def main() -> None:
        house = House()
        house.service.channel(house.cam).window.watched()
        house.cam.push(frames)
        try:
            await scenario(house)
        finally:
            await house.service.close()

    asyncio.run(main())
