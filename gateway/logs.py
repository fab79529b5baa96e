"""One line per event, on standard error, as journald likes it. Called once at start."""

from __future__ import annotations

import logging
import os
import sys

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_NOISY = ("apscheduler", "zeep", "urllib3", "asyncio", "libav", "_granian", "granian", "werkzeug")


class _JournalFormatter(logging.Formatter):
    """`<4>message`: journald reads the priority and has the time itself (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record).replace("\n", f"\n<{_PRIORITIES.get(record.levelno, 6)}>")
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{text}"


def configure(verbose: bool = False) -> None:
    """Send the gateway's log to standard error; libraries only speak up when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    if os.environ.get("JOURNAL_STREAM"):
        handler.setFormatter(_JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
