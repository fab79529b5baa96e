"""Certificates of the user's own: what is wrong with them is said with line and key."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def make(folder: Path, name: str, *options: str) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={name}",
         "-days", "90", "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"), *options],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def pairs(folder):
    for name in ("one", "two"):
        make(folder.path, name)
    return folder


def test_a_pair_that_fits_in_two_files_or_in_one(pairs):
    tls = pairs.load("tls: {certificate: one.crt, key: one.key, hsts: 180d}").tls
    assert (tls.certificate, tls.key, tls.hsts_s) == (pairs.path / "one.crt", pairs.path / "one.key", 180 * 86400)
    (pairs.path / "both.pem").write_text((pairs.path / "one.key").read_text() + (pairs.path / "one.crt").read_text())
    assert pairs.load("tls: {certificate: both.pem}").tls.key is None


def test_the_key_of_another_certificate_is_a_finding(pairs):
    [finding] = pairs.findings("tls:\n  certificate: one.crt\n  key: two.key\n")
    assert finding == ("config.yaml:3: tls.key: does not belong to the certificate: one of the two is older than the other")


def test_files_that_are_something_else_are_findings(pairs):
    (pairs.path / "empty.pem").write_text("")
    (pairs.path / "damaged.pem").write_text("-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n")
    for text, said in (
        ("{certificate: empty.pem, key: one.key}", "tls.certificate: holds no certificate in PEM"),
        ("{certificate: one.key, key: one.key}", "tls.certificate: holds no certificate in PEM"),
        ("{certificate: one.crt, key: one.crt}", "tls.key: holds no private key in PEM"),
        ("{certificate: one.crt}", 'tls.certificate: holds no private key: give its file as "key"'),
        ("{certificate: damaged.pem, key: one.key}", "tls.certificate: is damaged"),
        ("{certificate: away.crt, key: one.key}", "tls.certificate: the file does not exist"),
        ("{key: one.key}", 'tls.key: needs "certificate" beside it'),
        ("{hsts: 5s}", "tls.hsts: must be off, or between"),
    ):
        [finding] = pairs.findings(f"tls: {text}")
        assert f"config.yaml:1: {said}" in finding


def test_a_key_with_a_password_is_a_finding_and_asks_nobody(pairs):
    source, target = pairs.path / "one.key", pairs.path / "locked.key"
    command = ["openssl", "ec", "-in", str(source), "-aes256", "-passout", "pass:x", "-out", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    [finding] = pairs.findings("tls: {certificate: one.crt, key: locked.key}")
    assert finding.endswith("tls.key: is protected by a password: save it without one")
