"""What is legal and still does harm is said, with what to do."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from gateway.config import harm
from gateway.config.harm import harms
from gateway.config.load import read

CAMERA = "cameras:\n  a: {rtsp: rtsp://10.0.0.1/live, username: u, password: hunter2}\n"


@pytest.fixture(autouse=True)
def open_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of tests are closed to others, which protects what is in them."""
    monkeypatch.setattr(harm, "_everybody_reads", lambda file: bool(file.stat().st_mode & 0o004))


def said(folder, text: str, mode: int = 0o640, addresses: tuple[str, ...] = ("192.168.1.5",)) -> list[str]:
    file = folder.write(text)
    file.chmod(mode)
    known = [ipaddress.ip_address(one) for one in addresses]
    return harms(file, read(file, {"PW": "x"}), lambda: known)


def test_a_good_configuration_is_not_nagged(folder):
    assert said(folder, CAMERA) == []
    assert said(folder, "site: x\n", 0o644) == []
    assert said(folder, CAMERA.replace("hunter2", '"${PW}"'), 0o644) == []
    assert said(folder, "auth: {anonymous_viewing: true}\n") == []
    assert said(folder, "sitte: x\n") == []


def test_passwords_that_every_user_of_the_machine_may_read(folder):
    [told] = said(folder, CAMERA, 0o644)
    assert told.startswith("config.yaml: holds a password and may be read by every user of this machine: chmod o-r ")
    assert "hunter2" not in told
    folder.write("hunter2\n", "a.password").chmod(0o644)
    [told] = said(folder, CAMERA.replace("password: hunter2", "password_file: a.password"), 0o644)
    assert told.startswith("a.password: holds a secret")


def test_pictures_for_the_whole_internet(folder):
    [told] = said(folder, "auth: {anonymous_viewing: true}\n", addresses=("10.0.0.1", "8.8.8.8"))
    assert told == "auth.anonymous_viewing: this machine has the public address 8.8.8.8: everybody on the internet may look"


def test_everything_in_the_clear_and_hsts_that_locks_out(folder):
    assert said(folder, "listen: {https: off}\n")[0].startswith("listen.https: is off")
    assert said(folder, "tls: {hsts: 1d}\n")[0].startswith("tls.hsts: with the certificate the box makes itself")


def test_a_folder_that_others_may_not_enter_protects_what_is_in_it(tmp_path: Path, monkeypatch):
    monkeypatch.undo()
    file = tmp_path / "in" / "config.yaml"
    file.parent.mkdir(mode=0o700)
    file.write_text("x")
    file.chmod(0o644)
    assert not harm._everybody_reads(file)
