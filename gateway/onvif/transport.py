"""HTTP POST to a camera with deadlines that hold, on a worker thread (it blocks; never call it on the event loop).

A socket timeout alone bounds each read, so a camera that sends a byte every few seconds would hold the thread for
ever. Here every read is given what is left of the request's budget, and a body is never larger than 2 MB.
Connections are kept alive and used by one request at a time (the session holds the lock).
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Protocol

from gateway import camera_tls
from gateway.camera_tls import ANYBODY, CameraTrust
from gateway.errors import CertificateRefused, ProtocolError, TimedOut, Unreachable
from gateway.onvif import addresses
from gateway.onvif.deadline import Deadline
from gateway.onvif.reader import MAX_DOCUMENT_BYTES

_MAX_JUNK_BYTES = 4096
"""Garbage before the status line that is skipped (new Tapo firmware, go2rtc PR #1589)."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two reads, and for a whole answer."""

    connect_s: float = 5.0
    read_s: float = 5.0
    answer_s: float = 10.0
    """A recorder with many profiles needs several seconds for GetProfiles."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response. `challenges` are the `WWW-Authenticate` headers."""

    status: int
    body: bytes
    challenges: tuple[str, ...] = ()
    date: str | None = None
    location: str | None = None


class ConnectionDropped(ProtocolError):
    """A kept-alive connection was closed by the camera before it answered: asking once more is right."""


class Interrupted(ProtocolError):
    """The request was called off from our side."""


class Transport(Protocol):
    """What a session needs; tests bring their own."""

    def post(self, url: str, body: bytes, headers: dict[str, str], deadline: Deadline) -> Reply: ...

    def close(self) -> None: ...


class _Budget:
    """Seconds the next read may take."""

    def __init__(self, read_s: float) -> None:
        self.read_s = read_s
        self.answer = Deadline(0.0)

    def next_read_s(self) -> float:
        left = self.answer.remaining_s()
        if left <= 0.0:
            raise TimeoutError("the answer took too long")
        return min(self.read_s, left)


class _TimedReader(io.RawIOBase):
    """Reads a response from its socket, each time with the budget's timeout; skips garbage before the status line."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, budget: _Budget) -> None:
        self._raw = raw
        self._sock = sock
        self._budget = budget
        self._started = False
        self._head = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed wants any writable buffer
        if not self._started:
            self._skip_junk()
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        self._sock.settimeout(self._budget.next_read_s())
        return self._raw.readinto(buffer) or 0

    def _skip_junk(self) -> None:
        while b"HTTP/" not in self._head and len(self._head) < _MAX_JUNK_BYTES:
            self._sock.settimeout(self._budget.next_read_s())
            chunk = self._raw.read(1024)
            if not chunk:
                break
            self._head += chunk
        self._head = self._head[max(0, self._head.find(b"HTTP/")) :]
        self._started = True

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *, budget: _Budget, method: str | None = None) -> None:
        super().__init__(sock, method=method)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, budget))


class HttpTransport:
    """Connections to one camera. `label` is how the camera is called in messages."""

    def __init__(self, label: str, timeouts: Timeouts = Timeouts(), trust: CameraTrust = ANYBODY) -> None:
        self._label = label
        self._trust = trust
        self._timeouts = timeouts
        self._connections: dict[tuple[str, str, int], http.client.HTTPConnection] = {}
        self._budget = _Budget(timeouts.read_s)
        self._interrupted = threading.Event()
        self._waiting: socket.socket | None = None
        """The socket on which an answer is awaited."""

    def interrupt(self) -> None:
        """Make the request under way, or else the next one, raise Interrupted at once. Any thread.

        A long poll holds its thread for tens of seconds; closing the connection under it would not wake it.
        """
        self._interrupted.set()
        waiting = self._waiting
        if waiting is not None:
            try:
                socket.socket.shutdown(waiting, socket.SHUT_RDWR)  # not the method of a TLS socket: it frees what is in use
            except OSError:
                pass  # the answer came, or the camera was faster

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def post(self, url: str, body: bytes, headers: dict[str, str], deadline: Deadline) -> Reply:
        """Send and read one answer of any status.

        Raises Unreachable, TimedOut, ProtocolError, ConnectionDropped if a reused connection was dead, or Interrupted.
        """
        self._stop_if_interrupted()
        try:
            return self._exchange(url, body, headers, deadline)
        except (ProtocolError, Unreachable, TimedOut):
            self._stop_if_interrupted()  # it was we who broke the connection
            raise
        finally:
            self._waiting = None

    def _stop_if_interrupted(self) -> None:
        if self._interrupted.is_set():
            self._interrupted.clear()
            raise Interrupted(f"{self._label}: the request was called off")

    def _exchange(self, url: str, body: bytes, headers: dict[str, str], deadline: Deadline) -> Reply:
        target = addresses.split(url)
        key = (target.scheme, target.host, target.effective_port)
        connection = self._connections.get(key)
        reused = connection is not None and connection.sock is not None
        if connection is None:
            connection = self._connections[key] = self._new(target)
        try:
            if not reused:
                self._connect(connection, target, deadline)
            self._budget.answer = deadline.within(self._timeouts.answer_s)
            if connection.sock is not None:
                connection.sock.settimeout(self._budget.next_read_s())
            self._waiting = connection.sock
            self._stop_if_interrupted()
            connection.request("POST", target.tail or "/", body, headers)
            return self._read(connection)
        except TimeoutError as error:
            connection.close()
            raise TimedOut(f"{self._label}: the camera did not answer in time") from error
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            connection.close()
            kind = ConnectionDropped if reused else ProtocolError
            raise kind(f"{self._label}: the camera closed the connection without an answer") from error
        except (http.client.HTTPException, ssl.SSLError, ValueError) as error:
            connection.close()
            raise ProtocolError(f"{self._label}: port {target.effective_port} does not speak HTTP properly") from error
        except OSError as error:
            connection.close()
            raise Unreachable(f"{self._label}: the connection broke ({error.strerror or error})") from error
        except ProtocolError:
            connection.close()
            raise

    def _new(self, target: addresses.Address) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if target.scheme == "https":
            context = camera_tls.context(self._trust)
            connection = http.client.HTTPSConnection(target.host, target.effective_port, context=context)
        else:
            connection = http.client.HTTPConnection(target.host, target.effective_port)
        response = functools.partial(_Response, budget=self._budget)
        connection.response_class = response  # type: ignore[assignment]  # only ever called, never subclassed
        return connection

    def _connect(self, connection: http.client.HTTPConnection, target: addresses.Address, deadline: Deadline) -> None:
        port = target.effective_port
        timeout_s = min(self._timeouts.connect_s, deadline.remaining_s())
        if timeout_s <= 0.0:
            raise TimedOut(f"{self._label}: no time left to ask the camera")
        connection.timeout = timeout_s
        try:
            connection.connect()
            if isinstance(connection.sock, ssl.SSLSocket):
                camera_tls.check(self._trust, target.host, connection.sock.getpeercert(True))
        except ssl.SSLCertVerificationError as error:
            raise camera_tls.explain(target.host, error) from error
        except CertificateRefused:
            connection.close()
            raise
        except ssl.SSLError:
            raise
        except ConnectionRefusedError as error:
            raise Unreachable(f"{self._label}: nothing listens on port {port}") from error
        except socket.gaierror as error:
            raise Unreachable(f"{self._label}: the name is not known") from error
        except TimeoutError as error:
            raise Unreachable(f"{self._label}: no answer on port {port}") from error
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "no connection"
            raise Unreachable(f"{self._label}: {reason} (port {port})") from error

    def _read(self, connection: http.client.HTTPConnection) -> Reply:
        response = connection.getresponse()
        with response:
            body = response.read(MAX_DOCUMENT_BYTES + 1)
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ProtocolError(f"{self._label}: the answer is larger than 2 MB")
            if not response.isclosed():
                connection.close()  # chunked trailers or a short body: not fit for another request
            return Reply(
                status=response.status,
                body=body,
                challenges=tuple(response.headers.get_all("WWW-Authenticate", [])),
                date=response.headers.get("Date"),
                location=response.headers.get("Location"),
            )
