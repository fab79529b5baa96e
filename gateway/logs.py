"""One line per event, on standard error, or one entry with fields in the journal. Called once at start."""

from __future__ import annotations

import logging
import os
import sys

from gateway.systemd.journal import JournalHandler, PriorityFormatter, is_journal

_NOISY = ("apscheduler", "zeep", "urllib3", "asyncio", "libav", "_granian", "granian", "werkzeug")


def configure(verbose: bool = False) -> None:
    """Send the gateway's log to where it is read; libraries only speak up when something is wrong."""
    handler: logging.Handler
    if is_journal(os.environ, sys.stderr):
        handler = JournalHandler(sys.stderr)
    else:
        handler = logging.StreamHandler(sys.stderr)
        if os.environ.get("JOURNAL_STREAM"):
            handler.setFormatter(PriorityFormatter("%(name)s: %(message)s"))
        else:
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
