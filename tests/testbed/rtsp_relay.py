"""Stands between a gateway and a camera and does to the connection what networks and odd devices do.

One thread per direction of a connection; the mode may be changed from any thread at any time. Needs no camera for the
modes that never ask one.
"""

from __future__ import annotations

import contextlib
import enum
import random
import re
import socket
import struct
import threading
import time

CHUNK_BYTES = 65536
POLL_S = 0.02
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"(?im)^(content-length:\s*)(\d+)")
SPROP = re.compile(rb";?\s*sprop-[a-z-]+=[^;\r\n]*")
WEB_PAGE = b"HTTP/1.1 400 Bad Request\r\nServer: webcam\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Mode(enum.Enum):
    """What happens to connections."""

    PASS = "pass"
    STRIP_SPROP = "strip-sprop"
    """The DESCRIBE answer loses its parameter sets, so that they are in-band only. Chosen per connection."""
    FREEZE = "freeze"
    """Both sides stay connected and hear nothing of each other; continues where it was with PASS."""
    BLACK_HOLE = "black-hole"
    """Connections are accepted, and nothing is ever said."""
    GARBAGE = "garbage"
    """Every request is answered with noise."""
    WEB_SERVER = "web-server"
    """Every request is answered as by a camera's web interface."""
    HANG_UP = "hang-up"
    """Connections are accepted and closed."""


class RtspRelay:
    """Listens on a port of its own from construction to `close`; use as a context manager."""

    def __init__(self, target_port: int = 0, mode: Mode = Mode.PASS, host: str = "127.0.0.1") -> None:
        self.mode = mode
        self.attempts: list[float] = []
        """Monotonic time of every accepted connection."""
        self._target = (host, target_port)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> RtspRelay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._acceptor.join()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection, as a router that lost its table does."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.attempts.append(time.monotonic())
            with self._lock:
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.mode is Mode.HANG_UP:
                self._drop(client)
            elif self.mode in (Mode.GARBAGE, Mode.WEB_SERVER):
                self._misanswer(client)
            elif self.mode is not Mode.BLACK_HOLE:
                camera = socket.create_connection(self._target, timeout=5)
                camera.settimeout(None)
                with self._lock:
                    self._open.add(camera)
                strip = self.mode is Mode.STRIP_SPROP
                threading.Thread(target=self._pump, args=(client, camera, False), daemon=True).start()
                self._pump(camera, client, strip)

    def _misanswer(self, client: socket.socket) -> None:
        noise = random.Random(7)
        try:
            while client.recv(CHUNK_BYTES):
                client.sendall(WEB_PAGE if self.mode is Mode.WEB_SERVER else noise.randbytes(4096))
                if self.mode is Mode.WEB_SERVER:
                    return
        finally:
            self._drop(client)

    def _pump(self, source: socket.socket, sink: socket.socket, strip: bool) -> None:
        held = b""
        try:
            while data := source.recv(CHUNK_BYTES):
                while self.mode in (Mode.FREEZE, Mode.BLACK_HOLE) and not self._closed:
                    time.sleep(POLL_S)
                if strip:
                    data, held, strip = strip_sprop(held + data)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            self._drop(source)
            self._drop(sink)

    def _drop(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def strip_sprop(data: bytes) -> tuple[bytes, bytes, bool]:
    """Look for a whole SDP answer in what a camera said: (bytes to send, bytes to hold back, whether to go on looking)."""
    head, end, rest = data.partition(HEAD_END)
    if b"application/sdp" not in head.lower():
        return data, b"", True
    length = LENGTH.search(head)
    if not end or length is None or len(rest) < int(length[2]):
        return b"", data, True
    size = int(length[2])
    body = SPROP.sub(b"", rest[:size])
    head = LENGTH.sub(rb"\g<1>" + str(len(body)).encode(), head)
    return head + end + body + rest[size:], b"", False
