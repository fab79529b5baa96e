"""A camera's own file in conf.d: whatever it holds is read back as it was, and nobody else's file is touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.drop_in import Entry, render, write_new
from gateway.config.load import load

TEXT = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)
MAIN = "# mine\nsite: Box\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(MAIN)
    return path


def test_the_file_is_the_owners_alone_and_reads_back(config: Path):
    entry = Entry("yard", 'The "yard"', "192.168.1.20:8000", "admin", "p'a\"s\\s ${X} $${Y}: #")
    path = write_new(config, entry, "Adopted today: X\n1 \x1b[2J")
    assert path == config.parent / "conf.d" / "yard.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (camera,) = load(config, {"X": "not this"}).cameras
    assert (camera.id, camera.name, camera.address, camera.username) == (entry.id, entry.name, entry.address, entry.username)
    assert camera.password is not None
    assert camera.password.reveal() == entry.password
    assert path.read_text().startswith("# Adopted today: X 1 [2J\n")
    assert config.read_text() == MAIN


def test_a_file_that_is_there_stays_as_it_is(config: Path):
    theirs = config.parent / "conf.d" / "yard.yaml"
    theirs.parent.mkdir()
    theirs.write_text("# theirs\n")
    with pytest.raises(FileExistsError):
        write_new(config, Entry("yard", "Yard", "192.168.1.20"), "x")
    assert theirs.read_text() == "# theirs\n"
    assert [one.name for one in theirs.parent.iterdir()] == ["yard.yaml"], "no temporary file is left"


def test_the_owner_may_be_another_user(config: Path):
    path = write_new(config, Entry("yard", "Yard", "192.168.1.20"), "x", owner=(os.getuid(), os.getgid()))
    assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid())


@given(TEXT, TEXT, TEXT)
def test_any_name_and_password_reads_back(tmp_path_factory: pytest.TempPathFactory, name: str, username: str, password: str):
    config = tmp_path_factory.mktemp("any") / "config.yaml"
    config.write_text(MAIN)
    write_new(config, Entry("cam", name, "192.168.1.20", username, password), name)
    (camera,) = load(config, {}).cameras
    assert camera.password is not None
    assert (camera.name, camera.username, camera.password.reveal()) == (name, username, password)


def test_without_a_login_none_is_written():
    assert "password" not in render(Entry("yard", "Yard", "192.168.1.20"), "x")


def test_a_power_cut_does_not_take_an_adopted_camera_back(config: Path, monkeypatch: pytest.MonkeyPatch):
    """The file is on the disk only when its folder knows of it, too."""
    synced: list[bool] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(stat.S_ISDIR(os.fstat(fd).st_mode)), fsync(fd))[1])
    write_new(config, Entry("yard", "Yard", "192.168.1.20"), "Adopted")
    assert synced == [False, True]
