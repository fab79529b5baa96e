"""One player's share of a stream: what it wants, how far it is behind, and when it is given up.

A slow player must cost bounded memory and nobody else's time. asyncio's `transport.write` never refuses and grows without
limit, so it is given bytes only while its buffer is empty; what does not fit waits here as references to the
bytes all players share. Over the bound everything up to the newest keyframe is dropped, whole messages only, never
sequence headers. A player that stays behind is closed. A player that keeps up is in the relay's `Lane` and costs nothing here.

Event loop only; the clock is passed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.config.model import UnannouncedPicture
from gateway.media.track import Tracks
from gateway.rtmp import play_policy
from gateway.rtmp.batch import Batch, Headers, Want
from gateway.rtmp.capabilities import Capabilities
from gateway.rtmp.lane import Lane

BURST_BYTES = 64 * 1024
"""The pictures sent at the start are put together into writes of this size: some sixty of them would cost a call each."""


class Sink(Protocol):
    """The part of an asyncio transport that is needed here. Whoever owns it calls `block` as soon as something stays in it."""

    def write(self, data: bytes) -> None:
        """Take bytes for the player; never waits."""

    def get_write_buffer_size(self) -> int:
        """Bytes taken and not yet given to the kernel."""


@dataclass(frozen=True, slots=True)
class ViewerLimits:
    """When a player is behind, and when it is too slow."""

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
        # Lists, because most players never fill them, and an empty deque is as large as all the rest of a player.
        self._queue: list[_Waiting] = []
        self._queued_bytes = 0
        self._blocked = False
        self._paused = False
        self._audio_fits = self._video_fits = True
        self._audio_wanted = self._video_wanted = True
        self._needs_keyframe = True
        self._burst_bytes = 0
        self._overflowed_at: list[float] = []
        self._progress_at = now
        self._accepted = 0
        self._lane: Lane | None = None
        self._lane_from: int | None = None
        self._written = 0
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
    def written_bytes(self) -> int:
        """Media given to the transport."""
        if self._lane is None or self._lane_from is None:
            return self._written
        return self._written + self._lane.total_bytes - self._lane_from

    @property
    def waiting_bytes(self) -> int:
        """Held here beside the transport's buffer."""
        return self._queued_bytes

    def waits_s(self, now: float) -> float:
        """How long the oldest message has waited here."""
        return max(0.0, now - self._queue[0].since) if self._queue else 0.0

    def fit(self, tracks: Tracks, policy: UnannouncedPicture) -> str:
        """Choose among `tracks` what this player can take; return why it can take nothing, or an empty string."""
        found = play_policy.fit(tracks, self._capabilities, policy)
        self._video_fits, self._audio_fits, self.note = found.video, found.audio, found.note
        return found.refusal

    def enter(self, lane: Lane) -> None:
        """Take what goes through `lane` whenever this player is in step. Without a lane everything comes through `offer`."""
        self._lane = lane
        lane.others[self] = None

    def exit(self) -> None:
        """Leave the lane for good."""
        lane = self._lane
        if lane is not None:
            self._written, self._lane, self._lane_from = self.written_bytes, None, None
            lane.takers.pop(self, None)
            lane.others.pop(self, None)

    def start(self, headers: Headers | None, cached: list[Batch], now: float) -> None:
        """Bring the player up to date: headers, then the pictures since the last keyframe."""
        want = self.want
        self._burst_bytes = sum(len(batch.view(want)) for batch in cached)
        if headers is not None:
            self.headers(headers, now)
        for batch in self._put_together(cached) if want is Want.ALL else cached:
            self.offer(batch, now)
        if not self._queue:
            self._burst_bytes = 0
        self._keep_lane()

    def headers(self, headers: Headers, now: float) -> None:
        """New sequence headers. Sent even while paused, and never dropped: nothing after them decodes without."""
        data = headers.view(self.want)
        if data:
            self._put(_Waiting(data, False, True, now))
        self._keep_lane()

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
        self._keep_lane()

    def pause(self, paused: bool) -> None:
        """Stop or go on at the player's request. It goes on with the next keyframe."""
        self._paused = paused
        self._needs_keyframe = True
        self._keep_lane()

    def receive(self, audio: bool | None, video: bool | None) -> None:
        """Switch audio or video off or on at the player's request."""
        if audio is not None:
            self._audio_wanted = audio
        if video is not None:
            self._needs_keyframe = self._needs_keyframe or (video and not self._video_wanted)
            self._video_wanted = video
        self._keep_lane()

    def block(self) -> None:
        """The kernel has refused bytes; they are in the transport's buffer."""
        self._blocked = True
        self._keep_lane()

    def unblock(self) -> None:
        """The transport's buffer is empty again."""
        self._blocked = False
        sent = 0
        for item in tuple(self._queue):
            if self._blocked:
                break
            sent += 1
            self._queued_bytes -= len(item.data)
            self._write(item.data)
        del self._queue[:sent]
        if not self._queue:
            self._burst_bytes = 0
        self._keep_lane()

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

    def _keep_lane(self) -> None:
        """Be in the lane exactly while this player takes everything and nothing waits for it."""
        lane = self._lane
        if lane is None:
            return
        in_step = not (self._blocked or self._queue or self._needs_keyframe or self._paused) and self.want is Want.ALL
        if in_step is (self._lane_from is not None):
            return
        if in_step:
            self._lane_from = lane.total_bytes
            lane.others.pop(self, None)
            lane.takers[self] = self._sink.write
        else:
            self._written, self._lane_from = self.written_bytes, None
            lane.takers.pop(self, None)
            lane.others[self] = None

    def _put_together(self, cached: list[Batch]) -> Iterator[Batch]:
        """Fewer and larger batches while the player takes them; then the shared ones, which cost nothing to keep."""
        group: list[Batch] = []
        size = 0
        for batch in cached:
            group.append(batch)
            size += len(batch.whole)
            if self._blocked:
                yield from group
            elif size >= BURST_BYTES:
                yield _one(group)
            else:
                continue
            group, size = [], 0
        if group:
            yield _one(group)

    def _put(self, item: _Waiting) -> None:
        if not self._queue and not self._blocked:
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
        items = self._queue
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
        self._queue = [item._replace(since=now) for item in newest_headers] + kept
        self._queued_bytes = sum(len(item.data) for item in self._queue)
        self.dropped += len(dropped) - len(newest_headers)
        self.overflows += 1
        recent = self._overflowed_at
        recent.append(now)
        while now - recent[0] > self._limits.overflow_span_s:
            del recent[0]
        if len(recent) >= self._limits.overflows:
            self._give_up(f"too slow: {len(recent)} times behind within {self._limits.overflow_span_s:.0f} s")

    def _give_up(self, reason: str) -> None:
        if not self.failure:
            self.failure, self.too_slow = reason, True

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        self._sink.write(data)


def _one(group: list[Batch]) -> Batch:
    if len(group) == 1:
        return group[0]
    return Batch(b"".join(batch.whole for batch in group), 0, group[0].keyframe)
