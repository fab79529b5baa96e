"""A camera that sends to us (OBS, a phone, another server): its stream, and whoever publishes it at the moment.

It has the interface of `sources.camera.StreamSource`, so that a camera holds either. Nothing is pulled and nothing retried;
the states say whether the publisher is there. Implements `gateway.rtmp.publisher.PublishPoint`. Event loop only.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from gateway.config.model import SecondPublisher, Secret
from gateway.media.frame import Frame
from gateway.media.state import State, Status
from gateway.media.stream import Stream
from gateway.media.track import Kind
from gateway.rtmp.publisher import Publisher
from gateway.sources import watch
from gateway.sources.legacy import Legacy

log = logging.getLogger(__name__)

TAKEOVER_S = 5.0
"""An encoder that lost its network comes back before its old connection is noticed to be dead. One that was silent for this
long makes room; one that sends keeps its place."""
SAME_ADDRESS_TAKEOVER_S = 1.5
"""From the address of the silent one it is nearly certainly the same device: a phone whose call was cut. Encoders send
several messages a second, also where nothing moves."""
KEY_PARAMETERS = ("key", "token", "pass")
"""Where clients can put the key: `?key=KEY`, `?token=KEY`, or `?user=anything&pass=KEY`."""


class PublishSource:
    """One stream and its publisher, between `start()` and `stop()`."""

    on_demand = False
    exists = True
    transport = "rtmp"

    def __init__(
        self,
        stream_id: str,
        key: Secret,
        *,
        second: SecondPublisher = SecondPublisher.REFUSE,
        audio: bool = True,
        legacy: Legacy | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`legacy` is what the camera's source left behind that was configured before this one."""
        legacy = legacy or Legacy.of_new(Stream(stream_id, monotonic=monotonic, wall=wall))
        self.stream = legacy.stream
        self.audio_note = ""
        """Sound or picture of the publisher that cannot be served."""
        self.timeline = legacy.timeline
        self.audio = audio
        self._key = key
        self._second = second
        self._monotonic = monotonic
        self._wall = wall
        self._open = False
        self._publisher: Publisher | None = None
        self.stream.set_status(self._status(State.OFFLINE, "waiting for the publisher", "waiting"))

    @property
    def id(self) -> str:
        """The stream's id."""
        return self.stream.id

    def start(self) -> None:
        """Begin accepting a publisher."""
        self._open = True

    def stop(self) -> list[threading.Thread]:
        """Let the publisher go, for good. No thread is left behind."""
        self._open = False
        publisher, self._publisher = self._publisher, None  # what it still sends belongs to nobody
        self.stream.end()
        if publisher is not None:
            reason = "the camera was removed or changed in the configuration"
            publisher.dismiss(reason)
            self.stream.set_status(self._status(State.OFFLINE, reason, "waiting"))
        return []

    def legacy(self) -> Legacy:
        """What the next source of this stream goes on with. After `stop()`."""
        return Legacy(self.stream, self.timeline)

    def retry_now(self) -> None:
        """There is nobody to ask."""

    def tick(self) -> None:
        """Look whether pictures still come."""
        stream = self.stream
        now = self._monotonic()
        last = stream.meter.last_video_at
        fps, _ = stream.meter.rates(last if last is not None else now)  # of the time before it fell silent
        before = stream.status
        if not any(track.kind is Kind.VIDEO for track in stream.tracks):
            return  # sound alone is never late, whatever a former publisher sent
        after = watch.observe(before, now=now, wall=self._wall(), last_video_at=last, fps=fps)
        if after is not before:
            log.info("stream %s: %s%s", stream.id, after.state.value, f": {after.reason}" if after.reason else " again")
            stream.set_status(after)

    def admits(self, params: Mapping[str, str]) -> bool:
        """The parameters hold the key. Takes the same time for every wrong key of a length."""
        expected = _comparable(self._key.reveal())
        given = [params[name] for name in KEY_PARAMETERS if name in params]
        return any(hmac.compare_digest(expected, _comparable(text)) for text in given)

    def open(self, publisher: Publisher, now: float) -> str:
        """See `PublishPoint.open`."""
        if not self._open:
            return f"{self.id} takes no publisher: {self.stream.status.reason or 'it was removed'}"
        if self._publisher is not None:
            patience_s = SAME_ADDRESS_TAKEOVER_S if publisher.client == self._publisher.client else TAKEOVER_S
            if self._second is SecondPublisher.REFUSE and self._publisher.silent_s(now) <= patience_s:
                return f"somebody is already publishing {self.id}"
            self._dismiss("another publisher took over")
        self._publisher = publisher
        self.stream.set_status(self._status(State.CONNECTING))
        return ""

    def begin(self, publisher: Publisher, expected: frozenset[Kind], note: str) -> None:
        """See `PublishPoint.begin`."""
        if publisher is self._publisher:
            self.audio_note = note
            self.stream.begin(expected)

    def push(self, publisher: Publisher, frames: Iterable[Frame]) -> None:
        """See `PublishPoint.push`."""
        if publisher is not self._publisher:
            return
        self.stream.push(frames)
        if self.stream.status.state is State.CONNECTING:
            self.stream.set_status(self._status(State.LIVE))
            lost = f"; {self.audio_note}" if self.audio_note else ""
            log.info("stream %s: live, published by %s%s", self.id, publisher.client, lost)

    def close(self, publisher: Publisher, reason: str) -> None:
        """See `PublishPoint.close`."""
        if publisher is not self._publisher:
            return
        self._publisher = None
        self.stream.end()
        self.stream.set_status(self._status(State.OFFLINE, reason, "waiting"))

    def _dismiss(self, reason: str) -> None:
        publisher = self._publisher
        if publisher is not None:
            publisher.dismiss(reason)

    def _status(self, state: State, reason: str = "", code: str = "") -> Status:
        return Status(state, since=self._wall(), reason=reason, code=code)


def _comparable(key: str) -> bytes:
    """A plus sign typed into a stream key arrives as a space: that is how query strings are decoded."""
    return key.replace("+", " ").encode("utf-8", "surrogatepass")
