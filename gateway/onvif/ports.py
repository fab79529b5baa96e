"""Which of several ports of a host are open, in the time that one takes. Blocks for `timeout_s` at most; worker threads.

A camera that is away answers nothing: asked one after the other, its seven usual ports cost seven timeouts.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Iterable

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


def open_ports(host: str, ports: Iterable[int], timeout_s: float) -> frozenset[int]:
    """The ports that accept a connection, asked all at once. Returns early when all have answered.

    Raises OSError (socket.gaierror) if the host's name is not known.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    end = time.monotonic() + timeout_s
    found: set[int] = set()
    with selectors.DefaultSelector() as selector:
        try:
            for port in dict.fromkeys(ports):
                sock = socket.socket(family, kind, protocol)
                sock.setblocking(False)
                state = sock.connect_ex((address[0], port, *address[2:]))
                if state in _UNDER_WAY:
                    selector.register(sock, selectors.EVENT_WRITE, port)
                    continue
                sock.close()
                if state == 0:
                    found.add(port)
            while selector.get_map() and (left := end - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    sock = key.fileobj  # type: ignore[assignment]  # only sockets are registered
                    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                        found.add(key.data)
                    selector.unregister(sock)
                    sock.close()
        finally:
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # only sockets are registered
    return frozenset(found)
