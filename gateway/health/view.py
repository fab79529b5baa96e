"""The health of everything at one moment, as the web asks for it. Immutable; made on the event loop; free of credentials."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.box.facts import Box
from gateway.health.process import Process
from gateway.journal.incident import Incident
from gateway.onvif.media import Profile
from gateway.web.ports import CameraView
from gateway.webhook.delivery import HookStatus


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """What the counters say of one stream. `today` is since midnight, or since the gateway started."""

    id: str
    transport: str
    """`tcp`, `udp`, `auto` or `rtmp`."""
    jitter_s: float
    """How unevenly pictures arrive."""
    interruptions_today: int
    """Times its picture went and had to be fetched anew."""
    failures_today: dict[str, int]
    """Failures of the source by code."""
    repairs_today: int
    """Frames whose time had to be repaired, or that came in pieces."""
    lost_today: int | None
    """RTP packets that never came; None where that is not known."""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """One camera."""

    view: CameraView
    streams: tuple[StreamHealth, ...]
    profiles: tuple[Profile, ...]
    """What it says it is set to, if it was asked over ONVIF."""
    clock_offset_s: float | None
    incidents: tuple[Incident, ...]
    """The newest first."""
    uptime_day: float | None
    """Share of the last 24 hours, as far as it was watched, with a picture."""
    uptime_week: float | None


@dataclass(frozen=True, slots=True)
class HealthView:
    """Everything. Times are Unix seconds."""

    now: float
    started: float
    box: Box
    process: Process
    cpu: float
    """CPUs the gateway keeps busy: 0.5 is half of one."""
    lag_s: float
    """The event loop's worst lag within the last seconds."""
    cameras: tuple[CameraHealth, ...]
    incidents: tuple[Incident, ...]
    """The gateway's own."""
    hooks: tuple[HookStatus, ...]
    journal_trouble: str
    """Why incidents are not written to disk; empty while they are."""
