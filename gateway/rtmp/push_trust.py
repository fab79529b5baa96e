"""Which server a push trusts over TLS: the system's authorities, an authority of the user's, one certificate, or anybody.

Blocks on files (`context`): called on a worker thread. The rest is pure.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl

from gateway.config.model import Push
from gateway.rtmp.push_errors import PushError, TargetProtocol, TargetUntrusted

SPOKEN = "speaks no TLS on this port; is it rtmp:// there?"
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE"})


def context(target: Push) -> ssl.SSLContext:
    """TLS settings for `target`. Raises TargetUntrusted when its `ca_file` cannot be used."""
    try:
        made = ssl.create_default_context(cafile=str(target.ca_file) if target.ca_file is not None else None)
    except (OSError, ssl.SSLError) as error:
        raise TargetUntrusted(f"ca_file cannot be used: {getattr(error, 'reason', None) or error.strerror}") from error
    if target.fingerprint or not target.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def check_fingerprint(target: Push, certificate: bytes | None) -> None:
    """Compare the server's certificate (DER) where one certain one is wanted. Raises TargetUntrusted."""
    if not target.fingerprint:
        return
    found = hashlib.sha256(certificate or b"").hexdigest()
    if not hmac.compare_digest(found, target.fingerprint):
        raise TargetUntrusted(f"{target.host} has another certificate than fingerprint says; its own is {found}")


def explain(host: str, error: ssl.SSLError) -> PushError:
    """A failed TLS handshake in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TargetUntrusted(
            f"the certificate of {host} is not trusted ({error.verify_message}); see ca_file, fingerprint and verify"
        )
    if error.reason in _NO_TLS or isinstance(error, ssl.SSLEOFError):
        return TargetProtocol(f"{host} {SPOKEN}")
    return TargetProtocol(f"no TLS connection with {host}: {(error.reason or 'unknown reason').replace('_', ' ').lower()}")
