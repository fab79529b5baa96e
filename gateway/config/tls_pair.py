"""Whether a certificate file and a key file can be served, said in words for the person who wrote their names.

OpenSSL judges; no key leaves it. Reads the files when called; any thread. When a certificate ends is told later, by
`gateway.http.own_certificate`, which can read it.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

_MISMATCH = {
    "KEY_VALUES_MISMATCH": "does not belong to the certificate: one of the two is older than the other",
    "KEY_TYPE_MISMATCH": "does not belong to the certificate: it is of another kind",
}


@dataclass(frozen=True, slots=True)
class PairProblem:
    """Why a pair cannot be served."""

    of_key: bool
    """The key is to be corrected, else the certificate."""
    message: str


def problem(certificate: Path, key: Path | None) -> PairProblem | None:
    """None for a pair that fits. Without `key` the certificate's file must hold it, too."""
    try:
        certificate_text, key_text = certificate.read_bytes(), key.read_bytes() if key is not None else b""
    except PermissionError as error:
        of_key = key is not None and error.filename == str(key)
        return PairProblem(of_key, "the file may not be read by this user")
    except OSError as error:
        return PairProblem(False, f"the file cannot be read ({error.strerror})")
    if b"-----BEGIN CERTIFICATE-----" not in certificate_text:
        return PairProblem(False, 'holds no certificate in PEM ("-----BEGIN CERTIFICATE-----")')
    if b"PRIVATE KEY-----" not in (key_text or certificate_text):
        if key is None:
            return PairProblem(False, 'holds no private key: give its file as "key"')
        return PairProblem(True, 'holds no private key in PEM ("-----BEGIN PRIVATE KEY-----")')
    if b"ENCRYPTED" in (key_text or certificate_text):
        return PairProblem(key is not None, "is protected by a password: save it without one")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(certificate)
    except (ssl.SSLError, OSError):
        return PairProblem(False, "is damaged: OpenSSL cannot read it")
    try:
        # with a password, even an empty one, OpenSSL never asks for one on the terminal
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        return PairProblem(key is not None, _MISMATCH.get(error.reason or "", "is damaged: OpenSSL cannot read it"))
    except (OSError, ValueError):
        return PairProblem(key is not None, "cannot be read")
    return None
