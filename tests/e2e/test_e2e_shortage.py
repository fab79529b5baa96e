"""A gateway that is left few file descriptors, and a crowd that takes them all: the camera stays, and so does the processor.

Over RTMP and RTSP too with `GATEWAY_E2E_ALL`.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest
from child import until
from gateway_process import GatewayProcess

FILES = 90
SCHEMES = ("http", "rtmp", "rtsp") if os.environ.get("GATEWAY_E2E_ALL") else ("http",)


def processor_s(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_descriptors_viewers_wait_outside_and_the_camera_stays(
    gateway, gst_camera, scheme: str, request: pytest.FixtureRequest
) -> None:
    camera = gst_camera(audio="none", fps=25)
    box: GatewayProcess = gateway(
        {"yard": {"rtsp": camera.url(), "username": camera.username, "password": camera.password}},
        enter=["prlimit", f"--nofile={FILES}:{FILES}"],
    )
    box.wait_live("yard")
    until(lambda: box.last_segment("yard") >= 0, 20, "a segment")
    since = box.camera("yard")["since"]
    crowd: list[socket.socket] = []
    request.addfinalizer(lambda: [one.close() for one in crowd])
    for _ in range(FILES + 60):
        one = socket.socket()
        one.settimeout(2)
        crowd.append(one)
        try:
            one.connect(("127.0.0.1", box.ports[scheme]))
            if scheme == "http":
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            pass  # that is one way to be turned away
    time.sleep(1.0)
    if scheme == "http":
        until(box.ready, 15, "an answer while the crowd stands")
    else:
        until(lambda: "the box is short" in box.log, 5, "the shortage in the log")
    began, used = time.monotonic(), processor_s(box.child.pid)
    time.sleep(2.0)
    share = (processor_s(box.child.pid) - used) / (time.monotonic() - began)
    print(f"{scheme}: {share:.0%} of a core")
    assert share < 0.6, f"{share:.0%} of a core while nothing can be accepted"
    for one in crowd:
        one.close()
    until(box.ready, 10, "an answer")
    answer = box.get("/readyz")
    print(answer)
    assert json.loads(answer[1])["ready"]
    yard = box.camera("yard")
    assert (yard["state"], yard["since"]) == ("live", since)
    assert box.log.count("the box is short (critical)") <= 1
    assert box.child.running
    assert box.get("/hls/yard/live.m3u8")[0] in (200, 503)
    assert "Traceback" not in box.log, box.log
