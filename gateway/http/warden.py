"""Watches the sockets of the HTTP ports from outside, because granian shows nobody its connections.

The kernel knows everything that is needed: which sockets of this process belong to the ports, who is at their other end, and
when they last said anything. Once a second those over a limit are shut down, which granian sees as a peer that has gone:

- more from one address than is allowed, or more in all: the ones that have been silent longest;
- silent both ways for `idle_s`, or without a single byte for `first_byte_s`;
- half closed by the peer for two looks: granian notices a page that left without a WebSocket close only with the next message;
- sending more than `upload_bytes` in a second. Nothing here is uploaded; but tungstenite collects a WebSocket message of
  64 MB before anybody may look at it.

`judge` is pure. `Warden.look` runs on a worker thread: it makes four system calls for each socket.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import stat
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.http.admission import is_loopback

log = logging.getLogger(__name__)

LOOK_S = 1.0
_TCP_INFO_BYTES = 136
_SENT_AT, _RECEIVED_AT, _TOTALS_AT = 44, 52, 128
"""Offsets in `struct tcp_info` (linux/tcp.h): milliseconds since data was sent and received; bytes received."""
_CLOSE_WAIT = 8
"""In the first byte: TCP_CLOSE_WAIT."""
_FDS = Path("/proc/self/fd")
OF_ALL_DESCRIPTORS = 2
"""One in so many may be a connection here. granian asks for the next connection without a pause while there is no descriptor
left for it, which takes a whole core, and cameras need theirs."""
MAX_GUESSED = 65536


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Bounds on the connections of the HTTP ports."""

    total: int = 3000
    per_address: int = 1000
    """500 viewers behind one address on HTTP/1.1, with two connections each."""
    idle_s: float = 90.0
    """The wall's connections speak every 2 s, HTTP/2 pings every 30 s; browsers give up idle ones after 60 to 120 s."""
    first_byte_s: float = 10.0
    upload_bytes: int = 3_000_000
    """Between two looks; a form may have 1 MB."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One connection, as the kernel tells it. Silences in seconds."""

    fd: int
    address: str
    port: int
    silent_s: float
    """Since anything was sent or received."""
    received: int
    """Bytes since it was opened."""
    half_closed: bool = False
    """The peer will send nothing more."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A connection to be shut, and why."""

    connection: Seen
    reason: str


def judge(
    seen: Iterable[Seen], before: Mapping[tuple[str, int], Seen], limits: SocketLimits, exempt: Callable[[str], bool]
) -> list[Sentence]:
    """What is over a limit. `before` is what the last look has seen, by peer."""
    condemned: list[Sentence] = []
    kept: list[Seen] = []
    for one in seen:
        earlier = before.get((one.address, one.port))
        grown = one.received - (earlier.received if earlier is not None else 0)
        if one.received == 0 and one.silent_s >= limits.first_byte_s:
            condemned.append(Sentence(one, "said nothing"))
        elif one.silent_s >= limits.idle_s:
            condemned.append(Sentence(one, "idle"))
        elif one.half_closed and earlier is not None and earlier.half_closed:
            condemned.append(Sentence(one, "left"))
        elif grown > limits.upload_bytes:
            condemned.append(Sentence(one, "sends more than anything here takes"))
        else:
            kept.append(one)
    counts = Counter(one.address for one in kept)
    excess = len(kept) - limits.total
    for one in sorted(kept, key=lambda connection: -connection.silent_s):
        if counts[one.address] > limits.per_address and not exempt(one.address):
            condemned.append(Sentence(one, "too many connections from one address"))
            counts[one.address] -= 1
            excess -= 1
        elif excess > 0:
            condemned.append(Sentence(one, "too many connections"))
            counts[one.address] -= 1
            excess -= 1
    return condemned


@dataclass(slots=True)
class Warden:
    """The shell: looks once a second while it runs. `ports` are asked each time, since port 0 is known late."""

    ports: Callable[[], frozenset[int]]
    limits: SocketLimits = field(default_factory=SocketLimits)
    exempt: Callable[[str], bool] = is_loopback
    look_s: float = LOOK_S
    count: int = 0
    """Connections at the last look."""
    _before: dict[tuple[str, int], Seen] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if it has not. Event loop."""
        if self._task is not None:
            return
        self._task = asyncio.get_running_loop().create_task(self._run(), name="warden")

    def stop(self) -> None:
        """Look no more. Harmless if not started."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def look(self) -> list[Sentence]:
        """Look once, and shut what is over a limit. Worker thread."""
        seen = _connections(self.ports())
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // OF_ALL_DESCRIPTORS
        limits = replace(self.limits, total=min(self.limits.total, most))
        condemned = judge(seen, self._before, limits, self.exempt)
        self._before = {(one.address, one.port): one for one in seen}
        self.count = len(seen)
        for sentence in condemned:
            _shut(sentence.connection)
        for (address, reason), number in Counter((one.connection.address, one.reason) for one in condemned).items():
            level = logging.DEBUG if reason in ("idle", "said nothing", "left") else logging.WARNING
            log.log(level, "http: %s: %d connections closed: %s", address, number, reason)
        return condemned

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.look_s)
            try:
                await asyncio.to_thread(self.look)
            except OSError as error:
                log.warning("http: the connections cannot be counted: %s", error)


def _connections(ports: frozenset[int]) -> list[Seen]:
    found = []
    for fd in _descriptors():
        with suppress(OSError):  # closed since, or no socket that has a peer
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                one = _look_at(fd, ports)
                if one is not None:
                    found.append(one)
    return found


def _descriptors() -> Iterable[int]:
    """Those that are open; where none is left to look with, all that could be."""
    try:
        return [int(name) for name in os.listdir(_FDS)]  # noqa: PTH208  # pathlib would make thousands of objects
    except OSError:
        return range(min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], MAX_GUESSED))


def _look_at(fd: int, ports: frozenset[int]) -> Seen | None:
    sock = socket.socket(fileno=fd)
    try:
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
            return None
        if sock.getsockname()[1] not in ports:
            return None
        address, port = sock.getpeername()[:2]
        facts = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        sent_ms, received_ms = (struct.unpack_from("I", facts, at)[0] for at in (_SENT_AT, _RECEIVED_AT))
        received = struct.unpack_from("Q", facts, _TOTALS_AT)[0] if len(facts) >= _TCP_INFO_BYTES else 1
        plain = address.removeprefix("::ffff:") if "." in address else address
        return Seen(fd, plain, port, min(sent_ms, received_ms) / 1000, received, facts[0] == _CLOSE_WAIT)
    finally:
        sock.detach()


def _shut(one: Seen) -> None:
    """End a connection without closing its descriptor, which is granian's and may be another's by now."""
    with suppress(OSError):
        sock = socket.socket(fileno=one.fd)
        try:
            if sock.getpeername()[1] == one.port:
                sock.shutdown(socket.SHUT_RDWR)
        finally:
            sock.detach()
