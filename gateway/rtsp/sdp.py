"""The session description a viewer gets from DESCRIBE (RFC 4566; formats: RFC 6184, 7798, 3640, 3551). Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.media import h264, h265
from gateway.media.bits import BitstreamError
from gateway.media.track import Codec, Kind, TrackConfig, Tracks
from gateway.rtsp.packetize_aac import INDEX_BITS, SIZE_BITS
from gateway.rtsp.payload import CARRIED
from gateway.rtsp.target import control

CONTENT_TYPE = "application/sdp"

_TRACK_IDS = {Kind.VIDEO: 0, Kind.AUDIO: 1}
_DYNAMIC_TYPES = {Kind.VIDEO: 96, Kind.AUDIO: 97}
_STATIC_TYPES = {Codec.PCMU: 0, Codec.PCMA: 8}
"""Only for 8 kHz mono (RFC 3551 table 4)."""


@dataclass(frozen=True, slots=True)
class OfferedTrack:
    """A track as described to one viewer. Ids go by kind, so that they mean the same after a reconnect."""

    track_id: int
    payload_type: int
    config: TrackConfig

    def carries(self, config: TrackConfig) -> bool:
        """A viewer that was told this description can decode `config`.

        New parameter sets of a video codec travel in the stream; everything about sound stands only in the description.
        """
        mine = self.config
        if mine.codec is not config.codec or mine.clock_rate != config.clock_rate:
            return False
        return mine.kind is Kind.VIDEO or (mine.extradata, mine.channels) == (config.extradata, config.channels)


Offer = tuple[OfferedTrack, ...]


def offer_tracks(tracks: Tracks) -> Offer:
    """What can be offered of `tracks`: nothing if the picture cannot be carried, for sound alone is no camera."""
    carried = [config for config in tracks if config.codec in CARRIED and _readable(config)]
    if any(config.kind is Kind.VIDEO and config not in carried for config in tracks):
        return ()
    return tuple(OfferedTrack(_TRACK_IDS[config.kind], _payload_type(config), config) for config in carried)


def describe(offer: Offer, *, address: str, session_id: int, name: str = "Camera") -> str:
    """The SDP. `address` is the server's own, `session_id` a number that is new for every new description."""
    family = "IP6" if ":" in address else "IP4"
    lines = [
        "v=0",
        f"o=- {session_id} 1 IN {family} {address}",
        f"s={' '.join(name.split()) or '-'}",
        f"c=IN {family} {'::' if family == 'IP6' else '0.0.0.0'}",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
    ]
    for track in offer:
        lines.extend(_media(track))
    return "\r\n".join([*lines, ""])


def _media(track: OfferedTrack) -> list[str]:
    config, number = track.config, track.payload_type
    parameters = _format_parameters(config)
    return [
        f"m={config.kind.value} 0 RTP/AVP {number}",
        f"a=rtpmap:{number} {_encoding(config)}",
        *([f"a=fmtp:{number} {parameters}"] if parameters else []),
        "a=recvonly",
        f"a=control:{control(track.track_id)}",
    ]


def _payload_type(config: TrackConfig) -> int:
    if config.codec in _STATIC_TYPES and config.clock_rate == 8000 and config.channels <= 1:
        return _STATIC_TYPES[config.codec]
    return _DYNAMIC_TYPES[config.kind]


def _encoding(config: TrackConfig) -> str:
    if config.kind is Kind.VIDEO:
        return f"{config.codec.name}/90000"
    name = "MPEG4-GENERIC" if config.codec is Codec.AAC else config.codec.name
    channels = f"/{config.channels}" if config.channels > 1 or config.codec is Codec.AAC else ""
    return f"{name}/{config.clock_rate}{channels}"


def _format_parameters(config: TrackConfig) -> str:
    match config.codec:
        case Codec.H264:
            sps, pps = h264.parameter_sets(config.extradata)
            profile_level = config.extradata[1:4].hex().upper()
            return f"packetization-mode=1; profile-level-id={profile_level}; sprop-parameter-sets={_base64([*sps, *pps])}"
        case Codec.H265:
            vps, sps, pps = h265.parameter_sets(config.extradata)
            return f"sprop-vps={_base64(vps)}; sprop-sps={_base64(sps)}; sprop-pps={_base64(pps)}"
        case Codec.AAC:
            return (
                f"streamtype=5; profile-level-id=1; mode=AAC-hbr; sizelength={SIZE_BITS}; indexlength={INDEX_BITS}; "
                f"indexdeltalength={INDEX_BITS}; config={config.extradata.hex().upper()}"
            )
        case _:
            return ""


def _readable(config: TrackConfig) -> bool:
    try:
        _format_parameters(config)
    except BitstreamError:
        return False
    return True


def _base64(nals: Iterable[bytes]) -> str:
    return ",".join(base64.b64encode(nal).decode() for nal in nals)
