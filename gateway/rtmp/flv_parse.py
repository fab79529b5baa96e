"""What stands in the body of an RTMP audio or video message, in every form publishers use.

Legacy FLV (FLV 10.1 appendix E, with codec id 12 for H.265 as Chinese encoders have it) and Enhanced RTMP v1 and v2: FourCC
codecs, packets with and without composition time, ModEx, multitrack (track 0 is taken). A body becomes at most one `Part`;
end marks, HDR metadata, channel layouts, command frames and empty messages become nothing. A body that is cut off becomes
nothing either: one odd message is no reason to hang up on an encoder.

Pure; called from the event loop.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

_TAG_HEADER_BYTES, _TAG_TRAILER_BYTES = 11, 4

_SEQUENCE_START, _CODED_FRAMES, _CODED_FRAMES_WITHOUT_CTS = 0, 1, 3
_VIDEO_METADATA, _VIDEO_MULTITRACK, _MODEX, _AUDIO_MULTITRACK = 4, 6, 7, 5
_KEY, _COMMAND = 1, 5
_ENHANCED_AUDIO = 9
_ONE_TRACK, _MANY_CODECS = 0, 2
_MAX_MODEX = 16
"""Modifiers in front of one packet; the specification knows one kind."""
_WITH_CTS = frozenset({"avc1", "hvc1", "vvc1"})

_LEGACY_VIDEO = {7: "avc1", 12: "hvc1"}
_LEGACY_VIDEO_NAMES = {1: "JPEG", 2: "Sorenson H.263", 3: "Screen Video", 4: "VP6", 5: "VP6", 6: "Screen Video 2"}
_LEGACY_AUDIO = {2: ".mp3", 7: "alaw", 8: "ulaw", 10: "mp4a", 14: ".mp3"}
_LEGACY_AUDIO_NAMES = {
    0: "PCM", 1: "ADPCM", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser", 11: "Speex",
}  # fmt: skip


class Role(enum.Enum):
    """What a part is for."""

    CONFIGURATION = "configuration"
    MEDIA = "media"


@dataclass(frozen=True, slots=True)
class Part:
    """The useful part of a message."""

    fourcc: str
    """`avc1`, `hvc1`, `av01`, `mp4a`, `Opus`, `.mp3`, and `alaw` and `ulaw` for G.711, which has no FourCC in RTMP; anything
    else is the name of a codec that cannot be served."""
    role: Role
    data: bytes
    keyframe: bool = False
    composition_ms: int = 0
    """Presentation minus decoding time; may be negative."""
    channels: int = 1
    """Of G.711; other codecs say it themselves."""


def video(body: bytes) -> Part | None:
    """The part of a video message (type 9)."""
    if not body:
        return None
    first = body[0]
    if first & 0x80:
        return _enhanced_video(body)
    frame_type, codec = first >> 4, first & 15
    if frame_type == _COMMAND:
        return None
    fourcc = _LEGACY_VIDEO.get(codec)
    if fourcc is None:
        return Part(_LEGACY_VIDEO_NAMES.get(codec, f"FLV video codec {codec}"), Role.MEDIA, b"")
    if len(body) <= 5:
        return None  # DJI sends an empty AVC packet now and then
    if body[1] == _SEQUENCE_START:
        return Part(fourcc, Role.CONFIGURATION, body[5:])
    if body[1] != _CODED_FRAMES:
        return None
    return Part(fourcc, Role.MEDIA, body[5:], frame_type == _KEY, int.from_bytes(body[2:5], "big", signed=True))


def audio(body: bytes) -> Part | None:
    """The part of an audio message (type 8)."""
    if not body:
        return None
    sound = body[0] >> 4
    if sound == _ENHANCED_AUDIO:
        return _enhanced_audio(body)
    fourcc = _LEGACY_AUDIO.get(sound)
    if fourcc is None:
        return Part(_LEGACY_AUDIO_NAMES.get(sound, f"FLV sound format {sound}"), Role.MEDIA, b"")
    if fourcc != "mp4a":
        return Part(fourcc, Role.MEDIA, body[1:], channels=1 + (body[0] & 1)) if len(body) > 1 else None
    if len(body) <= 2:
        return None  # an empty AAC configuration: some encoders send none that means anything
    return Part("mp4a", Role.MEDIA if body[1] else Role.CONFIGURATION, body[2:])


def aggregate(body: bytes, timestamp: int) -> Iterator[tuple[int, int, bytes]]:
    """Type, timestamp and body of the messages in an aggregate (RTMP 1.0 section 7.1.6), rebased on its own timestamp."""
    at, first = 0, None
    while at + _TAG_HEADER_BYTES <= len(body):
        size = int.from_bytes(body[at + 1 : at + 4], "big")
        own = int.from_bytes(body[at + 4 : at + 7], "big") | body[at + 7] << 24
        start = at + _TAG_HEADER_BYTES
        if start + size > len(body):
            return
        first = own if first is None else first
        yield body[at] & 31, (timestamp + own - first) & 0xFFFFFFFF, body[start : start + size]
        at = start + size + _TAG_TRAILER_BYTES


def _enhanced_video(body: bytes) -> Part | None:
    frame_type = body[0] >> 4 & 7
    packet, at = _after_modex(body)
    if packet == _VIDEO_METADATA or frame_type == _COMMAND:
        return None
    if packet == _VIDEO_MULTITRACK:
        found = _track_zero(body, at)
        if found is None:
            return None
        packet, fourcc, data = found
    else:
        fourcc, data = _fourcc(body[at : at + 4]), body[at + 4 :]
    if not data:
        return None
    if packet == _SEQUENCE_START:
        return Part(fourcc, Role.CONFIGURATION, data)
    key = frame_type == _KEY
    if packet == _CODED_FRAMES and fourcc in _WITH_CTS:
        return Part(fourcc, Role.MEDIA, data[3:], key, int.from_bytes(data[:3], "big", signed=True)) if len(data) > 3 else None
    if packet in (_CODED_FRAMES, _CODED_FRAMES_WITHOUT_CTS):
        return Part(fourcc, Role.MEDIA, data, key)
    return None


def _enhanced_audio(body: bytes) -> Part | None:
    packet, at = _after_modex(body)
    if packet == _AUDIO_MULTITRACK:
        found = _track_zero(body, at)
        if found is None:
            return None
        packet, fourcc, data = found
    else:
        fourcc, data = _fourcc(body[at : at + 4]), body[at + 4 :]
    if not data or packet not in (_SEQUENCE_START, _CODED_FRAMES):
        return None
    return Part(fourcc, Role.CONFIGURATION if packet == _SEQUENCE_START else Role.MEDIA, data)


def _after_modex(body: bytes) -> tuple[int, int]:
    """The packet type behind all modifiers, and where its data starts. -1 where the body ends early."""
    packet, at = body[0] & 15, 1
    for _ in range(_MAX_MODEX):
        if packet != _MODEX:
            return packet, at
        if at >= len(body):
            break
        size = body[at] + 1
        at += 1
        if size == 256:
            size = int.from_bytes(body[at : at + 2], "big") + 1
            at += 2
        at += size
        if at >= len(body):
            break
        packet = body[at] & 15
        at += 1
    return -1, at


def _track_zero(body: bytes, at: int) -> tuple[int, str, bytes] | None:
    """Packet type, FourCC and data of track 0 of a multitrack message."""
    if at >= len(body):
        return None
    form, packet = body[at] >> 4, body[at] & 15
    at += 1
    fourcc = ""
    if form != _MANY_CODECS:
        fourcc = _fourcc(body[at : at + 4])
        at += 4
    while at < len(body):
        if form == _MANY_CODECS:
            fourcc = _fourcc(body[at : at + 4])
            at += 4
        track = body[at : at + 1]
        at += 1
        size = len(body) - at
        if form != _ONE_TRACK:
            size = int.from_bytes(body[at : at + 3], "big")
            at += 3
        if at + size > len(body):
            return None
        if track == b"\0":
            return packet, fourcc, body[at : at + size]
        at += size
    return None


def _fourcc(code: bytes) -> str:
    """The code as text that is safe in a log line."""
    return "".join(chr(byte) if 32 < byte < 127 else "?" for byte in code)
