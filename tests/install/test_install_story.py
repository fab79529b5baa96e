"""Install, upgrade, break, uninstall: the real gateway under a systemctl that really starts it, below a folder of its own.

One story: every test needs what the one before it left. The same with Debian's packages and a real
systemd is in test_install_debian.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))

from child import ROOT, free_port

from gateway import __version__

pytestmark = pytest.mark.timeout(300)  # on a busy machine

SYSTEMCTL = ROOT / "tests/testbed/fake_systemctl.py"
PARTS = ("gateway", "web", "systemd", "install", "install.sh", "config.yaml", "package.json", "package-lock.json")
PYTHON = """
# A Python whose virtual environments have the packages of the one that runs this test.
if [ "$1 $2" = "-m venv" ]; then
    "{python}" -m venv --without-pip "$3" || exit 1
    echo "{packages}" >"$(echo "$3"/lib/python3*/site-packages)/borrowed.pth"
    exit
fi
exec "{python}" "$@"
"""
INSTALL = """
kept=()
while [ "$#" -gt 0 ]; do
    case "$1" in -g | -o) shift 2 ;; *) kept+=("$1") && shift ;; esac
done
exec "{install}" "${{kept[@]}}"
"""
ID = """
case "$*" in -u) echo 0 ;; "-u camera-gateway") exec {id} -u ;; "-g camera-gateway") exec {id} -g ;; *) exec {id} "$@" ;; esac
"""


class Box:
    """A machine below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree = folder / "tree"
        self.root = folder / "root"
        self.commands = folder / "bin"
        self.systemd = folder / "systemd"
        for one in (self.tree, self.commands, self.systemd, self.root / "run/systemd/system", self.etc):
            one.mkdir(parents=True)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, self.tree / part, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
            else:
                shutil.copy(ROOT / part, self.tree / part)
        for lock in ("", "-build", "-npm"):
            (self.tree / f"requirements{lock}.lock").write_text("# borrowed\n")
        vendor = self.tree / "web/static/vendor"
        vendor.mkdir(parents=True)
        (vendor / "hls.light.min.mjs").write_text("export default null;\n")
        checked = subprocess.run(["sha256sum", "package-lock.json"], cwd=self.tree, capture_output=True, text=True, check=True)
        (vendor / "hls.light.min.mjs.lock").write_text(checked.stdout)
        tools = {name: shutil.which(name) for name in ("install", "id")}
        self.has("python-of-the-box", PYTHON.format(python=sys.executable, packages=sysconfig.get_path("purelib")))
        self.has("install", INSTALL.format(**tools))
        self.has("id", ID.format(**tools))
        self.has("chown", "")
        self.has("useradd", f"touch {folder}/user")
        self.has("userdel", f"rm {folder}/user")
        self.has("getent", f"[ -e {folder}/user ]")
        self.has("systemctl", f'exec "{sys.executable}" "{SYSTEMCTL}" "$@"')
        self.has("journalctl", f'[[ "$*" == *--priority* ]] || tail -n 15 "{self.systemd}/log"')
        self.has("ufw", "echo 'Status: active'")
        self.has("ss", "")
        self.port = free_port()
        (self.etc / "config.yaml").write_text(
            f"listen: {{https: off, http: '127.0.0.1:{self.port}', rtmp: off}}\n"
            f"data_dir: {self.root}/var/lib/camera-gateway\n"
            "discovery: {enabled: false}\n"
            "cameras: {yard: {rtsp: 'rtsp://127.0.0.1:1/live', username: admin, password: '${credential:yard}'}}\n"
        )
        (self.etc / "credentials").mkdir()
        (self.etc / "credentials/yard").write_text("s3cret\n")

    @property
    def etc(self) -> Path:
        return self.root / "etc/camera-gateway"

    @property
    def prefix(self) -> Path:
        return self.root / "opt/camera-gateway"

    @property
    def unit(self) -> Path:
        return self.root / "etc/systemd/system/camera-gateway.service"

    @property
    def trial(self) -> Path:
        return self.root / "run/systemd/system.control/camera-gateway.service"

    @property
    def releases(self) -> list[str]:
        """Their versions."""
        return sorted(one.name.split("-")[0] for one in self.prefix.glob("releases/*"))

    @property
    def enabled(self) -> bool:
        return (self.systemd / "enabled").read_text() == "yes"

    def has(self, command: str, script: str) -> None:
        path = self.commands / command
        path.unlink(missing_ok=True)  # it may be a link to the system's own
        path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
        path.chmod(0o755)

    def run(self, *arguments: str, within_s: int = 60) -> subprocess.CompletedProcess[str]:
        """./install.sh as root of this machine."""
        environ = {
            "PATH": f"{self.commands}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            "INSTALL_ROOT": str(self.root),
            "FAKE_SYSTEMD": str(self.systemd),
            "PYTHON": "python-of-the-box",
            "HEALTHY_WITHIN_S": str(within_s),
            "HEALTHY_FOR_S": "1",
            "LC_ALL": "C.UTF-8",
        }
        command = [str(self.tree / "install.sh"), *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=280, check=False)

    def release(self, version: str, **changes: tuple[str, str]) -> None:
        """The folder becomes another release: its version, and texts replaced in modules of the gateway."""
        now = f'__version__ = "{__version__}"'
        for path, (old, new) in {"__init__": (now, f'__version__ = "{version}"'), **changes}.items():
            original = (ROOT / f"gateway/{path}.py").read_text()
            assert old in original, (path, old)
            (self.tree / f"gateway/{path}.py").write_text(original.replace(old, new))

    def running(self) -> dict[str, object]:
        return json.loads((self.systemd / "state").read_text())

    def command_line(self) -> str:
        return Path(f"/proc/{self.running()['MainPID']}/cmdline").read_text().replace("\0", " ")

    def end(self) -> None:
        environ = {**os.environ, "FAKE_SYSTEMD": str(self.systemd)}
        subprocess.run([sys.executable, str(SYSTEMCTL), "stop"], env=environ, check=False, timeout=30)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made = Box(tmp_path_factory.mktemp("box"))
    yield made
    made.end()


def test_it_installs_and_says_everything_once(box: Box) -> None:
    result = box.run()
    assert result.returncode == 0, result.stdout + result.stderr
    said = result.stdout
    assert f"http://127.0.0.1:{box.port}/" in said
    assert "█" in said
    assert "active (running), 1 cameras, 0 live" in said
    assert f"sudo ufw allow {box.port}/tcp" in said
    password = said.split("  password  ")[1].split()[0]
    assert password not in (box.systemd / "log").read_text()
    hashed = box.root / "var/lib/camera-gateway/secrets/admin.hash"
    assert hashed.read_text().startswith("scrypt:")
    assert box.running()["ActiveState"] == "active"
    assert box.enabled
    assert (box.prefix / "current").resolve() == next(box.prefix.glob("releases/*"))
    assert str((box.prefix / "current").resolve()) in box.command_line()
    assert (box.etc / "credentials").stat().st_mode & 0o777 == 0o700


def test_installing_again_interrupts_nothing(box: Box) -> None:
    before = box.running()["MainPID"]
    result = box.run("install")
    assert result.returncode == 0, result.stderr
    assert "password" not in result.stdout
    assert "Installing" not in result.stdout
    assert box.running()["MainPID"] == before


def test_a_good_release_takes_over(box: Box) -> None:
    box.release("9.1")
    config = (box.etc / "config.yaml").read_text()
    result = box.run("upgrade")
    assert result.returncode == 0, result.stdout + result.stderr
    assert box.releases[-1] == "9.1"
    assert len(box.releases) == 2
    assert "/releases/9.1-" in box.command_line()
    assert "/releases/9.1-" in box.unit.read_text()
    assert "/releases/9.1-" in str((box.prefix / "current").resolve())
    assert not box.trial.exists()
    assert (box.etc / "config.yaml").read_text() == config
    status = box.run("status", "--json")
    assert status.returncode == 0
    assert json.loads(status.stdout)["version"] == "9.1"


def is_untouched(box: Box) -> None:
    assert "/releases/9.1-" in box.unit.read_text()
    assert "/releases/9.1-" in box.command_line()
    assert box.running()["ActiveState"] == "active"
    assert not box.trial.exists()
    assert "9.1" in box.releases


def test_a_release_that_does_not_start_is_not_tried(box: Box) -> None:
    before = box.running()["MainPID"]
    box.release("9.2", cli=("def main(", "def main(("))
    result = box.run("upgrade")
    assert result.returncode == 1
    assert "SyntaxError" in result.stderr
    assert "the new release does not start; what was installed before runs on" in result.stderr
    is_untouched(box)
    assert box.running()["MainPID"] == before
    box.release("9.2", cli=("def main(", "def main("))


def test_a_release_that_falls_over_is_taken_back(box: Box) -> None:
    box.release("9.3", run=("    await service.run(stop)\n", "    await asyncio.sleep(0.3)\n    os._exit(3)\n"))
    result = box.run("upgrade")
    assert result.returncode == 1
    assert "the new release is not healthy: it has fallen over 3 times" in result.stderr
    assert "runs again" in result.stderr
    is_untouched(box)
    assert "9.3" not in box.releases


def test_a_release_that_is_never_ready_is_taken_back(box: Box) -> None:
    box.release("9.4", run=("    notifier.ready()\n    started", "    started"))
    result = box.run("upgrade", within_s=4)
    assert result.returncode == 1
    assert "the new release is not healthy: after 4 s it is activating and not ready" in result.stderr
    is_untouched(box)
    box.release("9.4", run=("notifier", "notifier"))


def test_an_upgrade_that_was_killed_is_undone(box: Box) -> None:
    """As it is left by kill -9; a power cut empties /run, and so needs nobody to undo it."""
    box.trial.parent.mkdir(parents=True, exist_ok=True)
    box.trial.write_text("[Service]\nExecStart=/bin/false\n")
    box.release("9.1")
    result = box.run("install")
    assert result.returncode == 0, result.stderr
    assert "an earlier upgrade was cut off" in result.stderr
    is_untouched(box)


def test_removing_it_keeps_what_is_the_owners(box: Box) -> None:
    result = box.run("uninstall")
    assert result.returncode == 0, result.stderr
    assert not box.unit.exists()
    assert not box.prefix.exists()
    assert not box.enabled
    assert box.running()["ActiveState"] == "inactive"
    assert (box.etc / "config.yaml").exists()
    assert (box.root / "var/lib/camera-gateway/secrets/admin.hash").exists()
    again = box.run("uninstall")
    assert again.returncode == 1
    assert "the service is not installed" in again.stderr


def test_purging_it_leaves_nothing(box: Box) -> None:
    result = box.run("uninstall", "--purge")
    assert result.returncode == 0, result.stderr
    assert not box.etc.exists()
    assert not (box.root / "var/lib/camera-gateway").exists()
    assert not (box.folder / "user").exists()
