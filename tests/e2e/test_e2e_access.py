"""People with limits, in a real browser and with real players: they see their cameras, as long as they may."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from child import ROOT, until
from gateway_process import PASSWORD, GatewayProcess
from gst_process import GstCamera
from playwright.sync_api import BrowserContext, Page
from werkzeug.security import generate_password_hash

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]

CUT_OFF_WITHIN_S = 8.0
"""Two seconds in which nobody remembers what was, one for the server's tick, and a busy machine."""
PLAYER = ["ffmpeg", "-v", "error", "-nostdin"]


def player(*source: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*PLAYER, *source, "-map", "0:v", "-c", "copy", "-f", "null", "-"], stderr=subprocess.DEVNULL)


def ended(process: subprocess.Popen[bytes]) -> float:
    """Seconds until it ends by itself."""
    began = time.monotonic()
    process.wait(CUT_OFF_WITHIN_S)
    return time.monotonic() - began


def command(gateway: GatewayProcess, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments, "-c", str(gateway.config)],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def log_in(context: BrowserContext, gateway: GatewayProcess, user: str) -> Page:
    page = context.new_page()
    page.goto(f"https://127.0.0.1:{gateway.ports['https']}/")
    assert page.locator("#username").input_value() == "", "there are several users: nobody is proposed"
    page.fill("#username", user)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    return page


def test_a_viewer_sees_his_cameras_on_the_wall_and_is_cut_off_everywhere_when_he_is_taken_out_of_the_file(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], chromium: BrowserContext
) -> None:
    camera = gst_camera(fps=15, width=320, height=180)
    cameras: dict[str, Any] = {
        "yard": {"name": "Yard <b>&", "rtsp": camera.url(), "group": "Outside"},
        "safe": {"name": "Safe", "rtsp": camera.url(), "group": "Inside"},
    }
    hashed = generate_password_hash(PASSWORD, method="scrypt:1024:8:1")
    users = {"anna": {"password_hash": hashed, "role": "viewer", "groups": ["Outside"]}}
    service = gateway(cameras, {"users": users, "views": {"all": {"cameras": ["safe", "yard"]}}})
    service.wait_live("yard", "safe")

    page = log_in(chromium, service, "anna")
    live = "window.__wall?.tiles?.length === 1 && window.__wall.tiles[0].state === 'live'"
    until(lambda: page.evaluate(live), 30, "one live tile")
    assert page.locator("[data-camera]").count() == 1
    assert "Safe" not in page.content()
    assert page.locator(".who").inner_text().strip() == "anna"
    assert page.locator('a[href="/audit"]').count() == page.locator('a[href="/discovery"]').count() == 0
    statuses = page.evaluate(
        "async () => Promise.all(['/api/v1/cameras/safe', '/api/v1/cameras/safe/snapshot.jpg', '/hls/safe/index.m3u8',"
        " '/hls/safe/live.m3u8', '/watch/safe', '/api/v1/discovery', '/api/v1/cameras/yard']"
        ".map(async (path) => (await fetch(path)).status))"
    )
    assert statuses == [404, 404, 404, 404, 404, 403, 200]

    login = f"user=anna&pass={PASSWORD}"
    rtmp = player("-i", f"rtmp://127.0.0.1:{service.ports['rtmp']}/live/yard?{login}")
    hls = player("-i", f"http://127.0.0.1:{service.ports['http']}/hls/yard/index.m3u8?{login}")
    token = command(service, "token", "create", "recorder", "--camera", "yard")
    rtsp_url = f"rtsp://127.0.0.1:{service.ports['rtsp']}/live/yard?token={token}"
    rtsp = player("-rtsp_transport", "tcp", "-i", rtsp_url)
    stranger = player("-rtsp_transport", "tcp", "-i", rtsp_url.replace("/live/yard", "/live/safe"))
    try:
        assert ended(stranger) < CUT_OFF_WITHIN_S
        deadline = time.monotonic() + 30
        viewers: dict[str, int] = {}
        while not (viewers.get("rtmp") and viewers.get("hls") and viewers.get("rtsp")):
            assert time.monotonic() < deadline, viewers
            viewers = service.camera("yard")["streams"][0]["viewers"]
            time.sleep(0.2)

        service.settings["users"] = {"bert": users["anna"]}
        service.write(cameras)
        service.reload()
        assert ended(rtmp) < CUT_OFF_WITHIN_S
        assert ended(hls) < CUT_OFF_WITHIN_S
        page.wait_for_url("**/login**", timeout=10_000)
        assert rtsp.poll() is None, "the token is nobody's"
        command(service, "token", "revoke", "recorder")
        assert ended(rtsp) < CUT_OFF_WITHIN_S
    finally:
        for process in (rtmp, hls, rtsp, stranger):
            process.kill()
            process.wait()

    entries = json.loads(service.get("/api/v1/audit?limit=1000")[1])["entries"]
    watched = {(one["user"], one["camera"], one["detail"].get("way")) for one in entries if one["event"] == "watch"}
    assert watched >= {
        ("anna", "yard", "wall"), ("anna", "yard", "rtmp"), ("anna", "yard", "hls"), ("token:recorder", "yard", "rtsp")
    }  # fmt: skip
    assert not [one for one in entries if one["camera"] == "safe"]
    assert {"start", "login", "users", "reload"} <= {one["event"] for one in entries}
    assert PASSWORD not in json.dumps(entries)
    assert token not in json.dumps(entries) + service.log
