"""The open ports of all protocols, changed together or not at all.

A reload that moves a port opens the new one first; when that fails, whatever was opened is closed again and everything is as
before. Where the new place is one of our own old ones (another address on the same port, two ports that change places), the
old one is closed first and opened again if it must be. Connections are not a door's affair: those of RTMP and RTSP go on when
their door closes. Event loop only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.config.addresses import HostPort
from gateway.errors import ListenError

log = logging.getLogger(__name__)


class Door(Protocol):
    """One listening socket."""

    @property
    def port(self) -> int:
        """The open port."""

    async def close(self) -> None:
        """Listen no longer."""


class ServerDoor:
    """The door of an asyncio server, whose connections go on when it is closed."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """See `Door`."""
        self._server.close()


Opener = Callable[[HostPort], Awaitable[Door]]
"""Opens a door at an address. Raises ListenError; port 0 takes any free one."""


@dataclass(frozen=True, slots=True)
class _Open:
    place: HostPort
    door: Door

    @property
    def again(self) -> HostPort:
        """The place with the port that was really taken."""
        return HostPort(self.place.host, self.door.port)


class Doors:
    """One door at most for each scheme: `https`, `http`, `rtmp`, `rtmps`, `rtsp`, `onvif`."""

    def __init__(self, openers: Mapping[str, Opener]) -> None:
        """They are opened in the order of `openers`."""
        self._openers = openers
        self._open: dict[str, _Open] = {}

    def port(self, scheme: str) -> int | None:
        """The open port, None if there is none."""
        opened = self._open.get(scheme)
        return opened.door.port if opened is not None else None

    def differing(self, wanted: Mapping[str, HostPort | None]) -> tuple[str, ...]:
        """Schemes whose doors are not where they should be."""
        return tuple(scheme for scheme in self._openers if self._place(scheme) != wanted.get(scheme))

    async def change(self, wanted: Mapping[str, HostPort | None]) -> tuple[str, ...]:
        """Have exactly these open; the schemes that changed. Raises ListenError, and all is as before."""
        changing = self.differing(wanted)
        opened: dict[str, _Open] = {}
        lent: dict[str, _Open] = {}
        try:
            for scheme in changing:
                place = wanted.get(scheme)
                if place is not None:
                    opened[scheme] = _Open(place, await self._open_at(scheme, place, changing, lent))
        except BaseException:
            for one in opened.values():
                await one.door.close()
            for scheme, one in lent.items():
                await self._reopen(scheme, one)
            raise
        leaving = [self._open.pop(scheme) for scheme in changing if scheme in self._open and scheme not in lent]
        for scheme in lent:
            self._open.pop(scheme, None)
        self._open |= opened
        await asyncio.gather(*(one.door.close() for one in leaving))
        return changing

    async def close(self) -> None:
        """Close all of them; one that fails keeps no other open. Raises the first failure."""
        doors = [one.door for one in self._open.values()]
        self._open.clear()
        results = await asyncio.gather(*(door.close() for door in doors), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _place(self, scheme: str) -> HostPort | None:
        opened = self._open.get(scheme)
        return opened.place if opened is not None else None

    async def _open_at(self, scheme: str, place: HostPort, changing: tuple[str, ...], lent: dict[str, _Open]) -> Door:
        try:
            return await self._openers[scheme](place)
        except ListenError:
            ours = {
                other: one
                for other in changing
                if (one := self._open.get(other)) is not None and other not in lent and one.door.port == place.port
            }
            if not ours:
                raise
        for other, one in ours.items():
            lent[other] = one
            await one.door.close()
        return await self._openers[scheme](place)

    async def _reopen(self, scheme: str, was: _Open) -> None:
        try:
            self._open[scheme] = _Open(was.place, await self._openers[scheme](was.again))
        except (ListenError, OSError) as error:
            self._open.pop(scheme, None)
            log.error("%s: the port that was open before could not be opened again: %s", scheme, error)
