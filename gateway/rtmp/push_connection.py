"""One connection to a server that is pushed to: moves bytes between its socket and its session.

    opened ── answered (Started, or the reason why not) ── media is written by `viewer` ── ended (the reason)

It retries nothing and sets no deadlines: `push` does. Event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

from gateway.config.model import Push
from gateway.redact import redact
from gateway.rtmp.adobe_auth import asks_for_login
from gateway.rtmp.client_session import ClientSession, Connected, Ended, Event, Failed, Rejected, Started, Step
from gateway.rtmp.push_errors import PushError, TargetClosed, TargetProtocol, TargetRefused
from gateway.rtmp.sockets import tune
from gateway.rtmp.viewer import Viewer

NGINX_MAX_MESSAGE_BYTES = 1024 * 1024
"""nginx-rtmp's default `max_message`: it closes without a word at a larger picture."""
CLOSE_S = 1.0
"""For the last commands to leave."""

T = TypeVar("T")


class LoginWanted(Exception):
    """The server wants another connection with a login; `description` says which."""

    def __init__(self, description: str) -> None:
        super().__init__("the server asks for a login")
        self.description = description


class PushConnection(asyncio.Protocol):
    """Made by `push` for one attempt."""

    def __init__(self, target: Push, session: ClientSession) -> None:
        loop = asyncio.get_running_loop()
        self.session = session
        self.connected: asyncio.Future[frozenset[str]] = loop.create_future()
        """What the server takes of Enhanced RTMP, or a PushError or LoginWanted."""
        self.started: asyncio.Future[int] = loop.create_future()
        """The message stream to send on, or a PushError."""
        self.ended: asyncio.Future[PushError] = loop.create_future()
        """Why the connection is over; set exactly once."""
        self.viewer: Viewer | None = None
        """Told when the socket is full."""
        self.largest_bytes: Callable[[], int] = int
        """The largest message sent; asked when the server has closed, which may be its reason."""
        self._target = target
        self._transport: asyncio.Transport | None = None
        self._closing: asyncio.TimerHandle | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The open connection."""
        assert self._transport is not None
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the server."""
        self._transport = cast(asyncio.Transport, transport)
        tune(self._transport)

    def begin(self) -> None:
        """Send the first bytes; before it nothing is revealed to a server whose certificate is still to be looked at."""
        self.transport.write(self.session.start())

    def data_received(self, data: bytes) -> None:
        """Feed the session and act on what it says."""
        if self.ended.done():
            return
        out, events = self.session.receive(data)
        for event in events:
            self._handle(event)
        if out and not self.ended.done() and not self.transport.is_closing():
            self.transport.write(out)

    def pause_writing(self) -> None:
        """The server takes no more for now."""
        if self.viewer is not None:
            self.viewer.block()

    def resume_writing(self) -> None:
        """The server takes more."""
        if self.viewer is not None and not self.ended.done():
            self.viewer.unblock()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        if self._closing is not None:
            self._closing.cancel()
        self._end(TargetClosed(self._why_lost(exc)))

    def finish(self) -> None:
        """Say goodbye and close. The rest happens by itself, within `CLOSE_S`."""
        transport = self._transport
        if transport is None or self.ended.done():
            return
        transport.write(self.session.finish())
        self._end(TargetClosed("closed by the gateway"))

    def _handle(self, event: Event) -> None:
        if isinstance(event, Connected):
            _settle(self.connected, event.fourccs)
        elif isinstance(event, Started):
            _settle(self.started, event.stream_id)
        elif isinstance(event, Failed):
            self._end(TargetProtocol(self._clean(f"the server breaks the protocol: {event.error}")))
        elif isinstance(event, Ended):
            self._end(TargetClosed(self._clean(event.description)))
        elif isinstance(event, Rejected):
            if self.session.step is Step.CONNECT and asks_for_login(event.description):
                if not self.connected.done():
                    self.connected.set_exception(LoginWanted(event.description))
                self._end(TargetRefused("the server asks for a login"))
            elif self.session.step is Step.STARTED:
                # It took the stream before, so the reason may pass; if not, the next attempt is told at once.
                self._end(TargetClosed(self._clean(f"the server ended the stream: {event.description}")))
            else:
                self._end(TargetRefused(self._clean(f"the server refused: {event.description}")))

    def _end(self, reason: PushError) -> None:
        if self.ended.done():
            return
        self.ended.set_result(reason)
        if self.viewer is not None:
            self.viewer.block()  # uvloop raises when something is written to a closed transport
        for waiting in (self.connected, self.started):
            if not waiting.done():
                waiting.set_exception(reason)
            if not waiting.cancelled():
                waiting.exception()  # nobody may be waiting for it; asyncio would complain
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.close()
            self._closing = asyncio.get_running_loop().call_later(CLOSE_S, transport.abort)

    def _why_lost(self, exc: Exception | None) -> str:
        step = self.session.step
        if step is Step.HANDSHAKE:
            return "the server closed the connection during the handshake; is this an RTMP port?"
        if step is Step.CONNECT:
            return f"the server closed the connection when asked for the application {self._application!r}; has it none?"
        if step is not Step.STARTED:
            return "the server closed the connection when asked to publish"
        if self.largest_bytes() > NGINX_MAX_MESSAGE_BYTES:
            size = self.largest_bytes() / 1024 / 1024
            return f"the server closed the connection; a picture had {size:.1f} MiB, nginx-rtmp takes 1 MiB (max_message)"
        how = f" ({exc})" if exc is not None and not isinstance(exc, ConnectionResetError) else ""
        return f"the server closed the connection{how}"

    @property
    def _application(self) -> str:
        return self._target.app.partition("?")[0]

    def _clean(self, text: str) -> str:
        """Servers repeat the key in their answers."""
        return clean(self._target, text)


def clean(target: Push, text: str) -> str:
    """`text` without the secrets of `target`."""
    secrets = [target.key.reveal(), target.key.reveal().partition("?")[0], target.app.partition("?")[2]]
    if target.password is not None:
        secrets.append(target.password.reveal())
    return redact(text, *secrets)


def _settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
