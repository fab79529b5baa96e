"""The media services, Media1 (ver10) and Media2 (ver20): profiles and where their streams are. Pure.

Everything reads but SetSynchronizationPoint; encoders are set up at the camera, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from gateway.onvif.face import documents
from gateway.onvif.face.face import OnvifRequest, Service, authority
from gateway.onvif.face.profiles import AudioFormat, MediaProfile, Profiles, VideoFormat, sources
from gateway.onvif.face.soap import TR2, TRT, Call, SoapFault

MEDIA_PATH = "/onvif/media_service"
MEDIA2_PATH = "/onvif/media2_service"
_STREAMING = (
    "<tt:StreamingCapabilities><tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP>"
    "<tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities>"
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the media services know of the device."""

    profiles: Callable[[], Profiles]
    rtsp_port: Callable[[], int]
    synchronise: Callable[[str], None]
    """Makes a keyframe on the profile of this token, where that can be done."""

    def named(self, call: Call) -> MediaProfile:
        """The profile a call is about. Raises SoapFault."""
        token = call.text("ProfileToken") or call.text("Token")
        for profile in self.profiles():
            if profile.token == token:
                return profile
        raise SoapFault("the media profile does not exist", "InvalidArgVal", "NoProfile")

    def full(self) -> Mapping[str, VideoFormat]:
        """The whole picture of every source. To be asked once for an answer: it goes through all profiles."""
        return {token: profile.video for token, profile in sources(self.profiles()).items()}

    def configured(self, call: Call, token_of: Callable[[MediaProfile], str]) -> Profiles:
        """The profiles a call for configurations is about: of one configuration, one profile, or all.

        Raises SoapFault for a token that names nothing.
        """
        profiles = self.profiles()
        if (wanted := call.text("ConfigurationToken")) and not call.text("ProfileToken"):
            profiles = tuple(profile for profile in profiles if token_of(profile) == wanted)
            if not profiles:
                raise SoapFault("the configuration does not exist", "InvalidArgVal", "NoConfig")
        elif call.text("ProfileToken"):
            profiles = (self.named(call),)
        return profiles

    def stream_uri(self, call: Call, request: OnvifRequest) -> str:
        """Where a profile's stream is."""
        profile = self.named(call)
        if "Multicast" in (call.text("Stream") or "") or call.text("Protocol") == "RtspMulticast":
            raise SoapFault("multicast is not supported", "InvalidArgVal", "InvalidStreamSetup")
        return f"rtsp://{authority(request.host, self.rtsp_port())}{quote(profile.path)}"

    def snapshot_uri(self, call: Call, request: OnvifRequest) -> str:
        """Where a profile's picture is."""
        return request.url(quote(self.named(call).snapshot))

    def synchronization_point(self, call: Call, _request: OnvifRequest) -> str:
        """Ask for a keyframe."""
        self.synchronise(self.named(call).token)
        return ""


def media_services(catalogue: Catalogue) -> tuple[Service, Service]:
    """Media1 and Media2 over the same profiles."""
    return _media1(catalogue), _media2(catalogue)


def _media1(catalogue: Catalogue) -> Service:
    def profiles(_call: Call, _request: OnvifRequest) -> str:
        full = catalogue.full()
        return "".join(documents.profile1(one, full[one.source], "Profiles") for one in catalogue.profiles())

    def profile(call: Call, _request: OnvifRequest) -> str:
        one = catalogue.named(call)
        return documents.profile1(one, catalogue.full()[one.source], "Profile")

    def video_sources(_call: Call, _request: OnvifRequest) -> str:
        return "".join(documents.video_source(token, one.video) for token, one in sources(catalogue.profiles()).items())

    def video_source_configurations(call: Call, _request: OnvifRequest) -> str:
        found = catalogue.configured(call, documents.source_configuration_token)
        tag = "trt:Configuration" if call.operation == "GetVideoSourceConfiguration" else "trt:Configurations"
        full = catalogue.full()
        return "".join(documents.video_source_configuration(one, full[one.source], tag) for one in sources(found).values())

    def video_source_options(call: Call, _request: OnvifRequest) -> str:
        found = catalogue.configured(call, documents.source_configuration_token)
        if not found:
            raise SoapFault("there is no video source", "InvalidArgVal", "NoConfig")
        tokens = "".join(f"<tt:VideoSourceTokensAvailable>{token}</tt:VideoSourceTokensAvailable>" for token in sources(found))
        full = catalogue.full()[found[0].source]
        ranges = "".join(
            f"<tt:{name}Range><tt:Min>{least}</tt:Min><tt:Max>{most}</tt:Max></tt:{name}Range>"
            for name, least, most in (
                ("X", 0, 0), ("Y", 0, 0), ("Width", full.width, full.width), ("Height", full.height, full.height),
            )
        )  # fmt: skip
        return f"<trt:Options><tt:BoundsRange>{ranges}</tt:BoundsRange>{tokens}</trt:Options>"

    def video_encoders(call: Call, _request: OnvifRequest) -> str:
        found = catalogue.configured(call, documents.video_encoder_token)
        tag = "trt:Configuration" if call.operation == "GetVideoEncoderConfiguration" else "trt:Configurations"
        return "".join(documents.video_encoder1(one, tag) for one in found if documents.in_media1(one.video))

    def video_encoder_options(call: Call, _request: OnvifRequest) -> str:
        return documents.video_encoder_options1(catalogue.configured(call, documents.video_encoder_token))

    def instances(call: Call, _request: OnvifRequest) -> str:
        found = catalogue.configured(call, documents.source_configuration_token)
        if not found:
            raise SoapFault("there is no video source", "InvalidArgVal", "NoConfig")
        count = sum(one.source == found[0].source for one in catalogue.profiles())
        return f"<trt:TotalNumber>{count}</trt:TotalNumber><trt:H264>{count}</trt:H264>"

    def audio_sources(_call: Call, _request: OnvifRequest) -> str:
        tokens = dict.fromkeys(documents.audio_source_token(one) for one, _ in _with_sound(catalogue.profiles()))
        return "".join(f'<trt:AudioSources token="{token}"><tt:Channels>1</tt:Channels></trt:AudioSources>' for token in tokens)

    def audio_source_configurations(_call: Call, _request: OnvifRequest) -> str:
        found = sources(tuple(one for one, _ in _with_sound(catalogue.profiles()))).values()
        return "".join(documents.audio_source_configuration(one, "trt:Configurations") for one in found)

    def audio_encoders(call: Call, _request: OnvifRequest) -> str:
        found = _with_sound(catalogue.configured(call, documents.audio_encoder_token))
        tag = "trt:Configuration" if call.operation == "GetAudioEncoderConfiguration" else "trt:Configurations"
        return "".join(documents.audio_encoder1(one, audio, tag) for one, audio in found)

    def audio_encoder_options(call: Call, _request: OnvifRequest) -> str:
        found = _with_sound(catalogue.configured(call, documents.audio_encoder_token))
        return documents.audio_encoder_options1(audio for _, audio in found)

    def uri(address: str) -> str:
        return (
            f"<trt:MediaUri><tt:Uri>{address}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
            "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        )

    def capabilities(_call: Call, _request: OnvifRequest) -> str:
        return (
            '<trt:Capabilities SnapshotUri="true" Rotation="false" VideoSourceMode="false" OSD="false">'
            f'<trt:ProfileCapabilities MaximumNumberOfProfiles="{len(catalogue.profiles())}"/><trt:StreamingCapabilities '
            'RTPMulticast="false" RTP_TCP="true" RTP_RTSP_TCP="true" NonAggregateControl="false"/></trt:Capabilities>'
        )

    return Service(
        TRT,
        MEDIA_PATH,
        {
            "GetServiceCapabilities": capabilities,
            "GetProfiles": profiles,
            "GetProfile": profile,
            "GetVideoSources": video_sources,
            "GetVideoSourceConfigurations": video_source_configurations,
            "GetVideoSourceConfiguration": video_source_configurations,
            "GetCompatibleVideoSourceConfigurations": video_source_configurations,
            "GetVideoSourceConfigurationOptions": video_source_options,
            "GetVideoEncoderConfigurations": video_encoders,
            "GetVideoEncoderConfiguration": video_encoders,
            "GetCompatibleVideoEncoderConfigurations": video_encoders,
            "GetVideoEncoderConfigurationOptions": video_encoder_options,
            "GetGuaranteedNumberOfVideoEncoderInstances": instances,
            "GetAudioSources": audio_sources,
            "GetAudioSourceConfigurations": audio_source_configurations,
            "GetAudioEncoderConfigurations": audio_encoders,
            "GetAudioEncoderConfiguration": audio_encoders,
            "GetCompatibleAudioEncoderConfigurations": audio_encoders,
            "GetAudioEncoderConfigurationOptions": audio_encoder_options,
            "GetMetadataConfigurations": lambda _call, _request: "",
            "GetVideoAnalyticsConfigurations": lambda _call, _request: "",
            "GetStreamUri": lambda call, request: uri(catalogue.stream_uri(call, request)),
            "GetSnapshotUri": lambda call, request: uri(catalogue.snapshot_uri(call, request)),
            "SetSynchronizationPoint": catalogue.synchronization_point,
        },
        capability=("Media", _STREAMING),
        pre_auth=frozenset({"GetServiceCapabilities"}),
    )


def _media2(catalogue: Catalogue) -> Service:
    def capabilities(_call: Call, _request: OnvifRequest) -> str:
        return (
            '<tr2:Capabilities SnapshotUri="true" Rotation="false" VideoSourceMode="false" OSD="false" Mask="false">'
            f'<tr2:ProfileCapabilities MaximumNumberOfProfiles="{len(catalogue.profiles())}" '
            'ConfigurationsSupported="VideoSource VideoEncoder AudioSource AudioEncoder"/><tr2:StreamingCapabilities '
            'RTSPStreaming="true" RTPMulticast="false" RTP_RTSP_TCP="true" NonAggregateControl="false"/></tr2:Capabilities>'
        )

    def profiles(call: Call, _request: OnvifRequest) -> str:
        wanted = frozenset(call.texts("Type"))
        found = (catalogue.named(call),) if call.text("Token") else catalogue.profiles()
        full = catalogue.full()
        return "".join(documents.profile2(one, full[one.source], wanted) for one in found)

    def video_source_configurations(call: Call, _request: OnvifRequest) -> str:
        found = sources(catalogue.configured(call, documents.source_configuration_token))
        full = catalogue.full()
        return "".join(
            documents.video_source_configuration(one, full[one.source], "tr2:Configurations") for one in found.values()
        )

    def video_encoders(call: Call, _request: OnvifRequest) -> str:
        return "".join(map(documents.video_encoder2, catalogue.configured(call, documents.video_encoder_token)))

    def video_encoder_options(call: Call, _request: OnvifRequest) -> str:
        found = catalogue.configured(call, documents.video_encoder_token)
        return "".join(dict.fromkeys(map(documents.video_encoder_options2, found)))

    def audio_source_configurations(_call: Call, _request: OnvifRequest) -> str:
        found = sources(tuple(one for one, _ in _with_sound(catalogue.profiles()))).values()
        return "".join(documents.audio_source_configuration(one, "tr2:Configurations") for one in found)

    def audio_encoders(call: Call, _request: OnvifRequest) -> str:
        found = _with_sound(catalogue.configured(call, documents.audio_encoder_token))
        return "".join(documents.audio_encoder2(one, audio) for one, audio in found)

    return Service(
        TR2,
        MEDIA2_PATH,
        {
            "GetServiceCapabilities": capabilities,
            "GetProfiles": profiles,
            "GetVideoSourceConfigurations": video_source_configurations,
            "GetVideoEncoderConfigurations": video_encoders,
            "GetVideoEncoderConfigurationOptions": video_encoder_options,
            "GetAudioSourceConfigurations": audio_source_configurations,
            "GetAudioEncoderConfigurations": audio_encoders,
            "GetMetadataConfigurations": lambda _call, _request: "",
            "GetStreamUri": lambda call, request: f"<tr2:Uri>{catalogue.stream_uri(call, request)}</tr2:Uri>",
            "GetSnapshotUri": lambda call, request: f"<tr2:Uri>{catalogue.snapshot_uri(call, request)}</tr2:Uri>",
            "SetSynchronizationPoint": catalogue.synchronization_point,
        },
        pre_auth=frozenset({"GetServiceCapabilities"}),
    )


def _with_sound(profiles: Profiles) -> Iterator[tuple[MediaProfile, AudioFormat]]:
    return ((profile, profile.audio) for profile in profiles if profile.audio is not None)
