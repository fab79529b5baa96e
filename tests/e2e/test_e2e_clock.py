"""The system clock is set by hours while cameras and viewers run: nothing stops, and what comes after is still noticed."""

from __future__ import annotations

import datetime
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from child import until
from gateway_process import GatewayProcess
from installed import absent

SHIM = Path(__file__).resolve().parents[1] / "testbed" / "clock_step.c"


@pytest.fixture
def set_clock(tmp_path: Path) -> Callable[[int], None]:
    """Sets the clock of the gateway that is started with `preloaded`, in seconds from the true one."""
    file = tmp_path / "step"
    file.write_bytes(struct.pack("q", 0))

    def put(seconds: int) -> None:
        with file.open("r+b") as page:
            page.write(struct.pack("q", seconds))

    return put


@pytest.fixture
def preloaded(tmp_path: Path, set_clock: Callable[[int], None]) -> list[str]:
    compiler = shutil.which("cc")
    if compiler is None:
        absent("no C compiler")
    library = tmp_path / "clock_step.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIM), "-ldl"], check=True)
    return ["env", f"LD_PRELOAD={library}", f"CLOCK_STEP_FILE={tmp_path / 'step'}"]


def newest_date(box: GatewayProcess) -> float:
    """When the newest segment began, as the playlist says it; Unix seconds."""
    dates = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", box.playlist("yard"))
    return datetime.datetime.fromisoformat(dates[-1]).timestamp()


@pytest.mark.timeout(120)
def test_a_clock_that_is_set_hurts_no_stream(gateway, gst_camera, set_clock, preloaded: list[str]) -> None:
    camera = gst_camera(audio="none", fps=25)
    box: GatewayProcess = gateway(
        {"yard": {"rtsp": camera.url(), "username": camera.username, "password": camera.password}}, enter=preloaded
    )
    box.wait_live("yard")
    until(lambda: box.last_segment("yard") >= 0, 20, "a segment")
    began = time.monotonic()
    viewer = subprocess.Popen(
        ["ffmpeg", "-nostdin", "-v", "error", "-progress", "pipe:1", "-i", box.rtmp("yard"), "-c", "copy", "-f", "null", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for hours in (5, -1):
            before = box.last_segment("yard")
            set_clock(hours * 3600)
            until(lambda goal=before + 1: box.last_segment("yard") >= goal, 15, "another segment")
            assert box.states() == {"yard": "live"}
            now = box.api()["now"]
            assert abs(now - time.time() - hours * 3600) < 60
            picture_at = box.camera("yard")["picture_at"]
            assert abs(picture_at - now) < 10
            # the segment that was open when the clock was set keeps the date that it was begun with
            until(lambda hours=hours: abs(newest_date(box) - time.time() - hours * 3600) < 10, 15, "a segment of the new time")
        assert viewer.poll() is None
        assert "the system clock was set back by 21600 s" in box.log
        camera.freeze()
        box.wait_state("yard", "late", 4)
        camera.thaw()
        box.wait_live("yard", timeout_s=10)
        assert viewer.poll() is None
        assert "Traceback" not in box.log
    finally:
        viewer.kill()
        output = viewer.communicate()[0]
        watched_s = time.monotonic() - began
    frames = [int(line.partition("=")[2]) for line in output.splitlines() if line.startswith("frame=")]
    # it began a moment after us, and the camera stood still for as long as it takes to be called late
    assert frames[-1] > 25 * (watched_s - 8), output
