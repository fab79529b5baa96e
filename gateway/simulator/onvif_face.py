"""A virtual camera as an ONVIF client sees it: the product's own device face over a made-up identity and two encoders. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateway.http.authenticator import Gatekeeper
from gateway.media.track import Codec
from gateway.onvif.face.device import device_service
from gateway.onvif.face.events import PULL_POINT_CAPABILITY
from gateway.onvif.face.face import Access, OnvifFace, Operation, Service
from gateway.onvif.face.identity import DeviceIdentity, endpoint_of
from gateway.onvif.face.media import Catalogue, media_services
from gateway.onvif.face.profiles import AudioFormat, MediaProfile, Profiles, VideoFormat
from gateway.onvif.face.soap import TDS, TEV, TPTZ
from gateway.onvif.face.tokens import TokenJudge
from gateway.simulator.onvif_extension import Extension
from gateway.simulator.tone import AAC_BITRATE, AAC_RATE_HZ, G711_RATE_HZ
from gateway.simulator.video_codec import VideoSpec

SNAPSHOT_PATH = "/snapshot.jpg"
SOURCE_TOKEN = "video_source_0"
_G711_BITRATE = 64_000
_CAPABILITIES = {TEV: ("Events", PULL_POINT_CAPABILITY), TPTZ: ("PTZ", "")}


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


def profile_of(token: str, name: str, path: str, video: VideoSpec, audio: Codec | None, ptz: str = "") -> MediaProfile:
    """The media profile of one encoder. `ptz` is the content of its PTZ configuration, empty for a fixed camera."""
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
        ptz=ptz,
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
    extensions: Sequence[Extension] = (),
) -> OnvifFace:
    """The face of one camera.

    `gatekeeper` None opens everything; `synchronise(profile token)` makes a keyframe; `clock` is the camera's own (Unix
    seconds), right or wrong; `extensions` are further services, and further operations of the device service.
    """
    added = _by_namespace(extensions)
    of_device = added.pop(TDS, {})
    paths = {namespace: path for one in extensions for namespace, path in one.services.items()}
    further = (
        Service(
            namespace,
            paths.get(namespace, ""),
            operations,
            capability=_CAPABILITIES.get(namespace),
            listed=namespace in paths,
        )
        for namespace, operations in added.items()
    )
    services = (*media_services(Catalogue(profiles, rtsp_port, synchronise)), *further)
    device = device_service(identity, services, clock=clock, users=users)
    device = replace(device, operations={**device.operations, **of_device})
    access = Access(TokenJudge(users, plain=True), gatekeeper)
    return OnvifFace((device, *services), access, clock=clock)


def _by_namespace(extensions: Sequence[Extension]) -> dict[str, dict[str, Operation]]:
    found: dict[str, dict[str, Operation]] = {}
    for extension in extensions:
        for (namespace, name), operation in extension.operations.items():
            found.setdefault(namespace, {})[name] = operation
    return found


def _sound(codec: Codec) -> AudioFormat:
    bitrate, rate_hz = (AAC_BITRATE, AAC_RATE_HZ) if codec is Codec.AAC else (_G711_BITRATE, G711_RATE_HZ)
    return AudioFormat(codec, bitrate, rate_hz)
