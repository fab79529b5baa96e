"""Our side of the conversation with a camera: from the first request to pictures, and keeping them (RFC 2326).

Sans-I/O: `open` is a generator that yields requests and is sent the answers; whoever drives it holds the socket, numbers
the requests and keeps the deadlines. Pure; reader threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from string import punctuation
from urllib.parse import quote, urlsplit

from gateway.errors import NoVideo, SourceError, WrongCredentials
from gateway.rtsp.client import addressing, description, refusal
from gateway.rtsp.client.description import Media
from gateway.rtsp.client.login import Login
from gateway.rtsp.client.refusal import NotUnderstood
from gateway.rtsp.message import Headers, Request, Response

USER_AGENT = "CameraGateway"
DEFAULT_TIMEOUT_S = 60
SHORTEST_TIMEOUT_S, LONGEST_TIMEOUT_S = 5, 600
MAX_CHANNEL, MAX_PORT = 255, 65535
_SESSION = re.compile(r"\s*([^;\s]+)")
_TIMEOUT = re.compile(r"(?i);\s*timeout\s*=\s*(\d{1,6})")
_PAIR = r"\s*=\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?"
_INTERLEAVED = re.compile(r"(?i)interleaved" + _PAIR)
_SERVER_PORT = re.compile(r"(?i)server_port" + _PAIR)
_SOURCE = re.compile(r"(?i)source\s*=\s*\"?([^;,\"\s]+)")
_SSRC = re.compile(r"(?i)ssrc\s*=\s*([0-9a-f]{1,8})")


class Redirected(Exception):
    """The camera sends us to another URL."""

    def __init__(self, url: str) -> None:
        super().__init__("redirected")
        self.url = url


@dataclass(frozen=True, slots=True)
class Track:
    """A media that was set up, and how it comes."""

    media: Media
    rtp: int
    """Channel (TCP), or the camera's port (UDP; 0: it does not say)."""
    rtcp: int
    source: str = ""
    """Address that UDP packets come from, if it is not the camera's own."""
    ssrc: int | None = None


@dataclass(slots=True)
class Playing:
    """A session that plays: the first video track, and sound if there is any that was wanted."""

    video: Track
    audio: Track | None
    timeout_s: int


Talk = Generator[Request, Response, Playing]


@dataclass(slots=True)
class Dialogue:
    """One session. `choose` decides which media are taken: (video, audio or None); it raises SourceError."""

    url: str
    login: Login
    choose: Callable[[tuple[Media, ...]], tuple[Media, Media | None]]
    open_ports: Callable[[str], tuple[int, int]] | None = None
    """For UDP: opens our pair of ports for a kind of media. None: TCP."""
    _session: str = ""
    _timeout_s: int = DEFAULT_TIMEOUT_S
    _methods: frozenset[str] = frozenset()
    _aggregate: str = ""
    _in_flight: Request | None = None
    _given_up: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.url = quote(self.url, safe=punctuation)

    @property
    def host(self) -> str:
        """As it is called in errors."""
        return urlsplit(self.url).hostname or ""

    def open(self) -> Talk:
        """From OPTIONS to PLAY. Raises SourceError or Redirected."""
        options = yield from self._ask("OPTIONS", self.url)
        if options.status == 401 and options.headers.get("WWW-Authenticate"):
            raise self._refusal(options)
        self._methods = frozenset(re.findall("[A-Z_]+", (options.headers.get("Public") or "").upper()))
        answer = yield from self._ask("DESCRIBE", self.url, ("Accept", "application/sdp"))
        if 300 <= answer.status < 400:
            raise self._redirect(answer)
        if answer.status != 200:
            raise self._refusal(answer)
        base = addressing.base_url(self.url, answer.headers)
        told = description.parse(answer.body)
        if not told.media:
            raise NotUnderstood(f"{self.host} describes no media")
        if not any(media.kind == "video" for media in told.media):
            raise NoVideo(f"{self.host} offers no video at this address")
        picture, sound = self.choose(told.media)
        self._aggregate = addressing.aggregate_url(base, told.control)
        tracks: dict[str, Track] = {}
        for media in told.media:
            if media is not picture and media is not sound:
                continue
            try:
                tracks[media.kind] = yield from self._set_up(media, base, tuple(tracks.values()))
            except WrongCredentials:
                raise
            except SourceError:
                if media is picture:
                    raise  # but a microphone that is refused costs no picture
        playing = yield from self._ask("PLAY", self._aggregate, ("Range", "npt=0.000-"))
        if playing.status != 200:
            raise self._refusal(playing)
        self._note_session(playing)
        return Playing(tracks["video"], tracks.get("audio"), self._timeout_s)

    def _set_up(self, media: Media, base: str, others: tuple[Track, ...]) -> Generator[Request, Response, Track]:
        if media.profile.startswith("RTP/SAVP"):
            raise NotUnderstood(f"{self.host} encrypts its media (SRTP)")
        used: set[int] = set()
        if self.open_ports is None:
            used = {channel for other in others for channel in (other.rtp, other.rtcp)}
            rtp = next(channel for channel in (0, 2, 4) if not used & {channel, channel + 1})
            rtcp = rtp + 1
            wanted = f"RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"
        else:
            rtp, rtcp = self.open_ports(media.kind)
            wanted = f"RTP/AVP;unicast;client_port={rtp}-{rtcp}"
        answer = yield from self._ask("SETUP", addressing.control_url(base, media.control), ("Transport", wanted))
        if answer.status != 200:
            raise self._refusal(answer)
        self._note_session(answer)
        said = answer.headers.get("Transport") or ""
        ssrc = _SSRC.search(said)
        source = _SOURCE.search(said)
        if self.open_ports is None:
            found = _INTERLEAVED.search(said)
            if found is None and "client_port" in said.lower() and "tcp" not in said.lower():
                raise refusal.refused(self.host)
        else:
            found = _SERVER_PORT.search(said)
            if found is None and "interleaved" in said.lower():
                raise refusal.refused(self.host)
            rtp = rtcp = 0
        highest = MAX_CHANNEL if self.open_ports is None else MAX_PORT
        if found is not None and max(int(found[1]) + 1, int(found[2] or 0)) <= highest:
            told = int(found[1]), int(found[2]) if found[2] else int(found[1]) + 1
            # some cameras answer 0-1 for every track, and use what they were asked for
            if self.open_ports is not None or not used.intersection(told):
                rtp, rtcp = told
        return Track(media, rtp, rtcp, source[1] if source else "", int(ssrc[1], 16) if ssrc else None)

    # While it plays

    def keep_alive(self) -> Request:
        """The request that keeps the session; to be sent every half `timeout_s`."""
        known = self._methods & {"GET_PARAMETER", "OPTIONS"} - self._given_up
        method = "GET_PARAMETER" if "GET_PARAMETER" in known else "OPTIONS"
        return self._request(method, self._aggregate)

    def answered(self, answer: Response) -> Request | None:
        """Take the answer to a keep-alive; a request to send instead, if it is worth one."""
        asked, self._in_flight = self._in_flight, None
        if asked is None:
            return None
        if answer.status == 401:
            if not self.login.challenged(answer.headers.get_all("WWW-Authenticate")):
                return None
            return self._request(asked.method, asked.uri)
        self.login.accepted()
        if answer.status >= 400 and asked.method == "GET_PARAMETER":  # announced, and 400, 404, 405, 451, 501, 551, ... anyway
            self._given_up.add("GET_PARAMETER")
            return self.keep_alive()
        return None

    def teardown(self) -> Request | None:
        """Says good-bye; None before there was a session."""
        return self._request("TEARDOWN", self._aggregate) if self._session else None

    # Inside

    def _request(self, method: str, url: str, *fields: tuple[str, str]) -> Request:
        headers = [*fields, ("User-Agent", USER_AGENT)]
        if self._session:
            headers.append(("Session", self._session))
        authorization = self.login.header(method, url)
        if authorization is not None:
            headers.append(("Authorization", authorization))
        self._in_flight = Request(method, url, Headers(headers))
        return self._in_flight

    def _ask(self, method: str, url: str, *fields: tuple[str, str]) -> Generator[Request, Response, Response]:
        while True:
            answer = yield self._request(method, url, *fields)
            if answer.status != 401:
                self.login.accepted()
                return answer
            if not self.login.challenged(answer.headers.get_all("WWW-Authenticate")):
                return answer

    def _refusal(self, answer: Response) -> SourceError:
        return refusal.of_status(answer.status, self.host, urlsplit(self.url).path)

    def _redirect(self, answer: Response) -> Exception:
        target = addressing.redirected(self.url, (answer.headers.get("Location") or "").strip())
        if target is None:
            return NotUnderstood(f"{self.host} sends us to an address where no stream can be (RTSP {answer.status})")
        return Redirected(target)

    def _note_session(self, answer: Response) -> None:
        said = answer.headers.get("Session") or ""
        if (match := _SESSION.match(said)) is not None:
            self._session = match[1]
        if (timeout := _TIMEOUT.search(said)) is not None:
            self._timeout_s = min(LONGEST_TIMEOUT_S, max(SHORTEST_TIMEOUT_S, int(timeout[1])))
