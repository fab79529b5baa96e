"""How the sockets of RTMP connections are set, whoever opened them: so that a slow peer is noticed early. Event loop."""

from __future__ import annotations

import asyncio
import logging
import socket

log = logging.getLogger(__name__)

TLS_HIGH_WATER_BYTES = 65536
UNSENT_IN_KERNEL_BYTES = 128 * 1024
"""Beyond this the kernel refuses more, so that a slow player is noticed here, where pictures can still be dropped, and not
after megabytes in its send buffer."""
DEAD_PEER_MS = 15_000
"""A peer that acknowledges nothing for this long is gone (Wi-Fi lost, box unplugged)."""


def tune(transport: asyncio.Transport) -> None:
    """Send at once, notice a slow or vanished peer early. Best effort: not every kernel knows every option."""
    # What the kernel does not take at once blocks the player, so that pictures wait where they can still be dropped. A TLS
    # transport of uvloop that may hold nothing stops for good with its first record.
    transport.set_write_buffer_limits(high=TLS_HIGH_WATER_BYTES if transport.get_extra_info("ssl_object") else 0)
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_NOTSENT_LOWAT", 25), UNSENT_IN_KERNEL_BYTES),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", 18), DEAD_PEER_MS),
    ):
        try:
            sock.setsockopt(level, option, value)
        except OSError as error:
            log.debug("socket option %d/%d is not available: %s", level, option, error)
