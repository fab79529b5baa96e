"""Opens the HTTPS and the HTTP port: two embedded granian servers in the running event loop.

granian binds with SO_REUSEPORT, so a second gateway would share the port silently and take every other connection.
Therefore the port is first bound here without that option. The same property lets a renewed certificate be put in
place without a gap: the new server listens before the old one stops. What is connected to the old one is closed with it,
and connects again.

granian installs no signal handlers in this mode, and a stopping server with open HTTP/2 connections ends with
TimeoutError after its kill timeout, which is the normal end.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.server.embed import Server

from gateway.errors import ListenError
from gateway.http.intake import spawner
from gateway.http.rsgi import Application
from gateway.http.tls_files import TlsFiles, servable, version
from gateway.http.warden import SocketLimits, Warden

log = logging.getLogger(__name__)

Address = tuple[str, int]

BACKLOG = 1024
"""A whole wall of browsers reconnects in the same second after a restart."""
BACKPRESSURE = 16384
"""Requests that may wait at once; every LL-HLS viewer has one or two blocked all the time."""
HTTP2_STREAMS = 1000
"""Per connection: 36 tiles with playlist and hinted part each, and room for pages."""
HEAD_BYTES = 64 * 1024
"""Request line and header fields together; a browser sends 1 to 2 kB. hyper itself takes 100 fields at most."""
HEAD_TIMEOUT_MS = 10_000
KILL_TIMEOUT_S = 1.5
START_DEADLINE_S = 5.0
START_POLL_S = 0.02
FIRST_CHECK_S = 2.0
"""A certificate that is there is served at once, and looked at when cameras and viewers are back."""
RENEWAL_CHECK_S = 60.0
"""Costs two system calls while nothing has changed. The box may get another address at any time, the clock may be set, and a
certificate that is replaced on the disk should be seen within minutes also where nobody watches files."""
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}

_QUIET_LOGGING: dict[str, Any] = {"version": 1, "incremental": True, "handlers": {}, "loggers": {"_granian": {}}}
"""Without this granian replaces the process's logging handlers by its own."""


@dataclass(slots=True)
class _Listener:
    """A server and the task that serves; both references keep the port open."""

    scheme: str
    address: Address
    server: Server
    task: asyncio.Task[None]
    certificate: tuple[int, int, int] | None
    """Version of the file it was started with."""


class HttpDoor:
    """One open port, whichever server serves it now."""

    def __init__(self, listener: _Listener, leave: Callable[[HttpDoor], Awaitable[None]]) -> None:
        self.listener = listener
        self._leave = leave

    @property
    def scheme(self) -> str:
        """`https` or `http`."""
        return self.listener.scheme

    @property
    def port(self) -> int:
        """The open port."""
        return self.listener.address[1]

    async def close(self) -> None:
        """Listen no longer; what is connected is closed."""
        await self._leave(self)


class HttpListeners:
    """The open ports. Event loop only."""

    def __init__(
        self,
        app: Application,
        *,
        https: Address | None = None,
        http: Address | None = None,
        tls: TlsFiles | None,
        renewal_check_s: float = RENEWAL_CHECK_S,
        sockets: SocketLimits | None = None,
    ) -> None:
        """`https` and `http` are what `start` opens. `tls` is needed for `https`; its certificate is made when opening.
        Port 0 picks a free one."""
        if https is not None and tls is None:
            raise ValueError("https needs certificates")
        self._app = app
        self._wanted = {"https": https, "http": http}
        self._tls = tls
        self._renewal_check_s = renewal_check_s
        self._doors: list[HttpDoor] = []
        self._background: set[asyncio.Task[Any]] = set()
        self.warden = Warden(self._ports, sockets or SocketLimits())
        self._check_now = asyncio.Event()
        self._refreshing = asyncio.Lock()
        self._stopping = False
        self.failed: asyncio.Event = asyncio.Event()
        """Set when a listener died on its own; the log says why. The service should then end, to be started again."""

    def port(self, scheme: str) -> int | None:
        """The port that is open for `https` or `http`."""
        return next((door.port for door in self._doors if door.scheme == scheme), None)

    def _ports(self) -> frozenset[int]:
        return frozenset(door.port for door in self._doors)

    async def start(self) -> None:
        """Open all ports, or none. Raises ListenError; OSError if certificates cannot be written."""
        try:
            free = {scheme: _probe(scheme, address) for scheme, address in self._wanted.items() if address}
            for scheme, address in free.items():
                await self.open(scheme, address)
        except BaseException:
            await self.stop()
            raise

    async def open(self, scheme: str, address: Address) -> HttpDoor:
        """Open one more port, which belongs to the caller. Raises ListenError; OSError if certificates cannot be written."""
        soon = False
        if scheme == "https" and self._tls is not None:
            soon = await asyncio.to_thread(servable, self._tls.server)
            if not soon:
                await asyncio.to_thread(self._tls.ensure)
        address = _probe(scheme, address)
        door = HttpDoor(await self._open(scheme, address), self._close_door)
        self._doors.append(door)
        self.warden.start()
        log.info("listening on %s", _spell(scheme, address))
        if scheme == "https" and not self._background:
            self._in_background(self._renew_certificates())
        if soon:
            asyncio.get_running_loop().call_later(FIRST_CHECK_S, self._check_now.set)
        return door

    async def refresh(self) -> None:
        """Serve a renewed certificate now. Raises OSError and ListenError; then the old one stays in use."""
        async with self._refreshing:
            secure = [door for door in self._doors if door.scheme == "https"]
            if self._tls is None or not secure:
                return
            await asyncio.to_thread(self._tls.ensure)
            newest = version(self._tls.server)
            for door in secure:
                if door.listener.certificate != newest:
                    await self._replace(door)

    def check_certificate(self) -> None:
        """The system clock was set: look at once whether the certificate is good now, and not only when the hour is over."""
        self._check_now.set()

    async def stop(self) -> None:
        """Release waiting requests and close all ports, within two seconds."""
        self._stopping = True
        self.warden.stop()
        self._app.release()
        background = [task for task in self._background if task is not asyncio.current_task()]
        for task in background:
            task.cancel()
        doors, self._doors = self._doors, []
        await asyncio.gather(*(_close(door.listener) for door in doors))
        await asyncio.gather(*background, return_exceptions=True)

    async def _open(self, scheme: str, address: Address) -> _Listener:
        certificate = self._tls.server if scheme == "https" and self._tls else None
        served = version(certificate) if certificate is not None else None
        server = _server(self._app, address, certificate)
        task = asyncio.create_task(server.serve(spawner(self._app.take)), name=f"{scheme} listener")
        listener = _Listener(scheme, address, server, task, served)
        try:
            await _reachable(listener)
        except BaseException:
            await _close(listener)
            raise
        task.add_done_callback(self._ended)
        return listener

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._stopping or all(door.listener.task is not task for door in self._doors):
            return
        error = None if task.cancelled() else task.exception()
        log.error("the %s ended: %s", task.get_name(), _first_line(error) if error else "for no known reason")
        self.failed.set()

    async def _renew_certificates(self) -> None:
        """For as long as the ports are open: a box in a cellar runs for years."""
        while True:
            try:
                async with asyncio.timeout(self._renewal_check_s):
                    await self._check_now.wait()
            except TimeoutError:
                pass  # nothing special has happened
            self._check_now.clear()
            try:
                await self.refresh()
            except (OSError, ListenError) as error:
                log.error("the certificate could not be renewed: %s", _first_line(error))

    async def _replace(self, door: HttpDoor) -> None:
        old = door.listener
        door.listener = await self._open("https", old.address)
        await _close(old)

    async def _close_door(self, door: HttpDoor) -> None:
        if door in self._doors:
            self._doors.remove(door)
            await _close(door.listener)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="certificate renewal")
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _server(app: Application, address: Address, certificate: Path | None) -> Server:
    host, port = address
    server = Server(
        app,
        address=host or "0.0.0.0",
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.auto,
        websockets=True,
        backlog=BACKLOG,
        backpressure=BACKPRESSURE,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_TIMEOUT_MS, max_buffer_size=HEAD_BYTES),
        http2_settings=HTTP2Settings(
            max_concurrent_streams=HTTP2_STREAMS, max_headers_size=HEAD_BYTES, keep_alive_interval=30_000
        ),
        log_level=LogLevels.error,
        log_dictconfig=_QUIET_LOGGING,
        ssl_cert=certificate,
        ssl_key=certificate,
        ssl_protocol_min=SSLProtocols.tls12,  # older players and set-top boxes know no TLS 1.3
    )
    server.workers_kill_timeout = KILL_TIMEOUT_S  # type: ignore[assignment]  # for asyncio.wait_for, declared int
    return server


async def _reachable(listener: _Listener) -> None:
    """Wait until the port accepts a connection. Raises ListenError if the server ends or does not come up."""
    host, port = listener.address
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while not listener.task.done():
                try:
                    _reader, writer = await asyncio.open_connection(WILDCARDS.get(host, host), port)
                except OSError:
                    await asyncio.sleep(START_POLL_S)
                else:
                    writer.close()
                    return
    except TimeoutError:
        raise ListenError(f"cannot listen on {_spell(listener.scheme, listener.address)}: no answer") from None
    error = None if listener.task.cancelled() else listener.task.exception()
    reason = _first_line(error) if error else "the server ended at once"
    raise ListenError(f"cannot listen on {_spell(listener.scheme, listener.address)}: {reason}")


async def _close(listener: _Listener) -> None:
    listener.server.stop()  # type: ignore[no-untyped-call]  # granian has no annotations there
    done, _ = await asyncio.wait({listener.task}, timeout=KILL_TIMEOUT_S + 0.5)
    if not done:
        listener.task.cancel()
        await asyncio.wait({listener.task}, timeout=0.1)
        return
    error = None if listener.task.cancelled() else listener.task.exception()
    if error is not None and not isinstance(error, TimeoutError):
        log.debug("closing %s: %s", _spell(listener.scheme, listener.address), _first_line(error))


def _probe(scheme: str, address: Address) -> Address:
    """Bind the port and let go of it again. Returns the address with its real port; raises ListenError."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise ListenError(f"cannot listen on {_spell(scheme, address)}: {_advice(error, port)}") from error
        return host, int(probe.getsockname()[1])


def _advice(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"address already in use; another gateway, or: ss -ltnp 'sport = :{port}' shows who"
    if error.errno == errno.EACCES:
        return f"permission denied; ports below 1024 need CAP_NET_BIND_SERVICE, port {port + 8000} does not"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address; 0.0.0.0 listens on all of them"
    return (error.strerror or str(error)).lower()


def _spell(scheme: str, address: Address) -> str:
    host, port = address
    return f"{f'[{host}]' if ':' in host else host}:{port} ({scheme})"


def _first_line(error: BaseException) -> str:
    """granian puts a native stack trace into its messages."""
    return str(error).partition("\n")[0] or type(error).__name__
