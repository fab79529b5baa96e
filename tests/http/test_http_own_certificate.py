"""A certificate that the user brings is served once it is good, and the one before it until then."""

from __future__ import annotations

import datetime
import logging
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gateway.http.own_certificate import Unusable, bundle, take_up
from gateway.http.tls_files import Brought, OwnPair, Served

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


class Issuer:
    """Writes pairs as Let's Encrypt's clients do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate, self.key = folder / "fullchain.pem", folder / "privkey.pem"
        self.target = folder / "data" / "tls" / "own.pem"
        self.chain = _signed(ec.generate_private_key(ec.SECP256R1()), "Some CA", NOW + datetime.timedelta(days=900))

    def issue(self, ends: datetime.datetime, *, key: bool = True, kind: str = "ec") -> None:
        private = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
        leaf = _signed(private, "cameras.example", ends)
        self.certificate.write_bytes(_pem(self.chain) + _pem(leaf))
        if key:
            form = serialization.PrivateFormat.TraditionalOpenSSL
            self.key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))

    def take_up(self, now: datetime.datetime = NOW) -> bool:
        return take_up(self.certificate, self.key, self.target, now)


def _signed(key, name: str, ends: datetime.datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_key_and_leaf_come_first_in_one_private_file(issuer: Issuer, kind: str, caplog) -> None:
    caplog.set_level(logging.INFO)
    issuer.issue(NOW + datetime.timedelta(days=90), kind=kind)
    assert issuer.take_up()
    served = issuer.target.read_bytes()
    first, second = x509.load_pem_x509_certificates(served)
    assert first.subject.rfc4514_string() == "CN=cameras.example"
    assert second == issuer.chain
    assert served.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert issuer.target.stat().st_mode & 0o777 == 0o600
    assert "certificate for cameras.example in use, it ends on 2026-08-30" in caplog.text
    assert not issuer.take_up()


def test_half_of_a_renewal_leaves_the_old_pair_in_use(issuer: Issuer) -> None:
    issuer.issue(NOW + datetime.timedelta(days=20))
    issuer.take_up()
    before = issuer.target.read_bytes()
    issuer.issue(NOW + datetime.timedelta(days=90), key=False)
    with pytest.raises(Unusable, match="do not belong together"):
        issuer.take_up()
    assert issuer.target.read_bytes() == before


def test_a_certificate_that_is_over_never_replaces_a_good_one(issuer: Issuer, caplog) -> None:
    issuer.issue(NOW + datetime.timedelta(days=90))
    issuer.take_up()
    issuer.issue(NOW - datetime.timedelta(days=1))
    with pytest.raises(Unusable, match="ended on 2026-05-31"):
        issuer.take_up()
    issuer.target.unlink()
    assert issuer.take_up(), "without a better one it is served, so that somebody can come and see"
    assert "ended on 2026-05-31: browsers refuse it" in caplog.text


def test_a_certificate_near_its_end_is_a_warning(issuer: Issuer, caplog) -> None:
    issuer.issue(NOW + datetime.timedelta(days=5))
    issuer.take_up()
    assert "ends on 2026-06-06 and has not been renewed" in caplog.text


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_nonsense_is_unusable_and_no_defect(issuer: Issuer, data: bytes) -> None:
    issuer.issue(NOW)
    with pytest.raises(Unusable):
        bundle(data, issuer.key.read_bytes())
    with pytest.raises(Unusable):
        bundle(issuer.certificate.read_bytes(), data)


def test_a_renewal_is_taken_up_and_trouble_is_said_once_through_symbolic_links(issuer: Issuer, tmp_path: Path, caplog) -> None:
    far = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=90)
    issuer.issue(far)
    (tmp_path / "live").mkdir()
    links = OwnPair(tmp_path / "live" / "cert", tmp_path / "live" / "key")
    links.certificate.symlink_to(issuer.certificate)
    links.key.symlink_to(issuer.key)
    files = Brought(tmp_path / "data", links)
    assert files.ensure()
    first = files.server.read_bytes()
    assert not files.ensure()
    renewed = Issuer(tmp_path / "archive2")
    renewed.folder.mkdir()
    renewed.issue(far)
    for link, target in ((links.certificate, renewed.certificate), (links.key, renewed.key)):
        (tmp_path / "new").symlink_to(target)
        (tmp_path / "new").replace(link)
        files.ensure()
    assert files.server.read_bytes() != first
    assert caplog.text.count("key and certificate do not belong together; the certificate before it stays in use") == 1
    caplog.clear()
    links.certificate.unlink()
    for _ in range(3):
        assert not files.ensure()
    assert caplog.text.count("stays in use") == 1


def test_without_any_usable_certificate_the_reason_is_raised(issuer: Issuer, tmp_path: Path) -> None:
    issuer.issue(NOW, key=False)
    issuer.key.write_text("nonsense")
    with pytest.raises(OSError, match="the key cannot be read"):
        Brought(tmp_path / "data", OwnPair(issuer.certificate, issuer.key)).ensure()


def test_the_configuration_chooses_between_the_box_and_the_user(issuer: Issuer, tmp_path: Path) -> None:
    issuer.issue(datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=90))
    served = Served(tmp_path / "data")
    served.ensure()
    assert (served.server.name, served.authority.name) == ("server.pem", "ca.pem")
    with pytest.raises(OSError, match="No such file"):
        served.use(OwnPair(tmp_path / "away", tmp_path / "away"))
    assert served.server.name == "server.pem"
    served.use(OwnPair(issuer.certificate, issuer.key))
    assert (served.server.name, served.authority) == ("own.pem", None)
    served.use(None)
    assert served.server.name == "server.pem"
