"""Ordinary mistakes are one line and an exit code, never a traceback."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from gateway import cli
from gateway.media.snapshot import SnapshotError

CONFIG = """
data_dir: {data}
discovery: {{enabled: false, credentials: [{{username: finder, password: found}}]}}
cameras:
  yard: {{address: 10.0.0.5}}
"""


@pytest.fixture(autouse=True)
def own_logging(monkeypatch):
    """The command line's logging would outlive the test's standard error."""
    monkeypatch.setattr(cli, "configure", lambda verbose: None)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "conf" / "config.yaml"
    file.parent.mkdir()
    file.write_text(CONFIG.format(data="data"))
    return file


def test_relative_data_dir_is_beside_the_configuration_and_not_doubled(config, monkeypatch):
    monkeypatch.chdir(config.parent.parent)
    relative = Path("conf/config.yaml")
    assert cli._load(relative).data_dir == Path("conf/data")
    monkeypatch.chdir(config.parent)
    assert cli._load(Path("config.yaml")).data_dir == Path("data")


@pytest.mark.parametrize("command", ["run", "passwd"])
def test_data_dir_that_cannot_be_written_is_one_line(config, command, monkeypatch, capsys):
    (config.parent / "data").write_text("a file, not a folder")
    monkeypatch.setattr("sys.stdin", io.StringIO("new password\n"))
    assert cli.main([command, "-c", str(config)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gateway: ")
    assert str(config.parent / "data") in said
    assert said.count("\n") == 1


def snapshot(config, monkeypatch, *options, jpeg=lambda frame: b"picture"):
    asked = []

    def first_keyframe(camera, defaults, resolve):
        asked.append((camera.username, camera.password.reveal()))

    monkeypatch.setattr("gateway.sources.single.first_keyframe", first_keyframe)
    monkeypatch.setattr("gateway.media.snapshot.jpeg", jpeg)
    return cli.main(["snapshot", "yard", "-c", str(config), *options]), asked


def test_snapshot_logs_in_as_the_gateway_does(config, monkeypatch, tmp_path):
    picture = tmp_path / "yard.jpg"
    assert snapshot(config, monkeypatch, "-o", str(picture)) == (0, [("finder", "found")])
    assert picture.read_bytes() == b"picture"


def test_snapshot_into_a_folder_that_does_not_exist_is_one_line(config, monkeypatch, capsys, tmp_path):
    target = tmp_path / "nowhere" / "yard.jpg"
    code, _ = snapshot(config, monkeypatch, "-o", str(target))
    assert (code, capsys.readouterr().err) == (1, f"gateway: {target}: No such file or directory\n")


def test_keyframe_that_cannot_be_decoded_is_one_line(config, monkeypatch, capsys, tmp_path):
    def damaged(frame):
        raise SnapshotError("the last keyframe is damaged")

    code, _ = snapshot(config, monkeypatch, "-o", str(tmp_path / "x.jpg"), jpeg=damaged)
    assert (code, capsys.readouterr().err) == (1, "gateway: yard: the last keyframe is damaged\n")
