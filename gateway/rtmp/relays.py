"""The relays that exist: one per stream with RTMP players, made for the first and dropped after the last. Event loop only."""

from __future__ import annotations

from collections.abc import Callable

from gateway.config.model import UnannouncedPicture
from gateway.media.stream import Stream
from gateway.rtmp.relay import Relay
from gateway.rtmp.viewer import Viewer


class Relays:
    """Brings viewers and streams together."""

    def __init__(
        self, policy: Callable[[str], UnannouncedPicture], monotonic: Callable[[], float], *, silent_audio: bool = False
    ) -> None:
        self.policy = policy
        """By stream id: what players get that announce no Enhanced RTMP."""
        self.closed_to_new = ""
        """Why no player may join at the moment; empty: they may."""
        self._monotonic = monotonic
        self.silent_audio = silent_audio
        self._relays: dict[Stream, Relay] = {}

    def __len__(self) -> int:
        return len(self._relays)

    def sent_bytes(self, stream: Stream) -> int:
        """Media given to the players that `stream` has now."""
        relay = self._relays.get(stream)
        return relay.sent_bytes if relay is not None else 0

    def queue_age_s(self, now: float) -> float:
        """How far the slowest player of all streams is behind."""
        return max((relay.queue_age_s(now) for relay in self._relays.values()), default=0.0)

    def join(self, stream: Stream, viewer: Viewer) -> tuple[Relay | None, str]:
        """The relay `viewer` can start on (`Relay.join` does), or None and why it cannot play the stream."""
        relay = self._relays.get(stream)
        if relay is None or relay.broken:
            relay = Relay(stream, self.policy(stream.id), silent_audio=self.silent_audio, monotonic=self._monotonic)
            self._relays[stream] = relay
        relay.policy = self.policy(stream.id)
        refusal = relay.refusal(viewer)
        if refusal:
            self._drop_if_empty(relay)
            return None, refusal
        return relay, ""

    def leave(self, relay: Relay, viewer: Viewer) -> None:
        """`viewer` is gone."""
        relay.leave(viewer)
        self._drop_if_empty(relay)

    def _drop_if_empty(self, relay: Relay) -> None:
        if not relay.viewers and self._relays.get(relay.stream) is relay:
            del self._relays[relay.stream]
            relay.close()
        elif not relay.viewers and relay.broken:
            relay.close()  # another one has taken its place
