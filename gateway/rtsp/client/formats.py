"""Which media of a camera our own client can take apart, and with what. Pure; reader threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.rtsp.client.access_unit import Depacketiser
from gateway.rtsp.client.depacketise_aac import AacDepacketiser
from gateway.rtsp.client.depacketise_h264 import H264Depacketiser
from gateway.rtsp.client.depacketise_h265 import H265Depacketiser
from gateway.rtsp.client.depacketise_plain import PlainDepacketiser
from gateway.rtsp.client.description import Media

PICTURES = {"H264": "h264", "H265": "hevc"}
"""Encoding names of RTP to libavcodec's, which users see."""
_OTHER_PICTURES = {"JPEG": "mjpeg", "MP4V-ES": "mpeg4", "MPV": "mpeg2video", "AV1": "av1", "VP8": "vp8", "VP9": "vp9"}
LEFT_TO_LIBAV = frozenset(
    {"MPA", "MP4A-LATM", "MPA-ROBUST", "G726-16", "G726-24", "G726-32", "G726-40"}
    | {f"AAL2-G726-{rate}" for rate in (16, 24, 32, 40)}
)
"""Sound that libavformat unpacks and we do not: the whole session is then its."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A media's sound: libavcodec's name of its codec, what its decoder needs, and how it is unpacked."""

    codec: str
    rate: int
    channels: int
    extradata: bytes
    depacketiser: Callable[[], Depacketiser]


def picture_codec(media: Media) -> str:
    """libavcodec's name, as far as it is known."""
    return PICTURES.get(media.encoding) or _OTHER_PICTURES.get(media.encoding) or media.encoding.lower() or "an unknown codec"


def picture(media: Media) -> Depacketiser:
    """For one of `PICTURES`."""
    if media.encoding == "H264":
        return H264Depacketiser()
    return H265Depacketiser(numbered=media.number("sprop-max-don-diff", 0) > 0)


def sound(media: Media) -> Sound | None:
    """How to take sound apart; None if this is not known here."""
    channels = min(max(media.channels, 1), 8)
    rate = media.clock_rate
    match media.encoding:
        case "MPEG4-GENERIC":
            if not media.parameters.get("mode", "AAC-hbr").lower().startswith("aac"):
                return None
            try:
                config = bytes.fromhex(media.parameters.get("config", ""))
            except ValueError:
                config = b""
            return Sound("aac", rate, channels, config, lambda: AacDepacketiser.of(media))
        case "PCMU" | "PCMA":
            name = "pcm_mulaw" if media.encoding == "PCMU" else "pcm_alaw"
            return Sound(name, rate, channels, b"", lambda: PlainDepacketiser(channels))
        case "G722":
            return Sound("adpcm_g722", 16_000, 1, b"", lambda: PlainDepacketiser(1))  # its RTP clock is 8 kHz by mistake
        case "L16":
            return Sound("pcm_s16be", rate, channels, b"", lambda: PlainDepacketiser(2 * channels))
        case "OPUS":
            return Sound("opus", 48_000, channels, b"", lambda: PlainDepacketiser(0))
        case _:
            return None


def choose_sound(media: tuple[Media, ...]) -> Media | None:
    """The first microphone. A loudspeaker (`sendonly` to us, where nothing else is) is none."""
    heard = [one for one in media if one.kind == "audio" and one.direction != "inactive"]
    if any(one.kind == "video" and one.direction != "sendonly" for one in media):
        heard = [one for one in heard if one.direction != "sendonly"]
    return heard[0] if heard else None


def choose_picture(media: tuple[Media, ...]) -> Media:
    """The first picture that can be served, or else the first. There is one."""
    pictures = [one for one in media if one.kind == "video"]
    return next((one for one in pictures if one.encoding in PICTURES), pictures[0])
