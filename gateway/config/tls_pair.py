"""Whether a certificate file and a key file can be served, said in words for the person who wrote their names.

OpenSSL judges; no key leaves it. Reads the files when called; any thread. When a certificate ends is told later, by
`gateway.http.own_certificate`, which can read it.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

_REASONS = {
    "KEY_VALUES_MISMATCH": (True, "does not belong to the certificate: one of the two is older than the other"),
    "KEY_TYPE_MISMATCH": (True, "does not belong to the certificate: it is of another kind"),
    "BAD_DECRYPT": (True, "is protected by a password: save it without one"),
    "BAD_PASSWORD_READ": (True, "is protected by a password: save it without one"),
    "BAD_BASE64_DECODE": (False, "is damaged: it is no PEM file that can be read"),
    "NO_START_LINE": (False, 'holds no certificate in PEM ("-----BEGIN CERTIFICATE-----")'),
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
        return PairProblem(False, _REASONS["NO_START_LINE"][1])
    if b"PRIVATE KEY-----" not in (key_text or certificate_text):
        if key is None:
            return PairProblem(False, 'holds no private key: give its file as "key"')
        return PairProblem(True, 'holds no private key in PEM ("-----BEGIN PRIVATE KEY-----")')
    try:
        # with a password, even an empty one, OpenSSL does not ask for one on the terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        of_key, message = _REASONS.get(error.reason or "", (key is not None, "cannot be used by OpenSSL"))
        if message == "cannot be used by OpenSSL":
            message += f" ({(error.reason or 'unknown reason').replace('_', ' ').lower()})"
        return PairProblem(of_key, message)
    except (OSError, ValueError):
        return PairProblem(False, "cannot be read")
    return None
