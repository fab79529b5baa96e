"""An H.265 camera on the wall of a browser that decodes H.265: Firefox, over the wall's own transport. And its return."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from child import until
from firefox import Firefox, found
from gateway_process import PASSWORD, GatewayProcess
from gst_process import GstCamera
from installed import absent
from wall_page import OLDEST_LIVE, READ_CLOCK

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

FIRST_PICTURE_S = 25.0
BACK_WITHIN_S = 3.0 if "GATEWAY_E2E_SECONDS" in os.environ else 8.0
"""From the camera's return to a live picture, which begins with its next keyframe."""
YOUNG_MS = 3000
"""What is asked of a machine that has other things to do."""


def test_an_h265_camera_plays_in_firefox_and_comes_back_there(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], tmp_path: Path
) -> None:
    if found() is None:
        absent("firefox-esr is not installed")
    camera = gst_camera(video="h265")
    service = gateway({"roof": {"rtsp": camera.url()}})
    with Firefox(tmp_path) as browser:
        service.wait_live("roof")
        assert service.camera("roof")["streams"][0]["codecs"].startswith("hvc1")
        base = f"https://127.0.0.1:{service.ports['https']}/"
        browser.go(f"{base}login")
        browser.evaluate(f"void (document.querySelector('#password').value = {PASSWORD!r})")
        browser.evaluate("void document.querySelector('#login button[type=submit]').click()")
        browser.until("Boolean(window.__wall?.tiles.length)", 15)
        browser.until("window.__wall.tiles[0].state === 'live'", FIRST_PICTURE_S)
        behind: list[int] = []

        def read() -> bool:
            age = browser.evaluate(f"({READ_CLOCK})()")[0]["behind"]
            if age is not None:
                behind.append(age)
            return len(behind) >= 10

        frames = browser.evaluate("window.__wall.tiles[0].frames")
        until(read, 10, "the clock in the pixels")
        tile = browser.evaluate("window.__wall.tiles[0]")
        stats = browser.evaluate("window.__wall.tile('roof').stats()")
        browser.evaluate(f"void ({OLDEST_LIVE})('roof')")
        cause = time.time()
        camera.kill()
        browser.until("window.__wall.tiles[0].state === 'offline'", 8)
        returned = camera.restart()
        browser.until("window.__wall.tiles[0].state === 'live'", BACK_WITHIN_S)
        back_s = time.monotonic() - returned
        browser.until("window.__live.since !== null", 5)
        live = browser.evaluate("window.__live")
    print(f"\n{tile['transport']}, {stats['codec']}: {tile['frames'] - frames} pictures, {sorted(behind)} ms behind")
    print(f"live {back_s:.2f} s after the camera's return; oldest picture called live {live['worst']} ms")
    assert tile["state"] == "live"
    assert tile["transport"] in ("ws-webcodecs", "ws-mse")
    assert tile["frames"] - frames >= len(behind)
    assert stats["codec"].startswith("hvc1")
    assert sorted(behind)[len(behind) // 2] < YOUNG_MS
    assert live["breaks"] >= 1
    assert live["since"] >= cause * 1000, "nothing from before the camera went away was called live"
