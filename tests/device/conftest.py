"""A simulated camera on a loop of its own, asked by the blocking parts under test, and waiting without sleeping blindly."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from gateway.config.model import Camera, Secret
from gateway.device.link import Link
from gateway.media.track import Codec
from gateway.simulator.camera import CameraSpec, VirtualCamera
from gateway.simulator.video_codec import VideoSpec
from gateway.sources.account import Account
from gateway.sources.resolver import OnvifFinder

MAIN = VideoSpec(Codec.H264, 640, 360, 25, 5, 500_000)


class Simulated:
    """A virtual camera in a thread."""

    def __init__(self, **changes: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.camera = self.run(self._make(changes))

    async def _make(self, changes: dict[str, Any]) -> VirtualCamera:
        camera = VirtualCamera(CameraSpec(**({"name": "Yard", "main": MAIN, "sub": None, "audio": None} | changes)))
        await camera.start()
        return camera

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the camera's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function on the camera's loop."""

        async def work() -> Any:
            return function()

        return self.run(work())

    @property
    def config(self) -> Camera:
        """The camera as it would be configured."""
        address = f"127.0.0.1:{self.camera.http_port}"
        return Camera("yard", "Yard", address=address, username="admin", password=Secret("camera-demo"))

    def link(self) -> Link:
        return Link(self.config, Account(), OnvifFinder().client)

    def close(self) -> None:
        self.run(self.camera.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


@pytest.fixture
def simulated(request: pytest.FixtureRequest) -> Iterator[Simulated]:
    """Set up as usual, or with the changes of an indirect parameter."""
    camera = Simulated(**getattr(request, "param", {}))
    yield camera
    camera.close()


def until(condition: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Wait until something becomes true; what it became. Fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return until
