"""What becomes of a session's sound: passed on, transcoded to AAC, or dropped with a reason. Used by one reader thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.media import canonical
from gateway.media.aac import SAMPLES_PER_FRAME
from gateway.media.capture_clock import CaptureClock
from gateway.media.frame import Frame
from gateway.media.timestamps import SessionTimeline
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.sources.session import SoundOffer, SoundPacket

if TYPE_CHECKING:
    from gateway.media.transcode import AacTranscoder

_TRANSCODED = {
    "pcm_mulaw": "G.711 µ-law",
    "pcm_alaw": "G.711 A-law",
    "adpcm_g726": "G.726",
    "adpcm_g726le": "G.726",
    "adpcm_g722": "G.722",
    "pcm_s16be": "uncompressed sound",
    "pcm_s16le": "uncompressed sound",
    "mp3": "MP3",
    "mp2": "MP2",
}
"""Canonical libavcodec names of the codecs that are transcoded, and what users are told."""
OPUS_RATE_HZ = 48_000


@dataclass(slots=True)
class AudioPath:
    """Converter from packets to frames. `note` tells the user what is done to the sound, empty if nothing is."""

    note: str
    expected: bool
    _session: SessionTimeline | None = None
    _converter: canonical.Canonical | None = None
    _transcoder: AacTranscoder | None = None
    _rate: int = 0
    _tick_s: float = 0.0
    _opus: TrackConfig | None = None

    @classmethod
    def none(cls, note: str) -> AudioPath:
        """No sound, and why."""
        return cls(note, expected=False)

    def frames(self, packet: SoundPacket, now: float, wall: float, capture: CaptureClock) -> Iterator[Frame]:
        """Frames of one packet that arrived at `now` (monotonic) and `wall` (Unix seconds)."""
        session = self._session
        if session is None:
            return
        if self._transcoder is not None:
            yield from self._transcoded(self._transcoder, session, packet, now, wall, capture)
            return
        if self._opus is not None:
            config, payload = self._opus, packet.data
        else:
            unit = self._converter.take(packet.data, True) if self._converter is not None else None
            if unit is None:
                return
            config, payload = unit.config, unit.payload
        stamp = session.stamp(
            Kind.AUDIO,
            config.clock_rate,
            self._ticks(packet.pts, config.clock_rate),
            now,
            duration=round(packet.duration * self._tick_s * config.clock_rate),
        )
        if stamp is not None:
            at = capture.wall(stamp.dts / config.clock_rate, wall)
            yield Frame(config, stamp.dts, stamp.pts, stamp.duration, True, stamp.discontinuity, at, payload)

    def _transcoded(
        self,
        transcoder: AacTranscoder,
        session: SessionTimeline,
        packet: SoundPacket,
        now: float,
        wall: float,
        capture: CaptureClock,
    ) -> Iterator[Frame]:
        duration = round(packet.duration * self._tick_s * self._rate)
        stamp = session.stamp(Kind.AUDIO, self._rate, self._ticks(packet.pts, self._rate), now, duration=duration)
        if stamp is None:
            return
        config = transcoder.config
        try:
            encoded = list(transcoder.feed(packet.data, stamp.pts / self._rate))
        except ValueError:
            return  # a damaged packet costs its own sound, never the picture
        for payload, at_s in encoded:
            dts = round(at_s * config.clock_rate)
            yield Frame(config, dts, dts, SAMPLES_PER_FRAME, True, False, capture.wall(at_s, wall), payload)

    def _ticks(self, pts: int | None, rate: int) -> int | None:
        return None if pts is None else round(pts * self._tick_s * rate)


def audio_path(offer: SoundOffer | None, note: str, session: SessionTimeline) -> AudioPath:
    """Decide what to do with the sound of an open session; `note` is what is said if there is none."""
    if offer is None:
        return AudioPath.none(note)
    name = offer.codec
    if name in _TRANSCODED:
        try:
            transcoder = offer.transcoder()
        except ValueError:
            return AudioPath.none(f"{_TRANSCODED[name]} in this form cannot be decoded and was dropped")
        note = f"{_TRANSCODED[name]} transcoded to AAC"
        return AudioPath(note, True, session, _transcoder=transcoder, _rate=transcoder.rate, _tick_s=offer.tick_s)
    if name == "aac":
        converter = canonical.Aac(offer.extradata)
        return AudioPath("", True, session, _converter=converter, _tick_s=offer.tick_s)
    if name == "opus":
        return AudioPath("", True, session, _tick_s=offer.tick_s, _opus=_opus_config(offer.channels or 2))
    return AudioPath.none(f"audio codec {name} cannot be served and was dropped")


def _opus_config(channels: int) -> TrackConfig:
    # OpusHead, RFC 7845 section 5.1: version, channels, pre-skip, input rate, gain, mapping family
    head = b"OpusHead" + bytes([1, channels]) + (312).to_bytes(2, "little") + OPUS_RATE_HZ.to_bytes(4, "little") + bytes(3)
    return TrackConfig(Codec.OPUS, OPUS_RATE_HZ, head, "opus", sample_rate=OPUS_RATE_HZ, channels=channels)
