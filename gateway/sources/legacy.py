"""What a stream keeps when its camera is configured anew: its fan-out point, its time, and the thread that is on its way out.

Viewers, pushes and HLS windows hold the `Stream`; because the next source feeds the same one, on the same timeline, all they
see of a changed password is a short outage. Event loop only.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from gateway.media.stream import Stream
from gateway.media.timestamps import Timeline


@dataclass(frozen=True, slots=True)
class Legacy:
    """One stream between two sources."""

    stream: Stream
    timeline: Timeline
    thread: threading.Thread | None = None
    """The last reader: the next one waits for it, because cameras count sessions."""

    @classmethod
    def of_new(cls, stream: Stream) -> Legacy:
        """What a stream begins with. Repairs of its time are counted with the stream."""
        return cls(stream, Timeline(stream.counts))
