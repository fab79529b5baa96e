"""Looks for ONVIF devices at every address of a subnet, for networks that multicast does not reach (VLANs, containers, VPNs).

Two ways at once: a Probe sent to each address alone, and a connection to each of the usual ONVIF ports. Whatever accepts one is
asked, without a password, whether it speaks ONVIF. Runs on the event loop of `gateway discover`; the questions on threads.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gateway.errors import SourceError
from gateway.onvif import addresses, neighbours
from gateway.onvif.client import OnvifClient
from gateway.onvif.deadline import Deadline
from gateway.onvif.discovery import discover
from gateway.onvif.gathering import order
from gateway.onvif.media import Introduction
from gateway.onvif.wsdiscovery import VIDEO_TRANSMITTER, Device

log = logging.getLogger(__name__)

MAX_HOSTS = 4096
"""A /20. More than that is a typing error, or a network that one does not sweep."""
CONNECTIONS_AT_ONCE = 128
"""Below the neighbour table's first threshold and every switch's patience."""
CONNECT_S = 1.0
QUESTIONS_AT_ONCE = 8
QUESTION_S = 6.0

Progress = Callable[[int, int], None]
"""Called with the connections tried so far and all there are."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What was found, by address, and what each told of itself, by its service's URL."""

    devices: tuple[Device, ...]
    told: Mapping[str, Introduction]


def hosts_of(text: str) -> tuple[str, ...]:
    """The addresses of a subnet such as `192.168.1.0/24`. Raises ValueError with a message for the user."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no subnet: write it like 192.168.1.0/24") from None
    if network.num_addresses > MAX_HOSTS:
        raise ValueError(f"{text} has {network.num_addresses} addresses; at most {MAX_HOSTS} are swept, a /20")
    return tuple(str(host) for host in network.hosts())


async def sweep(
    hosts: Sequence[str],
    *,
    ports: Sequence[int] = addresses.USUAL_PORTS,
    timeout_s: float = 2.5,
    progress: Progress = lambda done, total: None,
    probe: Callable[..., Awaitable[list[Device]]] = discover,
) -> Swept:
    """The ONVIF devices among `hosts`. `timeout_s` is how long answers to Probes are waited for."""
    probing = asyncio.ensure_future(probe(timeout_s, found_on=(), unicast=hosts))
    try:
        opened = await _knock(hosts, ports, progress)
    finally:
        answered = await probing
    found = {device.service: device for device in answered}
    known = {(device.host, port) for device in answered for port in device.ports}
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix="sweep") as pool:
        loop = asyncio.get_running_loop()
        questions = [
            loop.run_in_executor(pool, _ask, addresses.netloc(host, port), device)
            for host, port, device in [
                *((host, port, None) for host, port in opened if (host, port) not in known),
                *((device.host, min(device.ports, default=80), device) for device in answered),
            ]
        ]
        told = {}
        for device, introduction in filter(None, await asyncio.gather(*questions)):
            found.setdefault(device.service, device)
            told[device.service] = introduction
    return Swept(tuple(sorted(found.values(), key=lambda device: order(device.address))), told)


async def _knock(hosts: Sequence[str], ports: Sequence[int], progress: Progress) -> list[tuple[str, int]]:
    """The open ports, one port of all hosts after the other, so that no device gets all its connections at once."""
    opened: list[tuple[str, int]] = []
    total, done, left = len(hosts) * len(ports), 0, list(hosts)

    async def work(waiting: Iterator[str], port: int) -> None:
        nonlocal done
        for host in waiting:
            if await _accepts(host, port):
                opened.append((host, port))
            done += 1
            progress(done, total)

    for port in ports:
        waiting = iter(left)
        await asyncio.gather(*(work(waiting, port) for _ in range(min(CONNECTIONS_AT_ONCE, len(left)))))
        # An address of our own network that nobody has need not be tried at six other ports.
        nobody = await asyncio.to_thread(neighbours.unanswered)
        left = [host for host in left if host not in nobody]
        done = total - len(left) * (len(ports) - ports.index(port) - 1)
    progress(total, total)
    return opened


async def _accepts(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _ask(place: str, device: Device | None) -> tuple[Device, Introduction] | None:
    """What is at `place`, if it speaks ONVIF; `device` is what a Probe has told already."""
    xaddrs = device.xaddrs if device is not None else ()
    try:
        with OnvifClient(place, known_xaddrs=xaddrs, deadline=Deadline(QUESTION_S)) as client:
            introduction = client.introduce()
    except (SourceError, ValueError) as error:
        log.debug("sweep: %s", error)
        return None
    if device is None:
        address = addresses.split(place)
        shown = address.host if address.effective_port == 80 else place
        url = f"http://{place}{addresses.DEVICE_PATH}"
        device = Device(f"address:{shown}", shown, (url,), (VIDEO_TRANSMITTER,), hardware=introduction.model)
    return device, introduction


def bar(done: int, total: int, width: int = 40) -> str:
    """A progress bar: `[####      ] 40 %`."""
    share = done / total if total else 1.0
    return f"[{'#' * round(share * width):{width}}] {share:4.0%}"


__all__ = ["MAX_HOSTS", "Swept", "bar", "hosts_of", "sweep"]
