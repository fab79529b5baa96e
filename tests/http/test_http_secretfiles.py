"""The files of the secrets."""

from __future__ import annotations

from pathlib import Path

from gateway.http.secretfiles import SecretFiles, readable_password


def test_a_hash_replaced_on_disk_is_noticed_once(data_dir: Path):
    files, other = SecretFiles(data_dir), SecretFiles(data_dir)
    assert not files.refresh()
    other.set_password("new")
    assert files.refresh()
    assert not files.refresh()
    assert files.password_hash == other.password_hash


def test_a_hash_that_becomes_damaged_or_vanishes_changes_nothing(data_dir: Path, caplog):
    files = SecretFiles(data_dir)
    before = files.password_hash
    file = data_dir / "secrets" / "admin.hash"
    file.write_text("x")
    assert not files.refresh()
    assert "damaged" in caplog.text
    file.unlink()
    assert not files.refresh()
    assert files.password_hash == before


def test_generated_passwords_differ():
    assert len({readable_password() for _ in range(50)}) == 50
