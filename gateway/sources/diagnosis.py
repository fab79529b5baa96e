"""Finds out why a camera cannot be reached, in the words a user is told.

libavformat answers "Invalid data found" to a black hole, to garbage and to a camera that hung up alike: where it is
ambiguous the camera is asked once more with a bare TCP connection and an OPTIONS request. Called by reader threads.
"""

from __future__ import annotations

import errno
import socket
from urllib.parse import urlsplit

from gateway.errors import Ended, ProtocolError, SourceError, TimedOut, Unreachable
from gateway.rtsp.client.framing import not_rtsp

PROBE_TIMEOUT_S = 2.0
"""Only spent when libavformat's answer says nothing; a camera on the LAN answers OPTIONS within milliseconds."""
RTSP_PORT = 554
RTSPS_PORT = 322

_UNREACHABLE = {
    errno.ECONNREFUSED: "refuses connections on port {port}: RTSP is switched off there, or the port is another one",
    errno.EHOSTUNREACH: "cannot be reached (no route, or switched off)",
    errno.ENETUNREACH: "cannot be reached: this machine has no network towards it",
    errno.EADDRNOTAVAIL: "cannot be reached: this machine has no address of that kind",
    errno.EAFNOSUPPORT: "cannot be reached: this machine has no address of that kind",
    errno.EMFILE: "cannot be reached: the gateway has too many connections and files open",
}


def endpoint(url: str) -> tuple[str, int]:
    """Host and port of an RTSP URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (RTSPS_PORT if parts.scheme == "rtsps" else RTSP_PORT)


def unreachable(error: OSError | UnicodeError, host: str, port: int) -> Unreachable:
    """The error for a TCP connection that could not be made."""
    if isinstance(error, socket.gaierror | UnicodeError):  # the latter for a name that is none, such as `cam..lan`
        return Unreachable(f"the name {host} is not known in this network")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{host} does not answer on port {port}")
    text = _UNREACHABLE.get(error.errno or 0, "cannot be reached")
    return Unreachable(f"{host} {text.format(port=port)}")


def probe(host: str, port: int, timeout_s: float = PROBE_TIMEOUT_S) -> SourceError:
    """Find out why a session could not be opened."""
    speaks = ProtocolError(f"{host} speaks RTSP but its answer to this stream could not be understood")
    return hindrance(host, port, timeout_s) or speaks


def hindrance(host: str, port: int, timeout_s: float) -> SourceError | None:
    """What keeps anybody from talking RTSP there: OPTIONS is asked over a connection of our own. None if it is answered."""
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
    except (OSError, UnicodeError) as error:
        return unreachable(error, host, port)
    with connection:
        try:
            connection.settimeout(timeout_s)
            connection.sendall(f"OPTIONS rtsp://{_bracket(host)}:{port}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            answer = connection.recv(256)
        except TimeoutError:
            return TimedOut(f"{host} accepts the connection on port {port} but does not answer")
        except OSError:
            return Ended(f"{host} closes the connection on port {port} without an answer")
    if not answer:
        return Ended(f"{host} closes the connection on port {port} without an answer")
    if answer.startswith(b"HTTP/"):
        return ProtocolError(f"port {port} of {host} is a web server, not RTSP: the RTSP port is often 554")
    if not answer.startswith(b"RTSP/"):
        return not_rtsp(f"port {port} of {host}")
    return None


def knock(host: str, port: int, timeout_s: float) -> bool:
    """Whether a TCP connection can be made. Costs the camera one accept, no session."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except (OSError, UnicodeError):
        return False


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
