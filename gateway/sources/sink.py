"""The way from a reader thread into the event loop. One direction, no locks, nothing comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.media.frame import Frame
from gateway.media.state import Status
from gateway.media.stream import Stream
from gateway.media.track import Kind

AUDIO_WAIT_S = 0.06
"""Audio frames ride with the next picture. Alone they wait at most this long: 1.5 pictures at 25 fps."""


class Sink(Protocol):
    """What a reader tells the world. Called on the reader's thread."""

    def begin(self, expected: frozenset[Kind], audio_note: str) -> None:
        """A session is open and declares these tracks."""

    def frame(self, frame: Frame) -> None:
        """The next frame."""

    def end(self) -> None:
        """The session is over."""

    def status(self, status: Status) -> None:
        """The source's state changed."""


class LoopSink:
    """Hands everything to a `Stream` on its event loop, in order. Costs one wake-up per picture."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stream: Stream,
        on_status: Callable[[Status], None],
        on_audio_note: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._stream = stream
        self._on_status = on_status
        self._on_audio_note = on_audio_note
        self._waiting: list[Frame] = []
        self._released = False

    def release(self) -> None:
        """From here on nothing arrives. Event loop; the reader may still be on its way out of libavformat, and its stream
        belongs to the next one."""
        self._released = True

    def begin(self, expected: frozenset[Kind], audio_note: str) -> None:
        """See `Sink.begin`."""
        self._waiting = []
        self._call(self._stream.begin, expected)
        self._call(self._on_audio_note, audio_note)

    def frame(self, frame: Frame) -> None:
        """See `Sink.frame`."""
        waiting = self._waiting
        waiting.append(frame)
        if frame.kind is Kind.VIDEO or frame.seconds - waiting[0].seconds >= AUDIO_WAIT_S:
            self._waiting = []
            self._call(self._stream.push, waiting)

    def end(self) -> None:
        """See `Sink.end`."""
        self._waiting = []
        self._call(self._stream.end)

    def status(self, status: Status) -> None:
        """See `Sink.status`."""
        self._call(self._on_status, status)

    def _call(self, function: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, function, args)
        except RuntimeError:
            pass  # the loop is closed: the process ends, and with it everybody who could have listened

    def _deliver(self, function: Callable[..., None], args: tuple[object, ...]) -> None:
        if not self._released:
            function(*args)
