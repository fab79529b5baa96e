"""Reads the configuration again when a signal, a changed file, a page or an adoption asks for it, and remembers how it went.

Event loop only, but for the reading of files, which worker threads do. Reloads are one after the other. Nothing changes
unless the whole new configuration is right and all its ports can be opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.config import load
from gateway.config.diff import ConfigDiff
from gateway.config.effective import Line, lines
from gateway.config.harm import harms
from gateway.config.load import Reading
from gateway.config.model import Config
from gateway.errors import ListenError
from gateway.reload import files
from gateway.reload.attempt import Attempt, Complaint, Outcome, Trigger
from gateway.reload.files import Settling

log = logging.getLogger(__name__)

END_S = 2.0
"""A reload takes milliseconds, or as long as an old HTTP port takes to close."""

Apply = Callable[[Config], Awaitable[ConfigDiff]]
"""Goes over to a configuration and says what changed. Raises ListenError or OSError, and nothing has changed."""


@dataclass(frozen=True, slots=True)
class ConfigStatus:
    """The configuration in use. Times are Unix seconds."""

    file: str
    """config.yaml; empty for a gateway that runs without one."""
    loaded_at: float
    """When the files were last read with success."""
    watched: bool
    files: tuple[str, ...]
    """Everything that was read, and what values name."""
    last: Attempt
    last_change: Attempt | None
    """The last one that changed something; None since the start."""
    restart_needed: tuple[str, ...]
    warnings: tuple[str, ...]
    lines: tuple[Line, ...]
    """The effective configuration."""


class Reloading:
    """The configuration's files and what became of them."""

    def __init__(self, path: Path | None, environ: Mapping[str, str], apply: Apply, running: Config) -> None:
        """`running` is what `apply` starts from; `path` is where it came from, None if it came from no file."""
        self.path = path
        self._environ = environ
        self._apply = apply
        self._watch = running.reload.watch
        self._warnings = running.warnings
        self._harms: tuple[str, ...] = ()
        self._lock = asyncio.Lock()
        self._ended = False
        self._settling = Settling()
        self._named: frozenset[Path] = frozenset()
        self._lines: tuple[Line, ...] = ()
        self._read: frozenset[Path] = frozenset()
        self._restart_needed: tuple[str, ...] = ()
        self._loaded_at = time.time()
        self._last = Attempt(self._loaded_at, Trigger.START, Outcome.APPLIED)
        self._last_change: Attempt | None = None

    async def begin(self, running: Config) -> None:
        """Remember the files as they are, with which `running` was just read."""
        if self.path is None:
            return
        before = await asyncio.to_thread(files.look, self.path, ())
        reading = await asyncio.to_thread(load.read, self.path, self._environ)
        if reading.config == running:
            await self._remember(reading, before)
        # else they were changed while the gateway started: the watch finds them unknown

    async def reload(self, trigger: Trigger) -> Attempt:
        """Read the files and go over to what they say, or refuse it and say why."""
        async with self._lock:
            attempt = await self._attempt(trigger)
            self._last = attempt
            if attempt.outcome is Outcome.APPLIED:
                self._last_change = attempt
        self._tell(attempt)
        return attempt

    async def end(self) -> None:
        """The gateway stops: let a reload that is under way come to its end, and take no other."""
        self._ended = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S), self._lock:
                pass

    async def watch(self) -> None:
        """Look at the files, and reload once a change has settled. Called every `files.POLL_S`."""
        if self.path is None or not self._watch or self._ended or self._lock.locked():
            return
        seen = await asyncio.to_thread(files.look, self.path, self._named)
        if self._settling.due(seen):
            await self.reload(Trigger.FILES)

    def status(self) -> ConfigStatus:
        """The state of things."""
        return ConfigStatus(
            file=str(self.path) if self.path is not None else "",
            loaded_at=self._loaded_at,
            watched=self._watch and self.path is not None,
            files=tuple(sorted(str(one) for one in self._read | self._named)),
            last=self._last,
            last_change=self._last_change,
            restart_needed=self._restart_needed,
            warnings=(*self._warnings, *self._harms),
            lines=self._lines,
        )

    async def _attempt(self, trigger: Trigger) -> Attempt:
        at, began = time.time(), time.monotonic()
        if self.path is None or self._ended:
            reason = "the gateway is stopping" if self._ended else "this gateway has no configuration file"
            return Attempt(at, trigger, Outcome.REFUSED, complaints=(Complaint(reason),))
        before = await asyncio.to_thread(files.look, self.path, self._named)
        reading = await asyncio.to_thread(load.read, self.path, self._environ)
        if reading.config is None:
            await self._remember(reading, before)
            return Attempt(at, trigger, Outcome.REFUSED, complaints=tuple(Complaint.of(one) for one in reading.findings))
        if trigger is Trigger.FILES and (missed := await asyncio.to_thread(self._missing_folder)):
            self._settling.was_read(before, await asyncio.to_thread(files.look, self.path, self._named))
            return Attempt(at, trigger, Outcome.REFUSED, complaints=(missed,))
        try:
            change = await self._apply(reading.config)
        except (ListenError, OSError) as error:
            self._named |= reading.named
            self._settling.was_read(before, await asyncio.to_thread(files.look, self.path, self._named))
            return Attempt(at, trigger, Outcome.REFUSED, complaints=(Complaint(str(error)),))
        await self._remember(reading, before)
        self._restart_needed = change.restart_needed
        outcome = Outcome.APPLIED if change else Outcome.UNCHANGED
        return Attempt(at, trigger, outcome, change, took_s=time.monotonic() - began)

    def _missing_folder(self) -> Complaint | None:
        """A whole conf.d that went away is a share that is not mounted or a copy under way, hardly a wish to lose cameras."""
        assert self.path is not None
        folder = self.path.parent / load.DROP_IN_FOLDER
        lost = sorted(one.name for one in self._read if one.parent == folder)
        if not lost or folder.exists():
            return None
        return Complaint(
            f"the folder is gone, and {', '.join(lost)} with it; if this is meant, reload by hand", load.DROP_IN_FOLDER
        )

    async def _remember(self, reading: Reading, before: files.Fingerprint) -> None:
        config = reading.config
        # while a reading is refused, the files of the one in use still matter
        self._named = reading.named if config is not None else self._named | reading.named
        if config is not None:
            self._loaded_at = time.time()
            self._watch = config.reload.watch
            self._warnings = config.warnings
            self._lines = lines(reading)
            self._harms = tuple(await asyncio.to_thread(harms, self.path, reading)) if self.path is not None else ()
        if self.path is not None:
            folder = self.path.parent
            self._read = frozenset(folder / name for name in reading.documents) or self._read
            self._settling.was_read(before, await asyncio.to_thread(files.look, self.path, self._named))

    def _tell(self, attempt: Attempt) -> None:
        if attempt.outcome is Outcome.REFUSED:
            for complaint in attempt.complaints:
                log.error("%s", complaint)
            log.error("the configuration was not changed; everything keeps running as before")
            return
        if attempt.outcome is Outcome.UNCHANGED and attempt.trigger is Trigger.FILES:
            return  # a renewed certificate, or a file that was only touched
        log.info("configuration reloaded: %s", summary(attempt.change))
        for warning in self._warnings:
            log.warning("%s", warning)


def summary(change: ConfigDiff) -> str:
    """One line for the log."""
    counts = f"{len(change.added)} cameras added, {len(change.removed)} removed, {len(change.changed)} changed"
    more = (
        (f"{len(change.adjusted)} adjusted", change.adjusted),
        (f"{len(change.pushes)} pushed elsewhere", change.pushes),
        (f"settings {', '.join(change.settings)}", change.settings),
    )
    told = ", ".join([counts, *(text for text, there in more if there)])
    return told + (f"; needs a restart: {', '.join(change.restart_needed)}" if change.restart_needed else "")
