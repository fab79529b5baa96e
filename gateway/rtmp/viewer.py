"""One player's share of a stream: what it wants, how far it is behind, and when it is given up.

A slow player must cost bounded memory and nobody else's time. asyncio's `transport.write` never refuses and grows without
limit, so it is given bytes only while its buffer is nearly empty; what does not fit waits here as references to the
bytes all players share. Over the bound everything up to the newest keyframe is dropped, whole messages only, never
sequence headers. A player that stays behind is closed.

Event loop only; the clock is passed in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.config.model import UnannouncedPicture
from gateway.media.track import Tracks
from gateway.rtmp import play_policy
from gateway.rtmp.batch import Batch, Headers, Want
from gateway.rtmp.capabilities import Capabilities


class Sink(Protocol):
    """The part of an asyncio transport that is needed here."""

    def write(self, data: bytes) -> None:
        """Take bytes for the player; never waits."""

    def get_write_buffer_size(self) -> int:
        """Bytes taken and not yet given to the kernel."""


@dataclass(frozen=True, slots=True)
class ViewerLimits:
    """When a player is behind, and when it is too slow."""

    high_water_bytes: int = 256 * 1024
    """In the transport. Cannot be dropped any more, so it is small: half a second of a 4 Mbit/s camera."""
    queue_bytes: int = 4 * 1024 * 1024
    queue_s: float = 3.0
    """Age of the oldest waiting message. A player further behind is better served by a jump to the live picture."""
    catch_up_s: float = 10.0
    """The same while the pictures since the last keyframe, sent at the start, are under way for the first time."""
    overflows: int = 3
    overflow_span_s: float = 30.0
    """`overflows` within it and the connection is too slow for the stream."""
    no_progress_s: float = 10.0


class _Waiting(NamedTuple):
    data: bytes
    keyframe: bool
    headers: bool
    since: float


class Viewer:
    """A player in a relay. The connection owns it and passes on the transport's pause and resume."""

    def __init__(self, sink: Sink, capabilities: Capabilities, now: float, *, limits: ViewerLimits | None = None) -> None:
        self._sink = sink
        self._capabilities = capabilities
        self._limits = limits or ViewerLimits()
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._blocked = False
        self._paused = False
        self._audio_fits = self._video_fits = True
        self._audio_wanted = self._video_wanted = True
        self._needs_keyframe = True
        self._burst_bytes = 0
        self._overflowed_at: deque[float] = deque()
        self._progress_at = now
        self._accepted = 0
        self.written_bytes = 0
        """Media given to the transport."""
        self.dropped = 0
        """Writes that were never sent because the player was behind."""
        self.overflows = 0
        self.failure = ""
        """Why the connection has to be closed; the owner looks after every tick."""
        self.note = ""
        """What of the stream does not go to this player, or might not be shown by it."""
        self.too_slow = False
        """`failure` is the player's: there is no point in sending it a reason."""

    @property
    def want(self) -> Want:
        """Which tracks go to this player now."""
        audio = self._audio_fits and self._audio_wanted
        video = self._video_fits and self._video_wanted
        if audio and video:
            return Want.ALL
        if video:
            return Want.VIDEO
        return Want.AUDIO if audio else Want.NONE

    @property
    def waiting_bytes(self) -> int:
        """Held here beside the transport's buffer."""
        return self._queued_bytes

    def fit(self, tracks: Tracks, policy: UnannouncedPicture) -> str:
        """Choose among `tracks` what this player can take; return why it can take nothing, or an empty string."""
        found = play_policy.fit(tracks, self._capabilities, policy)
        self._video_fits, self._audio_fits, self.note = found.video, found.audio, found.note
        return found.refusal

    def start(self, headers: Headers | None, cached: list[Batch], now: float) -> None:
        """Bring the player up to date: headers, then the pictures since the last keyframe."""
        want = self.want
        self._burst_bytes = sum(len(batch.view(want)) for batch in cached)
        if headers is not None:
            self.headers(headers, now)
        for batch in cached:
            self.offer(batch, now)
        if not self._queue:
            self._burst_bytes = 0

    def headers(self, headers: Headers, now: float) -> None:
        """New sequence headers. Sent even while paused, and never dropped: nothing after them decodes without."""
        data = headers.view(self.want)
        if data:
            self._put(_Waiting(data, False, True, now))

    def offer(self, batch: Batch, now: float) -> None:
        """The next write of the stream."""
        if self._paused:
            return
        want = self.want
        data = batch.view(want)
        if not data:
            return
        keyframe = batch.keyframe or want is Want.AUDIO
        if self._needs_keyframe:
            if not keyframe:
                return
            self._needs_keyframe = False
        self._put(_Waiting(data, keyframe, False, now))

    def pause(self, paused: bool) -> None:
        """Stop or go on at the player's request. It goes on with the next keyframe."""
        self._paused = paused
        self._needs_keyframe = True

    def receive(self, audio: bool | None, video: bool | None) -> None:
        """Switch audio or video off or on at the player's request."""
        if audio is not None:
            self._audio_wanted = audio
        if video is not None:
            self._needs_keyframe = self._needs_keyframe or (video and not self._video_wanted)
            self._video_wanted = video

    def block(self) -> None:
        """The transport's buffer is full."""
        self._blocked = True

    def unblock(self) -> None:
        """The transport's buffer is nearly empty again."""
        self._blocked = False
        queue = self._queue
        while queue and not self._full():
            item = queue.popleft()
            self._queued_bytes -= len(item.data)
            self._write(item.data)
        if not queue:
            self._burst_bytes = 0

    def check(self, now: float) -> str:
        """Look whether the player still takes anything; return `failure`. Call about once a second."""
        pending = self._sink.get_write_buffer_size()
        accepted = self.written_bytes - pending
        if accepted > self._accepted or not (pending or self._queue):
            self._accepted = accepted
            self._progress_at = now
        elif now - self._progress_at > self._limits.no_progress_s:
            self._give_up(f"took nothing for {self._limits.no_progress_s:.0f} s")
        return self.failure

    def _full(self) -> bool:
        return self._blocked or self._sink.get_write_buffer_size() > self._limits.high_water_bytes

    def _put(self, item: _Waiting) -> None:
        if not self._queue and not self._full():
            self._write(item.data)
            return
        self._queue.append(item)
        self._queued_bytes += len(item.data)
        limits = self._limits
        allowed_s = limits.catch_up_s if self._burst_bytes else limits.queue_s
        if self._queued_bytes > self._allowed_bytes() or item.since - self._queue[0].since > allowed_s:
            self._overflow(item.since)

    def _allowed_bytes(self) -> int:
        return self._limits.queue_bytes + self._burst_bytes

    def _overflow(self, now: float) -> None:
        items = list(self._queue)
        kept_from = max((index for index, item in enumerate(items) if item.keyframe), default=0)
        kept = items[kept_from:] if any(not item.headers for item in items[:kept_from]) else []
        self._burst_bytes = 0
        if sum(len(item.data) for item in kept) > self._limits.queue_bytes:
            kept = []
        dropped = items[: len(items) - len(kept)]
        newest_headers = [item for item in dropped if item.headers][-1:]
        if not kept:
            self._needs_keyframe = True
        # Headers stay where they were in time but count as new: their age must not make the next overflow.
        self._queue = deque([item._replace(since=now) for item in newest_headers] + kept)
        self._queued_bytes = sum(len(item.data) for item in self._queue)
        self.dropped += len(dropped) - len(newest_headers)
        self.overflows += 1
        recent = self._overflowed_at
        recent.append(now)
        while now - recent[0] > self._limits.overflow_span_s:
            recent.popleft()
        if len(recent) >= self._limits.overflows:
            self._give_up(f"too slow: {len(recent)} times behind within {self._limits.overflow_span_s:.0f} s")

    def _give_up(self, reason: str) -> None:
        if not self.failure:
            self.failure, self.too_slow = reason, True

    def _write(self, data: bytes) -> None:
        self.written_bytes += len(data)
        self._sink.write(data)
