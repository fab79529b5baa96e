"""What cameras report, handed to whoever wants to know, such as alarms and recordings. Pure; event loop only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.onvif.events import Kind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraEvent:
    """Something began, ended or happened at a camera."""

    camera: str
    kind: Kind
    on: bool | None
    """True: began; False: ended; None: happened, and has no end."""
    at: float
    """Unix seconds by the box's clock: cameras' clocks are wrong too often."""
    source: str
    """Which sensor, input or rule; empty if the camera has one only."""


Listener = Callable[[CameraEvent], None]


class EventBus:
    """Publishes to its subscribers, in the order in which they came."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with every event; the function returned ends that."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def publish(self, event: CameraEvent) -> None:
        """Tell everybody. A listener that raises is told no more; the others do not notice."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener to camera events failed and is left out from now on")
                self._listeners.remove(listener)
