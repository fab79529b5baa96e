"""RTP and RTCP over UDP unicast for one viewer: pairs of ports, and a pace receivers keep up with. Event loop only.

A new viewer gets the whole GOP at once, and a 4K keyframe alone is hundreds of packets. Linux gives a receiving socket
208 kB by default, so packets go out in small batches: at TCP's liberty to wait, UDP would simply lose them.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence

from gateway.rtsp.rtcp import is_alive_sign
from gateway.rtsp.session import SetupTrack
from gateway.rtsp.transport import UdpPorts

log = logging.getLogger(__name__)

BATCH_PACKETS = 32
BATCH_INTERVAL_S = 0.004
"""32 packets of 1.4 kB every 4 ms are 90 Mbit/s: above any camera, below what overruns a receiver."""
MAX_DATAGRAM_BYTES = 2048
"""Receiver reports are below 200 bytes."""
MAX_READS = 32
"""Datagrams read per wake-up, so that a flood of them does not hold the loop."""
_PORT_ATTEMPTS = 64
_SEND_BUFFER_BYTES = 512 * 1024
_Address = tuple[str, int]


class _Pair:
    """Two sockets, RTP on an even port and RTCP on the next one."""

    def __init__(self, rtp: socket.socket, rtcp: socket.socket, peer: str, client: UdpPorts) -> None:
        self.rtp = rtp
        self.rtcp = rtcp
        self.rtp_address = (peer, client.rtp)
        self.rtcp_address = (peer, client.rtcp)

    @property
    def ports(self) -> UdpPorts:
        return UdpPorts(self.rtp.getsockname()[1], self.rtcp.getsockname()[1])


class UdpSink:
    """The sockets of one session. `on_alive` is called for every receiver report of the viewer."""

    def __init__(self, local: str, peer: str, on_alive: Callable[[], None], ports: range | None = None) -> None:
        """`local` and `peer` are addresses without port; `ports` bounds our side, None takes what the system gives."""
        self._local = local
        self._peer = peer
        self._on_alive = on_alive
        self._ports = ports
        self._loop = asyncio.get_running_loop()
        self._pairs: dict[int, _Pair] = {}
        self._backlog: deque[tuple[socket.socket, bytes, _Address]] = deque()
        self._budget = BATCH_PACKETS
        self._timer: asyncio.TimerHandle | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self.lost = 0
        """Packets the system refused to take."""

    @property
    def ready(self) -> bool:
        """Nothing waits for its turn."""
        return not self._backlog and self._budget > 0

    def open_ports(self, track_id: int, client: UdpPorts) -> UdpPorts | None:
        """Open a pair for a track, in place of one it may have had. None if no pair is free."""
        self._close_pair(track_id)
        pair = self._bind(client)
        if pair is None:
            return None
        self._pairs[track_id] = pair
        self._loop.add_reader(pair.rtp, self._on_readable, pair.rtp, False)
        self._loop.add_reader(pair.rtcp, self._on_readable, pair.rtcp, True)
        return pair.ports

    def send_rtp(self, track: SetupTrack, packets: Sequence[bytes]) -> None:
        """Queue packets and send as many as the pace allows."""
        pair = self._pairs[track.offered.track_id]
        self._backlog.extend((pair.rtp, packet, pair.rtp_address) for packet in packets)
        self._flush()

    def send_rtcp(self, track: SetupTrack, packet: bytes) -> None:
        """Send a report at once."""
        pair = self._pairs[track.offered.track_id]
        self._transmit(pair.rtcp, packet, pair.rtcp_address)

    def clear(self) -> None:
        """Forget what waits for its turn."""
        self._backlog.clear()

    def close(self) -> None:
        """Close every socket; harmless if done twice."""
        self.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for track_id in tuple(self._pairs):
            self._close_pair(track_id)

    def _flush(self) -> None:
        while self._backlog and self._budget > 0:
            self._budget -= 1
            self._transmit(*self._backlog.popleft())
        if self._timer is None and self._budget < BATCH_PACKETS:
            self._timer = self._loop.call_later(BATCH_INTERVAL_S, self._on_tick)

    def _on_tick(self) -> None:
        self._timer = None
        self._budget = BATCH_PACKETS
        self._flush()
        if self.ready:
            self.on_ready()

    def _transmit(self, sock: socket.socket, packet: bytes, address: _Address) -> None:
        try:
            sock.sendto(packet, address)
        except OSError:  # full buffer, no route, refused: UDP loses packets, and the session's timeout ends a dead viewer
            self.lost += 1

    def _on_readable(self, sock: socket.socket, is_rtcp: bool) -> None:
        for _ in range(MAX_READS):
            try:
                data, address = sock.recvfrom(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error for something we sent
                continue
            # Packets on the RTP port only open a path through the viewer's firewall.
            if is_rtcp and address[0] == self._peer and is_alive_sign(data):
                self._on_alive()

    def _bind(self, client: UdpPorts) -> _Pair | None:
        family = socket.AF_INET6 if ":" in self._local else socket.AF_INET
        wanted = (port for port in self._ports or () if port % 2 == 0 and port + 1 in (self._ports or ()))
        for port in wanted if self._ports is not None else [0] * _PORT_ATTEMPTS:
            rtp = self._bind_one(family, port)
            if rtp is None:
                continue
            number = rtp.getsockname()[1]
            rtcp = self._bind_one(family, number + 1) if number % 2 == 0 else None
            if rtcp is None:
                rtp.close()
                continue
            return _Pair(rtp, rtcp, self._peer, client)
        log.warning("no free pair of UDP ports for RTP")
        return None

    def _bind_one(self, family: socket.AddressFamily, port: int) -> socket.socket | None:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            sock.bind((self._local, port))
        except OSError as error:
            sock.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EINVAL):
                log.warning("UDP port %s: %s", port, error.strerror)
            return None
        return sock

    def _close_pair(self, track_id: int) -> None:
        pair = self._pairs.pop(track_id, None)
        if pair is not None:
            for sock in (pair.rtp, pair.rtcp):
                self._loop.remove_reader(sock)
                sock.close()
