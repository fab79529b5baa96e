"""Reloads while people watch: cameras that did not change drop nothing, and the viewers of those that did stay."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import players
import pytest
from child import until
from gateway_process import GatewayProcess
from gst_process import GstCamera
from ll_hls_viewer import LlHlsViewer

pytestmark = pytest.mark.e2e

RELOADS = 20
FPS = 25
BETWEEN_S = 0.12
LATE_FRAMES = 1.5
"""Largest step between two pictures of an untouched camera: none is missing."""


def test_twenty_reloads_cost_an_untouched_camera_not_one_frame(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess]
) -> None:
    camera = gst_camera(mounts=3, width=320, height=180)
    stays, other = {"rtsp": camera.url(0)}, camera.url(1)
    variants = (
        {"stays": stays, "other": {"rtsp": other}},
        {"stays": stays, "other": {"rtsp": other, "audio": False}, "third": {"rtsp": camera.url(2)}},
        {"third": {"rtsp": camera.url(2), "transport": "udp"}, "stays": stays},
        {"stays": stays, "wrong": {"rtps": "x"}},
    )
    service = gateway({"stays": stays}, {"reload": {"watch": False}})
    service.wait_live("stays")
    until(lambda: service.last_segment("stays") > 0, 25, "a playlist")
    viewer = LlHlsViewer(service.get, "stays").start()
    with ThreadPoolExecutor(1) as pool:
        through = pool.submit(players.pyav, service.rtmp("stays"), RELOADS * BETWEEN_S + 4)
        until(lambda: service.camera("stays")["streams"][0]["viewers"]["rtmp"] == 1, 25, "the RTMP viewer")
        until(lambda: viewer.last[0] > 0, 25, "the first part")
        for cameras in itertools.islice(itertools.cycle(variants), RELOADS):
            service.write(cameras)
            service.reload()
            time.sleep(BETWEEN_S)
        play = through.result(timeout=60)
    viewer.stop()
    assert service.log.count("stream stays: live") == 1
    assert service.log.count("configuration reloaded") + service.log.count("was not changed") == RELOADS
    assert play.complaints == []
    for name, times in (("rtmp", play.video_pts), ("ll-hls", viewer.pictures())):
        steps = [later - earlier for earlier, later in itertools.pairwise(times)]
        print(f"{name}: {len(times)} pictures, largest step {max(steps) * 1000:.0f} ms")
        assert len(times) > RELOADS * BETWEEN_S * FPS
        assert max(steps) < LATE_FRAMES / FPS, f"{name}: a picture is missing"
    assert viewer.refused == []
    assert len(viewer.runs) == 1


def test_viewers_of_a_changed_camera_stay_and_numbers_go_on(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess]
) -> None:
    camera = gst_camera(width=320, height=180, audio="aac")
    service = gateway({"yard": {"rtsp": camera.url()}})
    service.wait_live("yard")
    until(lambda: service.last_segment("yard") > 0, 25, "a playlist")
    viewer = LlHlsViewer(service.get, "yard").start()
    with ThreadPoolExecutor(1) as pool:
        through = pool.submit(players.pyav, service.rtmp("yard"), 8.0)
        until(lambda: service.camera("yard")["streams"][0]["viewers"]["rtmp"] == 1, 25, "the RTMP viewer")
        until(lambda: viewer.last[0] > 0, 25, "the first part")
        before = viewer.last
        service.write({"yard": {"rtsp": camera.url() + "?x=1", "transport": "udp"}})
        until(lambda: "0 cameras added, 0 removed, 1 changed" in service.log, 25, "the change to be noticed")
        until(lambda: service.log.count("stream yard: live") == 2, 25, "live again")
        assert service.camera("yard")["streams"][0]["viewers"]["rtmp"] == 1
        play = through.result(timeout=60)
    until(lambda: viewer.last[0] > before[0] + 1, 15, "segments after the change")
    viewer.stop()
    assert play.complaints == []
    assert play.video_pts == sorted(play.video_pts)
    print(f"rtmp: largest step {play.largest_step_s:.2f} s over the change; hls refused {viewer.refused}")
    assert play.largest_step_s < 5
    assert viewer.refused == []
    assert len(viewer.runs) == 1, "the same playlist goes on"
