"""When a changed file is read: after it has settled, whoever replaced it and however, and once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.reload.files import Settling, look


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    path = tmp_path / "config.yaml"
    path.write_text("site: A\n")
    return path


def known(config: Path, *named: Path) -> Settling:
    settling = Settling()
    seen = look(config, named)
    settling.was_read(seen, seen)
    return settling


def test_nothing_is_read_while_nothing_changes(config: Path) -> None:
    settling = known(config)
    assert not any(settling.due(look(config, ())) for _ in range(5))


def test_a_file_that_is_still_being_written_is_not_read(config: Path) -> None:
    settling = known(config)
    for length in range(1, 6):
        config.write_text("site: B\n" * length)
        assert not settling.due(look(config, ()))
    assert settling.due(look(config, ()))


def test_a_refused_reading_is_not_repeated_until_the_files_change_again(config: Path) -> None:
    settling = known(config)
    config.write_text("nonsense\n")
    settling.due(look(config, ()))
    seen = look(config, ())
    assert settling.due(seen)
    settling.was_read(seen, seen)
    assert not any(settling.due(look(config, ())) for _ in range(3))
    config.write_text("site: better\n")
    settling.due(look(config, ()))
    assert settling.due(look(config, ()))


def test_an_editor_that_renames_is_noticed_although_time_and_size_are_the_same(config: Path) -> None:
    settling, was = known(config), config.stat()
    other = config.with_suffix(".new")
    other.write_text("site: B\n")
    os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
    other.replace(config)
    settling.due(look(config, ()))
    assert settling.due(look(config, ()))


def test_a_symbolic_link_that_is_swapped_as_kubernetes_does_is_noticed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("site: A\n")
    (tmp_path / "..data").symlink_to("one")
    config = tmp_path / "config.yaml"
    config.symlink_to("..data/config.yaml")
    settling = known(config)
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "..data")
    settling.due(look(config, ()))
    assert settling.due(look(config, ()))


@pytest.mark.parametrize("name", ["conf.d/yard.yaml", "conf.d/ignored.yml", "yard.password"])
def test_files_that_come_and_go_are_noticed(config: Path, name: str) -> None:
    file = config.parent / name
    settling = known(config, config.parent / "yard.password")
    for change in (lambda: file.write_text("x\n"), file.unlink):
        change()
        settling.due(look(config, [config.parent / "yard.password"]))
        seen = look(config, [config.parent / "yard.password"])
        assert settling.due(seen)
        settling.was_read(seen, seen)


def test_what_an_editor_leaves_beside_the_files_is_no_change(config: Path) -> None:
    settling = known(config)
    (config.parent / "conf.d" / ".yard.yaml.swp").write_text("x")
    (config.parent / "notes.txt").write_text("x")
    assert not any(settling.due(look(config, ())) for _ in range(3))


def test_a_file_that_changed_while_it_was_read_is_read_again(config: Path) -> None:
    settling = Settling()
    before = look(config, ())
    config.write_text("site: changed meanwhile\n")
    settling.was_read(before, look(config, ()))
    settling.due(look(config, ()))
    assert settling.due(look(config, ()))


def test_a_newly_named_file_is_no_change_by_itself(config: Path) -> None:
    settling, before = Settling(), look(config, ())
    named = [config.parent / "new.password"]
    settling.was_read(before, look(config, named))
    assert not any(settling.due(look(config, named)) for _ in range(3))
