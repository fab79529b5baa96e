"""Pushes to a real nginx with its RTMP module, from which FFmpeg plays them back."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from gateway.config.model import Push, Secret
from gateway.media.stream import Stream
from gateway.rtmp.push import PushLimits, PushState, PushTask
from gateway.rtmp.viewer import ViewerLimits

pytestmark = pytest.mark.e2e

WAIT_S = 30.0
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
CONFIG = """
load_module {module};
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; application live {{ live on; wait_key on; wait_video on; }} }} }}
"""


class Nginx:
    """A server that can be started, stopped and held."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = folder / "nginx.conf"
        self._config.write_text(CONFIG.format(module=MODULE, folder=folder, port=self.port))
        self._command = (shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(folder), "-c", str(self._config))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=quiet, stderr=quiet)
        async with asyncio.timeout(WAIT_S):
            while True:
                assert self._process.returncode is None
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def hold(self, held: bool) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if held else signal.SIGCONT)

    async def record(self, key: str, seconds: float, file: Path) -> dict[str, int]:
        """Packets by codec that FFmpeg records in `seconds` of stream."""
        url = f"rtmp://127.0.0.1:{self.port}/live/{key}"
        await output_of("ffmpeg", "-v", "error", "-y", "-i", url, "-t", str(seconds), "-c", "copy", str(file))
        entries = "stream=codec_name,nb_read_packets"
        out = await output_of("ffprobe", "-v", "error", "-count_packets", "-show_entries", entries, "-of", "csv=p=0", str(file))
        return {name: int(count) for name, count in re.findall(r"(\w+),(\d+)", out)}


async def output_of(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "timeout",
        str(WAIT_S),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode(errors="replace")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def pushing(stream: Stream, server: Nginx, key: str, limits: PushLimits | None = None, **more) -> AsyncIterator[PushTask]:
    task = PushTask(
        stream, Push(**({"host": "127.0.0.1", "port": server.port, "app": "live", "key": Secret(key)} | more)), limits=limits
    )
    task.start()
    try:
        yield task
    finally:
        ended = task.stop()
        assert ended is not None
        await asyncio.wait({ended}, timeout=5)


@contextlib.asynccontextmanager
async def filming(camera, media) -> AsyncIterator[Stream]:
    stream = Stream("yard")
    task = asyncio.create_task(camera(stream, media, 1000.0).run())
    try:
        yield stream
    finally:
        task.cancel()


@pytest.fixture
def nginx(tmp_path) -> Nginx:
    return Nginx(tmp_path)


def test_nginx_passes_on_every_frame_with_sound_or_silence(nginx, camera, media, tmp_path):
    async def main() -> None:
        await nginx.start()
        try:
            async with (
                filming(camera, media(b_frames=2)) as both,
                filming(camera, media(audio=None)) as mute,
                pushing(both, nginx, "both") as one,
                pushing(mute, nginx, "mute") as other,
                pushing(mute, nginx, "wrong", app="nope") as refused,
            ):
                await until(lambda: one.status().state is other.status().state is PushState.LIVE)
                found = await asyncio.gather(
                    nginx.record("both", 4, tmp_path / "both.flv"), nginx.record("mute", 4, tmp_path / "mute.flv")
                )
                # The recording is cut somewhere in the middle of a group of pictures.
                for counts in found:
                    assert counts["h264"] in range(96, 104), found
                    assert counts["aac"] in range(178, 196), found
                await until(lambda: refused.status().state is PushState.RETRYING)
                assert "asked for the application 'nope'; has it none?" in refused.status().reason
        finally:
            await nginx.kill()

    uvloop.run(main())


def test_nginx_that_was_down_is_found_and_found_again_after_a_restart(nginx, camera, media, tmp_path):
    async def main() -> None:
        async with filming(camera, media()) as stream, pushing(stream, nginx, "yard") as task:
            await until(lambda: task.status().state is PushState.RETRYING)
            assert task.status().code == "unreachable"
            await nginx.start()
            await until(lambda: task.status().state is PushState.LIVE)
            await nginx.kill()
            await until(lambda: task.status().state is PushState.RETRYING)
            await nginx.start()
            try:
                await until(lambda: task.status().state is PushState.LIVE)
                counts = await nginx.record("yard", 2, tmp_path / "yard.flv")
                assert counts["h264"] in range(47, 53), counts
                assert counts["aac"] in range(88, 100), counts
            finally:
                await nginx.kill()

    uvloop.run(main())


def test_nginx_that_stands_still_loses_pictures_and_the_camera_notices_nothing(nginx, camera, media, tmp_path):
    heavy = media(noise=True, gop=5, width=480, height=360)
    limits = PushLimits(tick_s=0.05, viewer=ViewerLimits(queue_bytes=1 << 20, overflows=10**9, no_progress_s=60.0))
    seen = []

    class Other:
        def on_tracks(self, tracks) -> None:
            pass

        def on_frame(self, frame) -> None:
            seen.append(frame)

    async def main() -> None:
        await nginx.start()
        try:
            async with filming(camera, heavy) as stream, pushing(stream, nginx, "yard", limits) as task:
                stream.subscribe(Other())
                await until(lambda: task.status().state is PushState.LIVE)
                nginx.hold(True)
                await until(lambda: task.status().dropped > 20)
                before = len(seen)
                await until(lambda: len(seen) > before + 25)
                assert task.status().code == "behind"
                nginx.hold(False)
                counts = await nginx.record("yard", 2, tmp_path / "yard.flv")
                assert counts["h264"] >= 45, counts
                assert task.status().state is PushState.LIVE
        finally:
            await nginx.kill()

    uvloop.run(main())


def test_nginx_that_closes_at_a_large_picture_is_understood(nginx, camera, media):
    small = media(audio=None)
    huge = replace(small, frames=tuple(replace(one, payload=one.payload + bytes(1 << 20)) for one in small.frames))

    async def main() -> None:
        await nginx.start()
        try:
            async with filming(camera, huge) as stream, pushing(stream, nginx, "yard") as task:
                await until(lambda: task.status().state is PushState.RETRYING)
                assert "nginx-rtmp takes 1 MiB (max_message)" in task.status().reason
        finally:
            await nginx.kill()

    uvloop.run(main())
