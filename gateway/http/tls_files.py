"""Which certificate HTTPS and RTMPS show, its files, and the child processes that make or check them.

`cryptography` takes 8 MB that a process never gives back, for work that is done at the start and once in two years: it is
loaded in a child only. `ensure` is called on worker threads, at start, at a reload and every minute; a child costs 0.2 s
there and runs only when something has changed.
"""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import gateway
from gateway.http.addresses import BoxNames, box_names

log = logging.getLogger(__name__)

RENEWED = 10
"""Exit code of the child that made a new server certificate."""
CHILD_S = 60.0
"""A Raspberry Pi that has just started and waits for its card makes keys in seconds."""
CHECK_S = 3600.0
"""How often the dates of the certificate are looked at."""
OWN_CHECK_S = 86400.0
"""The same for a certificate that the user brings: near its end the log says so, once a day."""
STEP_S = 3600.0
"""A Raspberry Pi has no clock: after its first contact with a time server certificates may be over, or not begun."""


class TlsFiles(Protocol):
    """Where the certificate is, and how it comes to be there."""

    @property
    def server(self) -> Path:
        """Key, certificate and chain of the server, PEM."""

    @property
    def authority(self) -> Path | None:
        """Certificate of the box's own authority, PEM, if it is one that signs."""

    def ensure(self) -> bool:
        """Make or renew whatever needs it. True if the server certificate is a new one. Raises OSError."""


@dataclass(frozen=True, slots=True)
class OwnPair:
    """The files that the user brings. `key` may be the file of the certificate."""

    certificate: Path
    key: Path


class ChildMade:
    """`TlsFiles` of a data directory, made by a child."""

    def __init__(
        self,
        data_dir: Path,
        *,
        names: Callable[[], BoxNames] = box_names,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._data_dir = data_dir
        self._names = names
        self._monotonic = monotonic
        self._wall = wall
        self._looked: tuple[BoxNames, float, float] | None = None
        self._made: tuple[int, int, int] | None = None

    @property
    def server(self) -> Path:
        """See `TlsFiles.server`."""
        return self._data_dir / "tls" / "server.pem"

    @property
    def authority(self) -> Path:
        """See `TlsFiles.authority`."""
        return self._data_dir / "tls" / "ca.pem"

    def ensure(self) -> bool:
        """See `TlsFiles.ensure`. Blocks for as long as the child takes; nothing is done while nothing has changed."""
        now = (self._names(), self._monotonic(), self._wall())
        if not self._due(now):
            return False
        renewed = _child("gateway.http.certificates", "the certificate could not be made", str(self._data_dir))
        self._looked, self._made = now, version(self.server)
        return renewed

    def _due(self, now: tuple[BoxNames, float, float]) -> bool:
        if self._looked is None or not self.server.exists() or version(self.server) != self._made:
            return True
        names, monotonic, wall = self._looked
        passed_s = now[1] - monotonic
        return now[0] != names or passed_s >= CHECK_S or abs((now[2] - wall) - passed_s) >= STEP_S


class Brought:
    """`TlsFiles` of a certificate that the user brings, in a copy."""

    authority = None

    def __init__(self, data_dir: Path, pair: OwnPair, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.pair = pair
        self._data_dir = data_dir
        self._monotonic = monotonic
        self._seen: object = None
        self._looked = 0.0

    @property
    def server(self) -> Path:
        """See `TlsFiles.server`."""
        return self._data_dir / "tls" / "own.pem"

    def ensure(self) -> bool:
        """See `TlsFiles.ensure`. What cannot be used is said once, and the copy stays in use. OSError if there is none."""
        try:
            seen: object = (version(self.pair.certificate), version(self.pair.key))
        except OSError as error:
            return self._keep(error.strerror or str(error), error.errno)
        now = self._monotonic()
        if seen == self._seen and now - self._looked < OWN_CHECK_S:
            return False
        repeated, self._looked = seen == self._seen, now
        try:
            files = (str(self.pair.certificate), str(self.pair.key), str(self.server))
            renewed = _child("gateway.http.own_certificate", "cannot be used", *files)
        except OSError as error:
            return self._keep(str(error), None if repeated else seen)
        self._seen = seen
        return renewed

    def _keep(self, reason: str, seen: object) -> bool:
        if not self.server.exists():
            raise OSError(f"{self.pair.certificate}: {reason}")
        if seen is not None and seen != self._seen:
            log.error("%s: %s; the certificate before it stays in use", self.pair.certificate, reason)
            self._seen = seen
        return False


class Served:
    """`TlsFiles` of whichever certificate the configuration asks for at the moment."""

    def __init__(self, data_dir: Path, own: OwnPair | None = None) -> None:
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._files: ChildMade | Brought = self._of(own)

    @property
    def server(self) -> Path:
        """See `TlsFiles.server`."""
        return self._files.server

    @property
    def authority(self) -> Path | None:
        """See `TlsFiles.authority`."""
        return self._files.authority

    def use(self, own: OwnPair | None) -> None:
        """Serve this pair, or what the box makes itself. Raises OSError, and everything is as before."""
        if own == (self._files.pair if isinstance(self._files, Brought) else None):
            return
        files = self._of(own)
        files.ensure()
        with self._lock:
            self._files = files

    def ensure(self) -> bool:
        """See `TlsFiles.ensure`. Two that come at once do not start two children."""
        with self._lock:
            return self._files.ensure()

    def _of(self, own: OwnPair | None) -> ChildMade | Brought:
        return ChildMade(self._data_dir) if own is None else Brought(self._data_dir, own)


def servable(file: Path) -> bool:
    """Whether key and certificate are there and belong together. Nothing is said of dates and names: that is for `ensure`,
    which costs a child process, and which a gateway that starts again under load need not wait for."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, password=_no_passphrase)
    except (OSError, ssl.SSLError):
        return False
    return True


def _no_passphrase() -> str:
    """Asked for by a key that is locked: without it OpenSSL would ask on the terminal."""
    return ""


def version(file: Path) -> tuple[int, int, int]:
    """Changes when the file, or what a symbolic link leads to, is replaced. Raises OSError."""
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _child(module: str, failure: str, *arguments: str) -> bool:
    """Run one of our modules; True if it made something new. Its output goes to the log. Raises OSError, `failure` first."""
    where = str(Path(gateway.__file__).parents[1])
    path = os.pathsep.join(part for part in (where, os.environ.get("PYTHONPATH", "")) if part)
    command = [sys.executable, "-m", module, *arguments]
    try:
        child = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=CHILD_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"{failure}: it took more than {CHILD_S:.0f} s") from None
    for line in child.stdout.splitlines():
        level, _, text = line.partition(" ")
        log.log({"WARNING": logging.WARNING, "ERROR": logging.ERROR}.get(level, logging.INFO), "%s", text)
    if child.returncode not in (0, RENEWED):
        lines = child.stderr.strip().splitlines()
        raise OSError(f"{failure}: {lines[-1] if lines else f'exit code {child.returncode}'}")
    return child.returncode == RENEWED
