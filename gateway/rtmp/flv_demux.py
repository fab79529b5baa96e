"""A publisher's messages as canonical samples: one video and one audio track, whatever form they arrive in.

Parameter sets come in sequence headers, in-band, or both, are repeated for no reason and sometimes change. They are collected
by the same converters that serve cameras (`media.canonical`), so the configuration object stays the same while nothing
changed and is replaced at the next keyframe when something did.

Metadata is not looked at: encoders leave it out, send it late, or list tracks that never come. What counts is what is sent.

Pure; called from the event loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.media import aac, annexb, canonical, h264, h265
from gateway.media.bits import BitstreamError
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.rtmp import av1, flv_parse
from gateway.rtmp.flv_parse import Part, Role

OPUS_RATE_HZ = 48_000
_OPUS_HEAD_BYTES = 19
MAX_SOUND_HEADER_BYTES = 512
"""An OpusHead with a mapping of 255 channels is the longest; what is longer only costs time."""
_START_CODE = b"\0\0\0\1"
TRANSCODED = frozenset({"alaw", "ulaw", ".mp3"})
_NAL_CODECS = {"avc1": Codec.H264, "hvc1": Codec.H265}


@dataclass(frozen=True, slots=True)
class Sample:
    """One access unit without its time."""

    config: TrackConfig
    payload: bytes
    keyframe: bool
    composition_ms: int
    duration: int
    """Ticks of `config.clock_rate`; 0 for video, where only the next picture tells."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Sound that has to be transcoded: see `transcoded_sound`."""

    fourcc: str
    data: bytes
    channels: int


class FlvDemuxer:
    """Both tracks of one publisher. Raises nothing, whatever is sent."""

    def __init__(self) -> None:
        self.configured: set[Kind] = set()
        """Tracks whose configuration is known."""
        self.unsupported: dict[Kind, str] = {}
        """What is sent and cannot be served, as people call it."""
        self._video: _NalTrack | _Av1Track | None = None
        self._video_fourcc = ""
        self._aac = canonical.Aac()
        self._aac_configuration = b""
        self._opus: TrackConfig | None = None

    def video(self, body: bytes) -> Sample | None:
        """The picture in a video message, if there is one."""
        part = flv_parse.video(body)
        if part is None:
            return None
        if part.fourcc != self._video_fourcc or self._video is None:
            if part.fourcc not in _NAL_CODECS and part.fourcc != "av01":
                self.unsupported[Kind.VIDEO] = f"{_spoken(part.fourcc)} video"
                return None
            self._video_fourcc = part.fourcc
            self._video = _NalTrack(_NAL_CODECS[part.fourcc]) if part.fourcc in _NAL_CODECS else _Av1Track()
        if part.role is Role.CONFIGURATION:
            if self._video.configure(part.data):
                self.configured.add(Kind.VIDEO)
            return None
        sample = self._video.take(part)
        if sample is not None:
            self.configured.add(Kind.VIDEO)
        return sample

    def audio(self, body: bytes) -> Sample | Foreign | None:
        """The sound in an audio message, if there is any."""
        part = flv_parse.audio(body)
        if part is None or (part.role is Role.CONFIGURATION and len(part.data) > MAX_SOUND_HEADER_BYTES):
            return None
        if part.fourcc in TRANSCODED:
            # MP3 by FourCC has a sequence start that says nothing
            return Foreign(part.fourcc, part.data, part.channels) if part.role is Role.MEDIA else None
        if part.fourcc == "mp4a":
            sample = self._take_aac(part)
        elif part.fourcc == "Opus":
            sample = self._take_opus(part)
        else:
            self.unsupported[Kind.AUDIO] = f"{_spoken(part.fourcc)} sound"
            return None
        if sample is not None:
            self.configured.add(Kind.AUDIO)
            self.unsupported.pop(Kind.AUDIO, None)
        return sample

    def _take_aac(self, part: Part) -> Sample | None:
        if part.role is Role.CONFIGURATION:
            if part.data != self._aac_configuration:
                try:
                    config = aac.track_config(part.data)
                except BitstreamError:
                    return None  # odd configurations are sent once; what was known, or ADTS headers, may still do
                if config.clock_rate:
                    self._aac_configuration = part.data
                    self._aac = canonical.Aac(part.data)
                    self.configured.add(Kind.AUDIO)
            return None
        unit = self._aac.take(part.data, True)
        if unit is None:
            if Kind.AUDIO not in self.configured:
                self.unsupported[Kind.AUDIO] = "AAC sound without its configuration"
            return None
        return Sample(unit.config, unit.payload, True, 0, aac.SAMPLES_PER_FRAME)

    def _take_opus(self, part: Part) -> Sample | None:
        if part.role is Role.CONFIGURATION:
            head = part.data
            known = self._opus is not None and self._opus.extradata == head
            if not known and len(head) >= _OPUS_HEAD_BYTES and head.startswith(b"OpusHead") and head[9]:
                rate = OPUS_RATE_HZ
                self._opus = TrackConfig(Codec.OPUS, rate, head, "opus", sample_rate=rate, channels=head[9])
                self.configured.add(Kind.AUDIO)
            return None
        if self._opus is None:
            return None
        return Sample(self._opus, part.data, True, 0, _opus_samples(part.data))


class _NalTrack:
    """H.264 or H.265."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._converter = canonical.video(codec, b"")
        self._length_size = 4
        self._header = b""

    def configure(self, record: bytes) -> bool:
        """Take a sequence header in; False if it is of no use."""
        if record == self._header:
            return True
        try:
            if self._codec is Codec.H264:
                sps, pps = h264.parameter_sets(record)
                h264.track_config(sps, pps)
                units, length_size = [*sps, *pps], (record[4] & 3) + 1
            else:
                vps, sps, pps = h265.parameter_sets(record)
                h265.track_config(vps, sps, pps)
                units, length_size = [*vps, *sps, *pps], (record[21] & 3) + 1
        except (BitstreamError, IndexError):
            units = annexb.split(record)  # a few encoders put start codes where the record belongs
            length_size = 4
            if not units:
                return False
        self._header = record
        self._length_size = length_size
        # No picture comes out of parameter sets; with the next keyframe they become the configuration.
        self._converter.take(_annexb(units), False)
        return True

    def take(self, part: Part) -> Sample | None:
        """Convert one access unit. None: nothing to show in it."""
        try:
            # Lengths first: a length of 256 to 511 looks like a start code.
            units = annexb.split_lengths(part.data, self._length_size)
            data = _annexb(unit for unit in units if unit)
        except ValueError:
            data = part.data if annexb.split(part.data[:64]) else b""
        unit = self._converter.take(data, part.keyframe)
        if unit is None:
            return None
        return Sample(unit.config, unit.payload, unit.keyframe, part.composition_ms, 0)


class _Av1Track:
    def __init__(self) -> None:
        self._config: TrackConfig | None = None
        self._next: TrackConfig | None = None

    def configure(self, record: bytes) -> bool:
        """See `_NalTrack.configure`."""
        try:
            config = av1.track_config(record)
        except BitstreamError:
            return False
        self._next = config
        return True

    def take(self, part: Part) -> Sample | None:
        """See `_NalTrack.take`."""
        if part.keyframe and self._next is not None and self._next != self._config:
            self._config = self._next
        if self._config is None:
            return None
        try:
            payload = av1.sample(part.data)
        except BitstreamError:
            return None
        return Sample(self._config, payload, part.keyframe, part.composition_ms, 0) if payload else None


def _annexb(units: Iterable[bytes]) -> bytes:
    return b"".join(_START_CODE + unit for unit in units)


def _opus_samples(packet: bytes) -> int:
    """Length of an Opus packet at 48 kHz, from its table of contents (RFC 6716 section 3.1)."""
    configuration, code = packet[0] >> 3, packet[0] & 3
    if configuration < 12:
        frame = (480, 960, 1920, 2880)[configuration & 3]
    elif configuration < 16:
        frame = (480, 960)[configuration & 1]
    else:
        frame = (120, 240, 480, 960)[configuration & 3]
    count = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 1)[code]
    return frame * max(1, count)


def _spoken(fourcc: str) -> str:
    names = {"vp08": "VP8", "vp09": "VP9", "vvc1": "H.266", "fLaC": "FLAC", "ac-3": "AC-3", "ec-3": "E-AC-3", ".mp3": "MP3"}
    return names.get(fourcc, fourcc)
