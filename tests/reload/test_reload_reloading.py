"""Which change of the files is taken for an accident."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import load
from gateway.config.diff import ConfigDiff
from gateway.config.model import Config
from gateway.reload.attempt import Outcome, Trigger
from gateway.reload.reloading import Reloading

CAMERA = 'cameras: {{{}: {{rtsp: "rtsp://127.0.0.1:1/live"}}}}\n'


@dataclass
class Gateway:
    """Stands where the service does, and takes every configuration."""

    running: Config
    applied: list[list[str]] = field(default_factory=list)

    async def apply(self, config: Config) -> ConfigDiff:
        self.applied.append([one.id for one in config.cameras])
        change = ConfigDiff(removed=tuple({one.id for one in self.running.cameras} - set(self.applied[-1])))
        self.running = config
        return change


def begun(folder: Path) -> tuple[Reloading, Gateway]:
    (folder / "config.yaml").write_text(CAMERA.format("yard"))
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "gate.yaml").write_text(CAMERA.format("gate"))
    config = load.read(folder / "config.yaml", {}).config
    assert config is not None
    gateway = Gateway(config)
    return Reloading(folder / "config.yaml", {}, gateway.apply, config), gateway


def test_a_share_that_is_not_mounted_does_not_take_its_cameras_away(tmp_path: Path) -> None:
    async def main() -> None:
        reloading, gateway = begun(tmp_path)
        await reloading.begin(gateway.running)
        shutil.move(tmp_path / "conf.d", tmp_path / "elsewhere")
        (tmp_path / "config.yaml").write_text("site: New\n" + CAMERA.format("yard"))
        attempt = await reloading.reload(Trigger.FILES)
        assert attempt.outcome is Outcome.REFUSED
        assert [str(one) for one in attempt.complaints] == [
            "conf.d: the folder is gone, and gate.yaml with it; if this is meant, reload by hand"
        ]
        assert gateway.applied == []
        shutil.move(tmp_path / "elsewhere", tmp_path / "conf.d")
        assert (await reloading.reload(Trigger.FILES)).outcome is not Outcome.REFUSED
        assert gateway.applied == [["yard", "gate"]]

    asyncio.run(main())


def test_who_reloads_by_hand_or_empties_the_folder_means_it(tmp_path: Path) -> None:
    async def main() -> None:
        reloading, gateway = begun(tmp_path)
        await reloading.begin(gateway.running)
        (tmp_path / "conf.d" / "gate.yaml").unlink()
        assert (await reloading.reload(Trigger.FILES)).outcome is Outcome.APPLIED
        (tmp_path / "conf.d" / "gate.yaml").write_text(CAMERA.format("gate"))
        await reloading.reload(Trigger.FILES)
        shutil.rmtree(tmp_path / "conf.d")
        assert (await reloading.reload(Trigger.REQUEST)).outcome is Outcome.APPLIED
        assert gateway.applied == [["yard"], ["yard", "gate"], ["yard"]]

    asyncio.run(main())
