"""Adopting a simulated camera: live without a restart, from the page's route and from the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import instance
from gateway.config.load import load
from gateway.errors import AdoptError
from gateway.http.access import Access
from gateway.instance import InstanceLock
from gateway.service import Service
from gateway.simulator.camera import CameraSpec, VirtualCamera
from gateway.simulator.video_codec import VideoSpec
from gateway.sources.adoption import Wish

SMALL = VideoSpec(width=320, height=180, fps=10, gop=5, bitrate=100_000)
LIVE_S = 20.0


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    listen = '{https: "127.0.0.1:0", http: "127.0.0.1:0", rtmp: off}'
    path.write_text(f"listen: {listen}\ndiscovery: {{enabled: false}}\ncameras: {{}}\n")
    return path


def test_an_adopted_camera_is_live_without_a_restart(config_path: Path):
    async def main() -> None:
        camera = VirtualCamera(CameraSpec(name="Yard", main=SMALL, sub=None, audio=None))
        await camera.start()
        config = load(config_path, {})
        access, _ = Access.open(config.data_dir, "a password")
        service = Service(config, access, config_path)
        await service.start()
        try:
            address = f"127.0.0.1:{camera.http_port}"
            wrong = Wish(address, username="admin", password="guess")
            with pytest.raises(AdoptError, match="refused the user name or password"):
                await asyncio.to_thread(service.adopt, wrong)
            assert service.cameras() == ()
            wish = Wish(address, name="Back yard", username="admin", password=camera.spec.password)
            adopted = await asyncio.to_thread(service.adopt, wish)
            assert (adopted.id, adopted.file, adopted.has_sub) == ("back-yard", "conf.d/back-yard.yaml", False)
            assert await service._streams["back-yard"].wait_live(LIVE_S)
            with pytest.raises(AdoptError, match="configured already, as back-yard"):
                await asyncio.to_thread(service.adopt, wish)
        finally:
            await service.stop()
            await camera.stop()

    asyncio.run(main())


def test_a_gateway_without_a_file_adopts_nothing(config, serving):
    async def main() -> None:
        async with serving(config) as service:
            with pytest.raises(AdoptError, match="without a configuration file"):
                service.adopt(Wish("192.0.2.1"))

    asyncio.run(main())


def test_one_who_adopts_while_another_does_is_sent_away(config_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each occupies a worker thread; four of them in a queue would be a gateway without pages."""
    monkeypatch.setattr("gateway.service.ADOPT_TURN_S", 0.01)

    async def main() -> None:
        config = load(config_path, {})
        access, _ = Access.open(config.data_dir, "a password")
        service = Service(config, access, config_path)
        try:
            with service._adopting, pytest.raises(AdoptError) as refused:
                await asyncio.to_thread(service.adopt, Wish("192.0.2.1"))
            assert refused.value.code == "busy"
        finally:
            await service.stop()

    asyncio.run(main())


def test_the_command_writes_the_file_and_tells_the_running_gateway(config_path: Path, tmp_path: Path):
    async def main() -> tuple[int, str, str]:
        camera = VirtualCamera(CameraSpec(name="Yard", main=SMALL, sub=None, audio=None))
        await camera.start()
        (tmp_path / "pw").write_text(camera.spec.password + "\n")
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, told.set)
        try:
            with InstanceLock(tmp_path / "data"):
                command = ["adopt", f"127.0.0.1:{camera.http_port}", "--id", "yard", "--username", "admin"]
                more = ["--password-file", str(tmp_path / "pw"), "-c", str(config_path), "--json"]
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "gateway.cli", *command, *more, stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )
                out, err = await child.communicate()
                async with asyncio.timeout(5):
                    await told.wait()
            return child.returncode or 0, out.decode(), err.decode()
        finally:
            await camera.stop()

    code, out, err = asyncio.run(main())
    assert code == 0, err
    assert json.loads(out)["process"] == os.getpid()
    assert [camera.id for camera in load(config_path, {}).cameras] == ["yard"]


def test_who_holds_the_data_directory_is_told_only_while_he_does(tmp_path: Path):
    assert instance.holder(tmp_path) is None
    with InstanceLock(tmp_path):
        assert instance.holder(tmp_path) == os.getpid()
    assert instance.holder(tmp_path) is None
