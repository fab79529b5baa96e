"""A session with a camera through our own RTSP client: the sockets' side of `rtsp.client`.

A picture is handed over with its last packet. While one is on its way the socket is left alone for two milliseconds
(interrupt moderation): it then costs two or three wake-ups instead of one per packet, and every wake-up costs the whole
process a turn of the interpreter's lock. Reader threads; only `interrupt` is for others.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gateway.errors import CertificateRefused, Ended, SourceError, Stalled, TimedOut
from gateway.media.counts import Counts
from gateway.media.joiner import Packet
from gateway.media.track import VIDEO_CLOCK_HZ
from gateway.rtsp.client import addressing, formats
from gateway.rtsp.client.description import Media
from gateway.rtsp.client.dialogue import Dialogue, Playing, Redirected, Track
from gateway.rtsp.client.framing import Framing, Piece, not_rtsp
from gateway.rtsp.client.lip_sync import LipSync
from gateway.rtsp.client.login import Login
from gateway.rtsp.client.receiver import Receiver, Timed
from gateway.rtsp.client.refusal import NotUnderstood
from gateway.rtsp.message import Headers, Request, Response
from gateway.sources import diagnosis
from gateway.sources.line import TICK_S, Line, UdpPair, datagrams, readable
from gateway.sources.session import CODECS, PullSettings, SoundOffer, SoundPacket, codec_unsupported

if TYPE_CHECKING:
    from gateway.media.transcode import AacTranscoder

MODERATION_S = 0.002
"""A picture of 10 kB arrives within a tenth of that on a wire, one of 100 kB within a few of them."""
REORDER_TICK_S = 0.01
MAX_REDIRECTS = 3
MAX_EARLY_PACKETS = 4096
"""RTP in front of the answer to PLAY."""
REPORT_EVERY_S = 5.0
CHORES_EVERY_S = 1.0
FORGOTTEN_AFTER_S = 2.0
"""A camera that knows no session and has sent nothing for this long means it. thingino's answers GET_PARAMETER with 454 in the
middle of a session that plays on."""
_SESSION_NOT_FOUND = 454


@dataclass(slots=True)
class _Lane:
    """A track that plays."""

    track: Track
    receiver: Receiver
    sound: formats.Sound | None
    udp: UdpPair | None


class OwnSession:
    """See `session.Session`. Made first, so that it can be interrupted, and then opened."""

    client = "own"

    def __init__(
        self,
        settings: PullSettings,
        transport: str,
        counts: Counts,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.video_codec = ""
        self.video_extradata = b""
        self.sound: SoundOffer | None = None
        self.sound_note = ""
        self._settings = settings
        self._udp_wanted = transport == "udp"
        self._counts = counts
        self._monotonic = monotonic
        self._sleep = sleep
        self._line = Line()
        self._interrupted = False
        self._framing = Framing("")
        self._dialogue: Dialogue | None = None
        self._host, self._port = "", 0
        self._sequence = 0
        self._pairs: dict[str, UdpPair] = {}
        self._early: list[tuple[int, bytes]] = []
        self._lanes: list[_Lane] = []
        self._by_channel: dict[int, tuple[_Lane, bool]] = {}
        self._lip_sync = LipSync()
        self._counted = (0, 0)
        self._heard_at = 0.0
        self._keep_alive_s = 30.0
        self._next_keep_alive = self._next_report = self._next_chores = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def dated(self) -> tuple[float, int] | None:
        """See `Session`."""
        receiver = self._lanes[0].receiver
        if receiver.report is None:
            return None
        wall, ticks = receiver.report
        return wall, ticks * VIDEO_CLOCK_HZ // receiver.clock_rate

    def interrupt(self) -> None:
        """See `Session.interrupt`."""
        self._interrupted = True
        self._line.interrupt()

    def close(self) -> None:
        """Say good-bye and close everything; harmless if done twice."""
        self._count_losses()
        try:
            request = self._dialogue.teardown() if self._dialogue is not None else None
            if request is not None:
                self._send(request)
        except SourceError:
            pass  # the camera was faster
        self._dialogue = None
        self._line.close()
        for pair in self._pairs.values():
            pair.close()
        self._pairs.clear()

    # Opening

    def open(self, url: str) -> None:
        """From connection to PLAY. Raises SourceError, and is closed then."""
        try:
            self._follow(url)
        except BaseException:
            self.close()
            raise

    def _follow(self, url: str) -> None:
        """Open it where the camera sends us; the login goes to no other host than the first."""
        first = url
        for _ in range(MAX_REDIRECTS + 1):
            known = addressing.same_host(first, url)
            login = Login(self._settings.username, self._settings.password) if known else Login(None, None)
            try:
                self._open(url, login)
                return
            except Redirected as redirect:
                url = redirect.url
            self.close()
            self._line = Line()
            if self._interrupted:
                self._line.interrupt()
        raise NotUnderstood(f"{self._host} redirects in a circle")

    def _open(self, url: str, login: Login) -> None:
        self._host, self._port = diagnosis.endpoint(url)
        self._framing = Framing(f"port {self._port} of {self._host}")
        if self._settings.trust.asks and not url.lower().startswith("rtsps:"):
            raise CertificateRefused(f"{self._host} offers this stream without TLS, and a certificate is asked for")
        step_s = self._settings.open_timeout_s
        self._line.connect(url, self._settings.trust, step_s)
        self._line.set_tick(min(TICK_S, step_s / 4))
        self._dialogue = Dialogue(url, login, self._choose, self._open_ports if self._udp_wanted else None)
        deadline = self._monotonic() + 2 * step_s
        talk = self._dialogue.open()
        request = next(talk)
        while True:
            answer = self._exchange(request, min(deadline, self._monotonic() + step_s))
            try:
                request = talk.send(answer)
            except StopIteration as end:
                self._begin(end.value)
                return

    def _choose(self, media: tuple[Media, ...]) -> tuple[Media, Media | None]:
        picture = formats.choose_picture(media)
        self.video_codec = formats.picture_codec(picture)
        if self.video_codec not in CODECS:
            raise codec_unsupported(self._host, self.video_codec)
        sound = formats.choose_sound(media) if self._settings.audio else None
        if sound is None:
            return picture, None
        if sound.encoding in formats.LEFT_TO_LIBAV and self._settings.client == "auto":
            raise NotUnderstood(f"{self._host} sends sound as {sound.encoding}")
        if formats.sound(sound) is None:
            self.sound_note = f"audio codec {sound.encoding.lower() or 'of an unknown kind'} cannot be served and was dropped"
            return picture, None
        return picture, sound

    def _open_ports(self, kind: str) -> tuple[int, int]:
        pair = self._pairs.get(kind)
        if pair is None:
            pair = self._pairs[kind] = UdpPair(self._line.local, self._line.peer)
        return pair.ports

    def _exchange(self, request: Request, deadline: float) -> Response:
        self._send(request)
        got = 0
        while True:
            data = self._line.read()
            if data == b"":
                raise Ended(f"{self._host} closes the connection on port {self._port} without an answer")
            got += len(data or b"")
            answer: Response | None = None
            for piece in self._framing.feed(data) if data else ():
                if isinstance(piece, Response):
                    if piece.status >= 200:  # "100 Continue" is no answer yet
                        answer = answer or piece
                elif isinstance(piece, Request):
                    self._answer(piece)
                elif len(self._early) < MAX_EARLY_PACKETS:
                    self._early.append(piece)
            if answer is not None:
                return answer
            if self._monotonic() >= deadline:
                raise self._no_answer(request.method, got > 0)

    def _no_answer(self, method: str, something: bool) -> SourceError:
        if not self._framing.spoke:
            if something:
                return not_rtsp(f"port {self._port} of {self._host}")
            return TimedOut(f"{self._host} accepts the connection on port {self._port} but does not answer")
        if self._framing.pending:
            return NotUnderstood(f"{self._host} speaks RTSP but its answer to this stream could not be understood")
        return TimedOut(f"{self._host} does not answer {method}")

    def _begin(self, playing: Playing) -> None:
        for track in (playing.video, playing.audio):
            if track is None:
                continue
            media = track.media
            sound = formats.sound(media) if track is playing.audio else None
            unpack = sound.depacketiser() if sound is not None else formats.picture(media)
            receiver = Receiver(unpack, media.payload_type, media.clock_rate, ordered=not self._udp_wanted, ssrc=track.ssrc)
            lane = _Lane(track, receiver, sound, self._pairs.get(media.kind))
            self._lanes.append(lane)
            if lane.udp is not None:
                lane.udp.punch(track.rtp, track.rtcp, receiver.receiver_report(self._monotonic()))
            else:
                self._by_channel[track.rtp] = (lane, False)
                self._by_channel[track.rtcp] = (lane, True)
            if sound is not None:
                self.sound = _offer(sound, media)
        self._framing.channels = frozenset(self._by_channel)
        if not self._udp_wanted:
            self._framing.run = partial(self._lanes[0].receiver.run, playing.video.rtp)
        sets = playing.video.media.parameter_sets()
        self.video_extradata = b"".join(b"\0\0\0\1" + unit for unit in sets)
        self._keep_alive_s = playing.timeout_s / 2
        self._line.set_tick(min(TICK_S, self._settings.read_timeout_s / 4))

    # Playing

    def packets(self) -> Iterator[Packet | SoundPacket | None]:
        """See `Session.packets`."""
        now = self._heard_at = self._monotonic()
        self._next_keep_alive = now + self._keep_alive_s
        self._next_report = now + REPORT_EVERY_S
        early, self._early = self._early, []
        yield from self._sort(early, now)
        lanes = self._lanes
        picture = lanes[0].receiver
        read = self._read_datagrams() if self._udp_wanted else self._read_stream()
        received = 0
        for pieces in read:
            now = self._monotonic()
            complete = self._sort(pieces, now)
            if complete:
                yield from complete
            else:
                yield None
            if picture.received != received:
                received = picture.received
                self._heard_at = now
            if now >= self._next_chores:
                self._chores(now)
            if self._interrupted or all(lane.receiver.ended for lane in lanes):
                return
            if now - self._heard_at > self._settings.read_timeout_s:
                raise Stalled(f"{self._host} has sent nothing for {self._settings.read_timeout_s:.0f} s")
            if picture.partial:
                self._sleep(MODERATION_S)

    def _read_stream(self) -> Iterator[Iterable[Piece]]:
        line, framing = self._line, self._framing
        while True:
            data = line.read()
            if data == b"":
                return
            yield framing.feed(data) if data else ()

    def _read_datagrams(self) -> Iterator[Iterable[Piece]]:
        """The same over UDP: packets get numbers as if they were channels."""
        poll = select.poll()
        poll.register(self._line.fileno(), select.POLLIN)
        channels: dict[int, tuple[int, UdpPair, bool, frozenset[str]]] = {}
        for number, lane in enumerate(self._lanes):
            if lane.udp is None:
                continue
            sources = frozenset({lane.udp.peer, lane.track.source})
            for is_rtcp, sock in enumerate((lane.udp.rtp, lane.udp.rtcp)):
                poll.register(sock.fileno(), select.POLLIN)
                channel = 2 * number + is_rtcp
                channels[sock.fileno()] = (channel, lane.udp, bool(is_rtcp), sources)
                self._by_channel[channel] = (lane, bool(is_rtcp))
        tick_s = min(TICK_S, self._settings.read_timeout_s / 4)
        while True:
            waiting = any(lane.receiver.waiting for lane in self._lanes)
            pieces: list[Piece] = []
            for number in readable(poll, REORDER_TICK_S if waiting else tick_s):
                if number in channels:
                    channel, pair, is_rtcp, sources = channels[number]
                    packets = datagrams(pair.rtcp if is_rtcp else pair.rtp, sources)
                    pieces += [(channel, packet) for packet in packets]
                    continue
                data = self._line.read()
                if data == b"":
                    return
                pieces += self._framing.feed(data) if data else []
            yield pieces

    def _sort(self, pieces: Iterable[Piece], now: float) -> list[Packet | SoundPacket]:
        """Give every piece to whom it belongs; what has become complete."""
        out: list[Packet | SoundPacket] = []
        by_channel = self._by_channel
        for piece in pieces:
            if isinstance(piece, tuple):
                found = by_channel.get(piece[0])
                if found is None:
                    continue
                lane, is_rtcp = found
                if is_rtcp:
                    lane.receiver.rtcp(piece[1], now)
                    continue
                self._heard_at = now
                out += [self._packet(lane, timed, now) for timed in lane.receiver.rtp(piece[1], now)]
            elif isinstance(piece, Response):
                self._take_answer(piece)
            else:
                self._answer(piece)
        if self._udp_wanted:
            for lane in self._lanes:
                if lane.receiver.waiting:
                    out += [self._packet(lane, timed, now) for timed in lane.receiver.release(now)]
        return out

    def _packet(self, lane: _Lane, timed: Timed, now: float) -> Packet | SoundPacket:
        ticks, unit = timed
        rate = lane.receiver.clock_rate
        if lane.sound is None:
            self._lip_sync.picture(ticks / rate, now)
            return Packet(ticks if rate == VIDEO_CLOCK_HZ else ticks * VIDEO_CLOCK_HZ // rate, unit.units)
        at_s = self._lip_sync.sound(ticks / rate, now, self._lanes[0].receiver, lane.receiver)
        return SoundPacket(round(at_s * rate), unit.units[0], unit.duration)

    def _chores(self, now: float) -> None:
        self._next_chores = now + CHORES_EVERY_S
        self._count_losses()
        if now >= self._next_keep_alive and self._dialogue is not None:
            self._next_keep_alive = now + self._keep_alive_s
            self._send(self._dialogue.keep_alive())
        if now >= self._next_report:
            self._next_report = now + REPORT_EVERY_S
            for lane in self._lanes:
                report = lane.receiver.receiver_report(now)
                if lane.udp is not None:
                    lane.udp.report(report)
                else:
                    self._line.send(bytes((0x24, lane.track.rtcp)) + len(report).to_bytes(2, "big") + report)

    def _count_losses(self) -> None:
        packets = sum(lane.receiver.lost for lane in self._lanes)
        pictures = self._lanes[0].receiver.dropped if self._lanes else 0
        before = self._counted
        if (packets, pictures) != before or self._counts.lost is None:
            self._counted = (packets, pictures)
            self._counts.lost = (self._counts.lost or 0) + packets - before[0]
            self._counts.spoiled += pictures - before[1]

    def _take_answer(self, answer: Response) -> None:
        if answer.status == _SESSION_NOT_FOUND and self._monotonic() - self._heard_at > FORGOTTEN_AFTER_S:
            raise Ended(f"{self._host} has forgotten the session")
        again = self._dialogue.answered(answer) if self._dialogue is not None else None
        if again is not None:
            self._send(again)

    def _answer(self, request: Request) -> None:
        """A few cameras ask whether we are alive."""
        status = 200 if request.method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER") else 501
        number = request.headers.get("CSeq") or ""
        self._line.send(Response(status, Headers([("CSeq", number)] if number.isdecimal() else ())).encode())

    def _send(self, request: Request) -> None:
        self._sequence += 1
        headers = Headers((("CSeq", str(self._sequence)), *request.headers))
        try:
            data = Request(request.method, request.uri, headers).encode()
        except ValueError:
            raise NotUnderstood(f"{self._host} wants to be asked with characters that no request can have") from None
        self._line.send(data)


def _offer(sound: formats.Sound, media: Media) -> SoundOffer:
    def transcoder() -> AacTranscoder:
        from gateway.media.transcode import AacTranscoder  # brings libavcodec, 30 MB: only for cameras that need it

        return AacTranscoder.of(sound.codec, sound.rate, sound.channels)

    return SoundOffer(sound.codec, sound.channels, sound.extradata, 1 / media.clock_rate, transcoder)
