"""Two whole gateways: the one pushes what is published to it to the other, over RTMPS; reloads and on-demand streams."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.model import Camera, Config, Discovery, HostPort, Listen, Publish, Push, Secret, StreamChoice
from gateway.http.access import Access
from gateway.media.state import State
from gateway.service import Service
from gateway.web.view_json import camera_json

ANY = HostPort("127.0.0.1", 0)
NOBODY = 1
"""A port where nothing listens."""
AWAY = "rtsp://127.0.0.1:1/live"
WAIT_S = 20.0
H265 = """
import sys, time
from fractions import Fraction
import av, numpy
out = av.open(sys.argv[1], "w", format="flv")
options = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"}
stream = out.add_stream("libx265", rate=25, options=options)
stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = 160, 120, "yuv420p", 25
began = time.monotonic()
for number in range(200):
    picture = numpy.full((120, 160, 3), number, numpy.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    frame.pts, frame.time_base = number, Fraction(1, 25)
    for packet in stream.encode(frame):
        out.mux(packet)
    time.sleep(max(0, began + number / 25 - time.monotonic()))
"""


def camera(camera_id: str, *push: Push, **more) -> Camera:
    return Camera(camera_id, camera_id.title(), push=push, **more)


def nowhere(key: str, **more) -> Push:
    return Push("127.0.0.1", NOBODY, "live", Secret(key), **more)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


async def other_gateway(folder: Path, cameras: tuple[Camera, ...]) -> Service:
    config = Config(
        listen=Listen(None, ANY, None, ANY), data_dir=folder / "other", discovery=Discovery(enabled=False), cameras=cameras
    )
    access, _ = Access.open(config.data_dir, "right")
    service = Service(config, access)
    await service.start()
    return service


@pytest.mark.e2e
def test_h265_goes_encrypted_from_one_gateway_to_another(config, serving, tmp_path, caplog):
    async def main() -> None:
        far = await other_gateway(tmp_path, (camera("far", publish=Publish(Secret("far-secret"))),))
        try:
            place = Push("127.0.0.1", far.port("rtmps"), "live", Secret("far?key=far-secret"), tls=True)
            place = dataclasses.replace(place, ca_file=tmp_path / "other" / "tls" / "ca.pem", name="Other house")
            phone = camera("phone", place, publish=Publish(Secret("near-secret")))
            async with serving(dataclasses.replace(config, cameras=(phone,))) as service:
                (push,) = service.camera("phone").pushes
                assert (push.state, push.code) == ("waiting", "waiting")
                assert push.reason == "waiting for the camera: waiting for the publisher"
                url = f"rtmp://127.0.0.1:{service.port('rtmp')}/live/phone?key=near-secret"
                encoder = await asyncio.create_subprocess_exec(sys.executable, "-c", H265, url)
                await until(lambda: far.camera("far").status.state is State.LIVE and far.camera("far").streams[0].codec)
                stream = far.camera("far").streams[0]
                assert (stream.codec, stream.width, stream.audio) == ("h265", 160, "aac")  # the silent track
                view = service.camera("phone")
                shown = camera_json(view, "box", with_source=True)["pushes"][0]
                assert (shown["state"], shown["name"], shown["stream"]) == ("live", "Other house", "phone")
                assert shown["url"] == f"rtmps://127.0.0.1:{far.port('rtmps')}/live/***"
                assert "secret" not in json.dumps(shown)
                encoder.kill()
                await encoder.wait()
        finally:
            assert await far.stop()

    asyncio.run(main())
    assert "far-secret" not in caplog.text


@pytest.mark.e2e
def test_reload_of_one_target_leaves_the_other_and_the_camera_alone(config, serving, tmp_path):
    picture = "-re -f lavfi -i testsrc=size=160x120:rate=25 -c:v libx264 -preset ultrafast -g 25 -f flv"

    async def main() -> None:
        far = await other_gateway(tmp_path, tuple(camera(one, publish=Publish(Secret("k"))) for one in ("one", "two")))
        try:
            port = far.port("rtmps")
            keys = (Secret("one?key=k"), Secret("two?key=k"))
            one, two = (Push("127.0.0.1", port, "live", key, tls=True, verify=False) for key in keys)
            phone = camera("phone", one, two, publish=Publish(Secret("k")))
            before = dataclasses.replace(config, cameras=(phone,))
            async with serving(before) as service:
                url = f"rtmp://127.0.0.1:{service.port('rtmp')}/live/phone?key=k"
                encoder = await asyncio.create_subprocess_exec(*shlex.split(f"timeout 30 ffmpeg -v error {picture} {url}"))
                live = (State.LIVE, State.LIVE)
                await until(lambda: tuple(far.camera(name).status.state for name in ("one", "two")) == live)
                since = far.camera("one").status.since
                loop = asyncio.get_running_loop()
                began = loop.time()
                after = dataclasses.replace(phone, push=(one, nowhere("three")))
                await service.reload(dataclasses.replace(before, cameras=(after,)))
                await until(lambda: far.camera("two").status.state is State.OFFLINE)
                assert loop.time() - began < 1
                await until(lambda: service.camera("phone").pushes[1].state == "retrying")
                assert service.camera("phone").status.state is State.LIVE
                assert far.camera("one").status.state is State.LIVE
                assert far.camera("one").status.since == since
                await service.reload(dataclasses.replace(before, cameras=()))
                await until(lambda: far.camera("one").status.state is State.OFFLINE)
                await encoder.wait()
        finally:
            assert await far.stop()

    asyncio.run(main())


def test_pushed_sub_stream_is_pulled_without_a_viewer(config, serving):
    sub = nowhere("x", stream=StreamChoice.SUB)
    cameras = (camera("a", rtsp=AWAY, sub=AWAY), camera("b", sub, rtsp=AWAY, sub=AWAY), camera("c", sub, rtsp=AWAY))

    async def main() -> None:
        async with serving(dataclasses.replace(config, cameras=cameras)) as service:
            await until(lambda: service.camera("b").streams[1].status.code == "unreachable")
            assert service.camera("a").streams[1].status.code == "idle"
            assert [push.stream for push in service.camera("b").pushes] == ["b.sub"]
            assert service.camera("b").pushes[0].reason.startswith("waiting for the camera: 127.0.0.1 refuses connections")
            assert service.camera("c").pushes == ()

    asyncio.run(main())


def test_camera_that_is_switched_off_is_pushed_nowhere(config, serving):
    async def main() -> None:
        cameras = (camera("a", nowhere("x"), rtsp=AWAY, enabled=False),)
        async with serving(dataclasses.replace(config, cameras=cameras)) as service:
            assert service.camera("a").pushes == ()

    asyncio.run(main())


@pytest.mark.parametrize("https", [ANY, None])
def test_rtmps_is_off_unless_given_and_shows_the_certificate_of_the_box(config, serving, https):
    async def main() -> None:
        cameras = (camera("a", rtsp=AWAY),)
        async with serving(dataclasses.replace(config, cameras=cameras)) as service:
            assert service.port("rtmps") is None
            assert "rtmps" not in service.camera("a").urls
        listen = dataclasses.replace(config.listen, https=https, rtmps=HostPort("127.0.0.1", 0))
        async with serving(dataclasses.replace(config, cameras=cameras, listen=listen)) as service:
            assert service.camera("a").urls["rtmps"].startswith("rtmps://{host}")
            address = f"127.0.0.1:{service.port('rtmps')}"
            trust = f"-CAfile {config.data_dir}/tls/ca.pem -verify_return_error"
            command = f"timeout 20 openssl s_client -connect {address} {trust}"
            quiet = asyncio.subprocess.DEVNULL
            client = await asyncio.create_subprocess_exec(*command.split(), stdin=quiet, stdout=quiet, stderr=quiet)
            assert await client.wait() == 0

    asyncio.run(main())
