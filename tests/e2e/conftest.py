"""Fixtures of the end-to-end tests: cameras we did not write, the gateway as a process, and players we did not write.

`GATEWAY_E2E_SECONDS` sets how long streams are played (default: short, for every commit).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))

from gateway_process import GatewayProcess
from gst_process import GstCamera
from rtsp_relay import Mode, RtspRelay
from wall_page import CHROMIUM, FLAGS, open_wall

SHORT_PLAY_S = 6.0


@pytest.fixture(scope="session")
def play_seconds() -> float:
    """Seconds of stream time to play."""
    return float(os.environ.get("GATEWAY_E2E_SECONDS", SHORT_PLAY_S))


@pytest.fixture
def gst_camera(tmp_path: Path) -> Iterator[Callable[..., GstCamera]]:
    """Starts cameras: `gst_camera(audio="aac", fps=25)`."""
    with ExitStack() as stack:

        def start(**options: object) -> GstCamera:
            camera = GstCamera(tmp_path, **options)
            stack.callback(camera.end)
            return camera

        yield start


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[..., GatewayProcess]]:
    """Starts gateways: `gateway({"yard": {"rtsp": url}})`; `wait=False` for those that must not come up."""
    with ExitStack() as stack:
        count = 0

        def start(cameras: Mapping[str, Any], settings: Mapping[str, Any] | None = None, **more: bool) -> GatewayProcess:
            nonlocal count
            count += 1
            folder = tmp_path / f"gateway{count}"
            folder.mkdir()
            process = GatewayProcess(folder, cameras, settings, **more)
            stack.callback(process.end)
            return process

        yield start


@pytest.fixture
def relay() -> Iterator[Callable[..., RtspRelay]]:
    """Starts relays and bad peers: `relay(camera.port)`, `relay(mode=Mode.BLACK_HOLE)`."""
    with ExitStack() as stack:

        def start(target_port: int = 0, mode: Mode = Mode.PASS) -> RtspRelay:
            made = RtspRelay(target_port, mode)
            stack.callback(made.close)
            return made

        yield start


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser of our own, without a window."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=CHROMIUM, headless=True, args=FLAGS, ignore_https_errors=True,
            viewport={"width": 1280, "height": 720},
        )  # fmt: skip
        yield context
        context.close()


@pytest.fixture
def wall(chromium: BrowserContext) -> Callable[..., Page]:
    """Logs in through the login page and returns the wall's page."""

    def show(service: GatewayProcess, scheme: str = "https", transport: str = "") -> Page:
        return open_wall(chromium, service, scheme, transport)

    return show
