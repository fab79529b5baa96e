"""A service manager's and a journal's socket."""

from __future__ import annotations

import socket

HEARD_WITHIN_S = 5.0


class Ear:
    """A datagram socket and what was said to it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(HEARD_WITHIN_S)

    def next(self) -> bytes:
        """The next datagram; waits for it."""
        return self.socket.recv(1 << 20)

    def silent(self) -> bool:
        """Whether nothing has been said since."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1 << 20)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(HEARD_WITHIN_S)
        return False
