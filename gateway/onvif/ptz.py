"""Pan, tilt and zoom as ONVIF has it (PTZ service, ver20): what a camera can do, what is sent, what the answers mean. Pure.

Everywhere else directions and places are plain numbers from -1 to 1; here they become the camera's own ranges. Requests
name no `space`: cameras refuse spaces that do not fit the element they are in ("space not supported by the PTZ node"),
and without one the space of the PTZ configuration counts. They hold only the axes that the camera has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from gateway.onvif.reader import Node

MAX_PRESETS_SHOWN = 300
"""Some cameras list all 256 places that a preset could have, named or not."""
MAX_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class Vector:
    """Pan (right is positive), tilt (up), zoom (in), each from -1 to 1: a speed, a place or a distance."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0

    @property
    def still(self) -> bool:
        return not (self.pan or self.tilt or self.zoom)

    def clamped(self) -> Vector:
        """Every part within -1 to 1; what is no number becomes 0."""
        return Vector(*(max(-1.0, min(1.0, part)) if part == part else 0.0 for part in (self.pan, self.tilt, self.zoom)))


STILL = Vector()


@dataclass(frozen=True, slots=True)
class Range:
    """What a camera takes for one axis."""

    low: float
    high: float

    def speed(self, part: float) -> float:
        """A speed or distance from -1 to 1 on this scale; 0 stays 0. A range without negative numbers is meant both ways."""
        return part * self.high if part >= 0 or self.low >= 0 else -part * self.low

    def place(self, part: float) -> float:
        """A place from -1 to 1 on this scale. Places of zoom often are 0 to 1, on some Axis models 0 to 0.499."""
        return self.low + (part + 1) / 2 * (self.high - self.low)

    def part(self, place: float) -> float:
        """`place` backwards."""
        width = self.high - self.low
        return max(-1.0, min(1.0, (place - self.low) / width * 2 - 1)) if width > 0 else 0.0


UNIT = Range(-1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Axes:
    """The ranges of one way of moving; None for what the camera cannot."""

    pan: Range | None = None
    tilt: Range | None = None
    zoom: Range | None = None

    def __bool__(self) -> bool:
        return self.pan is not None or self.zoom is not None


NONE = Axes()
ASSUMED = Axes(UNIT, UNIT, UNIT)
"""For cameras that have a PTZ configuration but do not tell its node."""


@dataclass(frozen=True, slots=True)
class PtzAbilities:
    """What one profile of a camera can do."""

    profile: str
    """Token of the media profile that commands name."""
    continuous: Axes = NONE
    absolute: Axes = NONE
    relative: Axes = NONE
    home: bool = False
    max_presets: int = 0

    @property
    def pan_tilt(self) -> bool:
        return any(axes.pan is not None for axes in (self.continuous, self.absolute, self.relative))

    @property
    def zoom(self) -> bool:
        return any(axes.zoom is not None for axes in (self.continuous, self.absolute, self.relative))

    def __bool__(self) -> bool:
        """Whether there is anything to steer. Fixed cameras often have a PTZ service with an empty node."""
        return self.pan_tilt or self.zoom or self.max_presets > 0


@dataclass(frozen=True, slots=True)
class Preset:
    """A place that the camera remembers."""

    token: str
    name: str


@dataclass(frozen=True, slots=True)
class PtzStatus:
    """Where the camera looks, and whether it says that it moves; None where it does not tell."""

    position: Vector | None
    moving: bool | None


def abilities(profile: str, configuration: Node | None, nodes: Iterable[Node]) -> PtzAbilities:
    """Of a profile whose PTZConfiguration is `configuration`; `nodes` are those of GetNodesResponse.

    Without a readable node a camera is believed to take the generic speeds: many have a broken GetNodes.
    """
    wanted = configuration.text_at("NodeToken") if configuration is not None else ""
    found = list(nodes)
    equipped = (one for one in found if one.child("SupportedPTZSpaces") is not None)
    node = next((one for one in found if one.attributes.get("token") == wanted), next(equipped, None))
    spaces = node.child("SupportedPTZSpaces") if node is not None else None
    if node is None or spaces is None:
        return PtzAbilities(profile, continuous=ASSUMED)
    defaults = configuration or node

    def axes(kind: str, default: str, zoom_kind: str, zoom_default: str) -> Axes:
        pan_tilt = _space(spaces.all(kind), defaults.text_at(default))
        zoom = _space(spaces.all(zoom_kind), defaults.text_at(zoom_default))
        return Axes(
            _range(pan_tilt, "XRange") if pan_tilt is not None else None,
            _range(pan_tilt, "YRange") if pan_tilt is not None else None,
            _range(zoom, "XRange") if zoom is not None else None,
        )

    return PtzAbilities(
        profile,
        continuous=axes(
            "ContinuousPanTiltVelocitySpace", "DefaultContinuousPanTiltVelocitySpace",
            "ContinuousZoomVelocitySpace", "DefaultContinuousZoomVelocitySpace",
        ),
        absolute=axes(
            "AbsolutePanTiltPositionSpace", "DefaultAbsolutePantTiltPositionSpace",  # the schema's own spelling
            "AbsoluteZoomPositionSpace", "DefaultAbsoluteZoomPositionSpace",
        ),
        relative=axes(
            "RelativePanTiltTranslationSpace", "DefaultRelativePanTiltTranslationSpace",
            "RelativeZoomTranslationSpace", "DefaultRelativeZoomTranslationSpace",
        ),
        home=node.text_at("HomeSupported").lower() in ("true", "1"),
        max_presets=max(0, int(node.number_at("MaximumNumberOfPresets"))),
    )  # fmt: skip


def _space(spaces: tuple[Node, ...], default: str) -> Node | None:
    """The space that counts when a request names none: the configuration's, else the generic one, else the first."""
    by_uri = {space.text_at("URI"): space for space in reversed(spaces)}
    if default in by_uri:
        return by_uri[default]
    generic = (space for uri, space in by_uri.items() if "generic" in uri.lower())
    return next(generic, spaces[0] if spaces else None)


def _range(space: Node, name: str) -> Range:
    low, high = space.number_at(name, "Min"), space.number_at(name, "Max")
    return Range(low, high) if low < high else UNIT


# Requests: what goes inside the operation's element, with `q` for the service and `t` for the schema (OnvifClient.call)


def continuous_move(can: PtzAbilities, speed: Vector, *, zoom: bool = True, timeout_s: float | None = None) -> str:
    """ContinuousMove. `zoom` False leaves an idle zoom out: some cameras without one refuse it."""
    axes = can.continuous
    parts = _axes(_speed(axes.pan, speed.pan), _speed(axes.tilt, speed.tilt), _speed(axes.zoom, speed.zoom) if zoom else None)
    timeout = f"<q:Timeout>{duration(timeout_s)}</q:Timeout>" if timeout_s is not None else ""
    return f"{_profile(can)}<q:Velocity>{parts}</q:Velocity>{timeout}"


def absolute_move(can: PtzAbilities, place: Vector, *, zoom: bool) -> str:
    """AbsoluteMove."""
    axes = can.absolute
    parts = _axes(_place(axes.pan, place.pan), _place(axes.tilt, place.tilt), _place(axes.zoom, place.zoom) if zoom else None)
    return f"{_profile(can)}<q:Position>{parts}</q:Position>"


def relative_move(can: PtzAbilities, distance: Vector) -> str:
    """RelativeMove."""
    axes = can.relative
    zoom = _speed(axes.zoom, distance.zoom) if distance.zoom else None
    parts = _axes(_speed(axes.pan, distance.pan), _speed(axes.tilt, distance.tilt), zoom)
    return f"{_profile(can)}<q:Translation>{parts}</q:Translation>"


def stop(can: PtzAbilities, *, flags: bool = True) -> str:
    """Stop. Both flags are named: some cameras go on with what is not mentioned, others refuse a flag they do not know."""
    named = "<q:PanTilt>true</q:PanTilt><q:Zoom>true</q:Zoom>" if flags else ""
    return _profile(can) + named


def for_profile(can: PtzAbilities) -> str:
    """GetPresets, GetStatus, GotoHomePosition, SetHomePosition."""
    return _profile(can)


def for_preset(can: PtzAbilities, token: str) -> str:
    """GotoPreset, RemovePreset."""
    return f"{_profile(can)}<q:PresetToken>{escape(token)}</q:PresetToken>"


def set_preset(can: PtzAbilities, name: str, token: str = "") -> str:
    """SetPreset: a new one, or `token` again with this place."""
    again = f"<q:PresetToken>{escape(token)}</q:PresetToken>" if token else ""
    return f"{_profile(can)}<q:PresetName>{escape(name[:MAX_NAME_CHARS])}</q:PresetName>{again}"


def duration(seconds: float) -> str:
    """`PT2S`, `PT1.5S`: never minutes, which some cameras read as seconds (HA PR #92551)."""
    return f"PT{seconds:g}S"


def _profile(can: PtzAbilities) -> str:
    return f"<q:ProfileToken>{escape(can.profile)}</q:ProfileToken>"


def _speed(axis: Range | None, part: float) -> float | None:
    return axis.speed(part) if axis is not None else None


def _place(axis: Range | None, part: float) -> float | None:
    return axis.place(part) if axis is not None else None


def _axes(pan: float | None, tilt: float | None, zoom: float | None) -> str:
    parts = ""
    if pan is not None:
        parts += f"<t:PanTilt x={_number(pan)} y={_number(tilt or 0.0)}/>"
    if zoom is not None:
        parts += f"<t:Zoom x={_number(zoom)}/>"
    return parts


def _number(value: float) -> str:
    return quoteattr(f"{value:.4f}".rstrip("0").rstrip(".") if value else "0")


# Answers


def parse_presets(reply: Node) -> tuple[Preset, ...]:
    """Of a GetPresetsResponse, in the camera's order. Places without a token cannot be called and are left out."""
    presets: dict[str, Preset] = {}
    for node in reply.all("Preset"):
        token = node.attributes.get("token", "")
        name = "".join(ch if ch.isprintable() else " " for ch in node.text_at("Name")).strip()[:MAX_NAME_CHARS]
        if token and len(presets) < MAX_PRESETS_SHOWN:
            presets.setdefault(token, Preset(token, name or token))
    return tuple(presets.values())


def parse_status(reply: Node, can: PtzAbilities) -> PtzStatus:
    """Of a GetStatusResponse. MoveStatus is missing on many cameras and always IDLE on some (frigate #8568)."""
    position = reply.find("Position")
    where = None
    if position is not None and position.children:
        axes = can.absolute
        point, zoom = position.child("PanTilt"), position.child("Zoom")
        where = Vector(
            _part(axes.pan, point, "x"),
            _part(axes.tilt, point, "y"),
            _part(axes.zoom, zoom, "x"),
        )
    said = reply.find("MoveStatus")
    words = {said.text_at("PanTilt").upper(), said.text_at("Zoom").upper()} if said is not None else set()
    moving = True if "MOVING" in words else (False if "IDLE" in words else None)
    return PtzStatus(where, moving)


def _part(axis: Range | None, node: Node | None, name: str) -> float:
    try:
        value = float(node.attributes.get(name, "")) if node is not None else 0.0
    except ValueError:
        value = 0.0
    if value != value:
        value = 0.0
    return (axis or UNIT).part(value)
