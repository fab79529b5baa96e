"""`gateway demo`: the whole product on one machine without a camera. Simulated cameras run in a process of their own and are
found over WS-Discovery like real ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from gateway.config.model import Camera, Config, Secret
from gateway.errors import GatewayError
from gateway.onvif.discovery import discover
from gateway.onvif.wsdiscovery import Device
from gateway.simulator.camera import DEFAULT_PASSWORD

log = logging.getLogger(__name__)

START_S = 20.0
"""A Raspberry Pi 4 takes 6 s to import and start four cameras."""
FIND_S = 12.0
STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class SimulatedCamera:
    """What `gateway simulate --json` says of one camera."""

    name: str
    endpoint: str
    port: int
    """Of its ONVIF service: tells this demo's cameras from those of another one on the same network."""
    username: str


@contextlib.contextmanager
def simulator(cameras: int, base_port: int) -> Iterator[list[SimulatedCamera]]:
    """Simulated cameras in a child process for as long as the context lasts. Raises GatewayError if they do not start."""
    command = [
        sys.executable,
        "-m",
        "gateway.cli",
        "simulate",
        "--json",
        "--cameras",
        str(cameras),
        "--base-port",
        str(base_port),
        "--until-eof",
    ]
    # The pipe to its standard input closes with this process, however it ends, and the simulator with the pipe.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], START_S)[0]:
            raise GatewayError(f"the simulated cameras did not start within {START_S:.0f} s")
        line = process.stdout.readline()  # printed in one piece
        if not line:
            raise GatewayError("the simulated cameras did not start; the lines above say why")
        yield [_camera(entry) for entry in json.loads(line)["cameras"]]
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def find(cameras: list[SimulatedCamera]) -> dict[str, Device]:
    """The simulated cameras as discovery sees them, by name. Raises GatewayError when one stays unseen."""
    wanted = {(camera.endpoint, camera.port): camera.name for camera in cameras}
    found: dict[str, Device] = {}
    deadline = time.monotonic() + FIND_S
    while len(found) < len(wanted) and time.monotonic() < deadline:
        for device in asyncio.run(discover(1.5)):
            name = wanted.get((device.endpoint, urlsplit(device.service).port or 80))
            if name is not None:
                found[name] = device
    missing = sorted(set(wanted.values()) - found.keys())
    if missing:
        raise GatewayError(
            f"WS-Discovery found {len(found)} of {len(wanted)} simulated cameras (missing: {', '.join(missing)}): "
            "is UDP port 3702 blocked by a firewall on this machine?"
        )
    return found


def with_cameras(config: Config, cameras: list[SimulatedCamera], found: dict[str, Device]) -> Config:
    """`config` with the discovered cameras in it."""
    entries = tuple(
        Camera(
            id=_identifier(camera.name),
            name=camera.name,
            address=found[camera.name].address,
            username=camera.username,
            password=Secret(DEFAULT_PASSWORD),
        )
        for camera in cameras
    )
    return replace(config, cameras=entries)


def _camera(entry: dict[str, Any]) -> SimulatedCamera:
    return SimulatedCamera(entry["name"], entry["endpoint"], urlsplit(entry["onvif"]).port or 80, entry["username"])


def _identifier(name: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in name.lower()).strip("-") or "camera"
