"""How requests get from granian's threads to the event loop: many at a time, and without a task where none is needed.

granian's own way is two coroutines, a task and a wake-up of the loop for each request, half of what a bare answer costs the
event loop (`design/hls-cost.md`). Here a request is put into a queue that wakes the loop once, and `Application.take` decides
whether it needs a task.

This replaces `granian.server.embed.Server._spawn_rsgi_worker`, through the parameter of `Server.serve` that is there for it,
but with classes of granian that it does not document. Should another granian have them otherwise, its own way is used,
and the log says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from granian import _granian
from granian.server.embed import Server

from gateway.http.calls import Call

log = logging.getLogger(__name__)

Take = Callable[[Call], None]

PAUSE_S = 0.003
"""A request is taken at once where none came shortly before, else together with others, this long after the last ones. Every
request and answer of 500 players used to wake a thread by itself: 12,000 changes of thread a second."""


class Intake(_granian.CallbackScheduler):
    """The queue. granian calls `put` from a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *_granians: object) -> None:
        """`_granians` are for `CallbackScheduler.__new__`, which drives coroutines with them; there are none here."""
        super().__init__()
        self._queue: deque[Call] = deque()
        self._waking = False
        self._wake = loop.call_soon_threadsafe
        self._later = loop.call_later
        self._take: Take | None = None
        self._schedule_fn = self.put

    def deliver_to(self, take: Take) -> None:
        """Who gets the calls, on the event loop."""
        self._take = take

    def put(self, call: Call) -> None:
        """Take a call from granian. The order of the lines matters: what is put after `_waking` was read is not overlooked."""
        self._queue.append(call)
        if not self._waking:
            self._waking = True
            self._wake(self._drain)

    def _drain(self) -> None:
        queue, take = self._queue, self._take
        assert take is not None
        if not queue:
            self._waking = False
            if not queue:
                return
            self._waking = True  # one came in between
        try:
            while queue:
                take(queue.popleft())
        finally:
            self._later(PAUSE_S, self._drain)


def spawner(take: Take) -> Callable[..., Any]:
    """For `Server.serve`: a worker whose requests go to `take`."""

    async def spawn(worker_id: int, stop: Any, callback: Any, sock: Any, *settings: Any) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        try:
            intake = Intake(loop, callback, None, None, None)
            worker = _worker(worker_id, sock, *settings)
        except (TypeError, ValueError, AttributeError) as error:
            log.warning("this granian is another than ours, requests take its slower way: %s", error)
            await Server._spawn_rsgi_worker(worker_id, stop, callback, sock, *settings)
            return
        intake.deliver_to(take)
        stop.add_cb(lambda: loop.call_soon_threadsafe(ended.set_result, None))
        worker.serve_async(intake, loop, stop)
        await ended

    return spawn


def _worker(
    worker_id: int,
    sock: Any,
    runtime_threads: int,
    runtime_blocking_threads: int | None,
    blocking_threads: int,
    blocking_threads_idle_timeout: int,
    backpressure: int,
    _task_impl: object,
    *protocol_settings: Any,
) -> Any:
    """granian's worker. The protocol settings end with the log format, the TLS context and the scope's options."""
    *http, _log_format, tls, _scope = protocol_settings
    threads = (runtime_threads, runtime_blocking_threads, blocking_threads, blocking_threads_idle_timeout)
    worker: Any = _granian.RSGIWorker  # its stub is that of an older one
    return worker(worker_id, sock, None, *threads, backpressure, *http, *tls, (None, None))
