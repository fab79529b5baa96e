"""The JSON of `/api/v1/health` and `/api/v1/incidents` as types; see `shapes`. Pure. Sizes are in bytes, times in seconds."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict  # as in shapes

from gateway.journal.kinds import IncidentKind
from gateway.web.shapes import CameraId, StateName, UnixTime, names_of, shape

KindName = Annotated[str, names_of(IncidentKind)]


@shape
class Incident(TypedDict):
    """Something that was not as it should be."""

    id: int
    camera: CameraId | None
    """Null: the gateway's own."""
    kind: KindName
    code: str
    """Why, for programs."""
    reason: str
    """Why, for people."""
    began: UnixTime
    ended: UnixTime | None
    """Null while it goes on."""
    count: int
    """Interruptions it is made of."""


@shape
class IncidentList(TypedDict):
    """The newest first."""

    incidents: list[Incident]


@shape
class Disk(TypedDict):
    """Where the data directory is."""

    free: int | None
    size: int | None


@shape
class Memory(TypedDict):
    """Of the machine."""

    available: int | None
    size: int | None


@shape
class Temperature(TypedDict):
    """Of one sensor."""

    sensor: str
    celsius: float


@shape
class Clock(TypedDict):
    """The system's clock."""

    synchronised: bool
    error: float


@shape
class Machine(TypedDict):
    """The box. What it does not tell is null."""

    disk: Disk
    memory: Memory
    load: float | None
    """Processes that want to run, per CPU, over the last minute."""
    temperatures: list[Temperature]
    undervolted: bool | None
    throttled: bool | None
    clock: Clock | None


@shape
class Process(TypedDict):
    """The gateway's own."""

    memory: int
    cpu: float
    """CPUs it keeps busy: 0.5 is half of one."""
    threads: int
    open_files: int
    max_files: int
    loop_lag: float
    """The worst within the last seconds."""


@shape
class Hook(TypedDict):
    """A webhook."""

    name: str
    url: str | None
    """Scheme and host; null for who is not the admin."""
    waiting: int
    last_delivered: UnixTime | None
    trouble: str | None
    """Why the oldest waiting message is not delivered yet."""
    outcomes: dict[str, int]


@shape
class Uptime(TypedDict):
    """Share of the time with a picture, 0 to 1; null while nothing is known."""

    day: float | None
    week: float | None


@shape
class Today(TypedDict):
    """Since midnight, or since the gateway started."""

    interruptions: int
    failures: dict[str, int]
    """By code."""
    repairs: int
    lost_packets: int | None


@shape
class StreamFacts(TypedDict):
    """One stream as measured."""

    id: str
    state: StateName
    on_demand: bool
    codec: str | None
    width: int
    height: int
    fps: float
    bitrate: int
    keyframe_interval: float
    audio: str | None
    audio_note: str
    transport: str | None
    jitter: float | None
    viewers: dict[str, int]
    today: Today | None


@shape
class Advice(TypedDict):
    """What could be set better in the camera."""

    key: str
    """For translations."""
    text: str
    params: dict[str, str]


@shape
class CameraFacts(TypedDict):
    """One camera with measured facts, advice, and its newest incidents."""

    id: CameraId
    name: str
    state: StateName
    since: UnixTime
    reason: str
    code: str
    source: str | None
    """Null for who is not the admin."""
    uptime: Uptime
    clock_offset: float | None
    streams: list[StreamFacts]
    advice: list[Advice]
    incidents: list[Incident]


@shape
class Health(TypedDict):
    """How everything does."""

    now: UnixTime
    site: str
    version: str
    started: UnixTime
    box: Machine
    process: Process
    journal: str | None
    """Why incidents are not written to disk."""
    incidents: list[Incident]
    webhooks: list[Hook]
    cameras: list[CameraFacts]
