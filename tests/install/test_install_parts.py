"""Single functions of install/service.sh where a whole installation would be too slow to show the symptom."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash") or "bash"
PRELUDE = """
set -eu
VENV=.venv LOG="$INSTALL_ROOT/log"
say() { printf '%s\\n' "$*"; }
warn() { say "$*" >&2; }
fail() { say "$1: $2" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
is_root() { true; }
. "$SERVICE_SH"
systemctl() { true; }
"""


def part(root: Path, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    told = {"PATH": os.defpath, "INSTALL_ROOT": str(root), "SERVICE_SH": str(ROOT / "install/service.sh"), **environ}
    command = [BASH, "-c", PRELUDE + script]
    return subprocess.run(command, env=told, cwd=root, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def old_layout(tmp_path: Path) -> Path:
    """A program that lies in the prefix itself, as before there were releases."""
    prefix = tmp_path / "opt/camera-gateway"
    (prefix / "gateway").mkdir(parents=True)
    (prefix / "install.sh").touch()
    (prefix / "releases/1-new").mkdir(parents=True)
    return prefix


REMOVE = 'PREFIX="$INSTALL_ROOT/opt/camera-gateway" RELEASE="$PREFIX/releases/1-new"; {before}remove_old_releases ""'


def test_the_copy_of_an_installation_before_releases_goes(old_layout: Path, tmp_path: Path) -> None:
    result = part(tmp_path, REMOVE.format(before=""))
    assert result.returncode == 0, result.stderr
    assert [one.name for one in old_layout.iterdir()] == ["releases"]


@pytest.mark.parametrize("source", ["cd", "git"])
def test_whoever_upgrades_in_the_folder_of_the_old_installation_keeps_his_source(
    old_layout: Path, tmp_path: Path, source: str
) -> None:
    if source == "git":
        (old_layout / ".git").mkdir()
    result = part(tmp_path, REMOVE.format(before='cd "$PREFIX"; ' if source == "cd" else ""))
    assert result.returncode == 0, result.stderr
    assert (old_layout / "gateway").is_dir()
    assert (old_layout / "install.sh").exists()


def test_the_first_password_is_shown_to_whoever_does_not_wait(tmp_path: Path) -> None:
    result = part(tmp_path, "FIRST_PASSWORD=s3same; render_unit() { true; }; healthy() { exit 130; }; start_first")
    assert result.returncode == 130
    assert result.stdout.count("s3same") == 1


def test_the_first_password_is_shown_once_when_the_first_start_fails(tmp_path: Path) -> None:
    script = "FIRST_PASSWORD=s3same; render_unit() { true; }; healthy() { WHY=no; return 1; }; last_words() { true; }; "
    script += "start_first"
    result = part(tmp_path, script)
    assert result.returncode == 1
    assert result.stdout.count("s3same") == 1


@pytest.mark.parametrize("command", ["install", "upgrade", "uninstall", "gateway"])
def test_su_without_the_systems_path_finds_userdel(tmp_path: Path, command: str) -> None:
    result = part(tmp_path, f'unset PATH; require_root {command}; say "$PATH"', INSTALL_ROOT="")
    assert "/usr/sbin" in result.stdout.split(":"), result.stderr


def test_a_firewall_that_speaks_german_is_found(tmp_path: Path) -> None:
    script = """
as_service() { printf '8443/tcp\\n'; }
ufw() { if [ "${LC_ALL:-}" = C ]; then say "Status: active"; else say "Status: Aktiv"; fi; }
RELEASE=/r; firewall_hints
"""
    result = part(tmp_path, script, LC_ALL="de_DE.UTF-8")
    assert "sudo ufw allow 8443/tcp" in result.stdout, result.stderr


def test_who_may_not_read_the_configuration_is_not_told_that_it_has_mistakes(tmp_path: Path) -> None:
    script = 'is_root() { false; }; release_of() { say /r; }; as_service() { say "the configuration has mistakes"; }; '
    script += "status_service"
    result = part(tmp_path, script)
    assert result.returncode == 1
    assert "sudo ./install.sh status" in result.stderr
    assert "mistakes" not in result.stdout


def test_uninstalling_takes_the_program_of_before_releases_along(old_layout: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    script = (
        'read_options() { PREFIX="$INSTALL_ROOT/opt/camera-gateway"; }; mkdir -p "${UNIT%/*}"; : >"$UNIT"; uninstall_service'
    )
    result = part(tmp_path, script)
    assert result.returncode == 0, result.stderr
    assert not old_layout.exists()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"a b"', "a b"),
        ("'a\"b'", 'a"b'),
        ("plain", "plain"),
        ("a=b  ", "a=b"),
        ('"', '"'),
        ("", ""),
    ],
)
def test_the_first_password_is_what_systemd_would_read(tmp_path: Path, written: str, value: str) -> None:
    """Quotes around a value are not part of it, and the last line counts without its line end."""
    folder = tmp_path / "etc/camera-gateway"
    folder.mkdir(parents=True)
    (folder / "environment").write_text(f"# mine\nNOT A NAME=1\nGATEWAY_ADMIN_PASSWORD={written}")
    script = "systemctl() { say 'systemd 252'; }; as_service printenv GATEWAY_ADMIN_PASSWORD"
    result = part(tmp_path, script)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{value}\n"
