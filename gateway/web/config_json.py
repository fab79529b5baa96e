"""The configuration in use as the API writes it. Pure; everything here is free of secrets."""

from __future__ import annotations

from gateway.reload.attempt import Attempt
from gateway.reload.reloading import ConfigStatus
from gateway.web import shapes


def attempt_json(attempt: Attempt) -> shapes.ConfigAttempt:
    """One reading of the files."""
    change = attempt.change
    return {
        "at": attempt.at,
        "trigger": attempt.trigger.value,
        "outcome": attempt.outcome.value,
        "took": round(attempt.took_s, 3),
        "findings": [
            {"file": one.file, "line": one.line or None, "key": one.key, "message": one.message} for one in attempt.complaints
        ],
        "added": list(change.added),
        "removed": list(change.removed),
        "changed": list(change.changed),
        "adjusted": list(change.adjusted),
        "pushed_elsewhere": list(change.pushes),
        "settings": list(change.settings),
    }


def config_json(status: ConfigStatus) -> shapes.Configuration:
    """The whole answer of `/api/v1/config`."""
    return {
        "file": status.file,
        "loaded_at": status.loaded_at,
        "watched": status.watched,
        "files": list(status.files),
        "last_attempt": attempt_json(status.last),
        "last_change": attempt_json(status.last_change) if status.last_change is not None else None,
        "restart_needed": list(status.restart_needed),
        "warnings": list(status.warnings),
        "lines": [
            {
                "depth": one.depth,
                "key": one.key,
                "value": one.value,
                "item": one.item,
                "default": one.is_default,
                "file": one.file,
                "line": one.line or None,
            }
            for one in status.lines
        ],
    }
