"""The gateway as an ONVIF device in the eyes of clients we did not write.

All Python ones import as `onvif`, as one of our own dependencies does, so each is installed into a virtual environment of
its own (about 20 s on two cores for all, downloads included). Without a package registry the tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gateway_process import GatewayProcess

pytestmark = pytest.mark.e2e

CLIENTS = Path(__file__).with_name("clients")
PACKAGES = {"zeep_async": "onvif-zeep-async==4.3.0", "onvif_python": "onvif-python==0.4.7", "node_onvif": "onvif@0.8.3"}
INSTALL_S = 90.0
CALL_S = 30.0
USERNAME, PASSWORD = "nvr", "p@ss w/ord?"
"""As in conftest."""


@dataclass(frozen=True)
class Installed:
    """How a client is started; None with the reason why it cannot be."""

    command: tuple[str, ...] | None
    reason: str = ""
    node_path: str = ""


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Installed]:
    folder = tmp_path_factory.mktemp("clients")
    with ThreadPoolExecutor(len(PACKAGES)) as pool:
        jobs = {name: pool.submit(_node if name == "node_onvif" else _python, folder / name, name) for name in PACKAGES}
        return {name: job.result() for name, job in jobs.items()}


@pytest.fixture
def ask(served: GatewayProcess, installed: dict[str, Installed]) -> Callable[..., Any]:
    """What a client finds; the words of its failure if `fails`."""

    def run(name: str, *more: str, password: str = PASSWORD, fails: bool = False) -> Any:
        client = installed[name]
        if client.command is None:
            pytest.skip(client.reason)
        done = subprocess.run(
            [*client.command, "127.0.0.1", str(served.ports["onvif"]), USERNAME, *more],
            input=f"{password}\n", capture_output=True, text=True, timeout=CALL_S, check=False,
            env={"PATH": "/usr/bin:/bin", "NODE_PATH": client.node_path, "LANG": "C.UTF-8"},
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else json.loads(done.stdout.splitlines()[-1])

    return run


def _streams(served: GatewayProcess) -> dict[str, str]:
    return {name: served.rtsp(name) for name in ("front", "front.sub", "rear")}


def test_onvif_zeep_async_sees_every_stream_a_picture_and_events(ask: Callable[..., Any], served: GatewayProcess) -> None:
    found = ask("zeep_async")
    assert found["streams"] == _streams(served)
    assert found["names"] == ["Front <door>", "Front <door> (sub)", "rear"]
    assert found["encodings"] == ["H264", "H264", None], "Media1 has no word for H.265"
    assert found["sources"] == ["front", "rear"]
    assert found["users"] == [USERNAME]
    assert found["options"] is True
    assert found["snapshot"] == "ffd8ff"
    assert found["events"] == ["tns1:VideoSource/SignalLoss"] * 2


@pytest.mark.parametrize("way", ["ws-username-token", "http-digest"])
def test_onvif_python_sees_every_stream_by_either_login(ask: Callable[..., Any], served: GatewayProcess, way: str) -> None:
    found = ask("onvif_python", way)
    assert found["streams"] == _streams(served)
    assert found["encodings"] == ["H264", "H264", "H265"]
    assert found["options"] == ["H264", "H264", "H265"]
    assert found["sounds"] == ["MP4A-LATM"]
    assert found["microphones"] == ["front-sound"]
    assert found["most_profiles"] == 3
    assert found["pull_points"] is True


def test_the_node_client_connects_and_hears_events(ask: Callable[..., Any], served: GatewayProcess) -> None:
    found = ask("node_onvif")
    assert found["names"] == ["Front <door>", "Front <door> (sub)", "rear"]
    assert found["stream"] == served.rtsp("front")
    assert found["topic"] == "tns1:VideoSource/SignalLoss"


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_wrong_password_is_understood_as_one(ask: Callable[..., Any], name: str) -> None:
    words = ask(name, password="guess", fails=True).lower()
    assert any(word in words for word in ("not authorized", "notauthorized", "unauthorized", "401")), words


def _python(folder: Path, name: str) -> Installed:
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-compile", "--no-input"]
    reason = _tried([*pip, "--disable-pip-version-check", PACKAGES[name]])
    return Installed(None, reason) if reason else Installed((str(python), str(CLIENTS / f"{name}_client.py")))


def _node(folder: Path, name: str) -> Installed:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return Installed(None, "there is no npm here")
    folder.mkdir()
    reason = _tried([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGES[name]])
    if reason:
        return Installed(None, reason)
    return Installed((node, str(CLIENTS / f"{name}_client.js")), node_path=str(folder / "node_modules"))


def _tried(command: list[str]) -> str:
    """Empty if the command went well, else why it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{command[-1]} could not be fetched within {INSTALL_S:g} s"
    return "" if done.returncode == 0 else f"{command[-1]} cannot be installed here: {done.stderr.strip()[-200:]}"
