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
from gateway.private_files import clear_unfinished
from gateway.reload.attempt import Trigger
from gateway.service import Service
from gateway.systemd.notify import Notifier
from gateway.watchdog import Watchdog

log = logging.getLogger(__name__)

END_SIGNALS = (signal.SIGTERM, signal.SIGINT)
PASSWORD_VARIABLE = "GATEWAY_ADMIN_PASSWORD"

Started = Callable[[Service, "str | None"], None]
"""Called once everything runs, with the password that was just generated, if one was."""


def serve(config: Config, started: Started, config_path: Path | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit code 0 after a signal, 1 when a listener died.

    SIGHUP reads `config_path` again. Raises InstanceError before anything is written, ListenError and OSError while starting.
    """
    memory.configure()
    memory.freeze()
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
    for folder in (config.data_dir, config.data_dir / "secrets", config.data_dir / "tls"):
        clear_unfinished(folder)
    access, generated = await asyncio.to_thread(
        Access.open,
        config.data_dir,
        os.environ.get(PASSWORD_VARIABLE) or None,
        anonymous_viewing=config.auth.anonymous_viewing,
    )
    service = Service(config, access, config_path)
    notifier = Notifier()
    for signum in END_SIGNALS:
        _on_signal(loop, signum, stop.set)
    if config_path is not None:
        reloads: set[asyncio.Task[None]] = set()

        def on_hangup() -> None:
            task = loop.create_task(_reload(service, notifier))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        _on_signal(loop, signal.SIGHUP, on_hangup)
    await service.start()
    watchdog = Watchdog(service, notifier)
    watchdog.start()
    notifier.ready()
    started(service, generated)
    await service.run(stop)
    log.info("stopping")
    notifier.stopping()
    await watchdog.stop()
    clean = await service.stop()
    log.info("stopped")
    notifier.close()
    for signum in (*END_SIGNALS, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    return clean, 1 if service.failed else 0


def _on_signal(loop: asyncio.AbstractEventLoop, signum: signal.Signals, function: Callable[[], object]) -> None:
    """Have the loop call `function` on a signal.

    Not the loop's own `add_signal_handler`: taking that back, as closing the loop does, restores the default for a moment,
    and whoever asks for the end twice would kill a gateway that is just ending well.
    """
    signal.signal(signum, lambda _signum, _frame: loop.call_soon_threadsafe(function))


async def _reload(service: Service, notifier: Notifier) -> None:
    notifier.reloading()
    try:
        await service.reload_files(Trigger.SIGNAL)
    finally:
        notifier.ready()
