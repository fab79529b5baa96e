"""The certificate is made by a child, so that what it needs is not kept for ever."""

import logging
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.http.addresses import BoxNames
from gateway.http.tls_files import ChildMade

ROOT = Path(__file__).parents[2]


def test_the_child_makes_a_certificate_once_and_the_log_says_for_whom(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    files = ChildMade(tmp_path)
    assert files.ensure()
    assert any("server certificate made for" in message and "there was none" in message for message in caplog.messages)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server)
    context.load_verify_locations(files.authority)
    assert not files.ensure()


def test_a_folder_that_cannot_be_written_is_told_as_the_reason(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("in the way")
    with pytest.raises(OSError, match=r"certificate could not be made: .*tls"):
        ChildMade(tmp_path).ensure()


def test_a_damaged_certificate_is_an_error_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = ChildMade(tmp_path)
    files.ensure()
    files.server.write_text("not a certificate")
    assert files.ensure()
    assert next(record.levelname for record in caplog.records if "damaged" in record.message) == "ERROR"


def test_the_gateway_itself_never_loads_what_makes_certificates() -> None:
    script = "import sys, gateway.service, gateway.run; print(sorted({'cryptography', 'zeep', 'numpy'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert told.stdout.strip() == "[]", "8 MB of memory"


def test_a_child_is_started_only_when_something_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute's look at the certificate must not cost a process on a Pi."""
    now = {"names": BoxNames(("localhost",), ()), "monotonic": 0.0, "wall": 1e9}
    started = []

    def child(module: str, failure: str, *arguments: str) -> bool:
        started.append(module)
        files.server.parent.mkdir(exist_ok=True)
        files.server.write_text("x")
        return True

    monkeypatch.setattr("gateway.http.tls_files._child", child)
    files = ChildMade(tmp_path, names=lambda: now["names"], monotonic=lambda: now["monotonic"], wall=lambda: now["wall"])
    files.ensure()

    def runs(**change: object) -> bool:
        before = len(started)
        now.update(change)
        for _ in range(3):
            files.ensure()
        assert len(started) <= before + 1
        return len(started) > before

    assert not runs(monotonic=60.0, wall=1e9 + 60)
    assert not runs(wall=1e9 + 1800), "NTP that corrects minutes is no reason"
    assert runs(wall=1e9 + 8000), "a clock that was set is one"
    assert runs(wall=1e9 - 8000), "also backwards"
    assert runs(names=BoxNames(("localhost", "shed"), ()))
    assert runs(monotonic=60.0 + 3600)
    files.server.unlink()
    assert runs()
