"""Several hosts on one machine: network namespaces around a bridge. Needs root; leaves nothing behind.

Everything, the gateway's host included, lives in namespaces of its own, so the machine's own network never changes. A
namespace's name holds our process id; deleting it takes its interfaces along.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gateway_process import GatewayProcess

T = TypeVar("T")

NETWORK = "10.219.77"
PREFIX = os.environ.get("GATEWAY_NETNS_PREFIX", "cgw")
"""Of the namespaces' names, for who runs several test beds on one machine."""
CLONE_NEWNET = 0x40000000
IP_S = 10.0


def why_not() -> str:
    """Why network namespaces cannot be made here; empty if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "the program `ip` (iproute2) is missing"
    name = f"{PREFIX}{os.getpid()}try"
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        return f"this kernel or container allows no network namespaces: {error.stderr.strip()}"
    try:
        ip("-n", name, "link", "add", "br0", "type", "bridge")
        ip("-n", name, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
    except subprocess.CalledProcessError as error:
        return f"this kernel has no bridge or no veth: {error.stderr.strip()}"
    finally:
        ip("netns", "del", name)
    return ""


def ip(*arguments: str) -> None:
    """Run `ip`. Raises CalledProcessError."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=IP_S)


class Host:
    """One host of the network."""

    def __init__(self, name: str) -> None:
        self.namespace = f"{PREFIX}{os.getpid()}{name}"

    def ip(self, *arguments: str) -> None:
        """Run `ip` there."""
        ip("-n", self.namespace, *arguments)

    @property
    def enter(self) -> list[str]:
        """What stands before a command that is to run there."""
        return ["ip", "netns", "exec", self.namespace]

    def inside(self, function: Callable[[], T]) -> T:
        """Call it on a thread that lives there: its sockets are that host's."""
        result: list[Any] = []

        def work() -> None:
            try:
                _enter(self.namespace)
                result.append((True, function()))
            except BaseException as error:
                result.append((False, error))

        thread = threading.Thread(target=work, name=self.namespace)
        thread.start()
        thread.join()
        good, value = result[0]
        if not good:
            raise value
        return value


def _enter(namespace: str) -> None:
    """Take the calling thread there. os.setns would do from Python 3.12 on. Raises OSError."""
    with Path(f"/run/netns/{namespace}").open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


class Lan:
    """A switch with the gateway's host at `.1`, where it is the second interface, and hosts that are plugged in."""

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.gateway = self.add("gw")
        gateway = self.gateway
        gateway.ip("link", "add", "first0", "type", "bridge")
        gateway.ip("addr", "add", "192.0.2.1/24", "dev", "first0")
        gateway.ip("link", "set", "first0", "up")
        gateway.ip("link", "add", "lan0", "type", "bridge")
        gateway.ip("addr", "add", f"{NETWORK}.1/24", "dev", "lan0")
        gateway.ip("link", "set", "lan0", "up")

    def plug(self, name: str, number: int) -> Host:
        """Another host with the address that ends with `number`."""
        host = self.add(name)
        port = f"p{len(self.hosts)}"
        self.gateway.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
        self.gateway.ip("link", "set", port, "master", "lan0", "up")
        host.ip("addr", "add", address(number), "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        return host

    def readdress(self, host: Host, number: int) -> None:
        """What DHCP does after a lease has ended."""
        host.ip("addr", "flush", "dev", "eth0", "scope", "global")
        host.ip("addr", "add", address(number), "dev", "eth0")

    def end(self) -> None:
        """Take everything down."""
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host.namespace], check=False, capture_output=True, timeout=IP_S)

    def add(self, name: str) -> Host:
        """A host without a cable."""
        host = Host(name)
        ip("netns", "add", host.namespace)
        self.hosts.append(host)
        host.ip("link", "set", "lo", "up")
        return host


def address(number: int) -> str:
    """With its prefix length."""
    return f"{NETWORK}.{number}/24"


class GatewayThere(GatewayProcess):
    """The gateway on a host of such a network."""

    def __init__(
        self, host: Host, folder: Path, cameras: Mapping[str, Any], settings: Mapping[str, Any], *, wait: bool = True
    ) -> None:
        self.host = host
        super().__init__(folder, cameras, settings, wait=wait, enter=host.enter)

    def get(self, path: str, scheme: str = "http", *, login: bool = True) -> tuple[int, bytes]:
        """Status and body of a GET."""
        return self.host.inside(lambda: super(GatewayThere, self).get(path, scheme, login=login))
