"""The box's own certificates."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from gateway.http.addresses import BoxNames
from gateway.http.certificates import Certificates

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


class Box:
    """A machine whose clock, name and addresses can be set."""

    def __init__(self, data_dir: Path) -> None:
        self.now = NOW
        self.names = ("box", "box.local", "localhost")
        self.addresses = ["127.0.0.1", "192.168.1.5"]
        self.directory = data_dir / "tls"
        self.certificates = Certificates(data_dir, names=self.box_names, now=lambda: self.now)

    def box_names(self) -> BoxNames:
        return BoxNames(self.names, tuple(ipaddress.ip_address(address) for address in self.addresses))

    def ensure(self) -> bool:
        return self.certificates.ensure()

    def server(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificates.server.read_bytes())

    def authority(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificates.authority.read_bytes())


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_the_first_start_makes_an_authority_and_a_certificate_browsers_accept(box: Box):
    assert box.ensure()
    server, authority = box.server(), box.authority()
    server.verify_directly_issued_by(authority)
    assert (server.not_valid_after_utc - server.not_valid_before_utc).days <= 800
    assert (authority.not_valid_after_utc - NOW).days >= 365 * 20
    covered = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert covered.get_values_for_type(x509.DNSName) == ["box", "box.local", "localhost"]
    assert [str(ip) for ip in covered.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "192.168.1.5"]
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


def test_openssl_can_serve_the_file_and_a_client_that_installed_the_authority_accepts_it(tmp_path: Path):
    certificates = Certificates(tmp_path)
    certificates.ensure()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates.server)
    client = ssl.create_default_context(cafile=str(certificates.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    assert here.version() == "TLSv1.3"


def test_keys_are_private(box: Box):
    box.ensure()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in box.directory.iterdir()}
    assert modes == {"ca.key": 0o600, "server.pem": 0o600, "ca.pem": 0o644}
    assert b"PRIVATE" not in box.certificates.authority.read_bytes()


def test_nothing_is_made_anew_without_a_reason(box: Box):
    box.ensure()
    before = {file: file.read_bytes() for file in box.directory.iterdir()}
    box.now += datetime.timedelta(days=700)
    box.addresses.remove("192.168.1.5")
    assert not box.ensure()
    assert {file: file.read_bytes() for file in box.directory.iterdir()} == before


def test_a_certificate_about_to_end_is_renewed_under_the_same_authority(box: Box):
    box.ensure()
    authority = box.authority()
    box.now += datetime.timedelta(days=775)
    assert box.ensure()
    assert box.authority() == authority
    assert box.server().not_valid_after_utc > box.now + datetime.timedelta(days=700)


def test_a_new_address_or_name_is_taken_up(box: Box):
    box.ensure()
    box.addresses.append("10.0.0.7")
    assert box.ensure()
    box.names = ("warehouse", "localhost")
    assert box.ensure()
    assert not box.ensure()


def test_a_box_whose_clock_starts_in_1970_heals_when_it_learns_the_time(box: Box):
    box.now = datetime.datetime(1970, 1, 1, 0, 1, tzinfo=datetime.UTC)
    assert box.ensure()
    authority = box.authority()
    assert box.server().not_valid_before_utc > box.now
    assert not box.ensure(), "a new certificate every hour until the clock is set"
    box.now = NOW
    box.ensure()
    assert box.authority() == authority
    assert box.server().not_valid_before_utc < NOW < box.server().not_valid_after_utc


def test_a_clock_that_was_ahead_heals_too(box: Box):
    box.now = NOW + datetime.timedelta(days=300)
    box.ensure()
    box.now = NOW
    assert box.ensure()
    assert box.server().not_valid_before_utc < NOW


@pytest.mark.parametrize("name", ["server.pem", "ca.pem", "ca.key"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_damaged_file_is_replaced_with_a_log_line(box: Box, name: str, content: bytes, caplog):
    box.ensure()
    (box.directory / name).write_bytes(content)
    assert box.ensure()
    assert "damaged" in caplog.text
    box.server().verify_directly_issued_by(box.authority())
    assert not box.ensure()


def test_a_lost_authority_key_means_a_new_authority(box: Box):
    box.ensure()
    old = box.authority()
    (box.directory / "ca.key").unlink()
    assert box.ensure()
    assert box.authority() != old
    box.server().verify_directly_issued_by(box.authority())


def test_a_key_of_another_certificate_is_noticed(box: Box, tmp_path: Path):
    box.ensure()
    other = Box(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.ensure()
    (other.directory / "ca.key").rename(box.directory / "ca.key")
    assert box.ensure()
    box.server().verify_directly_issued_by(box.authority())


def test_an_address_that_comes_and_goes_costs_one_certificate_and_not_one_each_time(box: Box):
    box.ensure()
    box.addresses.append("10.8.0.2")  # a VPN
    assert box.ensure()
    for present in (False, True, False, True):
        box.addresses.remove("10.8.0.2") if not present else box.addresses.append("10.8.0.2")
        assert not box.ensure()
    box.addresses.remove("10.8.0.2")
    box.addresses.append("192.168.7.9")
    assert box.ensure()
    covered = box.server().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in covered.get_values_for_type(x509.IPAddress)][-2:] == ["192.168.7.9", "10.8.0.2"]


def test_the_addresses_of_a_box_that_travels_do_not_pile_up(box: Box):
    for number in range(100):
        box.addresses = ["127.0.0.1", f"10.0.0.{number}"]
        assert box.ensure()
    covered = box.server().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(covered.get_values_for_type(x509.IPAddress)) == 40
