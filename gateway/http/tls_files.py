"""The certificate's files, and the child process that makes them.

`cryptography` takes 8 MB that a process never gives back, for work that is done at the start and once in two years: it is
loaded in a child only. `ensure` is called on worker threads, at start and hourly, and costs 0.2 s there.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import gateway

log = logging.getLogger(__name__)

RENEWED = 10
"""Exit code of the child that made a new server certificate."""
CHILD_S = 60.0
"""A Raspberry Pi that has just started and waits for its card makes keys in seconds."""


class TlsFiles(Protocol):
    """Where the certificate is, and how it comes to be there."""

    @property
    def server(self) -> Path:
        """Key, certificate and chain of the server, PEM."""

    @property
    def authority(self) -> Path:
        """Certificate of the authority, PEM."""

    def ensure(self) -> bool:
        """Make or renew whatever needs it. True if the server certificate is a new one. Raises OSError."""


class ChildMade:
    """`TlsFiles` of a data directory, made by a child."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    @property
    def server(self) -> Path:
        """See `TlsFiles.server`."""
        return self._data_dir / "tls" / "server.pem"

    @property
    def authority(self) -> Path:
        """See `TlsFiles.authority`."""
        return self._data_dir / "tls" / "ca.pem"

    def ensure(self) -> bool:
        """See `TlsFiles.ensure`. Blocks for as long as the child takes."""
        where = str(Path(gateway.__file__).parents[1])
        path = os.pathsep.join(part for part in (where, os.environ.get("PYTHONPATH", "")) if part)
        command = [sys.executable, "-m", "gateway.http.certificates", str(self._data_dir)]
        try:
            child = subprocess.run(
                command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=CHILD_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise OSError(f"the certificate was not made within {CHILD_S:.0f} s") from None
        for line in child.stdout.splitlines():
            level, _, text = line.partition(" ")
            log.log(logging.WARNING if level == "WARNING" else logging.INFO, "%s", text)
        if child.returncode not in (0, RENEWED):
            lines = child.stderr.strip().splitlines()
            raise OSError(f"the certificate could not be made: {lines[-1] if lines else f'exit code {child.returncode}'}")
        return child.returncode == RENEWED
