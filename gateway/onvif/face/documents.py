"""The parts of ONVIF media answers that several operations share, as XML text in the order the schemas demand. Pure.

Schemas: onvif.xsd (prefix tt) of ver10 for Media1, and its `...2Configuration` types for Media2. The prefixes are those of
`soap.PREFIXES`. Everything that came from a user is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from gateway.media.track import Codec
from gateway.onvif.face.profiles import AudioFormat, MediaProfile, VideoFormat

SESSION_TIMEOUT = "PT60S"
_MULTICAST = (
    "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>"
    "<tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
)
_MEDIA1_AUDIO = {Codec.AAC: "AAC", Codec.PCMU: "G711", Codec.PCMA: "G711"}
_MEDIA2_AUDIO = {Codec.AAC: "MP4A-LATM", Codec.PCMU: "PCMU", Codec.PCMA: "PCMA"}
"""Media2 names encodings as RTP does (RFC 3640, RFC 3551)."""


def in_media1(video: VideoFormat) -> bool:
    """Whether Media1 has a word for the codec; H.265 is told by Media2 only."""
    return video.codec is Codec.H264


def profile1(profile: MediaProfile, full: VideoFormat, tag: str) -> str:
    """A Media1 profile as `trt:<tag>`. `full` is the sensor's picture, that of the source's main profile.

    A profile in H.265 comes without its encoder configuration, as the specification asks.
    """
    audio = ""
    encoders = video_encoder1(profile, "tt:VideoEncoderConfiguration") if in_media1(profile.video) else ""
    if profile.audio is not None:
        audio = audio_source_configuration(profile, "tt:AudioSourceConfiguration")
        encoders += audio_encoder1(profile, profile.audio, "tt:AudioEncoderConfiguration")
    ptz = f"<tt:PTZConfiguration {profile.ptz}</tt:PTZConfiguration>" if profile.ptz else ""
    return (
        f'<trt:{tag} token="{profile.token}" fixed="true"><tt:Name>{escape(profile.name)}</tt:Name>'
        f"{video_source_configuration(profile, full, 'tt:VideoSourceConfiguration')}{audio}{encoders}{ptz}</trt:{tag}>"
    )


def profile2(profile: MediaProfile, full: VideoFormat, wanted: frozenset[str]) -> str:
    """A Media2 profile with the `wanted` configurations (`VideoSource`, `VideoEncoder`, ..., or `All`)."""
    parts = []
    if wanted & {"All", "VideoSource"}:
        parts.append(video_source_configuration(profile, full, "tr2:VideoSource"))
    if wanted & {"All", "AudioSource"} and profile.audio is not None:
        parts.append(audio_source_configuration(profile, "tr2:AudioSource"))
    if wanted & {"All", "VideoEncoder"}:
        parts.append(video_encoder2(profile, "tr2:VideoEncoder"))
    if wanted & {"All", "AudioEncoder"} and profile.audio is not None:
        parts.append(audio_encoder2(profile, profile.audio, "tr2:AudioEncoder"))
    if wanted & {"All", "PTZ"} and profile.ptz:
        parts.append(f"<tr2:PTZ {profile.ptz}</tr2:PTZ>")
    configurations = f"<tr2:Configurations>{''.join(parts)}</tr2:Configurations>" if parts else ""
    return (
        f'<tr2:Profiles token="{profile.token}" fixed="true"><tr2:Name>{escape(profile.name)}</tr2:Name>'
        f"{configurations}</tr2:Profiles>"
    )


def video_source(source: str, full: VideoFormat) -> str:
    """A sensor, for GetVideoSources."""
    return f'<trt:VideoSources token="{source}"><tt:Framerate>{full.fps}</tt:Framerate>{_resolution(full)}</trt:VideoSources>'


def video_source_configuration(profile: MediaProfile, full: VideoFormat, tag: str) -> str:
    """How a source's picture is cut out: not at all. The same for all profiles of a source."""
    return (
        f'<{tag} token="{source_configuration_token(profile)}"><tt:Name>{profile.source}</tt:Name><tt:UseCount>2</tt:UseCount>'
        f"<tt:SourceToken>{profile.source}</tt:SourceToken>"
        f'<tt:Bounds x="0" y="0" width="{full.width}" height="{full.height}"/></{tag}>'
    )


def source_configuration_token(profile: MediaProfile) -> str:
    """Token of a profile's video source configuration."""
    return f"{profile.source}-view"


def video_encoder_token(profile: MediaProfile) -> str:
    """Token of a profile's video encoder configuration."""
    return f"{profile.token}-video"


def audio_encoder_token(profile: MediaProfile) -> str:
    """Token of a profile's audio encoder configuration."""
    return f"{profile.token}-audio"


def audio_source_token(profile: MediaProfile) -> str:
    """Token of the microphone beside a profile's video source."""
    return f"{profile.source}-sound"


def video_encoder1(profile: MediaProfile, tag: str) -> str:
    """A Media1 video encoder configuration as an element called `tag`."""
    video = profile.video
    return (
        f'<{tag} token="{video_encoder_token(profile)}"><tt:Name>{escape(profile.name)}</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>H264</tt:Encoding>{_resolution(video)}<tt:Quality>5</tt:Quality>"
        f"<tt:RateControl><tt:FrameRateLimit>{video.fps}</tt:FrameRateLimit>"
        f"<tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>{video.bitrate // 1000}</tt:BitrateLimit>"
        f"</tt:RateControl><tt:H264><tt:GovLength>{video.gop}</tt:GovLength>"
        f"<tt:H264Profile>{video.h264_profile}</tt:H264Profile></tt:H264>{_MULTICAST}"
        f"<tt:SessionTimeout>{SESSION_TIMEOUT}</tt:SessionTimeout></{tag}>"
    )


def video_encoder2(profile: MediaProfile, tag: str = "tr2:Configurations") -> str:
    """A Media2 video encoder configuration as an element called `tag`."""
    video = profile.video
    kind = video.h264_profile if video.codec is Codec.H264 else "Main"
    return (
        f'<{tag} token="{video_encoder_token(profile)}" GovLength="{video.gop}" Profile="{kind}">'
        f"<tt:Name>{escape(profile.name)}</tt:Name><tt:UseCount>1</tt:UseCount>"
        f"<tt:Encoding>{video.codec.value.upper()}</tt:Encoding>{_resolution(video)}"
        f'<tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>{video.fps}</tt:FrameRateLimit>'
        f"<tt:BitrateLimit>{video.bitrate // 1000}</tt:BitrateLimit></tt:RateControl><tt:Quality>5</tt:Quality></{tag}>"
    )


def video_encoder_options1(profiles: Iterable[MediaProfile]) -> str:
    """What could be set: only what is set already."""
    videos = [profile.video for profile in profiles if in_media1(profile.video)]
    h264 = ""
    if videos:
        sizes = dict.fromkeys(
            f"<tt:ResolutionsAvailable><tt:Width>{video.width}</tt:Width><tt:Height>{video.height}</tt:Height>"
            "</tt:ResolutionsAvailable>"
            for video in videos
        )
        kinds = dict.fromkeys(f"<tt:H264ProfilesSupported>{video.h264_profile}</tt:H264ProfilesSupported>" for video in videos)
        h264 = (
            f"<tt:H264>{''.join(sizes)}{_range('GovLengthRange', [video.gop for video in videos])}"
            f"{_range('FrameRateRange', [video.fps for video in videos])}{_range('EncodingIntervalRange', [1])}"
            f"{''.join(kinds)}</tt:H264>"
        )
    return f"<trt:Options>{_range('QualityRange', [5])}{h264}</trt:Options>"


def video_encoder_options2(profile: MediaProfile) -> str:
    """What could be set: only what is set already."""
    video = profile.video
    kind = video.h264_profile if video.codec is Codec.H264 else "Main"
    return (
        f'<tr2:Options GovLengthRange="{video.gop} {video.gop}" FrameRatesSupported="{video.fps}" ProfilesSupported="{kind}">'
        f"<tt:Encoding>{video.codec.value.upper()}</tt:Encoding>{_range('QualityRange', [5])}"
        f"<tt:ResolutionsAvailable><tt:Width>{video.width}</tt:Width><tt:Height>{video.height}</tt:Height>"
        f"</tt:ResolutionsAvailable>{_range('BitrateRange', [video.bitrate // 1000])}</tr2:Options>"
    )


def audio_source_configuration(profile: MediaProfile, tag: str) -> str:
    """How a microphone is used. The same for all profiles of a source."""
    source = audio_source_token(profile)
    return (
        f'<{tag} token="{source}-view"><tt:Name>{source}</tt:Name><tt:UseCount>2</tt:UseCount>'
        f"<tt:SourceToken>{source}</tt:SourceToken></{tag}>"
    )


def audio_encoder1(profile: MediaProfile, audio: AudioFormat, tag: str) -> str:
    """A Media1 audio encoder configuration as an element called `tag`."""
    return (
        f'<{tag} token="{audio_encoder_token(profile)}"><tt:Name>{escape(profile.name)}</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>{_MEDIA1_AUDIO[audio.codec]}</tt:Encoding>{_audio_rates(audio)}{_MULTICAST}"
        f"<tt:SessionTimeout>{SESSION_TIMEOUT}</tt:SessionTimeout></{tag}>"
    )


def audio_encoder2(profile: MediaProfile, audio: AudioFormat, tag: str = "tr2:Configurations") -> str:
    """A Media2 audio encoder configuration as an element called `tag`."""
    return (
        f'<{tag} token="{audio_encoder_token(profile)}"><tt:Name>{escape(profile.name)}</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>{_MEDIA2_AUDIO[audio.codec]}</tt:Encoding>{_audio_rates(audio)}</{tag}>"
    )


def audio_encoder_options1(audios: Iterable[AudioFormat]) -> str:
    """What could be set: only what is set already."""
    options = dict.fromkeys(
        f"<tt:Options><tt:Encoding>{_MEDIA1_AUDIO[audio.codec]}</tt:Encoding><tt:BitrateList><tt:Items>"
        f"{audio.bitrate // 1000}</tt:Items></tt:BitrateList><tt:SampleRateList><tt:Items>{audio.rate_hz // 1000}</tt:Items>"
        "</tt:SampleRateList></tt:Options>"
        for audio in audios
    )
    return f"<trt:Options>{''.join(options)}</trt:Options>"


def _audio_rates(audio: AudioFormat) -> str:
    return f"<tt:Bitrate>{audio.bitrate // 1000}</tt:Bitrate><tt:SampleRate>{audio.rate_hz // 1000}</tt:SampleRate>"


def _range(tag: str, values: list[int]) -> str:
    return f"<tt:{tag}><tt:Min>{min(values)}</tt:Min><tt:Max>{max(values)}</tt:Max></tt:{tag}>"


def _resolution(video: VideoFormat) -> str:
    return f"<tt:Resolution><tt:Width>{video.width}</tt:Width><tt:Height>{video.height}</tt:Height></tt:Resolution>"
