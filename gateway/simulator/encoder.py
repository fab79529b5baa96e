"""Turns time into a stream: paints a picture when it is due, encodes it, adds the sound, hands both to the event loop.

One `StreamEncoder` per picture, with a thread of its own that runs only while somebody watches and a little longer.
Several streams may show the same picture, so that sixteen cameras cost one encode.

Threads: everything public is called on the event loop. The thread `_run` owns the codec and the painter's output; it
gets its orders through `_Session` and gives back frames with `call_soon_threadsafe`. A session that was stopped may
still deliver a picture or two; they are dropped on the loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind
from gateway.simulator.capture import Aim, Pictures, Sounds
from gateway.simulator.faults import Faults, FrameGate
from gateway.simulator.picture import Painter
from gateway.simulator.video_codec import VideoEncoder, VideoSpec

log = logging.getLogger(__name__)

LINGER_S = 5.0
"""A player that reconnects, or a probe followed by the real session, finds the picture still running."""
LEAD_S = 1.0
"""Streams begin at one second, so that B-frames never need a negative `dts`."""
STOP_TIMEOUT_S = 2.0
"""A thread waits on its stop flag between two pictures; only a picture being encoded can hold it up."""


@dataclass(slots=True)
class _Outlet:
    stream: Stream
    gate: FrameGate


class _Session:
    """Orders from the event loop to one run of the thread. Plain attributes: each is written by one side only."""

    def __init__(self, video: VideoSpec) -> None:
        self.video = video
        self.keyframe_wanted = False
        self.stop = threading.Event()


class StreamEncoder:
    """Feeds one or several streams with one picture. `name` and `hue` are what the picture shows."""

    def __init__(
        self,
        video: VideoSpec,
        audio: Codec | None,
        *,
        name: str,
        hue: float | None = None,
        linger_s: float = LINGER_S,
    ) -> None:
        self.video = video
        self.aim: Aim | None = None
        """Where the camera looks, for one that can be steered; set before it is watched."""
        self._audio = audio
        self._name = name
        self._hue = hue
        self._linger_s = linger_s
        self._outlets: list[_Outlet] = []
        self._session: _Session | None = None
        self._threads: list[threading.Thread] = []
        self._lingering: asyncio.TimerHandle | None = None
        self._zero: tuple[float, float] | None = None
        self._painters: dict[VideoSpec, Painter] = {}

    @property
    def running(self) -> bool:
        """Pictures are being encoded right now."""
        return self._session is not None

    def feed(self, stream: Stream, faults: Faults) -> None:
        """Fill `stream` as well, bent by its camera's `faults`."""
        self._outlets.append(_Outlet(stream, faults.gate()))
        stream.demand.on_change(lambda _active: self._on_demand())
        if self._session is not None:
            stream.begin(self._kinds())
        self._on_demand()

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe (ONVIF SetSynchronizationPoint)."""
        if self._session is not None:
            self._session.keyframe_wanted = True

    def resize(self, width: int, height: int) -> None:
        """Change the picture's size, at once if it is running. Raises ValueError for a size that cannot be encoded."""
        self.video = replace(self.video, width=width, height=height)
        if self._session is not None:
            self._session.video = self.video

    async def stop(self) -> None:
        """Stop for good. Returns when the threads are gone, or after `STOP_TIMEOUT_S`."""
        self._end_session()
        self._outlets = []
        threads, self._threads = self._threads, []
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for thread in threads:
            await asyncio.to_thread(thread.join, max(deadline - time.monotonic(), 0.0))
            if thread.is_alive():
                log.warning("simulator encoder %s: thread did not stop within %.0f s", self._name, STOP_TIMEOUT_S)

    def _kinds(self) -> frozenset[Kind]:
        return frozenset({Kind.VIDEO} if self._audio is None else {Kind.VIDEO, Kind.AUDIO})

    def _on_demand(self) -> None:
        wanted = any(outlet.stream.demand.active for outlet in self._outlets)
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if wanted and self._session is None:
            self._begin_session()
        elif not wanted and self._session is not None:
            self._lingering = asyncio.get_running_loop().call_later(self._linger_s, self._end_session)

    def _begin_session(self) -> None:
        if self._zero is None:
            self._zero = (time.monotonic() - LEAD_S, time.time() - LEAD_S)
        session = self._session = _Session(self.video)
        for outlet in self._outlets:
            outlet.stream.begin(self._kinds())
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(
            target=self._guarded_run,
            args=(session, asyncio.get_running_loop(), *self._zero),
            name=f"encoder {self._name}",
            daemon=True,  # a hung codec must not keep the process from ending
        )
        self._threads.append(thread)
        thread.start()

    def _end_session(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._session is not None:
            self._session.stop.set()
            self._session = None
            for outlet in self._outlets:
                outlet.stream.end()

    def _deliver(self, session: _Session, frames: Sequence[Frame]) -> None:
        if session is not self._session:
            return
        for outlet in self._outlets:
            outlet.stream.push(outlet.gate.apply(frames))

    def _failed(self, session: _Session) -> None:
        if session is self._session:
            self._end_session()

    # From here on: the encoder's thread.

    def _guarded_run(self, session: _Session, loop: asyncio.AbstractEventLoop, zero: float, zero_wall: float) -> None:
        try:
            self._run(session, loop, zero, zero_wall)
        except Exception:
            if loop.is_closed():  # the simulator was torn down around us; nobody waits for pictures any more
                return
            log.exception("simulator encoder %s failed", self._name)
            loop.call_soon_threadsafe(self._failed, session)

    def _run(self, session: _Session, loop: asyncio.AbstractEventLoop, zero: float, zero_wall: float) -> None:
        pictures = Pictures(self._painter, session.video, zero_wall, self.aim)
        pictures.begin(time.monotonic() - zero)
        sounds = Sounds(self._audio, zero_wall, time.monotonic() - zero)
        while not session.stop.wait(max(min(pictures.due, sounds.due) + zero - time.monotonic(), 0.0)):
            now = time.monotonic() - zero
            frames = sounds.take(now)
            if pictures.due <= now:
                if session.video != pictures.spec:
                    frames += pictures.reopen(session.video)
                keyframe, session.keyframe_wanted = session.keyframe_wanted, False
                frames += pictures.take(now, keyframe=keyframe)
            if frames:
                loop.call_soon_threadsafe(self._deliver, session, frames)

    def _painter(self, encoder: VideoEncoder) -> Painter:
        """Kept between sessions: drawing the still parts takes a tenth of a second. Painting changes nothing in it."""
        painter = self._painters.get(encoder.spec)
        if painter is None:
            painter = Painter(encoder.layout, self._name, encoder.spec.caption, self._hue)
            self._painters = {encoder.spec: painter}
        return painter
