"""A network cable that loses, delays and throttles, between a host of `netns` and its switch. Needs root and /dev/net/tun.

Both ends are TAP devices and one thread carries the frames between them, so it works for every protocol and in every kernel,
also in those without netem. What happens to which frame follows from a seed.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from dataclasses import dataclass, field

from netns import Host, Lan, address

_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_HEAD = 0x0002 | 0x1000
FRAME_BYTES = 65536
POLL_S = 0.2
QUEUE_BYTES = 64 * 1024
"""What a router in front of a slow line keeps; more is lost."""


@dataclass(slots=True)
class Direction:
    """What happens to frames one way. May be changed at any time."""

    loss: float = 0.0
    """Share of the frames that are lost."""
    jitter_s: float = 0.0
    """Each is late by up to so much. They stay in order, as they do on one path."""
    bits_per_s: float = 0.0
    """0: as fast as they come."""
    carried: int = 0
    lost: int = 0
    last_due: float = 0.0
    queued: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def due(self, size: int, now: float) -> float | None:
        """When a frame comes out; None if it does not."""
        if self.loss and self.chance.random() < self.loss:
            return None
        at = now + self.jitter_s * self.chance.random()
        if self.bits_per_s:
            if self.queued + size > QUEUE_BYTES:
                return None
            at = max(at, self.last_due) + size * 8 / self.bits_per_s
        self.last_due = max(at, self.last_due)
        return self.last_due


class Wire:
    """The cable of one host, from construction to `cut`."""

    def __init__(self, lan: Lan, host: Host, number: int) -> None:
        port = f"p{len(lan.hosts)}"
        self.to_host, self.from_host = Direction(), Direction()
        self._near = lan.gateway.inside(lambda: _tap(port))
        self._far = host.inside(lambda: _tap("eth0"))
        lan.gateway.ip("link", "set", port, "master", "lan0", "up")
        host.ip("addr", "add", address(number), "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        self._cut = False
        self._thread = threading.Thread(target=self._carry, name=f"wire {host.namespace}", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """For good."""
        self._cut = True
        self._thread.join(5)
        for descriptor in (self._near, self._far):
            os.close(descriptor)

    def heal(self) -> None:
        """A good cable from now on."""
        for way in (self.to_host, self.from_host):
            way.loss = way.jitter_s = way.bits_per_s = 0.0

    def _carry(self) -> None:
        ways = {self._near: (self.to_host, self._far), self._far: (self.from_host, self._near)}
        waiting: list[tuple[float, int, int, bytes, Direction]] = []
        count = 0
        while not self._cut:
            pause = min(POLL_S, max(0.0, waiting[0][0] - time.monotonic())) if waiting else POLL_S
            ready = select.select(tuple(ways), (), (), pause)[0]
            for descriptor in ready:
                way, out = ways[descriptor]
                frame = os.read(descriptor, FRAME_BYTES)
                due = way.due(len(frame), time.monotonic())
                if due is None:
                    way.lost += 1
                    continue
                count += 1
                way.queued += len(frame)
                heapq.heappush(waiting, (due, count, out, frame, way))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, out, frame, way = heapq.heappop(waiting)
                way.queued -= len(frame)
                way.carried += 1
                with contextlib.suppress(OSError):  # the interface is down
                    os.write(out, frame)


def plug_badly(lan: Lan, name: str, number: int) -> tuple[Host, Wire]:
    """As `Lan.plug`, with such a cable. Cut it before the network ends."""
    host = lan.add(name)
    return host, Wire(lan, host, number)


def _tap(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TAP_WITHOUT_HEAD))
    return descriptor
