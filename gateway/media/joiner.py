"""Joins packets that are one picture.

Some cameras' pictures come out of libavformat in several packets with one presentation time (field-coded video, slices without
a marker bit). As samples of their own they would be half pictures, which browsers refuse. Waiting for the next packet to see
whether the picture is complete costs a frame of delay, so it is only done once a stream has shown that it needs it.

Other cameras stamp every picture with the same time. Their pictures are told from pieces by their first slices, of which a
picture has two at most (its fields). Pure; called by reader threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.media.counts import Counts

MAX_FIELDS = 2
MAX_UNITS = 2048
"""Of one picture (`depacketise_nal.MAX_UNITS`): whatever a camera sends, memory is bounded."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What a session gave: presentation time in ticks of 90 kHz (None if it had none), NAL units, keyframe flag."""

    pts: int | None
    units: list[bytes]
    keyframe: bool = False


class Joiner:
    """Passes packets through until two share a picture; from then on holds each back until the next one comes."""

    def __init__(self, begins: Callable[[bytes], bool], counts: Counts | None = None) -> None:
        """`begins` knows the NAL unit that is the first slice of a picture or field; joined packets are counted in `counts`."""
        self._begins = begins
        self._counts = counts or Counts()
        self._last_pts: int | None = None
        self._begun = 0
        """Pictures or fields that have begun with the present time."""
        self._held: Packet | None = None
        self.joining = False
        """This stream's pictures come in pieces."""

    @property
    def stuck(self) -> bool:
        """The camera's clock stands still: what `push` gives now has no time."""
        return self._begun > MAX_FIELDS

    def push(self, packet: Packet) -> Packet | None:
        """Take the next packet; the packet that is complete now, if one is."""
        # the first packets of a session may all be without a time (see `timestamps`)
        same = self._last_pts is not None and packet.pts in (None, self._last_pts)
        if packet.pts is not None:
            self._last_pts = packet.pts
        begins = any(map(self._begins, packet.units))
        self._begun = self._begun + begins if same else int(begins)
        if not self.joining:
            if not same:
                return packet
            self.joining = True  # the picture it belongs to has gone out already: this one is damaged, the next is whole
        if self.stuck:
            packet = Packet(None, packet.units, packet.keyframe)
            same = not begins
        held, self._held = self._held, packet
        if same and held is not None and len(held.units) < MAX_UNITS:
            self._counts.joined += 1
            self._held = Packet(held.pts, held.units + packet.units, held.keyframe or packet.keyframe)
            return None
        return held
