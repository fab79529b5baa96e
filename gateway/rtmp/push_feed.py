"""From one stream to one server it is pushed to: chooses what the server takes, and writes it as RTMP messages from time 0.

Unlike players, servers want their own clock (from 0), their own message stream, and metadata in an envelope
(`@setDataFrame`), so nothing is shared with the relay but the forms of the messages and the bounded queue (`Viewer`): a
server that takes less than the stream sends loses pictures up to a keyframe, and the stream notices nothing.

Event loop only: called by `media.stream` and by `push`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Set

from gateway.media.frame import Frame
from gateway.media.stream import Stream, Subscriber
from gateway.media.track import Kind, TrackConfig, Tracks
from gateway.rtmp import amf0, chunk, flv
from gateway.rtmp.batch import Batch, Headers
from gateway.rtmp.chunk import encode_message
from gateway.rtmp.errors import RtmpError
from gateway.rtmp.session import CSID_AUDIO, CSID_VIDEO
from gateway.rtmp.silence import Silenced
from gateway.rtmp.viewer import Viewer

ANY = "*"


def fourccs_of(tracks: Tracks) -> tuple[str, ...]:
    """Enhanced RTMP codecs among `tracks`."""
    return tuple(filter(None, (flv.fourcc(track.codec) for track in tracks)))


def untaken(tracks: Tracks, fourccs: Set[str], *, enhanced: bool) -> tuple[TrackConfig, ...]:
    """Those of `tracks` that do not go to a server that announced `fourccs`; `enhanced`: it takes more than it says."""
    return tuple(
        track
        for track in tracks
        if not flv.carries(track.codec)
        or not (enhanced or not flv.fourcc(track.codec) or fourccs & {flv.fourcc(track.codec), ANY})
    )


class PushFeed:
    """Subscriber of a stream, between `open` and `close`."""

    def __init__(
        self,
        stream: Stream,
        viewer: Viewer,
        stream_id: int,
        *,
        fourccs: Set[str] = frozenset(),
        enhanced: bool = False,
        silent_audio: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stream_id` is the server's message stream; `viewer` writes to its connection."""
        self._stream = stream
        self._fourccs = fourccs
        self._enhanced = enhanced
        self._monotonic = monotonic
        self._wire = _Wire(viewer, stream_id, monotonic)
        self._inner: Subscriber = Silenced(self._wire) if silent_audio else self._wire
        self._dropped: frozenset[Kind] = frozenset()
        self.last_frame_at = monotonic()
        """Monotonic seconds of the stream's last frame."""
        self.untaken: tuple[TrackConfig, ...] = ()
        """Tracks that are not sent because the server does not take their codec."""

    @property
    def largest_bytes(self) -> int:
        """The largest message so far: some servers (nginx-rtmp's `max_message`) close at 1 MiB."""
        return self._wire.largest_bytes

    def open(self) -> None:
        """Begin with the pictures since the last keyframe."""
        self._wire.hold()
        self._stream.subscribe(self)
        self._wire.release()

    def close(self) -> None:
        """Leave the stream."""
        self._stream.unsubscribe(self)

    def on_tracks(self, tracks: Tracks) -> None:
        """The stream starts anew; a keyframe follows."""
        self.untaken = untaken(tracks, self._fourccs, enhanced=self._enhanced)
        self._dropped = frozenset(track.kind for track in self.untaken)
        self._inner.on_tracks(tuple(track for track in tracks if track.kind not in self._dropped))

    def on_frame(self, frame: Frame) -> None:
        """Send the next frame."""
        self.last_frame_at = self._monotonic()
        if frame.kind not in self._dropped:
            self._inner.on_frame(frame)


class _Wire:
    """Frames to messages with times from 0."""

    def __init__(self, viewer: Viewer, stream_id: int, monotonic: Callable[[], float]) -> None:
        self._viewer = viewer
        self._stream_id = stream_id
        self._monotonic = monotonic
        self._tracks: Tracks = ()
        self._headers_due = False
        self._has_video = False
        self._origin_ms: int | None = None
        self._last_ms: dict[Kind, int] = {}
        self._held: tuple[list[Headers], list[Batch]] | None = None
        self.largest_bytes = 0

    def hold(self) -> None:
        """Collect what comes now, to hand it over as one beginning."""
        self._held = [], []

    def release(self) -> None:
        assert self._held is not None
        (headers, cached), self._held = self._held, None
        self._viewer.start(headers[-1] if headers else None, cached, self._monotonic())

    def on_tracks(self, tracks: Tracks) -> None:
        self._tracks = tracks
        self._has_video = any(track.kind is Kind.VIDEO for track in tracks)
        self._headers_due = True

    def on_frame(self, frame: Frame) -> None:
        absolute_ms = _milliseconds(frame.dts, frame.config)
        starts = frame.keyframe and (frame.kind is Kind.VIDEO or not self._has_video)
        if self._origin_ms is None:
            if not starts:
                return
            self._origin_ms = absolute_ms
        milliseconds = absolute_ms - self._origin_ms
        if milliseconds < 0:
            return  # sound that belongs before the first picture
        last = self._last_ms.get(frame.kind)
        if last is not None and milliseconds <= last:
            milliseconds = last + 1
        composition = max(0, _milliseconds(frame.pts, frame.config) - self._origin_ms - milliseconds)
        csid, type_id = _channel(frame.kind)
        try:
            prefix = flv.frame_prefix(frame, composition)
            data = encode_message(csid, type_id, self._stream_id, milliseconds, prefix, frame.payload)
        except RtmpError:
            return  # a picture of more than 16 MB; the next keyframe may be smaller
        self._last_ms[frame.kind] = milliseconds
        self.largest_bytes = max(self.largest_bytes, len(prefix) + len(frame.payload))
        now = self._monotonic()
        if self._headers_due:
            self._headers_due = False
            self._announce(milliseconds, now)
        batch = Batch(data, 0, starts)
        if self._held is None:
            self._viewer.offer(batch, now)
        else:
            self._held[1].append(batch)

    def _announce(self, milliseconds: int, now: float) -> None:
        """Metadata and sequence headers, for those who watch there to start on."""
        metadata = amf0.encode("@setDataFrame") + flv.metadata(self._tracks)
        parts = [encode_message(CSID_AUDIO, chunk.DATA, self._stream_id, 0, metadata)]
        for track in self._tracks:
            csid, type_id = _channel(track.kind)
            parts.append(encode_message(csid, type_id, self._stream_id, milliseconds, flv.sequence_header(track)))
        whole = b"".join(parts)
        headers = Headers(whole, whole, whole)
        if self._held is None:
            self._viewer.headers(headers, now)
        else:
            self._held[0].append(headers)


def _channel(kind: Kind) -> tuple[int, int]:
    return (CSID_VIDEO, chunk.VIDEO) if kind is Kind.VIDEO else (CSID_AUDIO, chunk.AUDIO)


def _milliseconds(ticks: int, config: TrackConfig) -> int:
    return (ticks * 1000 + config.clock_rate // 2) // config.clock_rate
