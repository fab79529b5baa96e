"""The whole life of the service on a fresh Debian, under a real systemd, with packages from a folder and no network.

Needs root, debootstrap, systemd-nspawn, network for the preparation, and some minutes: only with GATEWAY_DEBOOTSTRAP=1.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))

from child import ROOT, Child, until

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.environ.get("GATEWAY_DEBOOTSTRAP") != "1", reason="some minutes: GATEWAY_DEBOOTSTRAP=1 runs it"),
]

PARTS = ("gateway", "web", "systemd", "install", "install.sh", "config.yaml", "package.json", "package-lock.json")
SUITE = os.environ.get("GATEWAY_DEBOOTSTRAP_SUITE", "bookworm")
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,iproute2,procps"
CAMERAS = """cameras:
  yard: {address: 10.9.9.9, username: admin, password: "${credential:yard}"}
  door: {rtsp: "rtsp://127.0.0.1:1/live"}
"""
BOOTED_S = 60.0


class Debian:
    """A Debian of its own, with a network of its own in which there is nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.tree = folder / "tree"
        self.wheels = folder / "wheels"
        self._mirror = next(
            (
                found[1]
                for file in sorted(Path("/etc/apt").rglob("*.sources"))
                if (found := re.search(r"^URIs: (\S+)", file.read_text(), re.MULTILINE))
            ),
            "",
        )
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(self.root), *filter(None, [self._mirror])],
            check=True,
            timeout=1800,
            stdout=subprocess.DEVNULL,
        )
        self.release("")
        python = min((self.root / "usr/bin").glob("python3.[0-9]*")).name.removeprefix("python")
        subprocess.run([self.tree / "install.sh", "wheels", str(self.wheels), "--python", python], check=True, timeout=900)
        shutil.rmtree(self.tree / ".venv")
        self.boots = 0
        self.boot()

    def release(self, version: str, path: str = "", old: str = "", new: str = "") -> None:
        """The folder becomes another release. It stays the same folder: it is mounted."""
        self.tree.mkdir(exist_ok=True)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.rmtree(self.tree / part, ignore_errors=True)
                shutil.copytree(ROOT / part, self.tree / part, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
            else:
                shutil.copy(ROOT / part, self.tree / part)
        for lock in ROOT.glob("requirements*.lock"):
            shutil.copy(lock, self.tree / lock.name)
        if version:
            init = self.tree / "gateway/__init__.py"
            init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', init.read_text()))
        if path:
            text = (self.tree / path).read_text()
            assert old in text
            (self.tree / path).write_text(text.replace(old, new))

    def boot(self) -> None:
        self.boots += 1
        command = ["systemd-nspawn", "--directory", str(self.root), "--boot", "--quiet", "--register=no", "--keep-unit"]
        command += ["--private-network", "--console=pipe", f"--machine=install-{os.getpid()}"]
        command += [f"--bind-ro={self.tree}:/tree", f"--bind-ro={self.wheels}:/wheels"]
        self.child = Child(command, self.folder / f"boot-{self.boots}.log")
        until(lambda: "running" in self.run("systemctl is-system-running"), BOOTED_S, "booted")

    @property
    def leader(self) -> int:
        found = subprocess.run(["pgrep", "-P", str(self.child.pid)], capture_output=True, text=True, check=False).stdout.split()
        return int(found[0]) if found else 0

    def run(self, command: str, timeout_s: float = 600) -> str:
        """What a root shell inside says, standard error included; its last line is the exit code."""
        inside = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env", "-i"]
        inside += ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "bash", "-c", f"({command}); echo $?"]
        done = subprocess.run(
            inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s, check=False
        )
        return done.stdout

    def install(self, command: str, within_s: int = 60) -> tuple[int, str]:
        said = self.run(f"cd /tree && HEALTHY_WITHIN_S={within_s} ./install.sh {command}")
        print(f"--- {command}\n{said}")
        return int(said.split()[-1]), said

    def show(self, name: str) -> str:
        return self.run(f"systemctl show -p {name} --value camera-gateway").splitlines()[0]

    def running(self) -> str:
        """The release of the running process."""
        found = re.search(
            r"releases/([\d.]+)-", self.run("cat /proc/$(systemctl show -p MainPID --value camera-gateway)/cmdline")
        )
        return found[1] if found else ""

    def cut_the_power(self) -> None:
        os.kill(self.leader, signal.SIGKILL)
        self.child.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    made = Debian(tmp_path_factory.mktemp("debian"))
    yield made
    if made.leader:
        os.kill(made.leader, signal.SIGKILL)
    made.child.end(signal.SIGKILL)
    shutil.rmtree(made.folder, ignore_errors=True)  # a gigabyte


def test_install_is_one_command_without_network(debian: Debian) -> None:
    code, said = debian.install("install --offline /wheels")
    assert code == 0
    assert "  password  " in said
    assert "active (running)" in said
    assert debian.show("ActiveState") == "active"
    assert "enabled" in debian.run("systemctl is-enabled camera-gateway")
    password = said.split("  password  ")[1].split()[0]
    assert password not in debian.run("journalctl -u camera-gateway --no-pager")


def test_credentials_fields_and_lock_in_are_real(debian: Debian) -> None:
    (debian.root / "etc/camera-gateway/credentials/yard").write_text("s3cret\n")
    (debian.root / "etc/camera-gateway/conf.d/a.yaml").write_text(CAMERAS)
    debian.run("chgrp camera-gateway /etc/camera-gateway/conf.d/a.yaml; systemctl restart camera-gateway")
    until(lambda: debian.show("StatusText") == "2 cameras, 0 live", 30, "its cameras")
    until(lambda: "CODE=unreachable" in debian.run("journalctl CAMERA=door -o export --no-pager"), 30, "fields")
    status = debian.run("cat /proc/$(systemctl show -p MainPID --value camera-gateway)/status")
    assert "CapEff:\t0000000000000400" in status
    assert "Seccomp:\t2" in status


def test_reload_and_installing_again_keep_the_process(debian: Debian) -> None:
    before = debian.show("MainPID")
    assert debian.run("systemctl reload camera-gateway").splitlines()[-1] == "0"
    code, _ = debian.install("install --offline /wheels")
    assert code == 0
    assert debian.show("MainPID") == before


def test_a_good_release_takes_over(debian: Debian) -> None:
    debian.release("9.1")
    code, _ = debian.install("upgrade --offline /wheels")
    assert code == 0
    assert debian.running() == "9.1"


@pytest.mark.parametrize(
    ("version", "path", "old", "new", "reason"),
    [
        ("9.2", "gateway/cli.py", "def main(", "def main((", "the new release does not start"),
        ("9.3", "gateway/service.py", "class Service:", "class Service", "it has fallen over 3 times"),
        (
            "9.4",
            "gateway/run.py",
            "    await service.run(stop)",
            "    await asyncio.sleep(1.5)\n    os._exit(3)",
            "has fallen over",
        ),
        ("9.5", "gateway/run.py", "    notifier.ready()\n    started", "    started", "and not ready"),
    ],
)
def test_a_broken_release_is_taken_back(debian: Debian, version: str, path: str, old: str, new: str, reason: str) -> None:
    debian.release(version, path, old, new)
    code, said = debian.install("upgrade --offline /wheels", within_s=25)
    assert code == 1
    assert reason in said
    assert debian.running() == "9.1"
    assert debian.show("ActiveState") == "active"


def test_a_power_cut_in_the_middle_of_an_upgrade_leaves_the_old_release(debian: Debian) -> None:
    debian.release("9.6", "gateway/run.py", "    notifier.ready()\n    started", "    started")
    inside = [
        "nsenter",
        "-t",
        str(debian.leader),
        "-a",
        "-r",
        "-w",
        "bash",
        "-c",
        "cd /tree && ./install.sh upgrade --offline /wheels",
    ]
    upgrade = Child(inside, debian.folder / "cut.log")
    until(lambda: debian.running() == "9.6", 300, "on probation")
    debian.cut_the_power()
    upgrade.end(signal.SIGKILL)
    debian.boot()
    until(lambda: debian.running() == "9.1" and debian.show("ActiveState") == "active", 60, "the old release")


def test_a_hung_gateway_is_started_again_by_the_watchdog(debian: Debian) -> None:
    before = debian.show("MainPID")
    debian.run(f"kill -STOP {before}")
    began = time.monotonic()
    until(lambda: debian.show("MainPID") not in ("0", before) and debian.show("ActiveState") == "active", 90, "a new process")
    print(f"back after {time.monotonic() - began:.0f} s")
    assert "Fatal Python error: Aborted" in debian.run("journalctl -u camera-gateway --no-pager -o cat")


def test_uninstall_keeps_what_is_the_owners_and_purge_does_not(debian: Debian) -> None:
    assert debian.install("uninstall")[0] == 0
    assert not (debian.root / "opt/camera-gateway").exists()
    assert (debian.root / "etc/camera-gateway/config.yaml").exists()
    assert debian.install("uninstall --purge")[0] == 0
    assert not (debian.root / "etc/camera-gateway").exists()
    assert not (debian.root / "var/lib/camera-gateway").exists()
    assert "camera-gateway" not in (debian.root / "etc/passwd").read_text()
