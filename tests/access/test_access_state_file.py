"""What can be taken back stays taken back: over restarts, other processes and damage."""

from __future__ import annotations

import dataclasses
import os
import stat
import threading
from pathlib import Path

import pytest

from gateway.access.grants import Right
from gateway.access.keyring import Keyring
from gateway.access.state_file import FILE_NAME, StateFile
from gateway.access.tokens import TokenWish

WISH = TokenWish("prom", (Right.METRICS,))


def test_a_change_of_one_process_is_seen_by_another(tmp_path: Path) -> None:
    gateway, command = Keyring.of(tmp_path), Keyring.of(tmp_path)
    _, text = command.create_token(WISH, "admin")
    grant = gateway.grant_of_token(text)
    assert grant is not None, "in the next line of the script"
    assert gateway.refresh(), "and whoever remembers verdicts hears of it"
    assert not gateway.refresh()
    assert grant.rights == {Right.METRICS}
    assert command.revoke_token("prom") is not None
    assert gateway.refresh()
    assert gateway.grant_of_token(text) is None
    assert not gateway.refresh()


def test_two_processes_that_change_at_once_lose_nothing(tmp_path: Path) -> None:
    def make(number: int) -> None:
        Keyring.of(tmp_path).create_token(TokenWish(f"token-{number}", (Right.VIEW,)), "admin")

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {token.name for token in Keyring.of(tmp_path).tokens} == {f"token-{number}" for number in range(8)}


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    Keyring.of(tmp_path).create_token(WISH, "admin")
    for name in (FILE_NAME, ".access.lock"):
        assert stat.S_IMODE((tmp_path / "secrets" / name).stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others")
def test_a_command_run_by_root_does_not_shut_the_service_out(tmp_path: Path) -> None:
    Keyring.of(tmp_path)
    os.chown(tmp_path / "secrets", 4711, 4711)
    Keyring.of(tmp_path).create_token(WISH, "admin")
    for name in (FILE_NAME, ".access.lock"):
        assert (tmp_path / "secrets" / name).stat().st_uid == 4711


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"viewing": 1}', b'{"viewing": "", "logins": [], "tokens": []}', b"\xff"]
)
def test_damage_brings_nothing_revoked_back_to_life(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    before = Keyring.of(tmp_path)
    first = before.viewing_token
    before.revoke_viewing_token()
    (tmp_path / "secrets" / FILE_NAME).write_bytes(damage)
    after = Keyring.of(tmp_path)
    assert after.viewing_token == ""
    assert after.grant_of_token(first) is None
    assert "is damaged" in caplog.text
    assert after.renew_viewing_token() != first


def test_damage_does_not_log_in_again_whoever_has_logged_out_everywhere(tmp_path: Path) -> None:
    before = Keyring.of(tmp_path)
    before.files.set_password("right")
    stolen, link = before.mark_of("admin"), before.make_link("yard", "admin", 2**36)
    before.end_logins("admin")
    (tmp_path / "secrets" / FILE_NAME).write_bytes(b"\0" * 100)
    after = Keyring.of(tmp_path)
    assert after.mark_of("admin") != stolen
    assert after.grant_of_token(link) is None
    after.renew_viewing_token()  # writes a file that is good again
    later = Keyring.of(tmp_path)
    assert later.mark_of("admin") != stolen
    assert later.grant_of_token(link) is None
    assert later.grant_of_token(later.make_link("yard", "admin", 2**36)) is not None


def test_what_one_thread_has_read_before_a_change_of_another_does_not_undo_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Keyring.of(tmp_path)
    _, text = gateway.create_token(WISH, "admin")
    Keyring.of(tmp_path).renew_viewing_token()  # so that there is something to be read
    revoking = threading.Thread(target=gateway.revoke_token, args=("prom",))
    read_text, slow = Path.read_text, [threading.get_ident()]

    def read(path: Path, *arguments: str, **named: str) -> str:
        content = read_text(path, *arguments, **named)
        if path.name == FILE_NAME and slow and slow[0] == threading.get_ident():
            slow.clear()
            revoking.start()
            revoking.join(0.3)
        return content

    monkeypatch.setattr(Path, "read_text", read)
    gateway.refresh()
    revoking.join(5.0)
    assert not slow, "the moment came"
    assert gateway.grant_of_token(text) is None


def test_damage_while_it_runs_changes_nothing(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    file.change(lambda state: dataclasses.replace(state, viewing="x"))
    (tmp_path / "secrets" / FILE_NAME).write_bytes(b"{")
    assert not file.refresh()
    assert file.state.viewing == "x"


def test_the_viewing_token_is_what_it_was_until_it_is_renewed_or_revoked(tmp_path: Path) -> None:
    keyring = Keyring.of(tmp_path)
    first = keyring.viewing_token
    assert Keyring.of(tmp_path).viewing_token == first
    second = keyring.renew_viewing_token()
    assert second != first
    assert keyring.grant_of_token(first) is None
    assert keyring.grant_of_token(second) is not None
    keyring.revoke_viewing_token()
    assert keyring.viewing_token == ""
    assert keyring.grant_of_token("") is None
    assert keyring.grant_of_token(second) is None
