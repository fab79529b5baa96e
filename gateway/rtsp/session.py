"""One viewer's RTSP session: requests in, responses out (RFC 2326 section 10, appendix A). Sans I/O; event loop only.

A connection carries at most one session, and the session ends with its connection. What a request needs from the world
is asked of the `Host`; what takes time (finding the stream, waiting for its tracks) is handed out as a `Lookup` and goes
on with `resume`.

    INIT ──SETUP──▶ READY ──PLAY──▶ PLAYING        PAUSE leads back to READY, TEARDOWN to INIT
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.http.authenticator import Gatekeeper, Verdict
from gateway.rtsp.message import Headers, Request, Response
from gateway.rtsp.rtp import RtpSender
from gateway.rtsp.sdp import CONTENT_TYPE, Offer, OfferedTrack, describe
from gateway.rtsp.target import Target, content_base, parse_target
from gateway.rtsp.transport import (
    InterleavedChannels,
    UdpPorts,
    UnsupportedTransport,
    choose_transport,
    describe_interleaved,
    describe_udp,
)

TIMEOUT_S = 60
"""RFC 2326's default, announced with every `Session` header."""
GRACE_S = 5
"""Clients ping shortly before the timeout; a busy one is a little late."""
MAX_REFUSALS = 10
"""Wrong passwords before the connection is closed, so that guessing costs a new connection now and then."""

METHODS = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN")
_KNOWN_ELSEWHERE = frozenset({"ANNOUNCE", "RECORD", "REDIRECT"})
_GUARDED = frozenset({"DESCRIBE", "SETUP", "PLAY"})
"""Everything else is harmless without a session id, and only somebody who was let in has one."""
_PUBLIC = ("Public", ", ".join(METHODS))


class State(enum.Enum):
    """Where a session is."""

    INIT = "init"
    READY = "ready"
    PLAYING = "playing"


@dataclass(frozen=True, slots=True)
class SetupTrack:
    """A track a viewer has asked for, with the way its packets go and their numbering."""

    offered: OfferedTrack
    uri: str
    """As the client wrote it; `RTP-Info` must repeat it literally, clients compare strings."""
    channels: InterleavedChannels | UdpPorts
    sender: RtpSender


@dataclass(frozen=True, slots=True)
class Lookup:
    """The session needs to know what `target` is: find it and call `resume`."""

    request: Request
    target: Target


Found = Offer | int
"""What a lookup found: the tracks on offer, or the status that refuses it (404, 415, 503)."""


class Host(Protocol):
    """What a session asks of the connection it lives in. Every call returns at once."""

    def admit(self) -> bool:
        """Take one of the stream's places; False if it has none left."""

    def open_ports(self, track_id: int, client: UdpPorts) -> UdpPorts | None:
        """Open a pair of UDP ports towards the client; None if there is none."""

    def start(self, tracks: Sequence[SetupTrack], offer: Offer) -> float | None:
        """Begin to collect frames, to be sent after the response. Their first moment in seconds, if there is one."""

    def pause(self) -> None:
        """Send nothing more until `start`."""

    def release(self) -> None:
        """Give back the place, the ports and the stream."""


class Session:
    """Feed it every request in order; `touch` it with every sign of life that is not a request."""

    def __init__(
        self,
        host: Host,
        gatekeeper: Callable[[], Gatekeeper | None],
        *,
        address: str,
        now: float,
        server_name: str = "Camera",
    ) -> None:
        """`address` is the server's own, for the SDP; `now` monotonic seconds."""
        self._host = host
        self._gatekeeper = gatekeeper
        self._address = address
        self._server_name = server_name
        self._seen = now
        self._refusals = 0
        self._target: Target | None = None
        self._offer: Offer = ()
        self._tracks: dict[int, SetupTrack] = {}
        self._let_in_by: tuple[str, str, str | None] | None = None
        """Method, address and `Authorization` of the SETUP. Any other request may have been for another stream."""
        self.id = ""
        """Empty unless something is set up."""
        self.state = State.INIT
        self.closing = False
        """The connection is to be closed once the response is out."""

    @property
    def tracks(self) -> tuple[SetupTrack, ...]:
        """What is set up."""
        return tuple(self._tracks.values())

    def touch(self, now: float) -> None:
        """The viewer is alive at `now`."""
        self._seen = now

    def expired(self, now: float) -> bool:
        """Nothing was heard for too long at `now`.

        Packets in the connection itself are their own sign of life: TCP acknowledges them, and many NVRs never say a word
        while they read.
        """
        if self.state is State.PLAYING and self._interleaved:
            return False
        return now - self._seen > TIMEOUT_S + GRACE_S

    def withdrawn(self) -> bool:
        """What let the viewer in would not let him in again: a token was revoked or has expired, a password was changed."""
        if self._let_in_by is None:
            return False
        gatekeeper = self._gatekeeper()
        return gatekeeper is not None and not gatekeeper.still(*self._let_in_by)

    def receive(self, request: Request, now: float) -> Response | Lookup:
        """Answer a request, or ask for a lookup."""
        self._seen = now
        outcome = self._dispatch(request)
        return outcome if isinstance(outcome, Lookup) else self._complete(request, outcome)

    def resume(self, lookup: Lookup, found: Found) -> Response:
        """Go on with the request of `lookup`."""
        if isinstance(found, int):
            return self._complete(lookup.request, Response(found))
        self._target = Target(lookup.target.path, lookup.target.query)
        self._offer = found
        answer = self._describe if lookup.request.method == "DESCRIBE" else self._setup
        return self._complete(lookup.request, answer(lookup.request, lookup.target))

    def end(self) -> None:
        """Forget everything; harmless if there is nothing."""
        self._tracks = {}
        self._offer = ()
        self._target = None
        self._let_in_by = None
        self.id = ""
        self.state = State.INIT
        self._host.release()

    @property
    def _interleaved(self) -> bool:
        return any(isinstance(track.channels, InterleavedChannels) for track in self._tracks.values())

    def _dispatch(self, request: Request) -> Response | Lookup:
        method = request.method
        if request.headers.get("CSeq") is None:
            return Response(400)
        if method not in METHODS:
            return Response(405, Headers([("Allow", _PUBLIC[1])])) if method in _KNOWN_ELSEWHERE else Response(501)
        if required := request.headers.get("Require"):
            return Response(551, Headers([("Unsupported", required)]))
        if method in _GUARDED and (challenge := self._authenticate(request)) is not None:
            return challenge
        named = request.headers.get("Session")
        if named is not None and named.partition(";")[0].strip() != self.id:
            return Response(454)
        match method:
            case "OPTIONS":
                return Response(200, Headers([_PUBLIC]))
            case "DESCRIBE" | "SETUP":
                return self._locate(request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                return Response(451 if request.body.strip() else 200)
        if not self.id or named is None:
            return Response(454)
        match method:
            case "PLAY":
                return self._play()
            case "PAUSE":
                return self._pause()
            case _:
                self.end()
                return Response(200)

    def _authenticate(self, request: Request) -> Response | None:
        gatekeeper = self._gatekeeper()
        if gatekeeper is None:
            return None
        verdict = gatekeeper.check(request.method, request.uri, request.headers.get("Authorization"))
        if verdict is Verdict.GRANTED:
            return None
        if verdict is Verdict.REFUSED:
            self._refusals += 1
            self.closing = self._refusals >= MAX_REFUSALS
        challenges = gatekeeper.challenges(stale=verdict is Verdict.STALE)
        return Response(401, Headers(("WWW-Authenticate", challenge) for challenge in challenges))

    def _locate(self, request: Request) -> Response | Lookup:
        describing = request.method == "DESCRIBE"
        accepted = request.headers.get("Accept")
        if describing and accepted is not None and CONTENT_TYPE not in accepted.lower() and "*/*" not in accepted:
            return Response(406)
        if not describing:
            if self.state is State.PLAYING:
                return Response(455)
            if request.headers.get("Transport") is None:
                return Response(400)
        target = parse_target(request.uri)
        known = self._target
        # A query may be lost where a client resolves the track's address; another query is another stream (Dahua).
        if known is not None and target.path == known.path and (target.query == known.query or not target.query):
            if not describing:
                return self._setup(request, target)
            if self.id:
                return self._describe(request, target)
        elif self.id:
            return Response(455)
        return Lookup(request, target)

    def _describe(self, request: Request, target: Target) -> Response:
        body = describe(self._offer, address=self._address, session_id=secrets.randbits(31), name=self._server_name)
        headers = Headers([("Content-Base", content_base(request.uri)), ("Content-Type", CONTENT_TYPE)])
        return Response(200, headers, body.encode())

    def _setup(self, request: Request, target: Target) -> Response:
        if target.track_id is None and len(self._offer) != 1:
            return Response(459)
        offered = next((one for one in self._offer if target.track_id in (None, one.track_id)), None)
        if offered is None:
            return Response(404)
        try:
            wanted = choose_transport(request.headers.get("Transport") or "")
        except UnsupportedTransport:
            return Response(461)
        others = [track for track in self._tracks.values() if track.offered.track_id != offered.track_id]
        over_udp = isinstance(wanted, UdpPorts)
        if any(isinstance(track.channels, UdpPorts) is not over_udp for track in others):
            return Response(461)
        if not self.id and not self._host.admit():
            return Response(453)
        sender = RtpSender.random(offered.payload_type, offered.config)
        channels: InterleavedChannels | UdpPorts
        if isinstance(wanted, UdpPorts):
            ports = self._host.open_ports(offered.track_id, wanted)
            if ports is None:
                if not self.id:
                    self.end()
                return Response(503)
            channels, transport = wanted, describe_udp(wanted, ports, sender.ssrc)
        else:
            channels = _free_channels(wanted, [track.channels for track in others])
            transport = describe_interleaved(channels, sender.ssrc)
        self.id = self.id or secrets.token_hex(8)
        self.state = State.READY
        self._tracks[offered.track_id] = SetupTrack(offered, request.uri, channels, sender)
        self._let_in_by = (request.method, request.uri, request.headers.get("Authorization"))
        return Response(200, Headers([("Transport", transport)]))

    def _play(self) -> Response:
        if self.state is State.PLAYING:
            return Response(200)
        first = self._host.start(self.tracks, self._offer)
        self.state = State.PLAYING
        rtp_info = ",".join(_rtp_info(track, first) for track in self.tracks)
        return Response(200, Headers([("Range", "npt=0.000-"), ("RTP-Info", rtp_info)]))

    def _pause(self) -> Response:
        if self.state is State.PLAYING:
            self._host.pause()
            self.state = State.READY
        return Response(200)

    def _complete(self, request: Request, response: Response) -> Response:
        fields = [("CSeq", value)] if (value := request.headers.get("CSeq")) is not None else []
        fields.append(("Server", self._server_name))
        if self.id and response.status != 454:
            fields.append(("Session", f"{self.id};timeout={TIMEOUT_S}"))
        return response.with_headers(*fields)


def _free_channels(wanted: InterleavedChannels | None, taken: Sequence[InterleavedChannels | UdpPorts]) -> InterleavedChannels:
    used = {number for pair in taken for number in (pair.rtp, pair.rtcp)}
    if wanted is not None and not used & {wanted.rtp, wanted.rtcp}:
        return wanted
    rtp = next(number for number in range(0, 256, 2) if not used & {number, number + 1})
    return InterleavedChannels(rtp, rtp + 1)


def _rtp_info(track: SetupTrack, first: float | None) -> str:
    """One entry of `RTP-Info`. All tracks name the same moment, or players would shift sound against picture."""
    info = f"url={track.uri};seq={track.sender.sequence}"
    if first is None:
        return info
    return f"{info};rtptime={track.sender.timestamp(round(first * track.sender.clock_rate))}"
