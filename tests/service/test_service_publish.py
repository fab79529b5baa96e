from __future__ import annotations

import asyncio
import logging
import shlex
from dataclasses import replace

import pytest

from gateway.config.model import Camera, Publish, Secret
from gateway.media.state import State

pytestmark = pytest.mark.e2e

KEY = "ses+ame"
ENCODER = (
    "timeout 20 ffmpeg -hide_banner -v error -re -f lavfi -i testsrc=size=160x120:rate=25 -f lavfi -i sine -t 4 "
    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -c:a aac -f flv rtmp://127.0.0.1:{port}/live/phone?key={key}"
)


def phone(key: str = KEY, **more) -> Camera:
    return Camera("phone", "Phone", publish=Publish(Secret(key)), **more)


async def encoder(service, key: str = KEY) -> tuple[asyncio.subprocess.Process, asyncio.Task[bytes]]:
    command = shlex.split(ENCODER.format(port=service.port("rtmp"), key=key))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    return process, asyncio.create_task(process.stderr.read())


async def becomes(service, state: State) -> None:
    """Wait for the state, and while live for the tracks, which are known a moment later."""
    async with asyncio.timeout(15):
        while (view := service.camera("phone")).status.state is not state or not view.streams[0].codec:
            await asyncio.sleep(0.02)


def test_publisher_is_a_camera_like_any_other(config, serving):
    async def main():
        async with serving(replace(config, cameras=(phone(),))) as service:
            assert service.camera("phone").status.reason == "waiting for the publisher"
            process, said = await encoder(service)
            await becomes(service, State.LIVE)
            view = service.camera("phone")
            assert (view.streams[0].codec, view.streams[0].audio, view.streams[0].width) == ("h264", "aac", 160)
            assert await asyncio.to_thread(service.snapshot, "phone", None)
            await process.wait()
            await becomes(service, State.OFFLINE)
            assert service.camera("phone").status.reason == "the publisher left"
            assert b"Server error" not in await said

    asyncio.run(main())


def test_publisher_of_a_gateway_that_stops_is_not_told_that_its_camera_is_gone(config, serving, caplog):
    caplog.set_level(logging.INFO)

    async def main():
        async with serving(replace(config, cameras=(phone(),))) as service:
            process, said = await encoder(service)
            await becomes(service, State.LIVE)
        await process.wait()
        assert b"removed" not in await said

    asyncio.run(main())
    assert "frames: the gateway stops" in caplog.text


def test_changed_key_ends_the_publisher_that_has_the_old_one(config, serving):
    async def main():
        async with serving(replace(config, cameras=(phone(),))) as service:
            process, said = await encoder(service)
            await becomes(service, State.LIVE)
            await service.reload(replace(config, cameras=(phone("other"),)))
            assert await process.wait() != 0
            await said
            process, said = await encoder(service)
            assert await process.wait() != 0
            assert b"wrong key" in await said

    asyncio.run(main())


def test_switched_off_camera_takes_no_publisher(config, serving):
    async def main():
        async with serving(replace(config, cameras=(phone(enabled=False),))) as service:
            process, said = await encoder(service)
            assert await process.wait() != 0
            assert b"phone takes no publisher: switched off in the configuration" in await said
            assert service.camera("phone").status.code == "disabled"

    asyncio.run(main())
