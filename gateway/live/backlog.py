"""What waits to be sent to one page, and what is thrown away when its line is too slow. Pure, clock passed in; event loop.

A WebSocket's own back-pressure comes too late: the kernel takes four megabytes from us before `send` waits [measured], which
is half a minute of a slow line. So the page acknowledges what has arrived, and only so much is handed out unacknowledged as
the line carries in a fraction of a second. The rest waits here, bounded in bytes and in time.

Order: texts, then the focused tile, then running tiles, then the past of tiles that have just been opened. Whatever has
waited too long is dropped with everything of its channel up to the next keyframe, and the page is told how much it missed.
So the tiles nobody looks at in particular lose first, and a tile being opened disturbs none that runs.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

LIVE_WAIT_S = 1.0
"""A picture that has waited longer is not worth sending: the next keyframe is newer."""
CATCH_UP_WAIT_S = 5.0
"""The past of a stream may take longer: without it nothing can be decoded before the next keyframe."""
MAX_WAITING_BYTES = 16 * 1024 * 1024
"""A whole wall that is being opened, 36 GOPs of sub streams and a 4K main stream."""
SMALL_FLIGHT_BYTES = 128 * 1024
"""So much may always be under way: less would cost throughput on a distant line."""
LARGE_FLIGHT_BYTES = 4 * 1024 * 1024
"""Never more than this, however quickly the page answers."""
FLIGHT_S = 0.25
"""Beyond the small flight nothing is added while the oldest byte under way is older than this and the line's own delay."""
MERGE_BYTES = 64 * 1024
"""Records that wait are sent together: a WebSocket message costs 50 microseconds, whatever its size."""


class Lane(enum.IntEnum):
    """Sent in this order."""

    TEXT = 0
    FOCUSED = 1
    LIVE = 2
    CATCH_UP = 3


@dataclass(slots=True)
class _Entry:
    lane: Lane
    channel: int
    data: bytes | str
    droppable: bool
    pictures: int
    deadline: float
    told: int = 0
    """Pictures whose loss this entry tells."""


class _Channel:
    __slots__ = ("begun", "catching_up", "dropped", "focused", "waiting")

    def __init__(self, focused: bool) -> None:
        self.focused = focused
        self.begun = False
        """A keyframe has been queued: before it there is nothing to send, and nothing is lost."""
        self.catching_up = 0
        """Entries that wait in the CATCH_UP lane; while there are any, everything of this channel goes there."""
        self.waiting = False
        """For a keyframe, after a drop."""
        self.dropped = 0


class Backlog:
    """Queue of one connection."""

    def __init__(self, dropped_text: Callable[[int, int], str], lost: Callable[[int, int], None] | None = None) -> None:
        """`dropped_text(channel, pictures)` makes the message that tells of a drop; `lost` is called with every one."""
        self._dropped_text = dropped_text
        self._lost = lost
        self._lanes: dict[Lane, deque[_Entry]] = {lane: deque() for lane in Lane}
        self._channels: dict[int, _Channel] = {}
        self._bytes = 0
        self._sent = 0
        self._acked = 0
        self._flight: deque[tuple[int, float]] = deque()
        self._line_delay = float("inf")
        self.dropped = 0
        """Pictures thrown away since the beginning."""
        self.handed: dict[int, int] = {}
        """Bytes of records handed out, by channel; whoever reads them takes them away."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes not yet handed out."""
        return self._bytes

    @property
    def flight_bytes(self) -> int:
        """Bytes handed out and not acknowledged."""
        return self._sent - self._acked

    def waits_s(self, now: float) -> float:
        """How long the oldest live record has waited; 0 if none does."""
        oldest = (self._first_droppable(lane) for lane in (Lane.FOCUSED, Lane.LIVE))
        return max((now - entry.deadline + LIVE_WAIT_S for entry in oldest if entry is not None), default=0.0)

    def open(self, channel: int, focused: bool) -> None:
        """A channel begins (anew)."""
        self.close(channel)
        self._channels[channel] = _Channel(focused)

    def close(self, channel: int) -> None:
        """A channel ends: nothing more of it is sent."""
        if self._channels.pop(channel, None) is not None:
            self._remove(channel, keep=lambda _entry: False)

    def text(self, text: str) -> None:
        """A message that concerns no channel, or all. Sent before everything else."""
        self._lanes[Lane.TEXT].append(_Entry(Lane.TEXT, -1, text, False, 0, float("inf")))

    def announce(self, channel: int, text: str) -> None:
        """A text in order with the channel's records."""
        self._put(channel, text, now=0.0, droppable=False, pictures=0, wait_s=float("inf"))

    def config(self, channel: int, record: bytes, *, past: bool = False) -> None:
        """A configuration: never dropped, it is small and everything after it depends on it."""
        self._put(channel, record, now=0.0, droppable=False, pictures=0, wait_s=float("inf"), past=past)

    def past(self, channel: int, record: bytes, *, video: bool, now: float) -> None:
        """A frame older than live, which a new viewer's decoder needs."""
        state = self._channels.get(channel)
        if state is not None and not state.waiting:
            state.begun = True
            self._put(channel, record, now=now, droppable=True, pictures=int(video), wait_s=CATCH_UP_WAIT_S, past=True)
            self._relieve(now)

    def frame(self, channel: int, record: bytes, *, keyframe: bool, video: bool, now: float) -> None:
        """The newest frame of a channel. Only a keyframe of the video ends the wait after a drop."""
        state = self._channels.get(channel)
        if state is None or not (state.begun or (keyframe and video)):
            return
        state.begun = True
        if state.waiting:
            if not (keyframe and video):
                state.dropped += int(video)
                self._lose(channel, int(video))
                return
            state.waiting = False
            text = self._dropped_text(channel, state.dropped)
            self._put(channel, text, now=now, droppable=True, pictures=0, wait_s=LIVE_WAIT_S, told=state.dropped)
            state.dropped = 0
        self._put(channel, record, now=now, droppable=True, pictures=int(video), wait_s=LIVE_WAIT_S)
        self._relieve(now)

    def ack(self, received: int, now: float) -> bool:
        """The page has got so many bytes in all. False if that cannot be."""
        if received < self._acked or received > self._sent:
            return False
        self._acked = received
        while self._flight and self._flight[0][0] <= received:
            self._line_delay = min(self._line_delay, now - self._flight.popleft()[1])
        return True

    def take(self, now: float) -> bytes | str | None:
        """The next message to send, None if there is none or too much is under way."""
        texts = self._lanes[Lane.TEXT]
        if texts:
            return texts.popleft().data
        if not self._may_fly(now):
            return None
        for lane in (Lane.FOCUSED, Lane.LIVE, Lane.CATCH_UP):
            if self._lanes[lane]:
                return self._take_from(lane, now)
        return None

    def _may_fly(self, now: float) -> bool:
        flight = self.flight_bytes
        if flight < SMALL_FLIGHT_BYTES:
            return True
        if flight >= LARGE_FLIGHT_BYTES or not self._flight:
            return False
        delay = self._line_delay if self._line_delay != float("inf") else 0.0
        return now - self._flight[0][1] <= FLIGHT_S + delay

    def _take_from(self, lane: Lane, now: float) -> bytes | str:
        entries = self._lanes[lane]
        merged: list[bytes] = []
        size = 0
        while entries:
            data = entries[0].data
            if isinstance(data, str):
                if merged:
                    break
                self._leave(entries.popleft())
                return data
            if merged and size + len(data) > MERGE_BYTES:
                break
            entry = entries.popleft()
            self._leave(entry)
            self.handed[entry.channel] = self.handed.get(entry.channel, 0) + len(data)
            merged.append(data)
            size += len(data)
        self._sent += size
        self._flight.append((self._sent, now))
        return merged[0] if len(merged) == 1 else b"".join(merged)

    def _put(
        self,
        channel: int,
        data: bytes | str,
        *,
        now: float,
        droppable: bool,
        pictures: int,
        wait_s: float,
        past: bool = False,
        told: int = 0,
    ) -> None:
        state = self._channels.get(channel)
        if state is None:
            return
        lane = Lane.FOCUSED if state.focused else Lane.LIVE
        if past or state.catching_up:
            lane = Lane.CATCH_UP
            wait_s = max(wait_s, CATCH_UP_WAIT_S)
            state.catching_up += 1
        self._lanes[lane].append(_Entry(lane, channel, data, droppable, pictures, now + wait_s, told))
        self._bytes += len(data)

    def _leave(self, entry: _Entry) -> None:
        self._bytes -= len(entry.data)
        if entry.lane is Lane.CATCH_UP:
            self._channels[entry.channel].catching_up -= 1

    def _relieve(self, now: float) -> None:
        """Drop what has waited too long, and more if there is too much of it."""
        for lane in (Lane.CATCH_UP, Lane.LIVE, Lane.FOCUSED):
            while (first := self._first_droppable(lane)) is not None and first.deadline < now:
                self._drop(first.channel)
        while self._bytes > MAX_WAITING_BYTES:
            channel = self._heaviest()
            if channel is None:
                return
            self._drop(channel)

    def _first_droppable(self, lane: Lane) -> _Entry | None:
        return next((entry for entry in self._lanes[lane] if entry.droppable), None)

    def _heaviest(self) -> int | None:
        for lane in (Lane.CATCH_UP, Lane.LIVE, Lane.FOCUSED):
            weights: dict[int, int] = {}
            for entry in self._lanes[lane]:
                if entry.droppable:
                    weights[entry.channel] = weights.get(entry.channel, 0) + len(entry.data)
            if weights:
                return max(weights, key=lambda channel: weights[channel])
        return None

    def _lose(self, channel: int, pictures: int) -> None:
        self.dropped += pictures
        if self._lost is not None:
            self._lost(channel, pictures)

    def _drop(self, channel: int) -> None:
        state = self._channels[channel]
        removed = self._remove(channel, keep=lambda entry: not entry.droppable)
        pictures = sum(entry.pictures for entry in removed)
        state.waiting = True
        state.dropped += pictures + sum(entry.told for entry in removed)
        self._lose(channel, pictures)

    def _remove(self, channel: int, keep: Callable[[_Entry], bool]) -> list[_Entry]:
        """Take a channel's entries out of all lanes."""
        removed: list[_Entry] = []
        state = self._channels.get(channel)
        for lane in (Lane.FOCUSED, Lane.LIVE, Lane.CATCH_UP):
            kept: deque[_Entry] = deque()
            for entry in self._lanes[lane]:
                if entry.channel != channel or keep(entry):
                    kept.append(entry)
                    continue
                removed.append(entry)
                self._bytes -= len(entry.data)
                if state is not None and lane is Lane.CATCH_UP:
                    state.catching_up -= 1
            self._lanes[lane] = kept
        return removed
