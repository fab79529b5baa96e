"""From one publisher's media messages to canonical frames, with the tracks it really has.

Which tracks there are is decided from what is sent in the first second: until both have shown themselves, or that second
of real time is over, frames are held back. (Of stream time it would never pass for an encoder that waits for us.) A track
that comes later is taken up by the stream's own rules.

The clocks are passed in, and there is no I/O. Called from the event loop.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.media import aac
from gateway.media.frame import Frame
from gateway.media.timestamps import Stamp, Timeline
from gateway.media.track import VIDEO_CLOCK_HZ, Kind, TrackConfig
from gateway.rtmp import chunk, flv_parse
from gateway.rtmp.flv_demux import FlvDemuxer, Foreign, Sample
from gateway.rtmp.publish_clock import PublishClock
from gateway.rtmp.transcoded_sound import CODECS, TranscodedSound

DECIDE_S = 1.0
HELD_BYTES = 8 * 1024 * 1024
"""An encoder that sends more than this in its first second has shown what it has."""
_BOTH = frozenset(Kind)


class Ingest:
    """One publisher's media."""

    def __init__(self, timeline: Timeline, *, audio: bool = True) -> None:
        """Without `audio` whatever sound is sent is left out."""
        self.expected: frozenset[Kind] | None = None
        """Its tracks; None until decided. No frame comes out before."""
        self._timeline = timeline
        self._clock: PublishClock | None = None
        self._demuxer = FlvDemuxer()
        self._wanted = _BOTH if audio else frozenset({Kind.VIDEO})
        self._transcoded = ""
        self._transcoder: TranscodedSound | None = None
        self._since: float | None = None
        self._held: list[Frame] = []
        self._held_bytes = 0
        self._got_key = False
        self._started = False
        self._last_sound, self._sound_rate = -1, 1

    @property
    def unsupported(self) -> str:
        """What it sends and nobody could play, e.g. `VP9 video and Speex sound`; empty if nothing."""
        found = self._demuxer.unsupported
        return " and ".join(found[kind] for kind in Kind if kind in found and kind in self._wanted)

    @property
    def note(self) -> str:
        """What users should know about its tracks; empty if there is nothing to know."""
        notes = [f"{self.unsupported} cannot be served"] if self.unsupported else []
        return "; ".join([*notes, f"{self._transcoded} transcoded to AAC"] if self._transcoded else notes)

    def take(self, type_id: int, timestamp: int, payload: bytes, now: float, wall: float) -> list[Frame]:
        """Frames that can go out with this message, in order.

        `timestamp` is in milliseconds modulo 2^32, `now` in monotonic seconds, `wall` in Unix seconds. Raises nothing.
        """
        if self._since is None:
            self._since = now
        if type_id == chunk.AGGREGATE:
            messages = list(flv_parse.aggregate(payload, timestamp))
        else:
            messages = [(type_id, timestamp, payload)]
        frames: list[Frame] = []
        for kind, when, body in messages:
            frames += self._frames(kind, when, body, now, wall)
        if self.expected is None:
            return self._decide(frames, now)
        return self._release(frames)

    def _decide(self, frames: list[Frame], now: float) -> list[Frame]:
        self._held += frames
        self._held_bytes += sum(len(frame.payload) for frame in frames)
        configured = frozenset(self._demuxer.configured) & self._wanted
        waited = self._since is not None and now - self._since >= DECIDE_S
        if not configured or not (waited or configured == self._wanted or self._held_bytes > HELD_BYTES):
            return []
        self.expected = configured
        held, self._held = self._held, []
        return self._release(held)

    def _release(self, frames: list[Frame]) -> list[Frame]:
        """What may go out: nothing before the first keyframe; sound alone would start the stream without a picture."""
        released = []
        for frame in frames:
            if not self._started:
                video_only = Kind.VIDEO in (self.expected or ()) or frame.kind is Kind.VIDEO
                if video_only and not (frame.kind is Kind.VIDEO and frame.keyframe):
                    continue
                self._started = True
                if self._clock is not None and self._clock.resumed:
                    frame = replace(frame, discontinuity=True)
            if frame.kind is Kind.VIDEO and not self._got_key:
                if not frame.keyframe:
                    continue
                self._got_key = True
            released.append(frame)
        return released

    def _frames(self, type_id: int, timestamp: int, body: bytes, now: float, wall: float) -> list[Frame]:
        sample: Sample | Foreign | None = None
        if type_id == chunk.VIDEO:
            sample = self._demuxer.video(body)
        elif type_id == chunk.AUDIO and Kind.AUDIO in self._wanted:
            sample = self._demuxer.audio(body)
        if sample is None:
            return []
        if self._clock is None:
            self._clock = PublishClock(self._timeline, now)
        if isinstance(sample, Foreign):
            return self._transcode(sample, self._clock, timestamp, now, wall)
        if type_id == chunk.VIDEO:
            return [_picture(sample, self._clock.video(timestamp, sample.composition_ms, now), wall)]
        rate = sample.config.clock_rate
        stamp = self._clock.audio(timestamp, round(sample.duration * VIDEO_CLOCK_HZ / rate), now)
        if stamp is None:
            return []
        return self._sound(
            sample.config, sample.payload, stamp.dts / VIDEO_CLOCK_HZ, sample.duration, stamp.discontinuity, wall
        )

    def _transcode(self, sound: Foreign, clock: PublishClock, timestamp: int, now: float, wall: float) -> list[Frame]:
        if self._transcoder is None:
            self._transcoder = TranscodedSound()
        length_s = self._transcoder.duration_s(sound.fourcc, sound.data, sound.channels)
        stamp = clock.audio(timestamp, round(length_s * VIDEO_CLOCK_HZ), now) if length_s else None
        if stamp is None:
            return []
        at_s = stamp.dts / VIDEO_CLOCK_HZ
        config, made = self._transcoder.take(sound.fourcc, sound.data, sound.channels, at_s, now)
        if config is None:
            return []
        self._transcoded = CODECS[sound.fourcc]
        self._demuxer.configured.add(Kind.AUDIO)
        return [
            frame
            for payload, when_s in made
            for frame in self._sound(config, payload, when_s, aac.SAMPLES_PER_FRAME, stamp.discontinuity, wall)
        ]

    def _sound(
        self, config: TrackConfig, payload: bytes, at_s: float, duration: int, discontinuity: bool, wall: float
    ) -> list[Frame]:
        rate = config.clock_rate
        dts = round(at_s * rate)
        if dts * self._sound_rate <= self._last_sound * rate:
            return []  # two ticks of 90 kHz can be one of the sound's
        self._last_sound, self._sound_rate = dts, rate
        return [Frame(config, dts, dts, duration, True, discontinuity, wall, payload)]


def _picture(sample: Sample, stamp: Stamp, wall: float) -> Frame:
    return Frame(
        config=sample.config,
        dts=stamp.dts,
        pts=stamp.pts,
        duration=stamp.duration,
        keyframe=sample.keyframe,
        discontinuity=stamp.discontinuity,
        wall=wall,
        payload=sample.payload,
    )
