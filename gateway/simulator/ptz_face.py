"""The PTZ service (ver20) of a virtual camera, with the misbehaviour of real ones as switches. Pure; the clock is passed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from gateway.onvif.face.soap import TPTZ, Call, Element, SoapFault
from gateway.simulator.onvif_extension import Operation
from gateway.simulator.ptz_head import MAX_PRESETS, Place, PtzHead

if TYPE_CHECKING:
    from gateway.onvif.face.face import OnvifRequest

PTZ_PATH = "/onvif/ptz_service"
CONFIGURATION, NODE = "ptz_config_0", "ptz_node_0"
MAX_TIMEOUT_S = 60.0
_SPACES = "http://www.onvif.org/ver10/tptz"
_DURATION = re.compile(r"PT(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
_KINDS = (
    ("AbsolutePanTiltPositionSpace", "PanTiltSpaces/PositionGenericSpace", (-1, 1), True),
    ("AbsoluteZoomPositionSpace", "ZoomSpaces/PositionGenericSpace", (0, 1), False),
    ("RelativePanTiltTranslationSpace", "PanTiltSpaces/TranslationGenericSpace", (-1, 1), True),
    ("RelativeZoomTranslationSpace", "ZoomSpaces/TranslationGenericSpace", (-1, 1), False),
    ("ContinuousPanTiltVelocitySpace", "PanTiltSpaces/VelocityGenericSpace", (-1, 1), True),
    ("ContinuousZoomVelocitySpace", "ZoomSpaces/VelocityGenericSpace", (-1, 1), False),
)


@dataclass(slots=True)
class PtzQuirks:
    """What real cameras do wrong; all off by default."""

    ignores_stop: bool = False
    """Stop is answered and nothing happens."""
    ignores_timeout: bool = False
    """ContinuousMove goes on for ever."""
    refuses_timeout: bool = False
    stops_named_axes_only: bool = False
    """A flag that is missing counts as false."""
    always_idle: bool = False
    """GetStatus says IDLE whatever happens, and no position."""


class PtzFace:
    """The service of one camera, turning `head`. `clock` is monotonic."""

    services: Mapping[str, str] = {TPTZ: PTZ_PATH}

    def __init__(self, head: PtzHead, clock: Callable[[], float]) -> None:
        self.quirks = PtzQuirks()
        self._head = head
        self._clock = clock
        named: dict[str, Operation] = {
            "GetServiceCapabilities": lambda call, request: '<r:Capabilities EFlip="false" Reverse="false"/>',
            "GetNodes": lambda call, request: _node(),
            "GetNode": lambda call, request: _node(),
            "GetConfigurations": lambda call, request: f"<r:PTZConfiguration {configuration()}</r:PTZConfiguration>",
            "GetConfiguration": lambda call, request: f"<r:PTZConfiguration {configuration()}</r:PTZConfiguration>",
            "ContinuousMove": self._continuous_move,
            "AbsoluteMove": self._absolute_move,
            "RelativeMove": self._relative_move,
            "Stop": self._stop,
            "GetStatus": self._status,
            "GetPresets": self._presets,
            "SetPreset": self._set_preset,
            "GotoPreset": self._goto_preset,
            "RemovePreset": self._remove_preset,
            "GotoHomePosition": self._goto_home,
            "SetHomePosition": self._set_home,
        }
        self.operations: Mapping[tuple[str, str], Operation] = {
            (TPTZ, name): self._noted(name, operation) for name, operation in named.items()
        }

    def _noted(self, name: str, operation: Operation) -> Operation:
        def answer(call: Call, request: OnvifRequest) -> str:
            if not name.startswith("Get"):
                self._head.orders.append(name)
            return operation(call, request)

        return answer

    def _continuous_move(self, call: Call, _request: OnvifRequest) -> str:
        timeout = call.text("Timeout")
        if timeout is not None and self.quirks.refuses_timeout:
            raise SoapFault("the timeout is not supported", "InvalidArgVal", "TimeoutNotSupported")
        timeout_s = None if timeout is None or self.quirks.ignores_timeout else parse_seconds(timeout)
        speed = _vector(call.element, "Velocity")
        if speed is None or any(abs(part) > 1 for part in speed if part is not None):
            raise SoapFault("the velocity is out of bounds", "InvalidArgVal", "InvalidVelocity")
        pan, tilt, zoom = (part or 0.0 for part in speed)
        self._head.run((pan, tilt, zoom), self._clock(), timeout_s)
        return ""

    def _stop(self, call: Call, _request: OnvifRequest) -> str:
        if not self.quirks.ignores_stop:
            missing = "false" if self.quirks.stops_named_axes_only else "true"
            pan_tilt, zoom = (call.text(name) or missing for name in ("PanTilt", "Zoom"))
            self._head.stop(self._clock(), pan_tilt=pan_tilt == "true", zoom=zoom == "true")
        return ""

    def _absolute_move(self, call: Call, _request: OnvifRequest) -> str:
        self._go(_merged(_vector(call.element, "Position"), self._head.place(self._clock())))
        return ""

    def _relative_move(self, call: Call, _request: OnvifRequest) -> str:
        here = self._head.place(self._clock())
        way = _vector(call.element, "Translation") or (None, None, None)
        pan, tilt, zoom = (start + (part or 0.0) for start, part in zip(here, way, strict=True))
        self._go((min(max(pan, -1.0), 1.0), min(max(tilt, -1.0), 1.0), min(max(zoom, 0.0), 1.0)))
        return ""

    def _go(self, target: Place) -> None:
        try:
            self._head.go(target, self._clock())
        except ValueError as error:
            raise SoapFault("the position is out of bounds", "InvalidArgVal", "InvalidPosition") from error

    def _status(self, _call: Call, _request: OnvifRequest) -> str:
        now = self._clock()
        moving = "MOVING" if self._head.moving(now) and not self.quirks.always_idle else "IDLE"
        position = "" if self.quirks.always_idle else f"<tt:Position>{_position(self._head.place(now))}</tt:Position>"
        return (
            f"<r:PTZStatus>{position}<tt:MoveStatus><tt:PanTilt>{moving}</tt:PanTilt><tt:Zoom>{moving}</tt:Zoom>"
            "</tt:MoveStatus><tt:UtcTime>2026-01-01T00:00:00Z</tt:UtcTime></r:PTZStatus>"
        )

    def _presets(self, _call: Call, _request: OnvifRequest) -> str:
        return "".join(
            f'<r:Preset token="{token}"><tt:Name>{escape(name)}</tt:Name><tt:PTZPosition>{_position(place)}</tt:PTZPosition>'
            "</r:Preset>"
            for token, (name, place) in self._head.presets.items()
        )

    def _set_preset(self, call: Call, _request: OnvifRequest) -> str:
        try:
            token = self._head.remember(call.text("PresetName") or "", self._clock(), call.text("PresetToken") or "")
        except KeyError as error:
            raise _no_such_preset() from error
        except ValueError as error:
            raise SoapFault("maximum number of presets reached", "Action", "TooManyPresets", sender=False) from error
        return f"<r:PresetToken>{token}</r:PresetToken>"

    def _goto_preset(self, call: Call, _request: OnvifRequest) -> str:
        try:
            _, place = self._head.presets[call.text("PresetToken") or ""]
        except KeyError as error:
            raise _no_such_preset() from error
        self._go(place)
        return ""

    def _remove_preset(self, call: Call, _request: OnvifRequest) -> str:
        if self._head.presets.pop(call.text("PresetToken") or "", None) is None:
            raise _no_such_preset()
        return ""

    def _goto_home(self, _call: Call, _request: OnvifRequest) -> str:
        self._go(self._head.home)
        return ""

    def _set_home(self, _call: Call, _request: OnvifRequest) -> str:
        self._head.home = self._head.place(self._clock())
        return ""


def configuration() -> str:
    """Attributes and content of a tt:PTZConfiguration, for the media profiles too."""
    defaults = "".join(
        f"<tt:Default{kind.replace('PanTiltPosition', 'PantTiltPosition')}>{_SPACES}/{uri}"
        f"</tt:Default{kind.replace('PanTiltPosition', 'PantTiltPosition')}>"
        for kind, uri, _, _ in _KINDS
    )
    return (
        f'token="{CONFIGURATION}"><tt:Name>Head</tt:Name><tt:UseCount>2</tt:UseCount><tt:NodeToken>{NODE}</tt:NodeToken>'
        f"{defaults}<tt:DefaultPTZTimeout>PT10S</tt:DefaultPTZTimeout>"
    )


def _node() -> str:
    spaces = "".join(
        f"<tt:{kind}><tt:URI>{_SPACES}/{uri}</tt:URI>{_bounds('XRange', bounds)}"
        f"{_bounds('YRange', bounds) if flat else ''}</tt:{kind}>"
        for kind, uri, bounds, flat in _KINDS
    )
    return (
        f'<r:PTZNode token="{NODE}" FixedHomePosition="false"><tt:Name>Head</tt:Name>'
        f"<tt:SupportedPTZSpaces>{spaces}</tt:SupportedPTZSpaces>"
        f"<tt:MaximumNumberOfPresets>{MAX_PRESETS}</tt:MaximumNumberOfPresets><tt:HomeSupported>true</tt:HomeSupported>"
        "</r:PTZNode>"
    )


def _bounds(name: str, bounds: tuple[int, int]) -> str:
    return f"<tt:{name}><tt:Min>{bounds[0]}</tt:Min><tt:Max>{bounds[1]}</tt:Max></tt:{name}>"


def _position(place: Place) -> str:
    pan, tilt, zoom = place
    return f'<tt:PanTilt x="{pan:.4f}" y="{tilt:.4f}"/><tt:Zoom x="{zoom:.4f}"/>'


def _vector(element: Element, name: str) -> tuple[float | None, float | None, float | None] | None:
    """Pan, tilt and zoom inside the element `name`, None for what is not there. Raises SoapFault."""
    outer = next(element.iter(f"{{*}}{name}"), None)
    if outer is None:
        return None
    point, zoom = (next(outer.iter(f"{{*}}{axis}"), None) for axis in ("PanTilt", "Zoom"))
    try:
        return (
            None if point is None else float(point.get("x", "")),
            None if point is None else float(point.get("y", "")),
            None if zoom is None else float(zoom.get("x", "")),
        )
    except ValueError as error:
        raise SoapFault("not a number", "InvalidArgVal") from error


def _merged(wanted: tuple[float | None, float | None, float | None] | None, here: Place) -> Place:
    pan, tilt, zoom = (start if part is None else part for part, start in zip(wanted or (None, None, None), here, strict=True))
    return pan, tilt, zoom


def parse_seconds(text: str, most: float = MAX_TIMEOUT_S) -> float:
    """An xs:duration of minutes and seconds, `most` at most. Raises SoapFault."""
    match = _DURATION.fullmatch(text)
    if match is None or match[0] == "PT":
        raise SoapFault("not a duration", "InvalidArgVal")
    return min(int(match[1] or 0) * 60 + float(match[2] or 0), most)


def _no_such_preset() -> SoapFault:
    return SoapFault("the preset does not exist", "InvalidArgVal", "NoToken")
