"""The command: options to cameras, addresses out, a clean end on a signal."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import av
import pytest

from gateway.errors import ListenError
from gateway.media.track import Codec
from gateway.simulator.camera import Auth, CameraSpec
from gateway.simulator.simulate import (
    Running,
    SimulatorSpec,
    add_arguments,
    cameras_of,
    run_from_arguments,
    simulate,
    spec_from_arguments,
)
from gateway.simulator.video_codec import VideoSpec

SMALL = CameraSpec(main=VideoSpec(Codec.H264, 320, 180, 25, 25, 200_000), auth=Auth.NONE, audio=None)


def arguments(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(options)


def test_defaults_make_one_camera_on_loopback():
    spec = spec_from_arguments(arguments())
    (camera,) = spec.cameras
    assert (camera.name, camera.host, camera.rtsp_port, camera.http_port) == ("Camera 1", "127.0.0.1", 18501, 18502)
    assert (camera.main, camera.audio, camera.auth) == (VideoSpec(), Codec.AAC, Auth.DIGEST)
    assert (spec.control_port, spec.discovery, spec.shared_encoder) == (18500, True, False)


def test_every_option_arrives():
    picture = ["--video", "h265", "--size", "640x480", "--fps", "10", "--gop", "20", "--bitrate", "900", "--bframes", "1"]
    login = ["--auth", "both", "--username", "me", "--password", "secret"]
    rest = ["--cameras", "3", "--host", "0.0.0.0", "--base-port", "0", "--audio", "none", "--no-discovery", "--shared-encoder"]
    spec = spec_from_arguments(arguments(*picture, *login, *rest))
    last = spec.cameras[2]
    assert last.main == VideoSpec(Codec.H265, 640, 480, 10, 20, 900_000, 1)
    assert last.sub is not None
    assert (last.sub.codec, last.sub.fps) == (Codec.H265, 10)
    assert (last.host, last.audio, last.auth, last.username, last.password) == ("0.0.0.0", None, Auth.BOTH, "me", "secret")
    assert (last.rtsp_port, last.http_port, spec.control_port) == (0, 0, 0)
    assert spec.shared_encoder
    assert not spec.discovery
    assert len({camera.hue for camera in spec.cameras}) == 3


@pytest.mark.parametrize(
    "options",
    ["--cameras 0", "--cameras 99", "--size 1280", "--size 641x360", "--fps 0", "--bframes 9", "--base-port 65530 --cameras 9"],
)
def test_wrong_options_end_with_2_and_a_reason(options: str, capsys: pytest.CaptureFixture[str]):
    assert run_from_arguments(arguments(*options.split())) == 2
    assert capsys.readouterr().err.startswith("gateway simulate: ")


def test_a_taken_port_ends_with_1_and_names_it(capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        spec = SimulatorSpec((replace(SMALL, http_port=port),), discovery=False)
        with pytest.raises(ListenError, match=str(port)):
            asyncio.run(simulate(spec, stop=asyncio.Event(), ready=lambda _running: None))
        assert run_from_arguments(arguments("--base-port", str(port), "--no-discovery")) == 1
    told = re.search(r"cannot listen on 127\.0\.0\.1:(\d+)", capsys.readouterr().err)
    assert told
    # the ports behind it may be taken too, by a test beside this one
    assert int(told[1]) in range(port, port + 4)


def test_cameras_with_a_shared_picture_all_serve_it():
    def first_width(address: str) -> int:
        with av.open(address, options={"rtsp_transport": "tcp", "probesize": "32", "analyzeduration": "0"}, timeout=5) as c:
            return next(c.decode(video=0)).width

    async def scenario() -> None:
        stop = asyncio.Event()
        ready: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        spec = cameras_of(3, SMALL, base_port=0, shared_encoder=True, discovery=False)
        running = asyncio.create_task(simulate(spec, stop=stop, ready=ready.set_result))
        addresses = (await asyncio.wait_for(ready, 5)).cameras
        widths = await asyncio.gather(*(asyncio.to_thread(first_width, camera.main) for camera in addresses))
        assert widths == [320, 320, 320]
        stop.set()
        await asyncio.wait_for(running, 3)

    asyncio.run(scenario())


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_json_line_control_and_a_clean_end_on_a_signal(number: signal.Signals):
    program = (
        "import argparse, sys; from gateway.simulator.simulate import add_arguments, run_from_arguments;"
        "p = argparse.ArgumentParser(); add_arguments(p); sys.exit(run_from_arguments(p.parse_args()))"
    )
    options = ["--base-port", "0", "--cameras", "2", "--size", "320x180", "--json", "--no-discovery"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *options, "--password", "very-secret"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        running = json.loads(line)
        assert [camera["name"] for camera in running["cameras"]] == ["Camera 1", "Camera 2"]
        assert "very-secret" not in line
        with av.open(
            running["cameras"][0]["main"].replace("rtsp://", "rtsp://admin:very-secret@"),
            options={"rtsp_transport": "tcp", "probesize": "32", "analyzeduration": "0"},
            timeout=5,
        ) as container:
            next(container.demux(video=0))
            began = time.monotonic()
            process.send_signal(number)
            _, errors = process.communicate(timeout=10)
            assert time.monotonic() - began < 3
        assert process.returncode == 0
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.communicate()
