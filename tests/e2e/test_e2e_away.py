"""Cameras that go away and come back: killed, frozen, cut off, restarted."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import players
import pytest
from child import until
from gateway_process import GatewayProcess
from gst_process import GstCamera
from rtsp_relay import Mode, RtspRelay

pytestmark = pytest.mark.e2e

READ_TIMEOUT_S = 3.0
FAST = {"rtsp": {"read_timeout": "3s", "open_timeout": "3s"}}
OFFLINE_WITHIN_S = 5.0 + READ_TIMEOUT_S
BACK_WITHIN_S = 3.0
LONG_AWAY_S = 8.0
"""Longer than the first back-offs together, so that the knock at the port has to find the camera."""


def test_killed_camera_is_offline_with_its_reason_and_comes_back_on_the_same_urls(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess]
) -> None:
    camera = gst_camera(audio="aac")
    service = gateway({"yard": {"rtsp": camera.url()}}, FAST)
    service.wait_live("yard")
    before = until(lambda: service.last_segment("yard") > 0 and service.last_segment("yard"), 10, "a segment")
    urls = service.camera("yard")["urls"]
    with ThreadPoolExecutor(1) as pool:
        through = pool.submit(players.pyav, service.rtmp("yard"), 20.0)
        until(lambda: service.camera("yard")["streams"][0]["viewers"]["rtmp"] == 1, 10, "the RTMP viewer")
        killed = time.monotonic()
        camera.kill()
        seen = service.wait_state("yard", "offline", OFFLINE_WITHIN_S)
        offline_after = time.monotonic() - killed
        until(lambda: service.camera("yard")["code"] == "unreachable", 6, "the reason")
        assert "refuses connections" in service.camera("yard")["reason"]
        time.sleep(max(0.0, LONG_AWAY_S - (time.monotonic() - killed)))
        back = camera.restart()
        service.wait_state("yard", "live", BACK_WITHIN_S)
        live_after = time.monotonic() - back
        until(lambda: service.last_segment("yard") > before, 5, "a new segment")
        play = through.result(timeout=60)
    print(f"offline after {offline_after:.2f} s ({seen['code']}), live {live_after:.2f} s after its return")
    assert service.camera("yard")["urls"] == urls
    assert "#EXT-X-DISCONTINUITY\n" in service.playlist("yard")
    assert service.last_segment("yard") > before
    # the RTMP player stayed connected, and the outage is no jump back in time
    assert play.complaints == []
    assert play.video_pts == sorted(play.video_pts)
    assert play.largest_step_s == pytest.approx(LONG_AWAY_S, abs=BACK_WITHIN_S + 2)


def test_frozen_camera_is_called_late_then_stalled_and_is_live_again_once_it_goes_on(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess]
) -> None:
    camera = gst_camera()
    service = gateway({"yard": {"rtsp": camera.url()}}, FAST)
    service.wait_live("yard")
    frozen = time.monotonic()
    camera.freeze()
    late = service.wait_state("yard", "late", 3.0)
    assert "no new picture" in late["reason"]
    stalled = service.wait_state("yard", ("stalled", "offline"), OFFLINE_WITHIN_S)
    assert stalled["state"] == "stalled"
    assert "has sent nothing for 3 s" in stalled["reason"]
    assert time.monotonic() - frozen <= OFFLINE_WITHIN_S
    offline = service.wait_state("yard", "offline", 12)
    assert offline["code"] == "timeout"
    assert "does not answer" in offline["reason"]
    camera.thaw()
    service.wait_state("yard", "live", 20)


def test_short_freeze_is_shown_as_late_and_costs_no_session(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], relay: Callable[..., RtspRelay]
) -> None:
    camera = gst_camera()
    between = relay(camera.port)
    service = gateway({"yard": {"rtsp": camera.url(port=between.port)}}, FAST)
    service.wait_live("yard")
    between.mode = Mode.FREEZE
    service.wait_state("yard", "late", 3.0)
    between.mode = Mode.PASS
    service.wait_state("yard", "live", 2.0)
    assert len(between.attempts) == 1


def test_cut_connection_is_back_within_seconds(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], relay: Callable[..., RtspRelay]
) -> None:
    camera = gst_camera()
    between = relay(camera.port)
    service = gateway({"yard": {"rtsp": camera.url(port=between.port)}}, FAST)
    service.wait_live("yard")
    cut = time.monotonic()
    between.cut()
    service.wait_state("yard", ("offline", "stalled", "connecting"), 2.0)
    service.wait_state("yard", "live", 5.0)
    print(f"live again {time.monotonic() - cut:.2f} s after the cut")


def test_eight_dead_cameras_do_not_delay_the_eight_good_ones(
    gst_camera: Callable[..., GstCamera],
    gateway: Callable[..., GatewayProcess],
    relay: Callable[..., RtspRelay],
) -> None:
    good = gst_camera(mounts=8, width=320, height=180, fps=10, gop=10)
    alone = gateway({f"good{n}": {"rtsp": good.url(n)} for n in range(8)})
    alone.wait_live(*(f"good{n}" for n in range(8)))
    alone_s = _live_after(alone)
    alone.end()
    dead = {}
    for number in range(8):
        mode = (Mode.BLACK_HOLE, Mode.GARBAGE, Mode.HANG_UP)[number % 3]
        port = relay(mode=mode).port if number < 6 else 1
        dead[f"dead{number}"] = {"rtsp": f"rtsp://127.0.0.1:{port}/cam"}
    # dead ones first: whatever is done in order would meet them first
    both = gateway({**dead, **{f"good{n}": {"rtsp": good.url(n)} for n in range(8)}})
    both.wait_live(*(f"good{n}" for n in range(8)))
    both_s = _live_after(both)
    print(f"8 good cameras live after {alone_s:.2f} s alone, {both_s:.2f} s among 8 dead ones (the slowest of them)")
    assert both_s <= alone_s + 1.5
    states = both.states()
    assert all(states[name] in ("offline", "connecting") for name in dead), states


def _live_after(service: GatewayProcess) -> float:
    """Largest of the times that the log gives between the start of a pull and its first picture."""
    lines = [line for line in service.log.splitlines() if ": live after " in line]
    return max(float(line.split(": live after ")[1].split(" s")[0]) for line in lines)
