"""Whatever a power cut or a dying disk left of the files: the gateway starts or says clearly why not, and lets nobody in.

See design/state-files.md.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from gateway.access.grants import Right
from gateway.access.keyring import Keyring
from gateway.access.tokens import TokenWish
from gateway.config import drop_in
from gateway.config.load import load
from gateway.config.model import Camera, Config, Discovery, HostPort, Listen
from gateway.errors import ConfigError, InstanceError
from gateway.http.access import Access
from gateway.http.certificates import Certificates
from gateway.instance import InstanceLock
from gateway.journal.database import Database
from gateway.private_files import write_atomically
from gateway.service import Service
from gateway.sources.address_book import AddressBook
from gateway.sources.identity import Identity

ROOT = Path(__file__).parents[2]
ANY = HostPort("127.0.0.1", 0)
PASSWORD = "right"

FILES = (
    "secrets/admin.hash",
    "secrets/session.key",
    "secrets/access.json",
    "secrets/.access.lock",
    "cameras.json",
    "incidents.db",
    "incidents.db-wal",
    "audit.jsonl",
    "gateway.lock",
    "tls/ca.pem",
    "tls/ca.key",
    "tls/server.pem",
)
DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.touch(),
    "half": lambda path: None,
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "folder": lambda path: (path.mkdir(), (path / "x").touch()),
    "unreadable": lambda path: path.symlink_to("/proc/self/mem"),
}
"""`unreadable`: reading it fails with EIO, as on a card that dies, also for root."""
REFUSES = {
    ("secrets/admin.hash", "unreadable"): "cannot be read: Input/output error; give it to .*secrets/admin.hash",
    ("secrets/session.key", "unreadable"): "cannot be read: Input/output error; give it to .*secrets/session.key",
    ("secrets/access.json", "unreadable"): "cannot be read: Input/output error; give it to .*secrets/access.json",
    ("secrets/.access.lock", "folder"): "secrets/.access.lock",
    ("gateway.lock", "folder"): "cannot use the data directory",
    ("gateway.lock", "unreadable"): "cannot use the data directory",
    ("tls/server.pem", "unreadable"): "the certificate could not be made: .*Input/output error",
}
"""What is said instead of starting. Everything else starts."""
SILENT = {"missing", "unreadable"}
NEEDED = ("secrets/admin.hash", "secrets/session.key", "secrets/access.json", "cameras.json", "incidents.db", "tls/ca.pem",
          "tls/ca.key", "tls/server.pem")  # fmt: skip
"""Whose damage is named in the log, and which are kept for whoever wants to look."""


@dataclasses.dataclass(frozen=True)
class Before:
    """A data directory as a gateway left it, and what opened it."""

    folder: Path
    viewing: str
    revoked: str
    token: str


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    folder = tmp_path_factory.mktemp("before")
    (folder / "secrets").mkdir()
    (folder / "secrets" / "admin.hash").write_text(generate_password_hash(PASSWORD, method="scrypt:1024:8:1"))
    keyring = Keyring.of(folder)
    first = keyring.viewing_token
    viewing = keyring.renew_viewing_token()
    _, token = keyring.create_token(TokenWish("prom", (Right.VIEW,)), "admin")
    keyring.end_logins("admin")
    book = AddressBook(folder / "cameras.json", write_atomically)
    book.learn(Camera(id="yard", name="Yard", address="127.0.0.2"), Identity(serial="4711"))
    book.save()
    database = Database.open(folder / "incidents.db")
    database.begin_run(time.time())
    database.close()
    (folder / "audit.jsonl").write_bytes(b'{"at": 1, "event": "sta')
    Certificates(folder).ensure()
    return Before(folder, viewing, first, token)


@pytest.fixture
def house(before: Before, tmp_path: Path) -> Path:
    return shutil.copytree(before.folder, tmp_path / "data")


def damage(path: Path, kind: str) -> None:
    content = path.read_bytes() if path.exists() else b""
    path.unlink(missing_ok=True)
    DAMAGES[kind](path)
    if kind == "half":
        path.write_bytes(content[: len(content) // 2])


@dataclasses.dataclass
class Seen:
    """What a start came to."""

    generated: str | None = None
    camera_asked: bool = False
    answers: dict[str, int] = dataclasses.field(default_factory=dict)


def status(port: int, login: str = "", token: str = "") -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/cameras{'?token=' + token if token else ''}")
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def start(data_dir: Path, before: Before, *, https: bool) -> Seen:
    """What `gateway run` does, up to a camera that is asked for its picture."""
    asked = asyncio.Event()
    camera = await asyncio.start_server(lambda _, writer: (asked.set(), writer.close()), "127.0.0.1", 0)
    port = camera.sockets[0].getsockname()[1]
    config = Config(
        listen=Listen(ANY if https else None, ANY, None),
        data_dir=data_dir,
        discovery=Discovery(enabled=False),
        cameras=(Camera(id="yard", name="Yard", rtsp=f"rtsp://127.0.0.1:{port}/"),),
    )
    seen = Seen()
    async with camera:
        with InstanceLock(data_dir):
            access, seen.generated = Access.open(data_dir)
            service = Service(config, access)
            try:
                await service.start()
                await asyncio.wait_for(asked.wait(), 5)
                seen.camera_asked = True
                if https:
                    with contextlib.suppress(OSError):
                        await service._http.refresh()  # which it would do two seconds later
                http = service.port("http")
                assert http is not None
                for name, login, token in (
                    ("nobody", "", ""),
                    ("no password", "admin:", ""),
                    ("the password", f"admin:{PASSWORD}", ""),
                    ("new password", f"admin:{seen.generated}" if seen.generated else "", ""),
                    ("viewing token", "", before.viewing),
                    ("revoked token", "", before.revoked),
                    ("API token", "", before.token),
                ):
                    seen.answers[name] = await asyncio.to_thread(status, http, login, token)
            finally:
                await service.stop()
    return seen


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_damage_costs_what_was_in_the_file_and_lets_nobody_in(
    name: str, kind: str, house: Path, before: Before, caplog: pytest.LogCaptureFixture
) -> None:
    path = house / name
    damage(path, kind)
    caplog.set_level(logging.INFO)
    https = name.startswith("tls/")
    if (name, kind) in REFUSES:
        with pytest.raises((OSError, InstanceError), match=REFUSES[name, kind]):
            asyncio.run(start(house, before, https=https))
        return
    seen = asyncio.run(start(house, before, https=https))
    assert seen.camera_asked
    opened = {who for who, answer in seen.answers.items() if answer == 200}
    allowed = {"the password", "viewing token", "API token"}
    if name == "secrets/admin.hash":
        allowed = {"new password", "viewing token", "API token"}
    elif name == "secrets/session.key":
        allowed = {"the password", "API token"}
    elif name == "secrets/access.json":
        allowed = {"the password"}
    assert opened == allowed, seen.answers
    said = [record.getMessage() for record in caplog.records if f"{Path(name).name} is damaged" in record.getMessage()]
    if name in NEEDED and kind not in SILENT and (name, kind) != ("incidents.db", "empty"):
        assert len(said) == 1, caplog.text
        assert path.with_name(path.name + ".damaged").exists()
    assert "Traceback" not in caplog.text
    if kind != "garbage":
        return
    # the next start finds everything in order
    caplog.clear()
    again = asyncio.run(start(house, before, https=https))
    assert {who for who, answer in again.answers.items() if answer == 200} == allowed - {"new password"}
    assert " is damaged" not in caplog.text


def test_a_list_of_tokens_that_vanished_brings_nothing_revoked_back(house: Path, before: Before) -> None:
    """The viewing token without any list is the first one, which was revoked."""
    (house / "secrets/access.json").unlink()
    assert asyncio.run(start(house, before, https=False)).answers["revoked token"] == 401


def test_sessions_that_were_ended_stay_ended_when_the_list_is_lost(house: Path) -> None:
    mark = Keyring.of(house).mark_of("admin")
    (house / "secrets/access.json").write_bytes(b"")
    assert Keyring.of(house).mark_of("admin") != mark
    (house / "secrets/access.json").unlink()
    (house / "secrets/.access.lock").unlink()
    untouched = Keyring.of(house).mark_of("admin")
    (house / "secrets/access.json").write_bytes(b"x")
    assert Keyring.of(house).mark_of("admin") != untouched


@pytest.mark.parametrize("content", [b"", b"cameras:\n  gate:\n    address: 192.0", b"cameras:\n  gate: {", b"\x00\xff" * 50])
def test_a_camera_file_that_is_damaged_is_named_with_its_line(content: bytes, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("cameras: {}\n")
    path = drop_in.write_new(config, drop_in.Entry("gate", "Gate", "192.0.2.9"), "adopted")
    assert [camera.id for camera in load(config, {}).cameras] == ["gate"]
    path.write_bytes(content)
    try:
        cameras = load(config, {}).cameras
    except ConfigError as error:
        assert all("gate.yaml" in finding for finding in error.findings)
    else:
        # what still reads as a configuration is one
        assert [camera.address for camera in cameras] in ([], ["192.0"])


def test_a_full_disk_does_not_keep_the_gateway_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.instance.os.write", full)
    with InstanceLock(tmp_path), pytest.raises(InstanceError, match="another gateway"):
        InstanceLock(tmp_path).acquire()


WRITER = """
import itertools, os, signal, sys, time
from pathlib import Path
from gateway.access.audit import AuditLog
from gateway.access.keyring import Keyring
from gateway.config import drop_in
from gateway.config.model import Camera
from gateway.journal.availability import HourRow
from gateway.journal.database import Database
from gateway.sources.address_book import AddressBook
from gateway.sources.identity import Identity
from gateway.private_files import write_atomically

folder = Path(sys.argv[1])

def write():
    book = AddressBook(folder / "cameras.json", write_atomically)
    keyring = Keyring.of(folder)
    audit = AuditLog(folder, rest_s=0.001, max_file_bytes=20_000)
    audit.start()
    database = Database.open(folder / "incidents.db")
    hash_file = folder / "secrets" / "admin.hash"
    hashed = hash_file.read_bytes()
    for number in itertools.count():
        book.learn(Camera(id="yard", name="Yard", address="192.0.2.1"), Identity(serial=str(number), hardware="x" * 5000))
        book.save()
        keyring.end_logins("admin")
        write_atomically(hash_file, hashed)
        audit.record("watch", "admin", "192.0.2.7", camera="c" * 150)
        database.write((), [HourRow("yard", hour, number % 3600, 1) for hour in range(200)], time.time())
        drop_in.write_new(folder / "config.yaml", drop_in.Entry(f"c{time.time_ns()}", "n" * 100, "192.0.2.1"), "adopted")
        (folder / "written").touch()

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        write()
    while not (folder / "written").exists():  # a busy machine may take longer than the first moments to write anything
        time.sleep(0.005)
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def killed(house: Path) -> Iterator[Callable[[float], None]]:
    """Kills a process that writes, so many seconds after it was begun, the first time once everything is written."""
    (house / "config.yaml").write_text("cameras: {}\n")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(house)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as parent:

        def run(after_s: float) -> None:
            assert parent.stdin is not None
            assert parent.stdout is not None
            print(after_s, file=parent.stdin, flush=True)
            assert int(parent.stdout.readline()) == -signal.SIGKILL

        yield run
        parent.kill()


def test_a_process_that_is_killed_while_it_writes_leaves_every_file_whole(
    killed: Callable[[float], None], house: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty times: moments that differ by primes of a millisecond."""
    key = (house / "secrets/session.key").read_bytes()
    for turn in range(20):
        killed(0.02 + turn * 0.0137)
        caplog.clear()
        files = Access.open(house)
        assert files[1] is None, "a password was made"
        files[0].close()
        yard = Camera(id="yard", name="Yard", address="192.0.2.1")
        assert AddressBook(house / "cameras.json").get(yard) is not None
        with sqlite3.connect(house / "incidents.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        load(house / "config.yaml", {})
        assert " is damaged" not in caplog.text
        assert " is gone" not in caplog.text
    assert (house / "secrets/session.key").read_bytes() == key
