"""All pushes of the gateway. A change of the configuration touches only those that changed. Event loop only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.config.model import Push
from gateway.media.stream import Stream
from gateway.rtmp.push import PushStatus, PushTask

STOP_S = 2.0
"""For goodbyes when the gateway stops; the connections close by themselves."""


class Pushes:
    """The pushes of every camera, in the order of the configuration."""

    def __init__(self, make: Callable[[Stream, Push], PushTask] = PushTask) -> None:
        self._make = make
        self._tasks: dict[str, list[PushTask]] = {}

    def set(self, camera_id: str, wanted: Sequence[tuple[Stream, Push]]) -> None:
        """Have exactly these pushes of a camera: new ones start, missing ones end, the rest does not notice."""
        kept = {(id(task.stream), task.target): task for task in self._tasks.get(camera_id, ())}
        tasks: list[PushTask] = []
        for stream, target in wanted:
            task = kept.pop((id(stream), target), None)
            if task is None:
                task = self._make(stream, target)
                task.start()
            tasks.append(task)
        for gone in kept.values():
            gone.stop()
        self._tasks[camera_id] = tasks
        if not tasks:
            del self._tasks[camera_id]

    def status(self, camera_id: str) -> tuple[PushStatus, ...]:
        """The pushes of a camera as they are now."""
        return tuple(task.status() for task in self._tasks.get(camera_id, ()))

    def under_way(self, camera_id: str, stream: Stream) -> tuple[int, int]:
        """Bytes sent and pictures left out by the connections a stream of the camera has now."""
        open_now = [task.under_way for task in self._tasks.get(camera_id, ()) if task.stream is stream]
        return sum(sent for sent, _ in open_now), sum(dropped for _, dropped in open_now)

    async def stop(self) -> None:
        """End all of them."""
        ending = [task.stop() for tasks in self._tasks.values() for task in tasks]
        self._tasks.clear()
        running = [task for task in ending if task is not None]
        if running:
            await asyncio.wait(running, timeout=STOP_S)
