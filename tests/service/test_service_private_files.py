"""Files that must never be half written or readable by others."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.private_files import private_directory, write_atomically


def test_a_replaced_file_is_private_and_leaves_nothing_behind(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("old")
    file.chmod(0o644)
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch):
    file = tmp_path / "key"
    file.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.private_files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_directory_is_private(tmp_path: Path):
    directory = private_directory(tmp_path / "a" / "b")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert private_directory(directory) == directory
