"""Secrets stay out of sight and come from where they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.secrets import Secret, expand, read_file


def test_a_secret_shows_itself_only_on_request() -> None:
    secret = Secret("hush")
    assert "hush" not in f"{secret} {secret!r} {secret!s} {[secret]}"
    assert secret.reveal() == "hush"
    assert secret == Secret("hush") != Secret("other")
    assert secret != "hush"
    assert len({secret, Secret("hush")}) == 1


def test_variables() -> None:
    environ = {"A": "1", "B_2": "${A}"}
    assert expand("${A}-${B_2}-$A-$${A}-$", environ) == "1-${A}-$A-${A}-$"


@pytest.mark.parametrize("text", ["${}", "${A", "${1A}", "${A B}", "${\u00e9}"])
def test_malformed_references(text: str) -> None:
    with pytest.raises(ValueError, match="must be followed by a variable name"):
        expand(text, {"A": "1"})


@pytest.mark.parametrize("data", [b"s e:c#ret", b"s e:c#ret\n", b"s e:c#ret\r\n", b"\xef\xbb\xbfs e:c#ret\n"])
def test_the_line_end_of_a_password_file_is_not_part_of_the_password(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "pw"
    file.write_bytes(data)
    assert read_file(file) == Secret("s e:c#ret")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "must hold one line"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 5000, "larger than 4096 bytes"),
    ],
)
def test_password_files_that_cannot_be_used(tmp_path: Path, data: bytes, reason: str) -> None:
    file = tmp_path / "pw"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=reason):
        read_file(file)
