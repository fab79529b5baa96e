"""The states a camera can honestly be in. Immutable; made by the sources, shown by everything else."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.Enum):
    """User-visible state of a source. The values are part of the API."""

    CONNECTING = "connecting"
    LIVE = "live"
    LATE = "late"
    """Connected, but no picture for longer than the frame rate explains."""
    STALLED = "stalled"
    """The session is open, the picture has stopped; it is about to be reopened."""
    OFFLINE = "offline"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Status:
    """A state with its reason. `since` and `next_retry` are Unix seconds."""

    state: State
    since: float
    reason: str = ""
    """One sentence for people, free of credentials; empty while live."""
    code: str = ""
    """Stable word for machines, `SourceError.code`; empty while live."""
    next_retry: float | None = None
