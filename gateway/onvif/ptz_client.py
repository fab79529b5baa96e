"""A camera's PTZ service, asked. Blocking, on worker threads; one request at a time, as the session orders it."""

from __future__ import annotations

import logging

from gateway.errors import ProtocolError
from gateway.onvif import ptz
from gateway.onvif.client import PTZ_NS, OnvifClient
from gateway.onvif.media import Profile
from gateway.onvif.ptz import Preset, PtzAbilities, PtzStatus, Vector
from gateway.onvif.reader import Node
from gateway.onvif.soap import SoapFault

log = logging.getLogger(__name__)


def find_abilities(client: OnvifClient, wanted: str | None = None) -> PtzAbilities | None:
    """What the camera can do, None if it cannot be steered. `wanted` is the profile of the main stream.

    Raises SourceError. Only a profile with a PTZ configuration counts, as the specification has it.
    """
    if PTZ_NS not in client.services():
        return None
    profile = _profile(client.profiles(), wanted)
    if profile is None:
        return None
    configurations = _optional(client, "GetConfigurations")
    found = {node.attributes.get("token", ""): node for node in configurations.all("PTZConfiguration")}
    configuration = found.get(profile.ptz_configuration) or next(iter(found.values()), None)
    nodes = _optional(client, "GetNodes").all("PTZNode")
    return ptz.abilities(profile.token, configuration, nodes) or None


def _profile(profiles: tuple[Profile, ...], wanted: str | None) -> Profile | None:
    steered = [profile for profile in profiles if profile.ptz]
    named = (profile for profile in steered if profile.token == wanted)
    return next(named, max(steered, key=lambda profile: profile.pixels, default=None))


def _optional(client: OnvifClient, operation: str) -> Node:
    try:
        return client.call(PTZ_NS, operation)
    except ProtocolError as error:
        log.debug("%s", error)
        return Node("", {}, "", ())


class PtzClient:
    """Steers one camera through `client`, which is its own: a movement must not wait behind a long poll.

    Methods raise the leaves of `gateway.errors.SourceError`. Numbers are those of `gateway.onvif.ptz`.
    """

    def __init__(self, client: OnvifClient, can: PtzAbilities) -> None:
        self.can = can
        self._client = client
        self._takes_timeout = True
        self._zooms = False

    def move(self, speed: Vector, timeout_s: float) -> None:
        """Move at `speed` until told otherwise; the camera stops by itself after `timeout_s`, if it knows how."""
        zoom = bool(speed.zoom) or self._zooms or self.can.continuous.pan is None
        self._zooms = bool(speed.zoom)  # an idle zoom is left out, but one that ran is told to stand still
        try:
            self._move(speed, zoom, timeout_s if self._takes_timeout else None)
        except SoapFault:
            if not self._takes_timeout:
                raise
            self._move(speed, zoom, None)  # some cameras refuse any timeout, or one of seconds
            self._takes_timeout = False

    def _move(self, speed: Vector, zoom: bool, timeout_s: float | None) -> None:
        self._call("ContinuousMove", ptz.continuous_move(self.can, speed, zoom=zoom, timeout_s=timeout_s))

    def stop(self) -> None:
        """Stop whatever moves."""
        try:
            self._call("Stop", ptz.stop(self.can))
        except SoapFault:
            self._call("Stop", ptz.stop(self.can, flags=False))

    def hold(self) -> None:
        """Move at speed zero, for cameras that do not understand Stop."""
        self._zooms = False
        self._move(Vector(), self.can.continuous.zoom is not None, None)

    def absolute(self, place: Vector, *, zoom: bool) -> None:
        """Go to a place."""
        self._call("AbsoluteMove", ptz.absolute_move(self.can, place, zoom=zoom))

    def relative(self, distance: Vector) -> None:
        """Go some way from here."""
        self._call("RelativeMove", ptz.relative_move(self.can, distance))

    def status(self) -> PtzStatus:
        """Where it looks and whether it moves, as far as it tells."""
        return ptz.parse_status(self._call("GetStatus", ptz.for_profile(self.can)), self.can)

    def presets(self) -> tuple[Preset, ...]:
        """The places it remembers."""
        return ptz.parse_presets(self._call("GetPresets", ptz.for_profile(self.can)))

    def go_to(self, token: str) -> None:
        """Go to a preset."""
        self._call("GotoPreset", ptz.for_preset(self.can, token))

    def set_preset(self, name: str, token: str = "") -> str:
        """Remember this place, as a new preset or again as `token`; its token, empty if the camera does not tell."""
        return self._call("SetPreset", ptz.set_preset(self.can, name, token)).text_at("PresetToken") or token

    def remove_preset(self, token: str) -> None:
        """Forget a preset."""
        self._call("RemovePreset", ptz.for_preset(self.can, token))

    def go_home(self) -> None:
        """Go to the home position."""
        self._call("GotoHomePosition", ptz.for_profile(self.can))

    def set_home(self) -> None:
        """Make this place the home position."""
        self._call("SetHomePosition", ptz.for_profile(self.can))

    def _call(self, operation: str, inner: str) -> Node:
        return self._client.call(PTZ_NS, operation, inner)
