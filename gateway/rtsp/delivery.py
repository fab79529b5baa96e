"""Carries a stream's frames to one playing viewer: subscription, pace, RTP and sender reports. Event loop only.

Knows nothing of sockets: a `Sink` takes the packets and says when it can take more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Kind, Tracks
from gateway.rtsp.frame_queue import FrameQueue
from gateway.rtsp.payload import CARRIED, Payloader
from gateway.rtsp.rtcp import goodbye, sender_report
from gateway.rtsp.sdp import Offer
from gateway.rtsp.session import SetupTrack
from gateway.rtsp.wallclock import WallClock

REPORT_INTERVAL_S = 5.0
"""RFC 3550's minimum for two parties. The first report goes out in front of a track's first packet: players align sound
and picture by it."""
CNAME = "camera"
OUTPUT = "rtsp"
"""Name of this output in the stream's counts."""


class Sink(Protocol):
    """Where packets go."""

    @property
    def ready(self) -> bool:
        """Takes packets now. Once it has said no, it calls `Delivery.pump` when it can take more."""

    def send_rtp(self, track: SetupTrack, packets: Sequence[bytes]) -> None:
        """Send the packets of one frame, in order."""

    def send_rtcp(self, track: SetupTrack, packet: bytes) -> None:
        """Send a report."""


class Delivery:
    """A `media.stream.Subscriber` for one viewer."""

    def __init__(
        self,
        stream: Stream,
        payloader: Payloader,
        tracks: Sequence[SetupTrack],
        offer: Offer,
        sink: Sink,
        on_unfit: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_unfit(reason)` is called when the stream has become something the viewer was not told of."""
        self._stream = stream
        self._payloader = payloader
        self._tracks = {track.offered.config.kind: track for track in tracks}
        self._offer = {offered.config.kind: offered for offered in offer}
        self._sink = sink
        self._on_unfit = on_unfit
        self._clock = clock
        self._wall = WallClock()
        self._reported: dict[Kind, float] = {}
        self._open = False
        self.queue = FrameQueue(Kind.VIDEO if Kind.VIDEO in self._tracks else Kind.AUDIO)

    def start(self) -> float | None:
        """Subscribe; nothing is sent before `open`. The earliest moment there is already, in seconds of the stream."""
        self._stream.subscribe(self)
        self.queue.forgive()
        return min((frame.pts / frame.config.clock_rate for frame in self.queue.frames), default=None)

    def open(self) -> None:
        """Begin to send."""
        self._open = True
        self.pump()

    def stop(self) -> None:
        """Send no more frames."""
        self._open = False
        self._stream.unsubscribe(self)
        self.queue.clear()

    def farewell(self) -> None:
        """Tell the viewer that this is the end of every track."""
        for track in self._tracks.values():
            self._sink.send_rtcp(track, goodbye(track.sender, CNAME))

    def on_tracks(self, tracks: Tracks) -> None:
        """The stream starts anew. Silence of a track is borne; a format the viewer does not know of is not."""
        for config in tracks:
            offered = self._offer.get(config.kind)
            if offered is None and config.codec not in CARRIED and config.kind is Kind.AUDIO:
                continue
            if offered is None or not offered.carries(config):
                self._on_unfit(f"{config.kind.value} is now {config.codec.value}, which was not described")
                return

    def on_frame(self, frame: Frame) -> None:
        """Queue a frame of a track that is set up, and send what can be sent."""
        if frame.kind not in self._tracks:
            return
        dropped = self.queue.dropped
        self.queue.put(frame, self._clock())
        if self.queue.dropped != dropped:
            self._stream.demand.dropped[OUTPUT] += self.queue.dropped - dropped
        self.pump()

    def pump(self) -> None:
        """Send as much as the sink takes."""
        while self._open and self._sink.ready and (frame := self.queue.get()) is not None:
            self._send(frame)

    def _send(self, frame: Frame) -> None:
        track = self._tracks[frame.kind]
        if not track.offered.carries(frame.config):
            return
        self._wall.observe(frame.pts / frame.config.clock_rate, frame.wall)
        self._report_if_due(track, frame)
        for burst in self._payloader.cut(frame):
            packets = track.sender.packetise(burst.payloads, burst.pts, marked=burst.marked)
            self._stream.counts.sent[OUTPUT] += sum(map(len, packets))
            self._sink.send_rtp(track, packets)

    def _report_if_due(self, track: SetupTrack, frame: Frame) -> None:
        now = self._clock()
        last = self._reported.get(frame.kind)
        if last is not None and now - last < REPORT_INTERVAL_S:
            return
        if last is not None and frame.kind is self.queue.gate:
            self._wall.settle()
        self._reported[frame.kind] = now
        wall = self._wall.at(frame.pts / frame.config.clock_rate)
        self._sink.send_rtcp(track, sender_report(track.sender, CNAME, wall, frame.pts))
