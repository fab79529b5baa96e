"""Which camera is trusted over TLS: by default anybody, as cameras' certificates are self-signed; or one certificate, or an
authority of the user's. Used by reader threads (rtsps://) and by the ONVIF client's threads (https://).

A password over unverified TLS is as safe as over plain RTSP: Digest never sends it, Basic does. `fingerprint` is what cures it.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import CertificateRefused, Ended, ProtocolError, SourceError

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE"})


@dataclass(frozen=True, slots=True)
class CameraTrust:
    """What makes a camera's certificate good; nothing given: every one is."""

    fingerprint: str = ""
    """SHA-256 of the one certificate, 64 lower-case hexadecimal digits."""
    ca_file: Path | None = None
    """The authority that signed it; the name in it must be the camera's."""
    verify: bool = False
    """The system's authorities must know it."""

    @property
    def asks(self) -> bool:
        """Not every certificate is good."""
        return bool(self.fingerprint or self.ca_file or self.verify)


ANYBODY = CameraTrust()


def context(trust: CameraTrust) -> ssl.SSLContext:
    """TLS as cameras have it: weak ciphers, old renegotiation. Raises CertificateRefused when `ca_file` cannot be used.

    One context for many cameras: each costs half a megabyte with the system's authorities in it. A `ca_file` that was
    replaced is read again: authorities are renewed while gateways run.
    """
    stamp: tuple[int, int, int] | None = None
    if trust.ca_file is not None:
        try:
            found = trust.ca_file.stat()
            stamp = found.st_mtime_ns, found.st_ino, found.st_size
        except OSError:
            pass  # reading it tells why
    return _context(trust, stamp)


@functools.lru_cache(maxsize=8)
def _context(trust: CameraTrust, stamp: object) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)  # named only from Python 3.12 on
    made.set_ciphers("DEFAULT@SECLEVEL=0")
    if trust.fingerprint or not trust.asks:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made
    try:
        if trust.ca_file is not None:
            made.load_verify_locations(cafile=str(trust.ca_file))
        else:
            made.load_default_certs()
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
        raise CertificateRefused(f"ca_file cannot be used: {reason}") from None
    return made


def check(trust: CameraTrust, host: str, certificate: bytes | None) -> None:
    """Compare a camera's certificate (DER) where one certain one is wanted. Raises CertificateRefused."""
    if not trust.fingerprint:
        return
    found = hashlib.sha256(certificate or b"").hexdigest()
    if not hmac.compare_digest(found, trust.fingerprint):
        raise CertificateRefused(f"{host} has another certificate than fingerprint says; its own is {found}")


def secured(
    sock: socket.socket, trust: CameraTrust, host: str, own: Callable[[ssl.SSLSocket], object] = lambda _: None
) -> ssl.SSLSocket:
    """Shake hands within the socket's timeout. Raises SourceError; the socket is then closed.

    `own` is told of the new socket before the handshake, so that whoever owns it can shut it down meanwhile.
    """
    wrapped = None
    try:
        wrapped = context(trust).wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        own(wrapped)
        wrapped.do_handshake()
        check(trust, host, wrapped.getpeercert(True))
    except ssl.SSLError as error:
        (wrapped or sock).close()
        raise explain(host, error) from None
    except (OSError, ValueError) as error:
        (wrapped or sock).close()
        if isinstance(error, TimeoutError):
            raise ProtocolError(f"{host} does not answer the TLS handshake; is it rtsp:// there?") from None
        raise Ended(f"{host} broke the connection during the TLS handshake") from None
    except SourceError:
        if wrapped is not None:
            wrapped.close()
        raise
    return wrapped


def explain(host: str, error: ssl.SSLError) -> SourceError:
    """A failed TLS handshake in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateRefused(
            f"the certificate of {host} is not trusted ({error.verify_message}); see fingerprint, ca_file and verify"
        )
    if error.reason in _NO_TLS or isinstance(error, ssl.SSLEOFError):
        return ProtocolError(f"{host} speaks no TLS on this port")
    return ProtocolError(f"no TLS connection with {host}: {(error.reason or 'unknown reason').replace('_', ' ').lower()}")
