"""Opens ONVIF connections to one configured camera. Worker threads; blocks for seconds at most.

All of a camera's logins share one account with its readers, so that a wrong password is not tried by five parts at once.
"""

from __future__ import annotations

import threading
import weakref
from types import TracebackType
from typing import Protocol

from gateway.config.model import Camera
from gateway.errors import WrongCredentials
from gateway.onvif.client import OnvifClient
from gateway.onvif.transport import HttpTransport, Timeouts, Transport
from gateway.sources.account import Account

STEER_TIMEOUTS = Timeouts(connect_s=2.0, read_s=2.0, answer_s=3.0)
"""Who steers waits for it; a camera that takes longer is stopped late, and nobody wants to steer it."""


class ClientOf(Protocol):
    """Makes a client that goes where the camera is now and gives its password to nobody else. Raises Unreachable."""

    def __call__(self, camera: Camera, *, transport: Transport, deadline_s: float | None) -> OnvifClient: ...


class Connection:
    """An open client whose request under way can be called off."""

    def __init__(self, client: OnvifClient, transport: HttpTransport) -> None:
        self.client = client
        self._transport = transport

    def interrupt(self) -> None:
        """Make the request under way, or the next one, raise Interrupted. Any thread."""
        self._transport.interrupt()

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Link:
    """The way to one camera. `camera` has the login to be used; `client_of` is called on worker threads."""

    def __init__(self, camera: Camera, account: Account, client_of: ClientOf) -> None:
        self.camera = camera
        self._account = account
        self._client_of = client_of
        self._lock = threading.Lock()
        self._opened: weakref.WeakSet[Connection] = weakref.WeakSet()

    def open(self, timeouts: Timeouts = STEER_TIMEOUTS) -> Connection:
        """Connect and log in. Raises SourceError; a login that was refused to another part is not tried again soon."""
        camera = self.camera
        who = f"{camera.id} onvif"
        self._account.admit(who)
        transport = HttpTransport(camera.address or "", timeouts, camera.trust)
        client = self._client_of(camera, transport=transport, deadline_s=None)
        try:
            client.profiles()
        except WrongCredentials as error:
            client.close()
            self._account.refused(who, error)
            raise
        except BaseException:
            client.close()
            raise
        self._account.accepted(who)
        connection = Connection(client, transport)
        with self._lock:
            self._opened.add(connection)
        return connection

    def clock_was_set(self) -> None:
        """The camera has our time from now on. Requests over connections that are open would be signed with its old one."""
        with self._lock:
            opened = tuple(self._opened)
        for connection in opened:
            connection.client.clock_was_set()
