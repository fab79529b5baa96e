"""A network of several hosts on this machine, for as long as the tests of this folder run."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))

from bad_wire import Wire, plug_badly
from child import ROOT, Child, until
from netns import Host, Lan, why_not

READY_S = 60.0


class LanCamera:
    """A simulated camera on a host of its own."""

    def __init__(
        self, lan: Lan, name: str, number: int, folder: Path, *, http_port: int = 80, size: str = "", bad_wire: bool = False
    ) -> None:
        self.lan, self.number, self.http_port = lan, number, http_port
        self.wire: Wire | None = None
        self.host: Host
        if bad_wire:
            self.host, self.wire = plug_badly(lan, f"c{len(lan.hosts)}", number)
        else:
            self.host = lan.plug(f"c{len(lan.hosts)}", number)
        script = str(Path(__file__).resolve().parents[1] / "testbed" / "virtual_camera.py")
        self.child = Child(
            [*self.host.enter, sys.executable, script, name, str(http_port), *([size] if size else [])],
            folder / f"camera-{number}.log",
            {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )
        until(lambda: '"control"' in self.child.text or not self.child.running, READY_S, "the camera")
        line = next(line for line in self.child.text.splitlines() if line.startswith("{"))
        self.control: str = json.loads(line)["control"]
        self.endpoint: str = json.loads(line)["endpoint"]

    def fault(self, name: str, value: str) -> None:
        """See `gateway.simulator.control`."""
        request = urllib.request.Request(f"{self.control}/1/{name}?value={value}", data=b"", method="POST")
        self.host.inside(lambda: urllib.request.urlopen(request, timeout=5).close())

    def readdress(self, number: int) -> None:
        """DHCP gives it another address; it does not say so by itself."""
        self.lan.readdress(self.host, number)
        self.number = number

    def hello(self) -> None:
        """Come back as after a restart, with a Hello."""
        self.fault("power", "off")
        self.fault("power", "on")


@pytest.fixture(scope="session")
def _allowed() -> None:
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def lan(_allowed: None) -> Iterator[Lan]:
    """An empty network."""
    network = Lan()
    try:
        yield network
    finally:
        network.end()


@pytest.fixture(scope="module")
def lan_camera(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LanCamera]]:
    """Plugs in a camera: `lan_camera("Gate", 11)`."""
    folder = tmp_path_factory.mktemp("cameras")
    with ExitStack() as stack:

        def start(name: str, number: int, **options: Any) -> LanCamera:
            camera = LanCamera(lan, name, number, folder, **options)
            if camera.wire is not None:
                stack.callback(camera.wire.cut)
            stack.callback(camera.child.end)
            return camera

        yield start
