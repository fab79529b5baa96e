"""What one camera reports at the moment, and its last events. Pure; event loop only; times are passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gateway.device.bus import CameraEvent
from gateway.onvif.events import Kind, Message

KEPT = 20
MAX_STATES = 64
"""Sensors, inputs and rules of one camera. Some count by objects seen and never end one: the oldest is taken to be over."""


@dataclass(frozen=True, slots=True)
class Active:
    """Something that goes on: since when, in Unix seconds."""

    kind: Kind
    source: str
    since: float


class EventLog:
    """Turns messages into events: only what changes is one."""

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._on: dict[tuple[Kind, str], float] = {}
        self._last: deque[CameraEvent] = deque(maxlen=KEPT)

    @property
    def active(self) -> tuple[Active, ...]:
        """What goes on now, the oldest first."""
        found = (Active(kind, source, since) for (kind, source), since in self._on.items())
        return tuple(sorted(found, key=lambda one: one.since))

    @property
    def last(self) -> tuple[CameraEvent, ...]:
        """The last events, the newest first."""
        return tuple(reversed(self._last))

    def take(self, message: Message, now: float) -> CameraEvent | None:
        """Take in a message; the event that it is, None if it repeats what is known."""
        key = (message.kind, message.source)
        if message.on is None:
            return self._note(message.kind, None, now, message.source)
        if message.on == (key in self._on):
            return None
        if message.on:
            if len(self._on) >= MAX_STATES:
                kind, source = next(iter(self._on))
                del self._on[kind, source]
                self._note(kind, False, now, source)
            self._on[key] = now
        else:
            del self._on[key]
        return self._note(message.kind, message.on, now, message.source)

    def lost(self, now: float) -> tuple[CameraEvent, ...]:
        """The connection is gone: nothing is known to go on any more."""
        ended = tuple(self._note(kind, False, now, source) for kind, source in self._on)
        self._on.clear()
        return ended

    def _note(self, kind: Kind, on: bool | None, now: float, source: str) -> CameraEvent:
        event = CameraEvent(self._camera, kind, on, now, source)
        self._last.append(event)
        return event
