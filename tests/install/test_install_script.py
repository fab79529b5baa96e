"""install.sh on machines that lack something. Each runs in a copy, with a PATH of its own and without a network."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = "basename bash cat chmod cp dirname env find flock grep ls mkdir mktemp mv readlink rm sed sha256sum sort stat tail tr"
"""Commands every system has; all others a test gives to its machine by name."""
COPIED = ("install.sh", "config.yaml", "package.json", "package-lock.json")
OTHER_SYSTEM = "ID=fedora\nVERSION_ID=43\n"


class Machine:
    """A copy of the tree, and what this machine can run."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.commands = folder / "bin"
        self.os_release = folder / "os-release"
        self.tree.mkdir()
        self.commands.mkdir()
        for name in COPIED:
            shutil.copy(ROOT / name, self.tree / name)
        shutil.copytree(ROOT / "install", self.tree / "install")
        for lock in ROOT.glob("requirements*.lock"):
            shutil.copy(lock, self.tree / lock.name)
        for tool in TOOLS.split():
            found = shutil.which(tool)
            assert found, tool
            (self.commands / tool).symlink_to(found)
        self.has("id", "echo 1000")
        self.has("uname", "echo x86_64")
        self.os_release.write_text(OTHER_SYSTEM)

    def has(self, command: str, script: str) -> None:
        """Give the machine a command."""
        path = self.commands / command
        path.unlink(missing_ok=True)  # it may be a link to the system's own
        path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
        path.chmod(0o755)

    def run(self, *arguments: str, python: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """./install.sh on this machine."""
        environ = {
            "PATH": str(self.commands),
            "HOME": str(self.tree),
            "OS_RELEASE": str(self.os_release),
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "LC_ALL": "C.UTF-8",
            **more,
        }
        if python:
            environ["PYTHON"] = python
        command = [str(self.tree / "install.sh"), *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)

    def with_installation(self) -> None:
        """As after a successful `install.sh prepare`, with the packages of the Python that runs this test."""
        venv = self.tree / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
        packages = next(venv.glob("lib/python3*/site-packages"))
        packages.joinpath("borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        venv.joinpath("made-for").write_text("{} {}.{}\n".format(self.tree, *sys.version_info))
        venv.joinpath("installed").write_text(self.fingerprint("requirements.lock", "requirements-build.lock"))
        venv.joinpath("bin", "gateway").write_text(f'#!{shutil.which("bash")}\necho "gateway $*"\n')
        venv.joinpath("bin", "gateway").chmod(0o755)
        vendor = self.tree / "web/static/vendor"
        vendor.mkdir(parents=True)
        vendor.joinpath("hls.light.min.mjs").write_text("export default null;\n")
        vendor.joinpath("hls.light.min.mjs.lock").write_text(self.checksum("package-lock.json"))

    def fingerprint(self, *names: str) -> str:
        return f"{self.tree}\n1\n" + "".join(self.checksum(name) for name in names)

    def checksum(self, name: str) -> str:
        return f"{hashlib.sha256((self.tree / name).read_bytes()).hexdigest()}  {name}\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_help_names_the_commands(machine: Machine) -> None:
    for arguments in (["--help"], ["help"], []):
        result = machine.run(*arguments)
        assert result.returncode == 0
        for command in ("demo", "run", "prepare", "test", "install", "upgrade", "status", "uninstall", "wheels"):
            assert f"\n  {command} " in result.stdout


def test_an_unknown_command_is_wrong_input(machine: Machine) -> None:
    result = machine.run("start")
    assert result.returncode == 2
    assert 'unknown command "start"' in result.stderr


@pytest.mark.parametrize(
    ("python", "system", "expected"),
    [
        ("3.9 64 venv", OTHER_SYSTEM, ["needed, but python3 is 3.9", "point PYTHON to it"]),
        ("3.15 64 venv", OTHER_SYSTEM, ["needed, but python3 is 3.15"]),
        ("3.10 64 venv", 'ID=ubuntu\nVERSION_ID="22.04"\n', ["apt-get install -y", "python3.11 python3.11-venv"]),
        ("3.9 64 venv", 'ID=debian\nVERSION_ID="11"\n', ["needed, but python3 is 3.9"]),
        ("", 'ID=debian\nVERSION_ID="13"\n', ["apt-get install -y", "python3 python3-venv"]),
        ("3.12 64 bare", OTHER_SYSTEM, ["apt-get install -y", "python3.12-venv"]),
        ("3.11 32 venv", OTHER_SYSTEM, ["python3 is a 32-bit program", "64-bit system"]),
    ],
)
def test_without_a_python_it_says_which_to_install(machine: Machine, python: str, system: str, expected: list[str]) -> None:
    machine.os_release.write_text(system)
    machine.has("apt-get", "exit 1")
    if python:
        machine.has("python3", f"echo {python}")
    result = machine.run("run")
    assert result.returncode == 1
    for part in expected:
        assert part in result.stderr
    assert not (machine.tree / ".venv").exists()


def test_root_gets_the_missing_python_installed(machine: Machine) -> None:
    machine.os_release.write_text('ID=ubuntu\nVERSION_ID="22.04"\n')
    machine.has("id", "echo 0")
    machine.has("python3", "echo 3.10 64 venv")
    machine.has("apt-get", f'echo "$*" >>{machine.tree}/apt; echo "no such package"; [[ "$*" != *install* ]]')
    result = machine.run("run")
    assert result.returncode == 1
    asked = (machine.tree / "apt").read_text().splitlines()
    assert asked[0].endswith("update")
    assert asked[1].endswith("install --no-install-recommends python3.11 python3.11-venv")
    assert "no such package" in result.stderr
    assert "could not install python3.11 python3.11-venv" in result.stderr


def test_a_32_bit_board_is_told_so(machine: Machine) -> None:
    machine.has("uname", "echo armv7l")
    assert "do not exist for armv7l" in machine.run("run").stderr


def test_a_wrong_choice_of_python_is_told_so(machine: Machine) -> None:
    assert "PYTHON=/nonexistent is no Python 3.11 to 3.14" in machine.run("run", python="/nonexistent").stderr


def test_packages_the_tests_need_are_named_before_anything_else_is_done(machine: Machine) -> None:
    machine.has("apt-get", "exit 1")
    result = machine.run("test")
    assert result.returncode == 1
    players = ("ffmpeg", "rtmpdump", "mpv", "vlc-bin", "gstreamer1.0-tools")
    for package in (*players, "nodejs", "curl", "openssl", "iproute2", "chromium", "firefox-esr"):
        assert package in result.stderr
    assert not (machine.tree / ".venv").exists()


def test_no_network_is_named_as_the_cause_and_a_half_made_environment_is_replaced(machine: Machine) -> None:
    leftover = machine.tree / ".venv/bin/python"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half a file")
    result = machine.run("run", python=sys.executable)
    assert result.returncode == 1
    assert "Making .venv" in result.stdout
    assert "the Python package index could not be reached" in result.stderr
    assert not (machine.tree / ".venv/installed").exists()


def test_a_second_run_starts_at_once_and_installs_nothing(machine: Machine) -> None:
    machine.with_installation()
    started = time.monotonic()
    result = machine.run("run", "--verbose")
    assert (result.returncode, result.stdout, result.stderr) == (0, "gateway run -c config.yaml --verbose\n", "")
    assert time.monotonic() - started < 5
    assert machine.run("demo").stdout == "gateway demo\n"


def test_a_new_lock_is_installed_into_what_is_there(machine: Machine) -> None:
    machine.with_installation()
    with machine.tree.joinpath("requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    result = machine.run("run", python=sys.executable)
    assert "Installing Python packages" in result.stdout


def test_a_folder_that_was_moved_is_installed_anew(machine: Machine) -> None:
    machine.with_installation()
    machine.tree = machine.tree.rename(machine.tree.with_name("moved here"))
    assert "Making .venv" in machine.run("run", python=sys.executable).stdout


def test_the_gateway_starts_without_hls_js(machine: Machine) -> None:
    machine.with_installation()
    (machine.tree / "web/static/vendor/hls.light.min.mjs").unlink()
    machine.has("npm", '[ "$1" = --version ] || { echo "registry is down"; exit 1; }')
    result = machine.run("run")
    assert result.returncode == 0
    assert "gateway run" in result.stdout
    assert "registry is down" in result.stderr
    assert "warning: hls.js is not installed" in result.stderr


@pytest.mark.parametrize("command", ["install", "service", "upgrade", "uninstall"])
def test_a_service_needs_root(machine: Machine, command: str) -> None:
    result = machine.run(command)
    assert result.returncode == 1
    assert "by root" in result.stderr
    assert "sudo ./install.sh" in result.stderr


class Server(Machine):
    """A machine on which root may install a service, and nothing is missing yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / "root"
        (self.root / "run/systemd/system").mkdir(parents=True)
        for tool in ("cut", "date", "df", "head", "touch"):
            (self.commands / tool).symlink_to(str(shutil.which(tool)))
        for tool in ("useradd", "getent", "sync", "install", "xargs"):
            self.has(tool, "exit 1")
        self.has("id", "echo 0")
        self.has("systemctl", "echo 'systemd 252 (252)'")
        self.has("python3", "echo 3.11 64 venv")
        self.has("getconf", "echo 64")
        self.memory(4_000_000)

    def memory(self, kilobytes: int) -> None:
        (self.root / "meminfo").write_text(f"MemTotal:       {kilobytes} kB\n")

    def install(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run(*(arguments or ("install",)), INSTALL_ROOT=str(self.root), MEMINFO=f"{self.root}/meminfo", **more)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_everything_that_is_missing_is_said_at_once(server: Server) -> None:
    server.has("uname", "echo armv7l")
    server.has("getconf", "echo 32")
    server.has("systemctl", "echo 'systemd 241 (241)'")
    server.has("df", "echo header; echo '/dev/sda1 100 90 10240 99% /'")
    server.has("date", "echo 1000000")
    server.has("ss", """echo 'LISTEN 0 511 *:8080 *:* users:(("nginx",pid=77,fd=6))'""")
    server.memory(250_000)
    (server.commands / "useradd").unlink()
    result = server.install()
    assert result.returncode == 1
    for part in (
        "this machine is not ready",
        "the media libraries do not exist for armv7l",
        "a 64-bit kernel with a 32-bit system",
        "systemd 241 is too old",
        "these commands are missing: useradd",
        "244 MB of memory",
        "10 MB are free for",
        "which is before this program was made",
        "port 8080 is in use by nginx (process 77)",
    ):
        assert part in result.stderr
    assert not (server.root / "opt").exists()
    assert not (server.root / "etc").exists()


@pytest.mark.parametrize(
    ("python", "system", "said"),
    [
        ("3.9 64 venv", OTHER_SYSTEM, True),
        ("3.12 64 bare", OTHER_SYSTEM, True),
        ("3.9 64 venv", 'ID=debian\nVERSION_ID="12"\n', False),
    ],
)
def test_a_python_that_can_be_installed_is_not_missing(server: Server, python: str, system: str, said: bool) -> None:
    server.os_release.write_text(system)
    server.has("python3", f"echo {python}")
    if not said:
        server.has("apt-get", "exit 1")
    assert ("Python 3.11 to 3.14 with venv is missing" in server.install().stderr) is said


def test_little_memory_is_a_warning(server: Server) -> None:
    server.memory(430_000)
    server.has("uname", "echo armv7l")
    result = server.install()
    assert "warning: 419 MB of memory serve a few cameras" in result.stderr
    assert "- 419 MB" not in result.stderr


def test_ports_of_a_configuration_that_is_there_are_its_owners_business(server: Server) -> None:
    server.has("uname", "echo armv7l")
    server.has("ss", """echo 'LISTEN 0 511 *:8080 *:* users:(("nginx",pid=77,fd=6))'""")
    (server.root / "etc/camera-gateway").mkdir(parents=True)
    (server.root / "etc/camera-gateway/config.yaml").write_text("cameras: {}\n")
    assert "port 8080" not in server.install().stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("install", "--prefix", "relative"), "--prefix needs a folder that begins with /"),
        (("install", "--prefix", "/srv/a b"), "the service cannot live in"),
        (("install", "--prefix", "/home/pi/gateway"), "the service cannot live in"),
        (("install", "--offline", "/proc/no-such-folder"), "--offline needs a folder"),
        (("install", "--purge"), '"install" does not know "--purge"'),
        (("uninstall", "everything"), '"uninstall" does not know "everything"'),
    ],
)
def test_a_wrong_option_is_wrong_input_and_changes_nothing(server: Server, arguments: tuple[str, ...], said: str) -> None:
    result = server.install(*arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert not (server.root / "opt").exists()


def test_what_is_not_installed_can_neither_be_upgraded_nor_asked_nor_removed(server: Server) -> None:
    for command in ("upgrade", "status", "uninstall"):
        result = server.install(command)
        assert result.returncode == 1
        assert "there is no service to upgrade" in result.stderr or "the service is not installed" in result.stderr


@pytest.mark.parametrize(
    ("made_for", "said"),
    [
        (None, "is no folder made by"),
        ("aarch64 3.11", "holds packages for aarch64, this is x86_64"),
    ],
)
def test_packages_for_another_machine_are_refused_before_anything_is_done(
    server: Server, tmp_path: Path, made_for: str | None, said: str
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    if made_for:
        (wheels / "made-for").write_text(made_for + "\n")
    result = server.install("install", "--offline", str(wheels))
    assert result.returncode == 1
    assert said in result.stderr
    assert not (server.root / "opt").exists()


def test_a_player_that_is_not_the_locked_one_is_refused(machine: Machine, tmp_path: Path) -> None:
    """Offline, the folder is all there is: what was changed in it must not reach a browser."""
    machine.with_installation()
    player = machine.tree / "web/static/vendor/hls.light.min.mjs"
    player.unlink()
    (tmp_path / "hls.js-1.7.4.tgz").write_bytes(b"something else")
    result = machine.run("prepare", WHEELS=str(tmp_path))
    assert "is not the package that was locked" in result.stderr
    assert not player.exists()


def test_the_build_server_runs_the_same_command_as_everybody() -> None:
    for script in (ROOT / "install.sh", ROOT / ".ci/run"):
        assert os.access(script, os.X_OK)
    assert 'exec ./install.sh test "$@"' in (ROOT / ".ci/run").read_text()
