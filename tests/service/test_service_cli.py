"""Ordinary mistakes are one line and an exit code, never a traceback."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from werkzeug.security import check_password_hash

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


def said(capsys, monkeypatch, *arguments: str, typed: str = "a good one\n") -> tuple[int, str, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    code = cli.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out.strip(), captured.err.strip()


def test_a_hash_is_printed_without_a_configuration_and_opens_what_it_was_made_of(monkeypatch, capsys, tmp_path):
    code, out, _ = said(capsys, monkeypatch, "passwd", "--hash", "-c", str(tmp_path / "none.yaml"))
    assert code == 0
    assert check_password_hash(out, "a good one")
    assert said(capsys, monkeypatch, "passwd", "--hash", typed="\n")[0] == 2


def test_what_passwd_prints_for_a_user_is_accepted_by_the_configuration(config, monkeypatch, capsys):
    code, out, _ = said(capsys, monkeypatch, "passwd", "anna", "-c", str(config))
    assert code == 0
    assert not (config.parent / "data").exists(), "the admin's password is not touched"
    config.write_text(config.read_text() + out.partition("\n")[2] + "\n")
    (anna,) = cli._load(config).users
    assert check_password_hash(anna.password_hash.reveal(), "a good one")
    assert "put this line under users.anna" in said(capsys, monkeypatch, "passwd", "anna", "-c", str(config))[1]


def test_tokens_are_made_listed_and_revoked(config, monkeypatch, capsys):
    def token(*arguments: str) -> tuple[int, str, str]:
        return said(capsys, monkeypatch, "token", *arguments, "-c", str(config))

    code, text, hint = token("create", "panel", "--scope", "operate", "--camera", "yard", "--lifetime", "30d")
    assert code == 0
    assert text.startswith("cg_")
    assert "shown this once" in hint
    listed = token("list")[1]
    assert "panel: operate; yard; until 2" in listed
    assert text not in listed
    assert json.loads(token("list", "--json")[1])[0]["name"] == "panel"
    assert token("create", "panel") == (
        2,
        "",
        "gateway: there is a token of this name already: revoke it, or take another name",
    )
    assert token("create", "x", "--camera", "nope")[0] == 1
    assert token("create", "x", "--lifetime", "30")[0] == 2
    assert token("create", "x", "--lifetime", "999999999999d")[0] == 2, "a list with it could not be printed"
    assert token("list")[0] == 0
    assert token("create")[0] == token("revoke")[0] == 1
    assert token("revoke", "panel")[0] == 0
    assert token("revoke", "panel")[0] == 1
    assert token("list")[1] == "there are no tokens"
