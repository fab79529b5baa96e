"""Canonical frames as bodies of RTMP audio, video and metadata messages (FLV 10.1 appendix E, Enhanced RTMP v2).

H.264 and AAC go out in the legacy form that everything understands; H.265, AV1 and Opus in Enhanced RTMP's, named by FourCC.
The body of a message is a short prefix and the frame's payload as it is, so no media byte is touched here.

Pure; called from the event loop.
"""

from __future__ import annotations

from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind, TrackConfig, Tracks
from gateway.rtmp import amf0
from gateway.rtmp.errors import RtmpError

_FOURCC = {Codec.H265: b"hvc1", Codec.AV1: b"av01", Codec.OPUS: b"Opus"}
_LEGACY_ID = {Codec.H264: 7, Codec.AAC: 10}

_KEY, _INTER = 1, 2
_AVC, _ENHANCED_VIDEO = 7, 0x80
_SEQUENCE_START, _CODED_FRAMES, _CODED_FRAMES_WITHOUT_CTS = 0, 1, 3
_AAC_AUDIO = 0xAF
"""AAC, "44 kHz, 16 bit, stereo": constant by specification, the AudioSpecificConfig tells the truth."""
_ENHANCED_AUDIO = 9 << 4
_CTS_LIMIT = 0x7FFFFF


def carries(codec: Codec) -> bool:
    """RTMP can carry it in one of the two forms. G.711 is transcoded before it gets here."""
    return codec in _LEGACY_ID or codec in _FOURCC


def fourcc(codec: Codec) -> str:
    """The FourCC a player must know, or an empty string if the codec goes out in the legacy form."""
    return _FOURCC.get(codec, b"").decode("ascii")


def sequence_header(config: TrackConfig) -> bytes:
    """Body of the message that configures the decoder.

    Raises:
        RtmpError: RTMP has no form for the codec.
    """
    codec = config.codec
    if codec is Codec.H264:
        return bytes((_KEY << 4 | _AVC, _SEQUENCE_START, 0, 0, 0)) + config.extradata
    if codec is Codec.AAC:
        return bytes((_AAC_AUDIO, _SEQUENCE_START)) + config.extradata
    if codec in _FOURCC:
        first = _ENHANCED_VIDEO | _KEY << 4 if codec.kind is Kind.VIDEO else _ENHANCED_AUDIO
        return bytes((first | _SEQUENCE_START,)) + _FOURCC[codec] + config.extradata
    raise RtmpError(f"RTMP does not carry {codec.value}")


def frame_prefix(frame: Frame, composition_ms: int) -> bytes:
    """What stands before `frame.payload` in its message. `composition_ms` is pts minus dts on the wire, and may be negative.

    Raises:
        RtmpError: RTMP has no form for the codec.
    """
    codec = frame.config.codec
    if codec is Codec.AAC:
        return bytes((_AAC_AUDIO, _CODED_FRAMES))
    frame_type = (_KEY if frame.keyframe else _INTER) << 4
    if codec is Codec.H264:
        return bytes((frame_type | _AVC, _CODED_FRAMES)) + _signed24(composition_ms)
    if codec is Codec.H265 and composition_ms:
        return bytes((_ENHANCED_VIDEO | frame_type | _CODED_FRAMES,)) + _FOURCC[codec] + _signed24(composition_ms)
    if codec is Codec.H265:
        return bytes((_ENHANCED_VIDEO | frame_type | _CODED_FRAMES_WITHOUT_CTS,)) + _FOURCC[codec]
    if codec is Codec.AV1:
        return bytes((_ENHANCED_VIDEO | frame_type | _CODED_FRAMES,)) + _FOURCC[codec]
    if codec is Codec.OPUS:
        return bytes((_ENHANCED_AUDIO | _CODED_FRAMES,)) + _FOURCC[codec]
    raise RtmpError(f"RTMP does not carry {codec.value}")


def metadata(tracks: Tracks) -> bytes:
    """Body of the onMetaData message. Its timestamp must be 0: FFmpeg makes a bogus text stream of any other."""
    found = amf0.EcmaArray()
    for track in tracks:
        found["videocodecid" if track.kind is Kind.VIDEO else "audiocodecid"] = float(_codec_id(track.codec))
        if track.kind is Kind.VIDEO and track.width and track.height:
            found["width"] = float(track.width)
            found["height"] = float(track.height)
        elif track.kind is Kind.AUDIO:
            found["audiosamplerate"] = float(track.sample_rate)
            found["audiosamplesize"] = 16.0
            found["stereo"] = track.channels > 1
    found["encoder"] = "Camera Gateway"
    return amf0.encode("onMetaData", found)


def _codec_id(codec: Codec) -> int:
    if codec in _LEGACY_ID:
        return _LEGACY_ID[codec]
    return int.from_bytes(_FOURCC[codec], "big")


def _signed24(value: int) -> bytes:
    return max(-_CTS_LIMIT - 1, min(value, _CTS_LIMIT)).to_bytes(3, "big", signed=True)
