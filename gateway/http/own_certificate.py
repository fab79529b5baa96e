"""A certificate that the user brings: checked, and copied in one piece to where HTTPS and RTMPS read it.

The copy is what is served: Let's Encrypt's clients replace certificate and key one after the other, and a pair that does not
fit, cannot be read or is over must not take the place of a good one, also not after a restart. Runs in a child process: see
`tls_files`.
"""

from __future__ import annotations

import datetime
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from gateway.http.tls_files import RENEWED
from gateway.private_files import private_directory, write_atomically

log = logging.getLogger(__name__)

WARN_DAYS = 14
"""Let's Encrypt's clients renew 30 days before the end: what is this near to it is not being renewed."""


class Unusable(Exception):
    """Why the files cannot be served."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is served."""

    pem: bytes
    """Key, certificate, chain."""
    leaf: x509.Certificate


def bundle(certificate_pem: bytes, key_pem: bytes) -> Bundle:
    """Put together what belongs together, with the server's certificate first. Raises Unusable."""
    try:
        chain = x509.load_pem_x509_certificates(certificate_pem)
    except ValueError as error:
        raise Unusable("the certificate cannot be read") from error
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError as error:
        raise Unusable("the key is protected by a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unusable("the key cannot be read") from error
    ours = key.public_key()
    leaf = next((one for one in chain if one.public_key() == ours), None)
    if leaf is None:
        raise Unusable("key and certificate do not belong together")
    rest = [one for one in chain if one is not leaf]
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Bundle(private + b"".join(_pem(one) for one in (leaf, *rest)), leaf)


def take_up(certificate: Path, key: Path, target: Path, now: datetime.datetime) -> bool:
    """Bring `target` up to date; True if it changed. Raises Unusable and OSError, and `target` stays as it was."""
    found = bundle(certificate.read_bytes(), key.read_bytes())
    served = _served(target)
    ends = found.leaf.not_valid_after_utc
    if ends <= now:
        if served is not None and served.leaf.not_valid_after_utc > now:
            raise Unusable(f"the certificate ended on {ends:%Y-%m-%d}")
        log.warning("the certificate %s ended on %s: browsers refuse it", certificate, f"{ends:%Y-%m-%d}")
    elif ends < now + datetime.timedelta(days=WARN_DAYS):
        log.warning("the certificate %s ends on %s and has not been renewed", certificate, f"{ends:%Y-%m-%d}")
    if served is not None and served.pem == found.pem:
        return False
    private_directory(target.parent)
    write_atomically(target, found.pem)
    log.info("certificate for %s in use, it ends on %s", ", ".join(_names(found.leaf)), f"{ends:%Y-%m-%d}")
    return True


def _served(target: Path) -> Bundle | None:
    try:
        data = target.read_bytes()
        return bundle(data, data)
    except (Unusable, OSError):
        return None


def _names(leaf: x509.Certificate) -> Iterable[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return [leaf.subject.rfc4514_string()]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def main() -> int:
    """The child of `tls_files.ServedFiles`: certificate, key, target; its output is for the log."""
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO, stream=sys.stdout)
    certificate, key, target = (Path(argument) for argument in sys.argv[1:4])
    try:
        return RENEWED if take_up(certificate, key, target, datetime.datetime.now(datetime.UTC)) else 0
    except (Unusable, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
