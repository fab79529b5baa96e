"""Sound stays with its picture: ticks in the sound are measured against the clock in the picture, before and after us."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from child import until
from clock_reader import read_clock, ticks
from gateway_process import GatewayProcess
from gst_process import GstCamera

pytestmark = pytest.mark.e2e

TICK_EVERY_S = 3.0
WATCH_S = 7.0
LIP_SYNC_S = 0.1
"""Viewers notice sound that is 45 ms early or 125 ms late (ITU-R BT.1359)."""
CAMERAS = {"aac": {"audio": "aac"}, "pcmu": {"audio": "pcmu"}, "h265-pcma": {"video": "h265", "audio": "pcma"}}


def sound_behind_picture(url: str, options: dict[str, str] | None = None) -> float:
    """Seconds from the picture's whole multiples of the tick interval to the tick, within half an interval."""
    blocks: list[np.ndarray] = []
    times: list[float] = []
    clock: list[tuple[float, float]] = []
    with av.open(url, options=options or {}, timeout=20) as container:
        for packet in container.demux():
            for frame in packet.decode():
                if frame.time is None:
                    continue
                if isinstance(frame, av.VideoFrame):
                    value = read_clock(frame.to_ndarray(format="gray"))
                    if value is not None:
                        clock.append((frame.time, value / 1000))
                else:
                    blocks.append(frame.to_ndarray()[0].astype(np.float32))
                    times.append(frame.time)
                    rate = frame.sample_rate
            if clock and clock[-1][0] - clock[0][0] > WATCH_S:
                break
    whole = [index for index, block in enumerate(blocks) if block.size == blocks[-1].size]
    found = ticks(np.stack([blocks[index] for index in whole]), [times[index] for index in whole], rate)
    assert found, "no tick was heard"
    phases = []
    for tick in found:
        shown_at, taken_at = min(clock, key=lambda entry: abs(entry[0] - tick))
        phases.append((tick - shown_at + taken_at) % TICK_EVERY_S)
    return statistics.median(phases)


@pytest.mark.parametrize("order", ["gateway first", "gateway joins in mid-GOP"])
def test_sound_keeps_its_distance_to_the_picture_over_both_outputs(
    gst_camera: Callable[..., GstCamera], gateway: Callable[..., GatewayProcess], order: str
) -> None:
    cameras = {name: gst_camera(**options) for name, options in CAMERAS.items()}
    direct: dict[str, float] = {}
    if order != "gateway first":
        direct = watch_directly(cameras)
    service = gateway({name: {"rtsp": camera.url()} for name, camera in cameras.items()})
    service.wait_live(*cameras)
    until(lambda: all(service.camera(name)["streams"][0]["audio"] for name in cameras), 20, "the sound of every camera")
    urls = {(name, output): getattr(service, output)(name) for name in cameras for output in ("rtmp", "hls")}
    with ThreadPoolExecutor(6) as pool:
        jobs = {key: pool.submit(sound_behind_picture, url) for key, url in urls.items()}
        seen = {key: job.result() for key, job in jobs.items()}
    direct = direct or watch_directly(cameras)
    errors = {}
    for (name, output), phase in seen.items():
        error = (phase - direct[name] + TICK_EVERY_S / 2) % TICK_EVERY_S - TICK_EVERY_S / 2
        errors[f"{name} {output}"] = round(error, 3)
    print(f"{order}: {errors}")
    assert all(abs(error) <= LIP_SYNC_S for error in errors.values()), errors


def watch_directly(cameras: dict[str, GstCamera]) -> dict[str, float]:
    """The same measurement at the cameras themselves."""
    with ThreadPoolExecutor(3) as pool:
        jobs = {
            name: pool.submit(sound_behind_picture, camera.url(), {"rtsp_transport": "tcp"}) for name, camera in cameras.items()
        }
        return {name: job.result() for name, job in jobs.items()}
