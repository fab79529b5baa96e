"""What is wrong at the camera's end is said once, clearly, without its password, and retried at a sensible pace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from child import until
from gateway_process import GatewayProcess
from gst_process import GstCamera
from rtsp_relay import Mode, RtspRelay

pytestmark = pytest.mark.e2e

FAST = {"rtsp": {"read_timeout": "3s", "open_timeout": "3s"}}
ODD_PASSWORD = 'p@ss:w/ord#%?&ü !"'
SLOW_RETRY_S = 45.0


def test_each_trouble_has_its_one_clear_message(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], relay: Callable[..., RtspRelay]
) -> None:
    good, sound_only, mjpeg = gst_camera(), gst_camera(video="none", audio="aac"), gst_camera(video="mjpeg")
    expected = {
        "nobody": ("rtsp://127.0.0.1:1/cam", "unreachable", "refuses connections on port 1"),
        "black-hole": (_at(relay(mode=Mode.BLACK_HOLE)), "timeout", "accepts the connection on port"),
        "garbage": (_at(relay(mode=Mode.GARBAGE)), "protocol", "does not speak RTSP"),
        "web-server": (_at(relay(mode=Mode.WEB_SERVER)), "protocol", "is a web server, not RTSP"),
        "hang-up": (_at(relay(mode=Mode.HANG_UP)), "ended", "closes the connection"),
        "wrong-path": (good.url().replace("/cam", "/nothing"), "no-such-path", "has no stream at /nothing"),
        "sound-only": (sound_only.url(), "no-video", "offers no video"),
        "mjpeg": (mjpeg.url(), "codec-unsupported", "mjpeg, which cannot be served"),
        "no-name": ("rtsp://no-such-camera.invalid/cam", "unreachable", "the name no-such-camera.invalid is not known"),
    }
    service = gateway({name: {"rtsp": url} for name, (url, _, _) in expected.items()}, FAST)
    seen = {name: service.wait_state(name, "offline", 20) for name in expected}
    found = {name: (camera["code"], camera["reason"]) for name, camera in seen.items()}
    for name, (_, code, words) in expected.items():
        assert found[name][0] == code, found
        assert words in found[name][1], found
        assert seen[name]["next_retry"] is None or seen[name]["next_retry"] > time.time() - 5
        lines = [line for line in service.log.splitlines() if f"stream {name}: " in line]
        assert words in lines[0], lines
        assert lines[0].count("\n") == 0
    assert "Traceback" not in service.log


@pytest.mark.parametrize("kind", ["basic", "digest"])
def test_wrong_password_is_tried_once_said_and_never_shown(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], relay: Callable[..., RtspRelay], kind: str
) -> None:
    camera = gst_camera(auth=kind, password="right")
    between = relay(camera.port)
    wrong = ODD_PASSWORD
    service = gateway({"yard": {"rtsp": camera.url(port=between.port), "username": "viewer17", "password": wrong}}, FAST)
    seen = service.wait_state("yard", "offline", 15)
    assert seen["code"] == "wrong-credentials"
    assert "refused the user name or password" in seen["reason"]
    assert seen["next_retry"] - time.time() > SLOW_RETRY_S
    sessions = len(between.attempts)
    time.sleep(3)
    assert len(between.attempts) == sessions <= 1, "cameras lock the account after a few wrong passwords"
    everything = service.log + json.dumps(service.api(), ensure_ascii=False) + service.get("/")[1].decode()
    for secret in (wrong, quote(wrong, safe=""), json.dumps(wrong)[1:-1]):
        assert secret not in everything
    # the right one is taken with the next configuration, without a restart
    service.write({"yard": {"rtsp": camera.url(port=between.port), "username": "admin", "password": "right"}})
    service.reload()
    service.wait_state("yard", "live", 10)


def test_camera_back_in_order_after_garbage_is_found_again(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], relay: Callable[..., RtspRelay]
) -> None:
    camera = gst_camera()
    between = relay(camera.port, Mode.GARBAGE)
    service = gateway({"yard": {"rtsp": camera.url(port=between.port)}}, FAST)
    service.wait_state("yard", "offline", 10)
    between.mode = Mode.PASS
    until(lambda: service.camera("yard")["state"] == "live", 20, "live after garbage")


def _at(relay: RtspRelay) -> str:
    return f"rtsp://127.0.0.1:{relay.port}/cam"
