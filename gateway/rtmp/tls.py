"""RTMPS: the certificate the listener shows, and the listener itself.

`loop.create_server(ssl=...)` gives no sign of a connection until its handshake has succeeded, so peers that open and say
nothing, or speak something else, would neither be bounded nor logged; and turning an accepted transport into TLS
(`start_tls`) loses a ClientHello that uvloop has read already. So sockets are accepted here, counted, and handed to the loop
with their TLS; what goes wrong is one line in the log.

Event loop only, but for the files of the certificate, which a worker thread reads.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter

from gateway.http.tls_files import TlsFiles, servable
from gateway.rtmp.connection import Connection, Context

log = logging.getLogger(__name__)

HANDSHAKES, HANDSHAKES_PER_ADDRESS = 512, 64
"""Handshakes under way at once. Each costs about 60 KB of buffers, and everybody may begin one."""
SHUTDOWN_S = 2.0
"""For a peer to answer our goodbye."""
ACCEPT_PAUSE_S = 0.5
"""When the process has no file descriptor left: some connection will end."""
BACKLOG = 256
_DISTRUST = "the client does not trust the gateway's certificate (install gateway-ca.crt there)"
_PROBLEMS = {
    "HTTP_REQUEST": "the client speaks HTTP; this port is encrypted RTMP (web pages are on the HTTPS port)",
    "WRONG_VERSION_NUMBER": "the client speaks no TLS; this port is encrypted RTMP (rtmps://, not rtmp://)",
    "UNSUPPORTED_PROTOCOL": "the client knows no TLS 1.2",
    "TLSV1_ALERT_UNKNOWN_CA": _DISTRUST,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _DISTRUST,
    "SSLV3_ALERT_BAD_CERTIFICATE": _DISTRUST,
}


class ServerTls:
    """The box's certificate for RTMPS, kept up to date."""

    def __init__(self, certificates: TlsFiles) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._certificates = certificates
        self._loaded: tuple[str, int, int] | None = None

    async def refresh(self) -> None:
        """Take up a new certificate; connections that are open keep theirs. Call before the start and now and then.

        Raises OSError or ssl.SSLError at the first call if there is no usable certificate; later it only says so.
        """
        try:
            await asyncio.to_thread(self._refresh)
        except (OSError, ssl.SSLError) as error:
            if self._loaded is None:
                raise
            log.error("rtmps: the certificate could not be renewed: %s", error)

    def _refresh(self) -> None:
        if self._loaded is not None or not servable(self._certificates.server):
            self._certificates.ensure()  # which one that is there does not wait for at the start
        file = self._certificates.server
        found = file.stat()
        version = (str(file), found.st_mtime_ns, found.st_ino)
        if version != self._loaded:
            self.context.load_cert_chain(file)
            self._loaded = version


class TlsListener:
    """The open port for RTMPS."""

    def __init__(self, context: Context, tls: ssl.SSLContext) -> None:
        self._context = context
        self._tls = tls
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._by_address: Counter[str] = Counter()

    @property
    def port(self) -> int:
        """The port that is listened on; 0 while closed."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    @property
    def handshakes(self) -> int:
        """Peers that are not through yet."""
        return len(self._handshakes)

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = infos[0]
        self._socket = socket.create_server((str(address[0]), int(address[1])), family=family, backlog=BACKLOG)
        self._socket.setblocking(False)
        self._accepting = loop.create_task(self._accept(self._socket), name="rtmps listener")

    async def close(self) -> None:
        """Stop listening, and end the handshakes under way."""
        tasks = [*self._handshakes, *([self._accepting] if self._accepting is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, address = await loop.sock_accept(listening)
            except OSError as error:
                self._complain("listener", f"cannot accept a connection: {error.strerror}")
                await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            client = str(address[0]).removeprefix("::ffff:")
            if len(self._handshakes) >= HANDSHAKES or self._by_address[client] >= HANDSHAKES_PER_ADDRESS:
                peer.close()
                self._context.counters.turned_away += 1
                self._complain(client, "turned away: too many TLS handshakes at once")
                continue
            self._by_address[client] += 1
            task = loop.create_task(self._shake(peer, client))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake(self, peer: socket.socket, client: str) -> None:
        limits = self._context.limits
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self._context),
                peer,
                ssl=self._tls,
                ssl_handshake_timeout=limits.handshake_s,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        except ssl.SSLError as error:
            reason = error.reason or "unknown reason"
            problem = _PROBLEMS.get(reason) or f"no TLS handshake ({reason.replace('_', ' ').lower()})"
            self._broken(client, problem)
        except ConnectionAbortedError:
            self._broken(client, "no TLS handshake in time")
        except OSError:
            self._broken(client, "left during the TLS handshake")
        finally:
            self._by_address[client] -= 1
            if not self._by_address[client]:
                del self._by_address[client]

    def _broken(self, client: str, problem: str) -> None:
        self._context.counters.broken += 1
        self._complain(client, f"closed: {problem}")

    def _complain(self, client: str, text: str) -> None:
        self._context.complaints.add(client, self._context.monotonic(), text)
