"""The box's own certificate authority and server certificate, so that HTTPS works from the first start.

Browsers speak HTTP/2 only over TLS, and a wall of tiles needs HTTP/2. The authority is made once and can be installed
on viewing machines; server certificates come and go underneath it. Runs in a child process: see `tls_files`.

Files in `<data_dir>/tls/`: `ca.pem` (public), `ca.key`, and `server.pem`, which holds the server's key, its certificate
and the authority's in one file, because a pair in two files cannot be replaced in one step.
"""

from __future__ import annotations

import datetime
import ipaddress
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.http.addresses import BoxNames, box_names
from gateway.http.tls_files import RENEWED
from gateway.private_files import private_directory, write_atomically

log = logging.getLogger(__name__)

CA_YEARS = 20
LEAF_DAYS = 800
"""iOS and macOS refuse server certificates that are valid for more than 825 days, also those of private authorities."""
RENEW_DAYS = 30
BACKDATE = datetime.timedelta(days=2)
"""A viewing machine whose clock is a little behind must accept a certificate made just now."""
NO_EARLIER_THAN = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
"""A Raspberry Pi has no clock of its own and may start in 1970: no validity must depend on that. Until its clock is set it
counts as this day, else its certificates were over the moment it is, and every hour would make new ones."""
MAX_ADDRESSES = 40
"""A VPN or a second network that comes and goes must not cost a new certificate, and every viewer's connection, each time:
the addresses of the last certificate stay in the next one, up to this many in all."""
PUBLIC_MODE = 0o644

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


class Damaged(Exception):
    """A file exists but does not hold what it should."""


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Certificates:
    """Makes and renews what is in `<data_dir>/tls/`."""

    def __init__(
        self,
        data_dir: Path,
        *,
        names: Callable[[], BoxNames] = box_names,
        now: Callable[[], datetime.datetime] = _utc_now,
    ) -> None:
        self._directory = data_dir / "tls"
        self._names = names
        self._clock = now

    def _now(self) -> datetime.datetime:
        return max(self._clock(), NO_EARLIER_THAN)

    @property
    def server(self) -> Path:
        """Key, certificate and chain of the server, PEM, mode 0600."""
        return self._directory / "server.pem"

    @property
    def authority(self) -> Path:
        """Certificate of the authority, PEM, for people to install."""
        return self._directory / "ca.pem"

    @property
    def _authority_key(self) -> Path:
        return self._directory / "ca.key"

    def ensure(self) -> bool:
        """Make or renew whatever needs it. True if the server certificate is a new one. Raises OSError."""
        private_directory(self._directory)
        authority = self._load_authority() or self._make_authority()
        names = self._names()
        reason = self._reason_to_renew(authority[0], names)
        if not reason:
            return False
        self._make_server(authority, self._with_former(authority[0], names))
        log.info("server certificate made for %s: %s", ", ".join(_spelled(names)), reason)
        return True

    def _load_authority(self) -> Pair | None:
        try:
            certificate, key = _read(self.authority, self._authority_key)
            if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
                raise Damaged("not a certificate authority")  # noqa: TRY301  one place reports every kind of damage
        except FileNotFoundError:
            return None
        except (Damaged, ValueError, x509.ExtensionNotFound) as error:
            log.warning("%s is damaged (%s): a new authority is made, install it again", self.authority, error)
            return None
        if certificate.not_valid_after_utc < self._now() + datetime.timedelta(days=LEAF_DAYS):
            log.warning("%s ends soon: a new authority is made, install it again", self.authority)
            return None
        return certificate, key

    def _make_authority(self) -> Pair:
        now = self._now()
        key = ec.generate_private_key(ec.SECP256R1())
        serial = x509.random_serial_number()
        name = _name(f"Camera Gateway CA {serial % 0xFFFFFF:06x}")
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(min(now, NO_EARLIER_THAN))
            .not_valid_after(max(now, NO_EARLIER_THAN) + datetime.timedelta(days=365 * CA_YEARS + 5))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_atomically(self._authority_key, _key_pem(key))
        write_atomically(self.authority, _pem(certificate), PUBLIC_MODE)
        return certificate, key

    def _reason_to_renew(self, authority: x509.Certificate, names: BoxNames) -> str:
        try:
            certificate, _key = _read(self.server, self.server)
            covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except FileNotFoundError:
            return "there was none"
        except (Damaged, ValueError, x509.ExtensionNotFound) as error:
            log.warning("%s is damaged (%s) and is replaced", self.server, error)
            return "the old one was damaged"
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            return "the authority is a new one"
        now = self._now()
        if now < certificate.not_valid_before_utc:
            return "the clock was ahead when the old one was made"
        if certificate.not_valid_after_utc < now + datetime.timedelta(days=RENEW_DAYS):
            return "the old one ends soon"
        if set(names.names) - set(covered.get_values_for_type(x509.DNSName)):
            return "the name of the box changed"
        if set(names.addresses) - set(covered.get_values_for_type(x509.IPAddress)):
            return "the addresses of the box changed"
        return ""

    def _with_former(self, authority: x509.Certificate, names: BoxNames) -> BoxNames:
        """`names` with the addresses that the certificate has covered until now."""
        try:
            certificate, _key = _read(self.server, self.server)
            certificate.verify_directly_issued_by(authority)
            covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, Damaged, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return names
        former = [one for one in covered.get_values_for_type(x509.IPAddress) if one not in names.addresses]
        addresses = [one for one in former if isinstance(one, ipaddress.IPv4Address | ipaddress.IPv6Address)]
        return BoxNames(names.names, (*names.addresses, *addresses)[: max(MAX_ADDRESSES, len(names.addresses))])

    def _make_server(self, authority: Pair, names: BoxNames) -> None:
        issuer, issuer_key = authority
        now = self._now()
        key = ec.generate_private_key(ec.SECP256R1())
        covered: list[x509.GeneralName] = [x509.DNSName(name) for name in names.names]
        covered += [x509.IPAddress(address) for address in names.addresses]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name("Camera Gateway"))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(now - BACKDATE + datetime.timedelta(days=LEAF_DAYS))
            .add_extension(x509.SubjectAlternativeName(covered), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        write_atomically(self.server, _key_pem(key) + _pem(certificate) + _pem(issuer))


def _read(certificate_file: Path, key_file: Path) -> Pair:
    certificate_pem, key_pem = certificate_file.read_bytes(), key_file.read_bytes()
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Damaged("unreadable") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Damaged("the key is of another kind")
    if certificate.public_key() != key.public_key():
        raise Damaged("key and certificate do not belong together")
    return certificate, key


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _spelled(names: BoxNames) -> list[str]:
    return [*names.names, *(str(address) for address in names.addresses)]


def main() -> int:
    """The child of `tls_files.ChildMade`: its argument is the data directory, its output is for the log."""
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO, stream=sys.stdout)
    try:
        return RENEWED if Certificates(Path(sys.argv[1])).ensure() else 0
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
