"""The JSON of the API as types: what the code is checked against, and what `openapi` describes. Pure.

A field that an answer carries and its type does not, or the other way round, is an error of mypy here and of the tests in
every answer they get. Docstrings are the descriptions in the document. Times are Unix seconds.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict  # pydantic reads the one of `typing` from Python 3.12 on only

from gateway.config.fields import ID
from gateway.media.state import State
from gateway.onvif.events import Kind
from gateway.onvif.ptz import MAX_NAME_CHARS
from gateway.reload.attempt import Outcome, Trigger
from gateway.web.ports import Presence
from gateway.web.ptz_command import MAX_TOKEN_CHARS

shape = with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid"))
"""For every type here: docstrings are descriptions, and there are no further fields."""


def names_of(kind: type[enum.Enum]) -> Any:
    """The values of an enum, where a type is needed for a text that is one of them."""
    return Field(json_schema_extra={"enum": [one.value for one in kind]})


CameraId = Annotated[str, Field(pattern=f"^{ID.pattern}$", examples=["front-door"])]
UnixTime = Annotated[float, Field(description="Unix seconds")]
StateName = Annotated[str, names_of(State)]
EventKind = Annotated[str, names_of(Kind)]
PresenceName = Annotated[str, names_of(Presence)]
Axis = Annotated[float, Field(ge=-1, le=1)]
PresetToken = Annotated[str, Field(min_length=1, max_length=MAX_TOKEN_CHARS)]
PresetName = Annotated[str, Field(max_length=MAX_NAME_CHARS)]


@shape
class ErrorDetail(TypedDict):
    """Why it did not work."""

    code: str
    """A word for programs."""
    message: str
    """A sentence for people."""


@shape
class Error(TypedDict):
    """Every failure has this form."""

    error: ErrorDetail


@shape
class Stream(TypedDict):
    """One stream of a camera as it is right now."""

    id: str
    codec: str | None
    """`h264`, `h265` or `av1`; null until a picture has come."""
    codecs: str
    """What a browser is asked whether it can play (RFC 6381); empty until a picture has come."""
    width: int
    height: int
    fps: float
    """Pictures per second, measured; 0 while none come."""
    audio: str | None
    audio_note: str
    """Why there is no sound, or what was done to it."""
    bitrate: int
    """Bits per second, measured."""
    keyframe_interval: float
    """Seconds; 0 until measured."""
    viewers: dict[str, int]
    """Players now, by output."""
    dropped: dict[str, int]
    """Left out, by output, because a player was too slow."""
    on_demand: bool
    """Pulled only while somebody watches."""
    state: StateName
    since: UnixTime
    reason: str
    code: str
    next_retry: UnixTime | None


@shape
class Push(TypedDict):
    """A server that a stream is pushed to."""

    name: str
    url: str | None
    """Without the key; null for who may not see where it goes."""
    stream: str
    state: Literal["waiting", "connecting", "live", "retrying", "refused"]
    since: UnixTime
    reason: str
    code: str
    next_retry: UnixTime | None
    sent_bytes: int
    bitrate: int
    dropped: int


@shape
class ActiveEvent(TypedDict):
    """Something that goes on now."""

    kind: EventKind
    since: UnixTime
    source: str
    """Which sensor, input or rule of the camera; empty if there is one only."""


@shape
class PastEvent(TypedDict):
    """Something that was reported."""

    kind: EventKind
    on: bool | None
    """Began or ended; null: it happened, and has no end."""
    at: UnixTime
    source: str


@shape
class Events(TypedDict):
    """What a camera reports."""

    listening: bool
    trouble: str
    """Why nothing is heard; empty if all is well."""
    motion_since: UnixTime | None
    active: list[ActiveEvent]
    last: NotRequired[list[PastEvent]]
    """The newest first; left out in the list of all cameras."""


@shape
class Camera(TypedDict):
    """A camera. Its state is that of its main stream."""

    id: CameraId
    name: str
    state: StateName
    since: UnixTime
    reason: str
    """Why, for people; empty while live."""
    code: str
    """Why, for programs; empty while live."""
    next_retry: UnixTime | None
    streams: list[Stream]
    """Main first, then sub."""
    urls: dict[str, str]
    """Where it can be watched, by kind of player."""
    source: str | None
    """The camera's own address without login; null for who is not the admin."""
    found_at: str | None
    """Where discovery found it, while the configuration says otherwise."""
    picture_at: UnixTime | None
    """When the last keyframe came, of which a snapshot can be had."""
    pushes: list[Push]
    ptz: bool
    """It can be steered, and you may."""
    events: Events | None
    """Null for a camera that is not given by its ONVIF address."""
    group: str | None


@shape
class View(TypedDict):
    """Cameras put together for the wall."""

    id: str
    name: str
    cameras: list[CameraId]
    layout: str | None


@shape
class CameraList(TypedDict):
    """All cameras, in the order of the configuration."""

    site: str
    version: str
    now: UnixTime
    views: list[View]
    cameras: list[Camera]


@shape
class Device(TypedDict):
    """A device that answered on the network."""

    endpoint: str
    address: str
    xaddrs: list[str]
    name: str
    hardware: str
    first_seen: UnixTime
    last_seen: UnixTime
    camera_id: CameraId | None
    state: PresenceName
    manufacturer: str
    model: str
    mac: str
    previous_address: str
    needs_password: bool | None
    """Whether strangers are refused; null where that is not known."""


@shape
class DeviceList(TypedDict):
    """What discovery knows."""

    now: UnixTime
    devices: list[Device]


@shape
class Adopt(TypedDict):
    """A camera to be taken over."""

    address: Annotated[str, Field(pattern=r"\S")]
    """Host name or IP address, or one of a device's `xaddrs`."""
    id: NotRequired[str]
    name: NotRequired[str]
    username: NotRequired[str]
    password: NotRequired[str]


@shape
class Adopted(TypedDict):
    """It is served from now on."""

    id: CameraId
    name: str
    file: str
    """Where it is written down, as seen from config.yaml."""
    sub: bool


@shape
class ViewingToken(TypedDict):
    """The right to look, for addresses of players."""

    token: str


@shape
class Preset(TypedDict):
    """A place the camera knows."""

    token: str
    name: str


@shape
class Steering(TypedDict):
    """What a camera can do."""

    camera: CameraId
    pan_tilt: bool
    zoom: bool
    continuous: bool
    absolute: bool
    relative: bool
    home: bool
    max_presets: int
    presets: list[Preset]
    trouble: str
    """What went wrong with the last movement."""


@shape
class Accepted(TypedDict):
    """On its way."""

    accepted: Literal[True]
    trouble: str


@shape
class Done(TypedDict):
    """The camera has answered."""

    done: Literal[True]
    preset: NotRequired[str]
    presets: NotRequired[list[Preset]]


@shape
class Move(TypedDict):
    """Move at this speed for as long as the request is repeated (three to five times a second), or go to or by so far."""

    action: Literal["move", "absolute", "relative"]
    pan: NotRequired[Axis]
    """To the right."""
    tilt: NotRequired[Axis]
    """Upwards."""
    zoom: NotRequired[Axis]
    """Closer."""


@shape
class Simple(TypedDict):
    """Stop, go home, or make this the home position."""

    action: Literal["stop", "home", "set_home"]


@shape
class UsePreset(TypedDict):
    """Go to a preset, or forget it."""

    action: Literal["preset", "remove_preset"]
    preset: PresetToken


@shape
class SetPreset(TypedDict):
    """Make this place a preset. At least one of the two is needed; `preset` is one to be replaced."""

    action: Literal["set_preset"]
    name: NotRequired[PresetName]
    preset: NotRequired[Annotated[str, Field(max_length=MAX_TOKEN_CHARS)]]


PtzBody = Annotated[Move | Simple | UsePreset | SetPreset, Field(discriminator="action")]


@shape
class ConfigFinding(TypedDict):
    """What is wrong with a file."""

    file: str
    line: int | None
    key: str
    message: str


@shape
class ConfigAttempt(TypedDict):
    """One reading of the files, and what it changed."""

    at: UnixTime
    trigger: Annotated[str, names_of(Trigger)]
    outcome: Annotated[str, names_of(Outcome)]
    took: float
    """Seconds."""
    findings: list[ConfigFinding]
    added: list[str]
    removed: list[str]
    changed: list[str]
    adjusted: list[str]
    pushed_elsewhere: list[str]
    settings: list[str]


@shape
class ConfigLine(TypedDict):
    """One line of the configuration in effect."""

    depth: int
    key: str
    value: str
    item: bool
    default: bool
    """It is not in the files."""
    file: str
    line: int | None


@shape
class Configuration(TypedDict):
    """The configuration in effect, without secrets."""

    file: str
    loaded_at: UnixTime
    watched: bool
    files: list[str]
    last_attempt: ConfigAttempt
    last_change: ConfigAttempt | None
    restart_needed: list[str]
    warnings: list[str]
    lines: list[ConfigLine]


@shape
class SnapshotQuery(TypedDict, total=False):
    """Of a snapshot."""

    width: Annotated[int, Field(ge=16, le=7680)]
    """Pixels at most."""


@shape
class QrQuery(TypedDict):
    """Of a QR code."""

    text: Annotated[str, Field(min_length=1, max_length=600)]
    """At most 600 bytes in UTF-8."""


@shape
class IncidentsQuery(TypedDict, total=False):
    """Of the journal."""

    camera: str
    """Of this one only; empty for the gateway's own."""
    limit: Annotated[int, Field(ge=1, le=500)]
    before: Annotated[int, Field(ge=0, le=10**17)]
    """Older than the incident of this number."""
