"""The kinds of incidents. The values are part of the API, of webhooks and of config.yaml."""

from __future__ import annotations

import enum


class IncidentKind(enum.Enum):
    """What was wrong."""

    LATE = "late"
    STALLED = "stalled"
    OFFLINE = "offline"
    UNSTABLE = "unstable"
    """Interrupted again and again, each time too shortly to count by itself."""
    START = "start"
    """The gateway was started."""
    UNCLEAN_SHUTDOWN = "unclean-shutdown"
    """It had not been stopped before: a power cut, a kill, a crash."""
    CLOCK_STEP = "clock-step"
    CLOCK_UNSYNCHRONISED = "clock-unsynchronised"
    DISK_LOW = "disk-low"
    OVERHEATING = "overheating"
    UNDERVOLTAGE = "undervoltage"
    LOOP_LAG = "loop-lag"
    """The gateway itself was too busy to serve in time."""


OF_CAMERAS = frozenset({IncidentKind.LATE, IncidentKind.STALLED, IncidentKind.OFFLINE, IncidentKind.UNSTABLE})
"""All others are the gateway's."""
