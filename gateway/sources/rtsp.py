"""Pulls one RTSP stream. One reader thread per stream, which owns its session with the camera from open to close.

Who speaks with the camera, our own client (`own_session`) or libavformat (`libav_session`), makes no difference in here.
`run()` retries for ever, `run_once()` fails with a `SourceError` that is also what the user is told.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

from gateway.errors import (
    Ended,
    NoSuchPath,
    NoVideo,
    OtherDevice,
    ProtocolError,
    Retry,
    SessionLimit,
    SourceError,
    Stalled,
    TimedOut,
    Unreachable,
    WrongCredentials,
)
from gateway.media import canonical
from gateway.media.capture_clock import CaptureClock
from gateway.media.frame import Frame
from gateway.media.joiner import Joiner
from gateway.media.state import State, Status
from gateway.media.timestamps import SessionTimeline, Timeline
from gateway.media.track import VIDEO_CLOCK_HZ, Kind
from gateway.pulse import FOREVER
from gateway.redact import redact
from gateway.rtsp.client.refusal import NotUnderstood
from gateway.sources import diagnosis
from gateway.sources.account import Account
from gateway.sources.audio import AudioPath, audio_path
from gateway.sources.backoff import Backoff
from gateway.sources.location import Location
from gateway.sources.own_session import OwnSession
from gateway.sources.session import CODECS, PullSettings, Session, SoundPacket
from gateway.sources.sink import Sink
from gateway.systemd.journal import change

log = logging.getLogger(__name__)

FIRST_VIDEO_S = 10.0
"""XM and ICSee cameras come back from Wi-Fi trouble with sound only; a new session cures them."""
FIRST_KEYFRAME_S = 25.0
"""Smart codecs stretch the GOP to 20 s."""
HURRY_AFTER_S = 0.3
"""Most cameras begin a session with a keyframe. Of those that do not, one is asked for (over ONVIF) after this."""
KNOCK_EVERY_S = 1.5
"""While nothing listens at the camera's port, a TCP connection is tried this often, so that a picture is back within 3 s
of its camera, however long the back-off has grown."""
KNOCK_TIMEOUT_S = 1.0
PREFLIGHT_S = 2.0
"""After a failure the port is tried first: a black hole is told after this instead of the whole open timeout."""
FORGET_AFTER = 2
"""Failures in a row after which the camera is asked for the address again: one is a restart, and asking costs it a login."""
HUNG_UP_AFTER = 5
"""Hang-ups or silence in a row, before any picture, after which it may be our way of asking. A camera that starts does so
for some seconds; the back-off makes these a quarter of a minute."""
OPENING_S = 60.0
"""Beyond the time limits to open: asking a camera over ONVIF where its stream is, a predecessor on its way out."""
MARGIN_S = 10.0
"""A thread that is due may have to wait for a busy processor."""


class RtspReader:
    """Keeps one stream coming. `start()` and `stop()` from any thread; everything else happens on the reader's own."""

    def __init__(
        self,
        name: str,
        location: Location,
        settings: PullSettings,
        timeline: Timeline,
        sink: Sink,
        *,
        after: threading.Thread | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
        account: Account | None = None,
    ) -> None:
        self.name = name
        self._location = location
        self._settings = settings
        self._timeline = timeline
        self._sink = sink
        self._after = after
        self._monotonic = monotonic
        self._wall = wall
        self._backoff = backoff or Backoff()
        self._account = account or Account(monotonic=monotonic)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self.due = FOREVER
        """The monotonic time by which this reader has moved on; past it, it is stuck. Read by any thread."""
        self._status = Status(State.CONNECTING, since=wall())
        self._failed_before = False
        self._misled = False
        """A port that could be reached cut a wait short, and no picture has come since: it may not be the one that fails."""
        self._live_since: float | None = None
        self._last_picture = 0.0
        self._misses = 0
        self._hung_up = 0
        self._endpoint = location.endpoint()
        self._moves = location.moves
        self._first_transport = self._transport = "tcp" if settings.transport == "auto" else settings.transport
        # libavformat looks at no certificate
        self._client = "own" if settings.client == "auto" or settings.trust.asks else settings.client
        self._session: Session | None = None
        # A daemon: a reader stuck in libavformat must not keep the process from ending.
        self.thread = threading.Thread(target=self.run, name=f"pull {name}", daemon=True)

    def start(self) -> None:
        """Begin pulling."""
        self._expect_opening()
        self.thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it does at once, or within the read timeout in libavformat. Join `thread` to wait."""
        self._stop.set()
        self._wake.set()
        session = self._session
        if session is not None:
            session.interrupt()

    def set_timeouts(self, open_timeout_s: float, read_timeout_s: float) -> None:
        """From the next session on. Event loop: one reference is replaced."""
        self._settings = replace(self._settings, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)

    def retry_now(self) -> None:
        """The camera announced itself: cut a waiting back-off short. A wait for something else than its return goes on."""
        self._wake.set()

    def run(self) -> None:
        """Pull, fail, wait, for ever."""
        if self._after is not None:
            self._after.join()
        while not self._stop.is_set():
            started = self._monotonic()
            self._live_since = None
            try:
                self.run_once()
            except SourceError as error:
                failure = error
            except Exception as error:
                log.error("stream %s: unexpected failure of the reader\n%s", self.name, self._trace(error))
                failure = ProtocolError("the gateway failed to read this stream; its log has the details")
            else:
                break
            self._sink.end()
            if self._stop.is_set():
                break
            now = self._monotonic()
            delay = self._delay(failure)
            self._failed_before = True
            if self._location.moves == self._moves:  # else it failed where the camera is no more
                self._learn(failure)
            log.warning(
                "stream %s: %s after %.1f s: %s; next try in %.1f s",
                self.name,
                failure.code,
                now - started,
                failure,
                delay,
                extra=change(failure.code, self._status.code),
            )
            self._report(failure, delay)
            self._wait(failure, delay)
        self._sink.end()

    def run_once(self) -> None:
        """One session from connection to end. Returns only when stopped; raises SourceError otherwise."""
        if not self._failed_before:
            self._set_status(Status(State.CONNECTING, since=self._wall()))
        elif self._status.next_retry is not None:
            self._set_status(Status(self._status.state, self._status.since, self._status.reason, self._status.code))
        started = self._monotonic()
        self._expect_opening()
        self._moves = self._location.moves
        self._account.admit(self.name)
        try:
            # what failed is where the camera's return is watched for: ONVIF is up long before RTSP
            self._endpoint = self._location.endpoint()
            url = self._location.url()
            self._endpoint = diagnosis.endpoint(url)
            if self._failed_before:
                self._preflight()
            session = self._open(url)
        except WrongCredentials as error:
            self._account.refused(self.name, error)
            raise
        self._account.accepted(self.name)
        with session:
            try:
                self._read(session, url, started)
            finally:
                self._session = None

    def _expect_opening(self) -> None:
        # our client takes three times as long at most, libavformat twice, and once more for the other transport
        self.due = self._monotonic() + 10 * self._settings.open_timeout_s + OPENING_S

    def _delay(self, failure: SourceError) -> float:
        if isinstance(failure, WrongCredentials):
            return self._account.wait_s()
        healthy_s = self._last_picture - self._live_since if self._live_since is not None else 0.0
        return self._backoff.next_delay(failure.retry, healthy_s)

    def _learn(self, failure: SourceError) -> None:
        if isinstance(failure, Stalled) and self._settings.transport == "auto":
            self._first_transport = "tcp"
        if self._settings.client == "auto" and not self._settings.trust.asks:
            # where our own client gets no picture, the next turn is libavformat's; and after that ours again
            helpless = isinstance(failure, NoVideo | Stalled) and self._live_since is None
            hung_up = isinstance(failure, Ended | TimedOut) and self._live_since is None and self._client == "own"
            self._hung_up = self._hung_up + 1 if hung_up else 0
            helpless = helpless or self._hung_up >= HUNG_UP_AFTER
            own_failed = self._client == "own" and (helpless or isinstance(failure, NotUnderstood))
            self._client = "libav" if own_failed else "own"
        asked_wrong = isinstance(failure, Unreachable | NoSuchPath | ProtocolError | OtherDevice)
        doubtful = asked_wrong and failure.retry is not Retry.SLOW
        self._misses = self._misses + 1 if doubtful else 0
        if self._misses >= FORGET_AFTER:
            self._misses = 0
            self._location.forget()

    def _trace(self, error: Exception) -> str:
        """The traceback without its context, which may be an exception of PyAV with the password in it."""
        settings = self._settings
        text = "".join(traceback.TracebackException.from_exception(error).format(chain=False)).rstrip()
        return redact(text, settings.username or "", settings.password or "")

    def _preflight(self) -> None:
        host, port = self._endpoint
        if not diagnosis.knock(host, port, PREFLIGHT_S):
            hindrance = diagnosis.hindrance(host, port, PREFLIGHT_S)
            if hindrance is not None:  # else only the first knock was lost
                raise hindrance

    def _open(self, url: str) -> Session:
        self._transport = self._first_transport
        try:
            return self._open_with(url)
        except (SessionLimit, ProtocolError):
            if self._settings.transport != "auto" or self._stop.is_set():
                raise
            self._transport = "udp" if self._transport == "tcp" else "tcp"
            return self._open_with(url)

    def _open_with(self, url: str) -> Session:
        if self._client == "own":
            try:
                return self._open_own(url)
            except NotUnderstood as error:
                if self._settings.client == "own" or self._settings.trust.asks or self._stop.is_set():
                    raise
                log.info("stream %s: %s; trying with libavformat", self.name, error)
            self._client = "libav"
        return self._open_libav(url)

    def _open_own(self, url: str) -> Session:
        session = OwnSession(self._settings, self._transport, self._timeline.counts, monotonic=self._monotonic)
        self._session = session
        if self._stop.is_set():
            session.interrupt()
        session.open(url)
        return session

    def _open_libav(self, url: str) -> Session:
        from gateway.sources.libav_session import LibavSession  # brings libavformat, 30 MB: only where it is needed

        session = LibavSession(url, self._settings, self._transport)
        self._session = session
        return session

    def _read(self, session: Session, url: str, started: float) -> None:
        host = diagnosis.endpoint(url)[0]
        converter = canonical.video(CODECS[session.video_codec], session.video_extradata)
        joiner = Joiner(converter.begins_picture, self._timeline.counts)
        timeline = self._timeline.open(self._monotonic())
        capture = CaptureClock()
        if self._settings.audio:
            audio = audio_path(session.sound, session.sound_note, timeline)
        else:
            audio = AudioPath.none("audio is off for this camera")
        expected = frozenset({Kind.VIDEO, Kind.AUDIO} if audio.expected else {Kind.VIDEO})
        self._sink.begin(expected, audio.note)

        opened = last_video = self._monotonic()
        got_video = got_key = hurried = False
        patience_s = self._settings.read_timeout_s + MARGIN_S
        self.due = opened + patience_s
        for packet in session.packets():
            if self._stop.is_set():
                return
            now = self._monotonic()
            self.due = now + patience_s
            frame: Frame | None = None
            if isinstance(packet, SoundPacket):
                if got_key:
                    for sound in audio.frames(packet, now, self._wall(), capture):
                        self._sink.frame(sound)
            elif packet is not None:
                got_video = True
                whole = joiner.push(packet)
                unit = converter.take_units(whole.units, whole.keyframe) if whole is not None else None
                if whole is not None and unit is not None and (got_key or unit.keyframe):
                    # a camera whose clock stands still is dated by arrival
                    pts = round(now * unit.config.clock_rate) if joiner.stuck else whole.pts
                    dated = session.dated if not joiner.stuck else None
                    frame = self._frame(unit, pts, now, timeline, capture, dated, first=not got_key)
                if not got_key:
                    last_video = now
            if frame is not None:
                last_video = self._last_picture = now
                self._sink.frame(frame)
                if self._stop.is_set():
                    return
                if not got_key:
                    got_key = True
                    self._live(frame.config.width, frame.config.height, session.video_codec, audio, now - started)
                continue
            if got_video and not got_key and not hurried and now - opened > HURRY_AFTER_S:
                hurried = True
                self._location.hurry()
            if not got_video and now - opened > FIRST_VIDEO_S:
                raise NoVideo(f"{host} opened the session but sends no video")
            # that nothing at all comes is for the session to say
            longest_s = self._settings.read_timeout_s * (1 if packet is not None else 2)
            if got_video and now - last_video > longest_s:
                what = "only sound" if isinstance(packet, SoundPacket) else "only data that cannot be read"
                raise Stalled(f"{host} has sent no picture for {self._settings.read_timeout_s:.0f} s, {what}")
            if not got_key and now - opened > FIRST_KEYFRAME_S:
                raise Stalled(f"{host} has sent no keyframe for {FIRST_KEYFRAME_S:.0f} s: pictures cannot be decoded")
        if not self._stop.is_set():
            raise Ended(f"{host} closed the session")

    def _frame(
        self,
        unit: canonical.Unit,
        pts: int | None,
        now: float,
        session: SessionTimeline,
        capture: CaptureClock,
        dated: tuple[float, int] | None,
        *,
        first: bool,
    ) -> Frame | None:
        """The frame of a picture; None if it has no place on the timeline."""
        clock_rate = unit.config.clock_rate
        stamp = session.stamp(Kind.VIDEO, clock_rate, pts, now, reorder=unit.reorder)
        if stamp is None:
            return None
        if stamp.discontinuity:
            capture.reset()
        camera_offset = None
        if dated is not None and pts is not None:
            camera_offset = dated[0] + (pts - dated[1]) / VIDEO_CLOCK_HZ - stamp.pts / clock_rate
        return Frame(
            config=unit.config,
            dts=stamp.dts,
            pts=stamp.pts,
            duration=stamp.duration,
            keyframe=unit.keyframe,
            discontinuity=stamp.discontinuity or (first and session.resumed),
            wall=capture.wall(stamp.dts / clock_rate, self._wall(), camera_offset),
            payload=unit.payload,
        )

    def _live(self, width: int, height: int, codec: str, audio: AudioPath, seconds: float) -> None:
        self._live_since = self._monotonic()
        self._misled = False
        if self._settings.transport == "auto":
            self._first_transport = self._transport
        self._set_status(Status(State.LIVE, since=self._wall()))
        log.info(
            "stream %s: live after %.2f s (%s %dx%d, %s, %s%s)",
            self.name,
            seconds,
            codec,
            width,
            height,
            audio.note or ("audio" if audio.expected else "no audio"),
            self._transport,
            ", through libavformat" if self._client == "libav" else "",
            extra=change(State.LIVE.value),
        )

    def _report(self, failure: SourceError, delay: float) -> None:
        state = State.STALLED if isinstance(failure, Stalled) and self._live_since is not None else State.OFFLINE
        now = self._wall()
        same = self._status.state is state
        since = self._status.since if same else now
        self._set_status(Status(state, since, str(failure), failure.code, next_retry=now + delay))

    def _set_status(self, status: Status) -> None:
        self._status = status
        self._sink.status(status)

    def _wait(self, failure: SourceError, delay: float) -> None:
        """Wait out the delay, unless the camera comes back before. Only another address cuts a slow wait short."""
        if not self._stop.is_set():
            self._wake.clear()  # what was announced while a session was open is no news
        knocks = isinstance(failure, Unreachable)
        step_s = KNOCK_EVERY_S if knocks else delay
        deadline = self._monotonic() + delay
        self.due = deadline + MARGIN_S
        while (left := deadline - self._monotonic()) > 0 and not self._stop.is_set():
            if self._location.moves != self._moves:
                self._backoff.reset()
                return
            announced = self._wake.wait(min(left, step_s))
            if failure.retry is Retry.SLOW:
                self._wake.clear()
                continue
            if (announced or (knocks and left > step_s and self._is_back())) and not self._stop.is_set():
                self._backoff.reset()
                return

    def _is_back(self) -> bool:
        """The port that failed can be reached. Where that has helped nothing, it must have been out of reach meanwhile."""
        if not diagnosis.knock(*self._endpoint, KNOCK_TIMEOUT_S):
            self._misled = False
            return False
        misled, self._misled = self._misled, True
        return not misled
