"""Ports move together or not at all. The doors here are real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.config.addresses import HostPort
from gateway.doors import Doors, ServerDoor
from gateway.errors import ListenError

HOST = "127.0.0.1"


async def opener(place: HostPort) -> ServerDoor:
    loop = asyncio.get_running_loop()
    try:
        return ServerDoor(await loop.create_server(asyncio.Protocol, place.host, place.port))
    except OSError as error:
        raise ListenError(f"cannot listen on {place}: {error.strerror}") from error


def with_doors(body: Callable[[Doors], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        doors = Doors(dict.fromkeys(("a", "b", "c"), opener))
        try:
            await body(doors)
        finally:
            await doors.close()

    asyncio.run(main())


def is_open(port: int | None, host: str = HOST) -> bool:
    try:
        socket.create_connection((host, port or 0), 1).close()
    except OSError:
        return False
    return True


def test_what_is_not_wanted_is_closed_and_what_is_the_same_is_left_alone() -> None:
    async def body(doors: Doors) -> None:
        await doors.change({"a": HostPort(HOST, 0), "b": HostPort(HOST, 0)})
        stays, goes = doors.port("a"), doors.port("b")
        assert await doors.change({"a": HostPort(HOST, 0), "c": HostPort(HOST, 0)}) == ("b", "c")
        assert doors.port("a") == stays
        assert [is_open(port) for port in (stays, goes, doors.port("c"))] == [True, False, True]
        assert doors.port("b") is None

    with_doors(body)


def test_a_port_that_is_taken_refuses_the_whole_change() -> None:
    async def body(doors: Doors) -> None:
        with socket.create_server((HOST, 0)) as taken:
            await doors.change({"a": HostPort(HOST, 0), "c": HostPort(HOST, 0)})
            before = doors.port("a"), doors.port("c")
            with socket.create_server((HOST, 0)) as free:
                port = free.getsockname()[1]
            wanted = {"a": HostPort(HOST, port), "b": HostPort(HOST, taken.getsockname()[1])}
            with pytest.raises(ListenError, match="cannot listen"):
                await doors.change(wanted)
            assert (doors.port("a"), doors.port("c")) == before
            assert all(is_open(one) for one in before)
            assert not is_open(port), "what was opened for nothing is closed again"

    with_doors(body)


def test_two_ports_change_places() -> None:
    async def body(doors: Doors) -> None:
        await doors.change({"a": HostPort(HOST, 0), "b": HostPort(HOST, 0)})
        one, two = doors.port("a") or 0, doors.port("b") or 0
        await doors.change({"a": HostPort(HOST, two), "b": HostPort(HOST, one)})
        assert (doors.port("a"), doors.port("b")) == (two, one)
        assert is_open(one)
        assert is_open(two)

    with_doors(body)


def test_the_same_port_at_another_address_of_the_machine() -> None:
    async def body(doors: Doors) -> None:
        await doors.change({"a": HostPort("0.0.0.0", 0)})
        port = doors.port("a") or 0
        await doors.change({"a": HostPort("127.0.0.2", port)})
        assert is_open(port, "127.0.0.2")
        assert not is_open(port)

    with_doors(body)


def test_a_port_that_was_lent_is_opened_again_when_another_one_fails() -> None:
    async def body(doors: Doors) -> None:
        with socket.create_server((HOST, 0)) as taken:
            await doors.change({"a": HostPort("0.0.0.0", 0)})
            port = doors.port("a") or 0
            with pytest.raises(ListenError):
                await doors.change({"a": HostPort("127.0.0.2", port), "b": HostPort(HOST, taken.getsockname()[1])})
            assert doors.port("a") == port
            assert is_open(port)

    with_doors(body)


def test_a_connection_outlives_its_door() -> None:
    async def body(doors: Doors) -> None:
        await doors.change({"a": HostPort(HOST, 0)})
        reader, writer = await asyncio.open_connection(HOST, doors.port("a"))
        await asyncio.sleep(0)
        await doors.change({})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        writer.close()

    with_doors(body)
