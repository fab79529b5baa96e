"""The process itself: it starts or says why not, ends in time whatever the cameras do, and takes a new configuration."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import players
import pytest
from gateway_process import GatewayProcess
from gst_process import GstCamera
from rtsp_relay import Mode, RtspRelay

pytestmark = pytest.mark.e2e

STOP_WITHIN_S = 6.0
START_OR_FAIL_S = 10.0
PLAY_S = 8.0


def test_sigterm_ends_it_within_6_s_with_cameras_frozen_and_black_holed(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], relay: Callable[..., RtspRelay]
) -> None:
    frozen, playing = gst_camera(), gst_camera(audio="aac")
    hole = relay(mode=Mode.BLACK_HOLE)
    slow = {"rtsp": {"read_timeout": "30s", "open_timeout": "30s"}}
    service = gateway(
        {
            "frozen": {"rtsp": frozen.url()},
            "hole": {"rtsp": f"rtsp://127.0.0.1:{hole.port}/cam"},
            "playing": {"rtsp": playing.url()},
        },
        slow,
    )
    service.wait_live("frozen", "playing")
    frozen.freeze()
    service.wait_state("frozen", "late", 4)
    with ThreadPoolExecutor(2) as pool:
        viewers = [pool.submit(players.ffmpeg, url("playing"), 30.0) for url in (service.rtmp, service.hls)]
        time.sleep(2)
        code, took = service.terminate()
        print(f"stopped after {took:.2f} s")
        for viewer in viewers:
            viewer.result(timeout=60)
    assert code == 0
    assert took <= STOP_WITHIN_S
    assert "Traceback" not in service.log
    # what it held is free for the next one
    service.start()
    service.wait_live("playing")


def test_port_in_use_is_one_clear_line_and_exit_1(gateway: Callable[..., GatewayProcess]) -> None:
    first = gateway({})
    for scheme in ("https", "http", "rtmp"):
        second = gateway({}, {"listen": {**_listen(), scheme: f"127.0.0.1:{first.ports[scheme]}"}}, wait=False)
        assert second.child.wait(START_OR_FAIL_S) == 1
        assert "Traceback" not in second.log
        last = second.log.strip().splitlines()[-1]
        assert str(first.ports[scheme]) in last
        assert "in use" in last or "listens there" in last
    assert first.ready()


def test_second_instance_on_the_same_data_is_refused_and_the_first_goes_on(gateway: Callable[..., GatewayProcess]) -> None:
    first = gateway({})
    second = gateway({}, {"data_dir": str(first.folder / "data")}, wait=False)
    assert second.child.wait(START_OR_FAIL_S) == 1
    assert "Traceback" not in second.log
    assert f"another gateway (process {first.child.pid}) already uses" in second.log.strip().splitlines()[-1]
    assert first.ready()


def test_wrong_configuration_is_exit_2_with_all_lines(gateway: Callable[..., GatewayProcess]) -> None:
    service = gateway({"Yard!": {"rtps": "rtsp://x/"}, "b": {"rtsp": "http://x/"}}, wait=False)
    assert service.child.wait(START_OR_FAIL_S) == 2
    lines = service.log.strip().splitlines()
    assert len(lines) >= 3
    assert all("config.yaml:" in line for line in lines)
    assert any('"rtsp"' in line for line in lines)


def test_missing_configuration_is_named(gateway: Callable[..., GatewayProcess]) -> None:
    service = gateway({})
    service.terminate()
    service.config.unlink()
    service.start(wait=False)
    assert service.child.wait(START_OR_FAIL_S) == 2
    assert "config.yaml" in service.log
    assert "Traceback" not in service.log


def test_reload_adds_and_removes_cameras_while_another_plays_on(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess]
) -> None:
    camera = gst_camera(mounts=3, width=320, height=180)
    cameras = {name: {"rtsp": camera.url(number)} for number, name in enumerate(("stays", "goes", "comes"))}
    service = gateway({name: cameras[name] for name in ("stays", "goes")})
    service.wait_live("stays", "goes")
    with ThreadPoolExecutor(2) as pool:
        viewers = [pool.submit(players.ffmpeg, url("stays"), PLAY_S) for url in (service.rtmp, service.hls)]
        time.sleep(2)
        service.write({name: cameras[name] for name in ("comes", "stays")})
        service.reload()
        service.wait_live("comes")
        assert list(service.states()) == ["comes", "stays"]
        assert service.get("/hls/goes/index.m3u8")[0] == 404
        service.write({"comes": cameras["comes"], "stays": cameras["stays"], "broken": {"rtps": "x"}})
        service.reload()
        assert "keeps running as before" in service.log
        assert list(service.states()) == ["comes", "stays"]
        for viewer in viewers:
            play = viewer.result(timeout=60)
            assert play.complaints == []
            assert play.frames >= 0.98 * 25 * PLAY_S
            assert play.largest_step_s <= 0.1
    assert service.log.count("stream stays: live") == 1


def _listen() -> dict[str, str]:
    return dict.fromkeys(("https", "http", "rtmp"), "127.0.0.1:0")
