"""The sockets of our own RTSP client: a TCP or TLS connection to a camera, and pairs of UDP ports beside it.

Reader threads block in here, never longer than `TICK_S` at a time once connected. `interrupt` may be called by any thread:
it shuts the sockets down, so that a blocked read returns at once, and leaves closing to the owner.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from typing import Any
from urllib.parse import urlsplit

from gateway import camera_tls
from gateway.camera_tls import CameraTrust
from gateway.errors import Ended
from gateway.sources import diagnosis

TICK_S = 1.0
"""A read returns empty-handed after this: keep-alives and watchdogs are looked at."""
READ_BYTES = 64 * 1024
UDP_BUFFER_BYTES = 1024 * 1024
"""A keyframe of a 4K camera arrives as one burst."""
SEND_S = 5.0
_PAIR_ATTEMPTS = 64
_MAX_DATAGRAMS = 64
"""Of one port in a row, so that a flood on one does not starve the others."""


class Line:
    """One connection. Made by the thread that reads; `connect` before anything else."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()
        """For `interrupt`: the number of a closed socket may belong to another one."""
        self._interrupted = False
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._host = ""
        self.peer = ""
        """The camera's numeric address."""
        self.local = ""

    def connect(self, url: str, trust: CameraTrust, timeout_s: float) -> None:
        """Connect, with TLS for rtsps://. Raises SourceError."""
        host, port = diagnosis.endpoint(url)
        self._host = host
        caught: OSError | UnicodeError = OSError()
        found: list[Any] = []
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            caught = error
        for family, kind, protocol, _, address in found:
            try:
                # a name may have an address of a kind that this machine does not speak
                sock = self._own(socket.socket(family, kind, protocol))
                sock.settimeout(timeout_s)
                sock.connect(address)
                break
            except OSError as error:
                caught = error
                self.close()
        else:
            raise diagnosis.unreachable(caught, host, port)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.peer, self.local = sock.getpeername()[0], sock.getsockname()[0]
        except OSError:  # reset as soon as it was accepted: how some cameras refuse one client more
            raise Ended(f"{host} closes the connection on port {port} without an answer") from None
        if urlsplit(url).scheme.lower() == "rtsps":
            sock = camera_tls.secured(sock, trust, host, self._own)
            sock.settimeout(TICK_S)
        else:
            # the kernel's own timeouts: Python's cost a poll() in front of every read
            sock.settimeout(None)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(TICK_S))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(SEND_S))

    def set_tick(self, tick_s: float) -> None:
        """How long a read may block from now on."""
        sock = self._sock
        if isinstance(sock, ssl.SSLSocket):
            sock.settimeout(tick_s)
        elif sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(tick_s))

    def fileno(self) -> int:
        """For poll()."""
        return self._sock.fileno() if self._sock is not None else -1

    def read(self) -> bytes | None:
        """What has come; empty at the end of the connection, None if nothing came in time. Raises Ended."""
        if self._sock is None:
            return b""
        try:
            size = self._sock.recv_into(self._buffer)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return None
        except (OSError, ValueError):  # the latter from a TLS socket that was shut down
            if self._interrupted:
                return b""
            raise Ended(f"{self._host} broke the connection") from None
        return bytes(self._view[:size])

    def send(self, data: bytes) -> None:
        """Send a request or a report. Raises Ended."""
        try:
            if self._sock is not None:
                self._sock.sendall(data)
        except (OSError, ValueError):
            raise Ended(f"{self._host} broke the connection") from None

    def interrupt(self) -> None:
        """See the module."""
        with self._lock:
            self._interrupted = True
            if self._sock is not None:
                try:
                    # Reading only: the camera can still be told good-bye. Not a TLS socket's own: it frees what is in use.
                    socket.socket.shutdown(self._sock, socket.SHUT_RD)
                except OSError:
                    pass  # not connected any more

    def close(self) -> None:
        """Close it; harmless if done twice."""
        with self._lock:
            sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def _own(self, sock: socket.socket) -> socket.socket:
        with self._lock:
            self._sock = sock
            if self._interrupted:
                sock.close()
                raise Ended("interrupted")
        return sock


class UdpPair:
    """Two neighbouring ports for one track: RTP on the even one, RTCP on the next."""

    def __init__(self, local: str, peer: str) -> None:
        """Bind at `local`. Raises Ended if no pair is free."""
        self.rtp, self.rtcp = _bind_pair(local)
        self.peer = peer
        self.ports = self.rtp.getsockname()[1], self.rtcp.getsockname()[1]
        self._rtcp_target: int = 0

    def punch(self, rtp_port: int, rtcp_port: int, report: bytes) -> None:
        """Open the way through firewalls and address translators in between."""
        self._rtcp_target = rtcp_port
        if rtp_port:
            _send(self.rtp, bytes((0x80,)) + bytes(11), (self.peer, rtp_port))
        self.report(report)

    def report(self, packet: bytes) -> None:
        """Send RTCP, if the camera has said where to."""
        if self._rtcp_target:
            _send(self.rtcp, packet, (self.peer, self._rtcp_target))

    def close(self) -> None:
        """Close both."""
        self.rtp.close()
        self.rtcp.close()


def datagrams(sock: socket.socket, sources: frozenset[str]) -> list[bytes]:
    """What has come from one of `sources`; never blocks."""
    found = []
    for _ in range(_MAX_DATAGRAMS):
        try:
            data, address = sock.recvfrom(READ_BYTES)
        except BlockingIOError:
            break
        except OSError:  # an ICMP error for something we sent
            continue
        if address[0] in sources:
            found.append(data)
    return found


def readable(poll: select.poll, timeout_s: float) -> list[int]:
    """File numbers that can be read now."""
    return [number for number, _ in poll.poll(round(timeout_s * 1000))]


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))


def _send(sock: socket.socket, data: bytes, address: tuple[str, int]) -> None:
    try:
        sock.sendto(data, address)
    except OSError:
        pass  # UDP: what is not sent is lost


def _bind_pair(local: str) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    for _ in range(_PAIR_ATTEMPTS):
        rtp = _bind(family, local, 0)
        number = rtp.getsockname()[1] if rtp is not None else 1
        rtcp = _bind(family, local, number + 1) if number % 2 == 0 else None
        if rtp is not None and rtcp is not None:
            return rtp, rtcp
        if rtp is not None:
            rtp.close()
    raise Ended("no free pair of UDP ports")


def _bind(family: socket.AddressFamily, local: str, port: int) -> socket.socket | None:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_BYTES)
        sock.bind((local, port))
    except OSError:
        sock.close()
        return None
    return sock
