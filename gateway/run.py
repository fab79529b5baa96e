"""From a configuration to a running process: event loop, signals, reload, and an end that always comes.

Used by the commands `run` and `demo`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from gateway import memory
from gateway.config.model import Config
from gateway.http.access import Access
from gateway.instance import InstanceLock
from gateway.reload.attempt import Trigger
from gateway.service import Service

log = logging.getLogger(__name__)

PASSWORD_VARIABLE = "GATEWAY_ADMIN_PASSWORD"

Started = Callable[[Service, "str | None"], None]
"""Called once everything runs, with the password that was just generated, if one was."""


def serve(config: Config, started: Started, config_path: Path | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit code 0 after a signal, 1 when a listener died.

    SIGHUP reads `config_path` again. Raises InstanceError before anything is written, ListenError and OSError while starting.
    """
    memory.configure()
    with InstanceLock(config.data_dir), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        clean, code = runner.run(_serve(config, started, config_path))
        if not clean:
            # A reader thread is still inside libavformat. Letting the interpreter tear itself down around it crashes.
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return code


async def _serve(config: Config, started: Started, config_path: Path | None) -> tuple[bool, int]:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    access, generated = await asyncio.to_thread(
        Access.open,
        config.data_dir,
        os.environ.get(PASSWORD_VARIABLE) or None,
        anonymous_viewing=config.auth.anonymous_viewing,
    )
    service = Service(config, access, config_path)
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    if config_path is not None:
        reloads: set[asyncio.Task[None]] = set()

        def on_hangup() -> None:
            task = loop.create_task(_reload(service))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, on_hangup)
    await service.start()
    started(service, generated)
    await service.run(stop)
    log.info("stopping")
    clean = await service.stop()
    log.info("stopped")
    return clean, 1 if service.failed else 0


async def _reload(service: Service) -> None:
    await service.reload_files(Trigger.SIGNAL)
