"""A gateway with cameras we did not write, as recorders see it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))

from child import free_port
from gateway_process import GatewayProcess
from gst_process import GstCamera

USERNAME, PASSWORD = "nvr", "p@ss w/ord?"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway with two live cameras, RTSP and ONVIF on: `front` with sound and a sub stream, `rear` in H.265."""
    folder, port = tmp_path_factory.mktemp("nvr"), free_port()
    with ExitStack() as stack:
        front, sub, rear = (
            GstCamera(folder, **options)
            for options in ({"audio": "aac"}, {"width": 320, "height": 240, "fps": 10, "gop": 10}, {"video": "h265"})
        )
        for camera in (front, sub, rear):
            stack.callback(camera.end)
        gateway = GatewayProcess(
            folder,
            {"front": {"name": "Front <door>", "rtsp": front.url(), "sub": sub.url()}, "rear": {"rtsp": rear.url()}},
            {"onvif": {"enabled": True, "listen": f"127.0.0.1:{port}", "username": USERNAME, "password": PASSWORD}},
        )
        stack.callback(gateway.end)
        gateway.ports["onvif"] = port
        gateway.wait_live("front", "rear")
        yield gateway
