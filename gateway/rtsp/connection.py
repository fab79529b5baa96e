"""One client's TCP connection: bytes to requests, requests to the session, and the session's wishes to the world.

Event loop only. Requests are answered one after the other by a task, because finding a stream may take seconds; packets
of a playing session do not pass through that task.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from gateway.http.authenticator import Gatekeeper
from gateway.media.demand import Hold
from gateway.redact import redact_line
from gateway.rtsp.delivery import Delivery
from gateway.rtsp.interleaved import HIGH_WATER_BYTES, LOW_WATER_BYTES, InterleavedSink
from gateway.rtsp.message import Interleaved, MessageError, MessageParser, Request, Response
from gateway.rtsp.mount import Mount, Resolve
from gateway.rtsp.rtcp import is_alive_sign
from gateway.rtsp.sdp import Offer, offer_tracks
from gateway.rtsp.session import Found, Lookup, Session, SetupTrack
from gateway.rtsp.target import Target
from gateway.rtsp.transport import InterleavedChannels, UdpPorts
from gateway.rtsp.udp import UdpSink

log = logging.getLogger(__name__)

MAX_PENDING_REQUESTS = 16
"""Clients send one request and wait; a client that pipelines more is made to wait by TCP."""
STUCK_AFTER_S = 10.0
"""A viewer whose TCP window has not moved for this long is gone, and only its socket does not know."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What all connections of a server share. Durations in seconds."""

    resolve: Resolve
    gatekeeper_of: Callable[[str], Gatekeeper | None]
    """Asked with the client's address before every request that needs a login."""
    clock: Callable[[], float]
    server_name: str
    lookup_timeout_s: float
    udp_ports: range | None


class Registry(Protocol):
    """Where a connection is known while it lives."""

    def joined(self, connection: Connection) -> bool:
        """A new connection; False if there are too many already."""

    def left(self, connection: Connection) -> None:
        """It is gone."""


class Connection(asyncio.Protocol):
    """A `session.Host`, a `mount.Seat` and the transport's protocol."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry
        self._parser = MessageParser()
        self._requests: asyncio.Queue[Request | MessageError | None] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._interleaved: InterleavedSink | None = None
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._local = self._peer = ""
        self._mount: Mount | None = None
        self._seated = False
        self._hold: Hold | None = None
        self._udp: UdpSink | None = None
        self._delivery: Delivery | None = None
        self._taken = 0
        self._stuck_since: float | None = None
        self._reading = True

    @property
    def peer(self) -> str:
        """The client's address; empty if it had gone before it was here."""
        return self._peer

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set up the session; a connection too many is answered with 503."""
        transport = cast(asyncio.Transport, transport)  # uvloop's transports are not subclasses of asyncio's
        self._transport = transport
        transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._peer, self._local = peer[0] if peer else "", local[0] if local else ""
        if not self._registry.joined(self) or not peer or not local:
            transport.write(Response(503).encode())
            transport.close()
            return
        self._interleaved = InterleavedSink(transport)
        self._session = Session(
            self,
            lambda: self._settings.gatekeeper_of(self._peer),
            address=self._local,
            now=self._settings.clock(),
            server_name=self._settings.server_name,
        )
        self._task = asyncio.get_running_loop().create_task(self._serve(self._session, transport))

    def data_received(self, data: bytes) -> None:
        """Cut bytes into requests and interleaved packets. The first defect ends the connection after its 400."""
        if self._session is None or self._transport is None:
            return
        self._parser.feed(data)
        try:
            for message in self._parser.messages():
                if isinstance(message, Request):
                    self._requests.put_nowait(message)
                elif isinstance(message, Interleaved) and self._is_report(message):
                    self._session.touch(self._settings.clock())
        except MessageError as error:
            self._requests.put_nowait(error)
            self._pause_reading()
        if self._requests.qsize() >= MAX_PENDING_REQUESTS:
            self._pause_reading()

    def eof_received(self) -> bool:
        """The client has said its last word; what it asked before is answered first."""
        self._requests.put_nowait(None)
        return self._task is not None

    def pause_writing(self) -> None:
        """The viewer is slower than its stream."""
        self._writable.clear()
        if self._interleaved is not None:
            self._interleaved.ready = False

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()
        if self._interleaved is not None:
            self._interleaved.ready = True
        if self._delivery is not None and self._udp is None:
            self._delivery.pump()

    def connection_lost(self, error: Exception | None) -> None:
        """Free everything."""
        if self._task is not None:
            self._task.cancel()
        if self._session is not None:
            self._session.end()
        self._release_stream()
        self._registry.left(self)

    # Host: what the session asks for

    def admit(self) -> bool:
        """Take a place on the mount that was looked up last."""
        self._seated = self._mount is not None and self._mount.take(self)
        return self._seated

    def open_ports(self, track_id: int, client: UdpPorts) -> UdpPorts | None:
        """Open UDP ports on the address the client has connected to."""
        if self._udp is None:
            self._udp = UdpSink(self._local, self._peer, self._on_udp_report, self._settings.udp_ports)
            self._udp.on_ready = self._on_udp_ready
        return self._udp.open_ports(track_id, client)

    def start(self, tracks: Sequence[SetupTrack], offer: Offer) -> float | None:
        """Subscribe to the stream; `_serve` opens the tap once the response is out."""
        sink = self._udp or self._interleaved
        if self._mount is None or sink is None:
            return None
        self._delivery = Delivery(
            self._mount.stream, self._mount.payloader, tracks, offer, sink, self._on_unfit, clock=self._settings.clock
        )
        way = "udp" if self._udp is not None else "tcp"
        log.info("rtsp %s: playing %s over %s, %s tracks", self._peer, self._mount.stream.id, way, len(tracks))
        return self._delivery.start()

    def pause(self) -> None:
        """Unsubscribe."""
        if self._delivery is not None:
            if self._delivery.queue.dropped:
                log.info("rtsp %s: viewer was too slow for %s frames", self._peer, self._delivery.queue.dropped)
            self._delivery.stop()
            self._delivery = None
        if self._udp is not None:
            self._udp.clear()

    def release(self) -> None:
        """The session is over: give back ports, place and stream."""
        self.pause()
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        self._release_stream()

    # Server and mount

    def abort(self) -> None:
        """Cut the connection without a word."""
        self.pause()
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Say goodbye and close; what the viewer does not take is cut by `sweep`, or by `abort`."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._delivery is not None:
            self._delivery.farewell()
        self.pause()
        self._transport.close()

    def sweep(self, now: float) -> None:
        """Called about once a second: end what is dead."""
        if self._session is None or self._transport is None or self._interleaved is None:
            return
        unsent = self._transport.get_write_buffer_size()
        taken = self._interleaved.written - unsent
        if unsent == 0 or taken != self._taken or self._stuck_since is None:
            self._stuck_since = now
        self._taken = taken
        if now - self._stuck_since >= STUCK_AFTER_S:
            log.info("rtsp %s: closed, the viewer took nothing for %s s", self._peer, STUCK_AFTER_S)
            self.abort()
        elif self._session.withdrawn() and not self._transport.is_closing():
            log.info("rtsp %s: closed, its address is no longer valid", self._peer)
            self.close()
        elif self._session.expired(now) and not self._transport.is_closing():
            log.info("rtsp %s: closed, the session has timed out", self._peer)
            self.close()

    # Inside

    async def _serve(self, session: Session, transport: asyncio.Transport) -> None:
        try:
            while not session.closing:
                request = await self._requests.get()
                await self._writable.wait()
                await asyncio.sleep(0)  # a client that pipelines must not keep the loop from everybody else
                if request is None or transport.is_closing():
                    break
                if not self._reading and self._requests.empty() and not transport.is_closing():
                    self._reading = True
                    transport.resume_reading()
                if isinstance(request, MessageError):
                    transport.write(Response(request.status).encode())
                    log.info("rtsp %s: closed, not RTSP: %s", self._peer, request)
                    break
                response = await self._answer(session, request)
                transport.write(response.encode())
                if self._delivery is not None:
                    self._delivery.open()
        except Exception:
            log.exception("rtsp %s: a request failed", self._peer)
            transport.write(Response(500).encode())
        self.close()

    async def _answer(self, session: Session, request: Request) -> Response:
        outcome = session.receive(request, self._settings.clock())
        if isinstance(outcome, Lookup):
            outcome = session.resume(outcome, await self._find(outcome.target))
        if outcome.status not in (200, 401):
            log.info("rtsp %s: %s %s answered %s", self._peer, request.method, redact_line(request.uri), outcome.status)
        return outcome

    async def _find(self, target: Target) -> Found:
        """Look the target up and wait until its stream has tracks; from here on the stream is wanted."""
        try:
            async with asyncio.timeout(self._settings.lookup_timeout_s):
                mount = self._settings.resolve(target.path, target.query)
                if inspect.isawaitable(mount):
                    mount = await mount
        except TimeoutError:
            return 503
        if mount is None:
            return 404
        if mount is not self._mount or self._hold is None:
            self._release_stream()
            self._mount = mount
            self._hold = mount.stream.demand.hold("rtsp")
        if not await mount.stream.wait_live(self._settings.lookup_timeout_s):
            self._release_stream()
            return 503
        # sound that is taken up later would end the session of a recorder that was not told of it
        return offer_tracks((*mount.stream.tracks, *mount.stream.coming)) or 415

    def _release_stream(self) -> None:
        if self._mount is not None and self._seated:
            self._mount.leave(self)
        self._seated = False
        self._mount = None
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _pause_reading(self) -> None:
        if self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def _is_report(self, packet: Interleaved) -> bool:
        channels = (track.channels for track in self._session.tracks) if self._session is not None else ()
        ours = any(isinstance(pair, InterleavedChannels) and packet.channel == pair.rtcp for pair in channels)
        return ours and is_alive_sign(packet.payload)

    def _on_udp_report(self) -> None:
        if self._session is not None:
            self._session.touch(self._settings.clock())

    def _on_udp_ready(self) -> None:
        if self._delivery is not None:
            self._delivery.pump()

    def _on_unfit(self, reason: str) -> None:
        log.info("rtsp %s: closed, the stream has changed: %s", self._peer, reason)
        # Not at once: the stream is in the middle of handing out a frame.
        asyncio.get_running_loop().call_soon(self.close)
