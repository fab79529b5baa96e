"""The parts of ONVIF answers that several operations share, as XML text in the order the schemas demand. Pure.

Schemas: onvif.xsd (prefix tt) of ver10 for Media1, and its `...2Configuration` types for Media2. The prefixes are those of
`gateway.simulator.soap.envelope`. Everything that came from a user is escaped here.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

from gateway.media.track import Codec
from gateway.simulator.tone import AAC_BITRATE, AAC_RATE_HZ, G711_RATE_HZ
from gateway.simulator.video_codec import VideoSpec

SOURCE_TOKEN = "video_source_0"
AUDIO_SOURCE_TOKEN = "audio_source_0"
SESSION_TIMEOUT = "PT60S"
_G711_BITRATE = 64_000
_MULTICAST = (
    "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>"
    "<tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
)


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who a virtual camera says it is. All of it stays the same for a name, over restarts."""

    name: str
    endpoint: str
    """`urn:uuid:...`"""
    serial: str
    mac: str
    """Six pairs of hex digits with colons; locally administered."""
    manufacturer: str = "Camera Gateway"
    model: str = "Virtual Camera"
    firmware: str = "1.0"
    hardware: str = "virtual-camera"
    location: str = "simulated"

    @property
    def scopes(self) -> tuple[str, ...]:
        """ONVIF scopes (Core specification 7.3.3.2), percent-encoded as URIs."""
        base = "onvif://www.onvif.org"
        return (
            f"{base}/type/video_encoder",
            f"{base}/Profile/Streaming",
            f"{base}/Profile/T",
            f"{base}/name/{_segment(self.name)}",
            f"{base}/hardware/{_segment(self.hardware)}",
            f"{base}/location/{_segment(self.location)}",
        )


@dataclass(frozen=True, slots=True)
class MediaProfile:
    """A media profile: one RTSP path."""

    token: str
    name: str
    path: str
    video: VideoSpec
    audio: Codec | None
    ptz: str = ""
    """Attributes and content of its PTZ configuration (`ptz_face.configuration`); empty for a fixed camera."""


def profile1(profile: MediaProfile, full: VideoSpec, tag: str) -> str:
    """A Media1 profile as `trt:<tag>`. `full` is the sensor's picture, that of the main profile.

    Media1 has no word for H.265; such a profile comes without its encoder configuration, as the specification asks.
    """
    audio = ""
    encoders = video_encoder1(profile) if profile.video.codec is Codec.H264 else ""
    if profile.audio is not None:
        audio = f"<tt:AudioSourceConfiguration {_audio_source()}</tt:AudioSourceConfiguration>"
        encoders += f"<tt:AudioEncoderConfiguration {_audio_encoder1(profile)}</tt:AudioEncoderConfiguration>"
    ptz = f"<tt:PTZConfiguration {profile.ptz}</tt:PTZConfiguration>" if profile.ptz else ""
    return (
        f'<trt:{tag} token="{profile.token}" fixed="true"><tt:Name>{escape(profile.name)}</tt:Name>'
        f"<tt:VideoSourceConfiguration {_video_source(full)}</tt:VideoSourceConfiguration>{audio}{encoders}{ptz}"
        f"</trt:{tag}>"
    )


def video_encoder1(profile: MediaProfile, tag: str = "tt:VideoEncoderConfiguration") -> str:
    """A Media1 video encoder configuration as an element called `tag`."""
    video = profile.video
    return (
        f'<{tag} token="video_{profile.token}"><tt:Name>{escape(profile.name)}</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>H264</tt:Encoding>{_resolution(video)}<tt:Quality>5</tt:Quality>"
        f"<tt:RateControl><tt:FrameRateLimit>{video.fps}</tt:FrameRateLimit>"
        f"<tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>{video.bitrate // 1000}</tt:BitrateLimit>"
        f"</tt:RateControl><tt:H264><tt:GovLength>{video.gop}</tt:GovLength>"
        f"<tt:H264Profile>{_h264_profile(video)}</tt:H264Profile></tt:H264>{_MULTICAST}"
        f"<tt:SessionTimeout>{SESSION_TIMEOUT}</tt:SessionTimeout></{tag}>"
    )


def profile2(profile: MediaProfile, full: VideoSpec, wanted: frozenset[str]) -> str:
    """A Media2 profile with the `wanted` configurations (`VideoSource`, `VideoEncoder`, ..., or `All`)."""
    parts = []
    if wanted & {"All", "VideoSource"}:
        parts.append(f"<tr2:VideoSource {_video_source(full)}</tr2:VideoSource>")
    if wanted & {"All", "AudioSource"} and profile.audio is not None:
        parts.append(f"<tr2:AudioSource {_audio_source()}</tr2:AudioSource>")
    if wanted & {"All", "VideoEncoder"}:
        parts.append(video_encoder2(profile, "tr2:VideoEncoder"))
    if wanted & {"All", "AudioEncoder"} and profile.audio is not None:
        parts.append(f"<tr2:AudioEncoder {_audio_encoder2(profile)}</tr2:AudioEncoder>")
    if wanted & {"All", "PTZ"} and profile.ptz:
        parts.append(f"<tr2:PTZ {profile.ptz}</tr2:PTZ>")
    configurations = f"<tr2:Configurations>{''.join(parts)}</tr2:Configurations>" if parts else ""
    return (
        f'<tr2:Profiles token="{profile.token}" fixed="true"><tr2:Name>{escape(profile.name)}</tr2:Name>'
        f"{configurations}</tr2:Profiles>"
    )


def video_encoder2(profile: MediaProfile, tag: str = "tr2:Configurations") -> str:
    """A Media2 video encoder configuration as an element called `tag`."""
    video = profile.video
    kind = _h264_profile(video) if video.codec is Codec.H264 else "Main"
    return (
        f'<{tag} token="video_{profile.token}" GovLength="{video.gop}" Profile="{kind}">'
        f"<tt:Name>{escape(profile.name)}</tt:Name><tt:UseCount>1</tt:UseCount>"
        f"<tt:Encoding>{video.codec.value.upper()}</tt:Encoding>{_resolution(video)}"
        f'<tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>{video.fps}</tt:FrameRateLimit>'
        f"<tt:BitrateLimit>{video.bitrate // 1000}</tt:BitrateLimit></tt:RateControl><tt:Quality>5</tt:Quality></{tag}>"
    )


def video_source(full: VideoSpec) -> str:
    """The sensor, for GetVideoSources."""
    return (
        f'<trt:VideoSources token="{SOURCE_TOKEN}"><tt:Framerate>{full.fps}</tt:Framerate>{_resolution(full)}'
        "</trt:VideoSources>"
    )


def network_interface(identity: DeviceIdentity, address: str) -> str:
    """One Ethernet interface with the address the client reached us by."""
    manual = (
        f"<tt:Manual><tt:Address>{escape(address)}</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:Manual>"
        if "." in address
        else ""
    )
    return (
        '<tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled>'
        f"<tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>{identity.mac}</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info>"
        f"<tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Config>{manual}<tt:DHCP>false</tt:DHCP></tt:Config></tt:IPv4>"
        "</tds:NetworkInterfaces>"
    )


def _video_source(full: VideoSpec) -> str:
    return (
        'token="video_source_config_0"><tt:Name>Sensor</tt:Name><tt:UseCount>2</tt:UseCount>'
        f"<tt:SourceToken>{SOURCE_TOKEN}</tt:SourceToken>"
        f'<tt:Bounds x="0" y="0" width="{full.width}" height="{full.height}"/>'
    )


def _audio_source() -> str:
    return (
        'token="audio_source_config_0"><tt:Name>Microphone</tt:Name><tt:UseCount>2</tt:UseCount>'
        f"<tt:SourceToken>{AUDIO_SOURCE_TOKEN}</tt:SourceToken>"
    )


def _audio_encoder1(profile: MediaProfile) -> str:
    aac = profile.audio is Codec.AAC
    return (
        f'token="audio_{profile.token}"><tt:Name>{escape(profile.name)}</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>{'AAC' if aac else 'G711'}</tt:Encoding>{_audio_rates(aac)}{_MULTICAST}"
        f"<tt:SessionTimeout>{SESSION_TIMEOUT}</tt:SessionTimeout>"
    )


def _audio_encoder2(profile: MediaProfile) -> str:
    aac = profile.audio is Codec.AAC
    # Media2 names encodings as RTP does (RFC 3640, RFC 3551).
    encoding = "MP4A-LATM" if aac else ("PCMU" if profile.audio is Codec.PCMU else "PCMA")
    return (
        f'token="audio_{profile.token}"><tt:Name>{escape(profile.name)}</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>{encoding}</tt:Encoding>{_audio_rates(aac)}"
    )


def _audio_rates(aac: bool) -> str:
    bitrate, rate = (AAC_BITRATE, AAC_RATE_HZ) if aac else (_G711_BITRATE, G711_RATE_HZ)
    return f"<tt:Bitrate>{bitrate // 1000}</tt:Bitrate><tt:SampleRate>{rate // 1000}</tt:SampleRate>"


def _resolution(video: VideoSpec) -> str:
    return f"<tt:Resolution><tt:Width>{video.width}</tt:Width><tt:Height>{video.height}</tt:Height></tt:Resolution>"


def _h264_profile(video: VideoSpec) -> str:
    return "Main" if video.bframes else "Baseline"


def _segment(text: str) -> str:
    return quote(text, safe="")
