"""Media profiles: reading them from Media1 and Media2 answers, and choosing the two that the wall needs. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import NoVideo
from gateway.onvif.reader import Node

SUB_WIDTH, SUB_HEIGHT = 640, 360
"""What a tile of a 4x4 wall on a full-HD screen needs, with some to spare."""
NOT_H264_PENALTY = math.log(4)
"""H.264 plays in every browser, H.265 in few: worth up to four times too many or too few pixels."""

_CODECS = {"h264": "h264", "h265": "h265", "hevc": "h265", "jpeg": "mjpeg", "mjpeg": "mjpeg", "av1": "av1"}
_SERVABLE = frozenset({"h264", "h265", "av1"})


@dataclass(frozen=True, slots=True)
class Profile:
    """A media profile with video. Width, height, fps and bitrate are 0 where the camera does not tell."""

    token: str
    name: str
    codec: str | None
    """`h264`, `h265`, `mjpeg`, ...; None if not told. Media1 says H264 for H.265: only the SDP is certain."""
    width: int
    height: int
    fps: float
    bitrate: int = 0
    """Bits per second."""
    source: str = ""
    """Token of the video source: the channel, on recorders and multi-lens cameras."""
    audio: bool = False
    ptz: bool = False
    ptz_configuration: str = ""
    """Token of the PTZ configuration; empty if there is none, or it is not told."""

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def servable(self) -> bool:
        """Whether the gateway can serve it; an unknown codec is given a chance."""
        return self.codec is None or self.codec in _SERVABLE


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """Who a camera is and what it offers. Empty text where it does not tell."""

    manufacturer: str
    model: str
    firmware: str
    serial: str
    profiles: tuple[Profile, ...]


def parse_profiles(reply: Node) -> tuple[Profile, ...]:
    """The profiles with video in a GetProfilesResponse of either Media service, in the camera's order."""
    found = (_profile(node) for node in reply.all("Profiles"))
    unique = {profile.token: profile for profile in found if profile is not None}
    return tuple(unique.values())


def _profile(node: Node) -> Profile | None:
    token = node.attributes.get("token", "")
    inner = node.child("Configurations") or node  # Media2 puts everything into Configurations
    source = inner.child("VideoSource") or inner.child("VideoSourceConfiguration")
    encoder = inner.child("VideoEncoder") or inner.child("VideoEncoderConfiguration")
    if not token or (source is None and encoder is None):
        return None
    audio = inner.child("AudioEncoder") or inner.child("AudioEncoderConfiguration")
    ptz = inner.child("PTZ") or inner.child("PTZConfiguration")
    # Dahua leaves the encoder out of Media1 profiles with H.265 (node-onvif #78): the stream exists all the same.
    width = height = bitrate = 0
    fps, codec = 0.0, None
    if encoder is not None:
        codec = _codec(encoder.text_at("Encoding"))
        width, height = (int(encoder.number_at("Resolution", side)) for side in ("Width", "Height"))
        fps = encoder.number_at("RateControl", "FrameRateLimit")
        bitrate = int(encoder.number_at("RateControl", "BitrateLimit") * 1000)  # reported in kbit/s
    return Profile(
        token=token,
        name=node.text_at("Name"),
        codec=codec,
        width=max(0, width),
        height=max(0, height),
        fps=max(0.0, fps),
        bitrate=max(0, bitrate),
        source=source.text_at("SourceToken") if source is not None else "",
        audio=audio is not None,
        ptz=ptz is not None,
        ptz_configuration=ptz.attributes.get("token", "") if ptz is not None else "",
    )


def _codec(text: str) -> str | None:
    """`H264`, `H.265`, `video/H265`, `JPEG` in the words used here; None if empty."""
    word = text.rpartition("/")[2].lower().replace(".", "").replace("-", "")
    return _CODECS.get(word, word) or None


def choose_profiles(
    profiles: Sequence[Profile], main: str | None = None, sub: str | None = None
) -> tuple[Profile, Profile | None]:
    """The profile for the large picture and the one for tiles, None if there is no smaller one.

    `main` and `sub` are tokens that override the choice. Main is the largest that can be served; sub is smaller, of the
    same channel, closest to 640x360, H.264 preferred. Raises NoVideo if there is nothing to choose from.
    """
    if not profiles:
        raise NoVideo("the camera has no profile with video")
    chosen_main = _named(profiles, main) if main else max(profiles, key=lambda p: (p.servable, p.pixels))
    if sub:
        return chosen_main, _named(profiles, sub)
    smaller = [
        profile
        for profile in profiles
        if profile.servable and profile.source == chosen_main.source and 0 < profile.pixels < chosen_main.pixels
    ]
    return chosen_main, min(smaller, key=_tile_cost, default=None)


def _tile_cost(profile: Profile) -> float:
    cost = abs(math.log(profile.pixels / (SUB_WIDTH * SUB_HEIGHT)))
    return cost if profile.codec == "h264" else cost + NOT_H264_PENALTY


def _named(profiles: Iterable[Profile], token: str) -> Profile:
    profiles = tuple(profiles)
    for profile in profiles:
        if profile.token == token:
            return profile
    raise NoVideo(f"the camera has no profile {token!r}; it has {', '.join(profile.token for profile in profiles)}")
