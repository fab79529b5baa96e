"""One stream on its way to all its RTMP players: every frame is serialised once, everybody gets the same bytes.

What costs is the kernel's `send`, so writes are counted, not bytes: a picture is written the moment it comes and the audio
that arrived since the last one rides with it (25 writes a second and player instead of 70, and no picture waits). Audio
alone waits `AUDIO_WAIT_S` at most, which is also what drives a stream without video. A stream with a crowd of players trades
a few hundredths of a second for a quarter of the writes that are left; keyframes never wait.

A relay exists while a stream has players and keeps the serialised pictures since the last keyframe for those who join.
Timestamps are the stream's own, in milliseconds modulo 2^32; they go on over an outage of the camera, so players stay.

Event loop only: called by `media.stream` and by the connections.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from gateway.config.model import UnannouncedPicture
from gateway.media.frame import Frame
from gateway.media.stream import Stream, Subscriber
from gateway.media.track import Kind, TrackConfig, Tracks
from gateway.rtmp import chunk, flv
from gateway.rtmp.batch import Batch, Headers
from gateway.rtmp.chunk import encode_message
from gateway.rtmp.errors import RtmpError
from gateway.rtmp.lane import Lane
from gateway.rtmp.session import CSID_AUDIO, CSID_VIDEO, STREAM_ID
from gateway.rtmp.silence import Silenced
from gateway.rtmp.viewer import Viewer

log = logging.getLogger(__name__)

OUTPUT = "rtmp"
"""Name of this output in the stream's counts."""
AUDIO_WAIT_S = 0.04
"""The distance of two pictures at 25 fps. Players buffer more than that, nobody hears it."""
MERGE_FROM_VIEWERS = 50
"""From so many players on, a picture goes at once only if something has waited `MERGE_YOUNG_S` for it; else it waits too."""
MERGE_YOUNG_S = 0.0165
MERGE_S = 0.05
"""Nothing waits longer. Both were chosen by measurement, see `design/rtmp-fanout.md`."""
CACHE_BYTES = 12 * 1024 * 1024
CACHE_S = 20.0
"""Replaying more than that helps nobody: whoever joins then waits for the next keyframe."""


class Timer(Protocol):
    """What `loop.call_later` returns."""

    def cancel(self) -> None:
        """Do not call back."""


class Relay:
    """Subscriber of one stream, for as long as it has RTMP players."""

    def __init__(
        self,
        stream: Stream,
        policy: UnannouncedPicture = UnannouncedPicture.SEND,
        *,
        silent_audio: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
    ) -> None:
        self.stream = stream
        self.unserialisable = 0
        """Frames larger than an RTMP message can be."""
        self.policy = policy
        """What players get that announce no Enhanced RTMP; may change with the configuration."""
        self._monotonic = monotonic
        self._call_later = call_later or asyncio.get_running_loop().call_later
        self._viewers: dict[Viewer, None] = {}
        self._lane = Lane()
        self._tracks: Tracks = ()
        self._headers: Headers | None = None
        self._headers_due = False
        self._has_video = False
        self._last_ms: dict[Kind, int] = {}
        self._audio: list[bytes] = []
        self._video: list[bytes] = []
        self._waits_since = 0.0
        self._timer: Timer | None = None
        self._cache: list[Batch] = []
        self._cached_bytes = 0
        self._cached_since = 0.0
        self.last_frame_at = monotonic()
        """Monotonic seconds; for noticing that the stream is dead."""
        self._subscriber: Subscriber = Silenced(self) if silent_audio else self
        stream.subscribe(self._subscriber)

    @property
    def viewers(self) -> int:
        """Players now."""
        return len(self._viewers)

    @property
    def broken(self) -> bool:
        """It raised and was taken off its stream: nothing comes through any more."""
        return not self.stream.feeds(self._subscriber)

    @property
    def sent_bytes(self) -> int:
        """Media given to the players that are here now; `leave` adds that of a player to the stream's counts."""
        return sum(viewer.written_bytes for viewer in self._viewers)

    def queue_age_s(self, now: float) -> float:
        """How long the oldest message waits for a player that is behind; 0 if all keep up."""
        return max((viewer.waits_s(now) for viewer in self._lane.others), default=0.0)

    @property
    def cached_bytes(self) -> int:
        """Memory held for players who join."""
        return self._cached_bytes

    def close(self) -> None:
        """Leave the stream."""
        self.stream.unsubscribe(self._subscriber)
        self._cancel_timer()
        for viewer in tuple(self._viewers):
            self.leave(viewer)
        self._cache = []

    def refusal(self, viewer: Viewer) -> str:
        """Why `viewer` cannot play this stream; empty if it can. Ask before `join`."""
        tracks = self._tracks or self.stream.tracks
        return viewer.fit(tracks, self.policy)

    def join(self, viewer: Viewer) -> None:
        """Send `viewer` what it needs to show a picture at once, then everything that comes."""
        self._viewers[viewer] = None
        # The stream forgets its pictures when a session ends; what is cached here is then past as well, not live.
        fresh = self._has_video and self.stream.gop_bytes > 0
        viewer.enter(self._lane)
        viewer.start(self._headers, self._cache if fresh else [], self._monotonic())

    def leave(self, viewer: Viewer) -> None:
        """Forget `viewer`; unknown ones are ignored."""
        known = viewer in self._viewers
        self._viewers.pop(viewer, None)
        viewer.exit()
        if known:
            self.stream.counts.sent[OUTPUT] += viewer.written_bytes

    def on_tracks(self, tracks: Tracks) -> None:
        """The stream starts anew: headers go out right before the frame that follows."""
        self._flush()
        self._clear_cache()
        self._tracks = tuple(track for track in tracks if flv.carries(track.codec))
        self._has_video = any(track.kind is Kind.VIDEO for track in self._tracks)
        self._headers_due = True

    def on_frame(self, frame: Frame) -> None:
        """Serialise a frame and hand it to all players, or let it wait for the next picture if it is audio."""
        if not flv.carries(frame.config.codec):
            return
        self.last_frame_at = now = self._monotonic()
        milliseconds = self._wire_ms(frame)
        try:
            data = self._serialise(frame, milliseconds)
        except RtmpError as error:
            self.unserialisable += 1
            log.warning("stream %s: a frame was not sent over RTMP: %s", self.stream.id, error)
            return
        if self._headers_due:
            self._announce(milliseconds, now)
        merging = len(self._viewers) >= MERGE_FROM_VIEWERS
        if not (self._audio or self._video):
            self._waits_since = now
        if frame.kind is Kind.AUDIO:
            self._audio.append(data)
        elif frame.keyframe:
            # What came before the keyframe belongs to the pictures before it, so that the cache starts with a picture.
            self._flush()
            self._clear_cache()
            self._cached_since = frame.seconds
            self._send(Batch(data, 0, True), now)
            return
        else:
            self._video.append(data)
            if frame.seconds - self._cached_since > CACHE_S:
                self._clear_cache()
            alone = frame.duration >= MERGE_S * frame.config.clock_rate
            if not merging or alone or now - self._waits_since >= MERGE_YOUNG_S:
                self._flush()
                return
        if self._timer is None:
            self._timer = self._call_later(MERGE_S if merging else AUDIO_WAIT_S, self._flush)

    def _serialise(self, frame: Frame, milliseconds: int) -> bytes:
        # never negative: where `_wire_ms` moved a squeezed picture on, players would see it shown before it is decoded
        composition = max(0, _milliseconds(frame.pts, frame.config) - milliseconds)
        csid, type_id = (CSID_VIDEO, chunk.VIDEO) if frame.kind is Kind.VIDEO else (CSID_AUDIO, chunk.AUDIO)
        prefix = flv.frame_prefix(frame, composition)
        return encode_message(csid, type_id, STREAM_ID, milliseconds, prefix, frame.payload)

    def _wire_ms(self, frame: Frame) -> int:
        """The frame's dts in milliseconds, made to grow: two frames closer than one share a rounded millisecond."""
        milliseconds = _milliseconds(frame.dts, frame.config)
        last = self._last_ms.get(frame.kind)
        if last is not None and milliseconds <= last:
            milliseconds = last + 1
        self._last_ms[frame.kind] = milliseconds
        return milliseconds

    def _announce(self, milliseconds: int, now: float) -> None:
        self._headers_due = False
        video = tuple(track for track in self._tracks if track.kind is Kind.VIDEO)
        audio = tuple(track for track in self._tracks if track.kind is Kind.AUDIO)
        self._headers = Headers(
            _headers(self._tracks, milliseconds), _headers(video, milliseconds), _headers(audio, milliseconds)
        )
        for viewer in tuple(self._viewers):
            refusal = self.refusal(viewer)
            if refusal:
                viewer.failure = refusal
                self.leave(viewer)
            else:
                viewer.headers(self._headers, now)

    def _flush(self) -> None:
        self._cancel_timer()
        audio, video = self._audio, self._video
        if audio or video:
            self._audio, self._video = [], []
            whole = video[0] if len(video) == 1 and not audio else b"".join((*audio, *video))
            self._send(Batch(whole, sum(map(len, audio)), not self._has_video), self._monotonic())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, batch: Batch, now: float) -> None:
        if self._has_video and (self._cache or batch.keyframe):
            self._cache.append(batch)
            self._cached_bytes += len(batch.whole)
            if self._cached_bytes > CACHE_BYTES:
                self._clear_cache()
        # Taken before, because a write can move players out of the lane: each of them gets the batch once.
        others = tuple(self._lane.others)
        self._lane.send(batch.whole)
        for viewer in others:
            viewer.offer(batch, now)

    def _clear_cache(self) -> None:
        self._cache = []
        self._cached_bytes = 0


def _milliseconds(ticks: int, config: TrackConfig) -> int:
    return (ticks * 1000 + config.clock_rate // 2) // config.clock_rate


def _headers(tracks: Tracks, milliseconds: int) -> bytes:
    """Metadata (always at timestamp 0), audio header, video header: the order players expect."""
    if not tracks:
        return b""
    parts = [encode_message(CSID_AUDIO, chunk.DATA, STREAM_ID, 0, flv.metadata(tracks))]
    for track in sorted(tracks, key=lambda track: track.kind is Kind.VIDEO):
        csid, type_id = (CSID_VIDEO, chunk.VIDEO) if track.kind is Kind.VIDEO else (CSID_AUDIO, chunk.AUDIO)
        parts.append(encode_message(csid, type_id, STREAM_ID, milliseconds, flv.sequence_header(track)))
    return b"".join(parts)
