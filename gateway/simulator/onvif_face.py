"""A virtual camera as an ONVIF client sees it: the product's own device face over a made-up identity and two encoders. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from gateway.http.authenticator import Gatekeeper
from gateway.media.track import Codec
from gateway.onvif.face.device import device_service
from gateway.onvif.face.face import Access, OnvifFace
from gateway.onvif.face.identity import DeviceIdentity, endpoint_of
from gateway.onvif.face.media import Catalogue, media_services
from gateway.onvif.face.profiles import AudioFormat, MediaProfile, Profiles, VideoFormat
from gateway.onvif.face.tokens import TokenJudge
from gateway.simulator.tone import AAC_BITRATE, AAC_RATE_HZ, G711_RATE_HZ
from gateway.simulator.video_codec import VideoSpec

SNAPSHOT_PATH = "/snapshot.jpg"
SOURCE_TOKEN = "video_source_0"
_G711_BITRATE = 64_000


def identity_of(name: str) -> DeviceIdentity:
    """The identity of the camera called `name`: the same today, tomorrow and on any machine."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return DeviceIdentity(
        name=name,
        endpoint=endpoint_of(name),
        serial=f"VC{digest[:10].upper()}",
        mac=":".join(["02", *(digest[at : at + 2] for at in range(10, 20, 2))]),
        manufacturer="Camera Gateway",
        model="Virtual Camera",
        firmware="1.0",
        hardware="virtual-camera",
        location="simulated",
        profiles=("Streaming", "T"),
    )


def profile_of(token: str, name: str, path: str, video: VideoSpec, audio: Codec | None) -> MediaProfile:
    """The media profile of one encoder."""
    return MediaProfile(
        token=token,
        name=name,
        path=path,
        snapshot=SNAPSHOT_PATH,
        source=SOURCE_TOKEN,
        video=VideoFormat(
            video.codec,
            video.width,
            video.height,
            video.fps,
            video.gop,
            video.bitrate,
            h264_profile="Main" if video.bframes else "Baseline",
        ),
        audio=_sound(audio) if audio is not None else None,
    )


def camera_face(
    identity: DeviceIdentity,
    profiles: Callable[[], Profiles],
    users: Mapping[str, str],
    gatekeeper: Callable[[], Gatekeeper | None],
    *,
    rtsp_port: Callable[[], int],
    synchronise: Callable[[str], None],
    clock: Callable[[], float],
) -> OnvifFace:
    """The face of one camera.

    `gatekeeper` None opens everything; `synchronise(profile token)` makes a keyframe; `clock` is the camera's own (Unix
    seconds), right or wrong.
    """
    services = media_services(Catalogue(profiles, rtsp_port, synchronise))
    device = device_service(identity, services, clock=clock, users=users)
    access = Access(TokenJudge(users, plain=True), gatekeeper)
    return OnvifFace((device, *services), access, clock=clock)


def _sound(codec: Codec) -> AudioFormat:
    bitrate, rate_hz = (AAC_BITRATE, AAC_RATE_HZ) if codec is Codec.AAC else (_G711_BITRATE, G711_RATE_HZ)
    return AudioFormat(codec, bitrate, rate_hz)
