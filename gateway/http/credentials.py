"""What a request presents to prove who sends it. Pure parsing of network bytes; judged in `access`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

MAX_CREDENTIAL_CHARS = 1024


@dataclass(frozen=True, slots=True)
class Password:
    """A user name with a password, as typed."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Without the password: objects end up in tracebacks."""
        return f"Password(user={self.user!r})"


def basic(header: str) -> Password | None:
    """Credentials of an `Authorization: Basic` header (RFC 7617), None if it is of another kind or malformed."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 4 * MAX_CREDENTIAL_CHARS:
        return None
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    user, colon, password = text.partition(":")
    return _bounded(user, password) if colon else None


def bearer(header: str) -> str:
    """The token of an `Authorization: Bearer` header (RFC 6750 section 2.1), empty if it is of another kind."""
    scheme, _, token = header.partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and len(token) <= MAX_CREDENTIAL_CHARS else ""


def from_parameters(parameters: Mapping[str, str]) -> Password | None:
    """Credentials in `user` and `pass`, None if either is missing."""
    user, password = parameters.get("user"), parameters.get("pass")
    return None if user is None or password is None else _bounded(user, password)


def cookie(header: str, name: str) -> str | None:
    """Value of the first cookie of that name in a `Cookie` header (RFC 6265 section 5.4)."""
    prefix = name + "="
    for pair in header.split(";"):
        stripped = pair.strip()
        if stripped.startswith(prefix):
            return stripped[len(prefix) :]
    return None


def _bounded(user: str, password: str) -> Password | None:
    if len(user) > MAX_CREDENTIAL_CHARS or len(password) > MAX_CREDENTIAL_CHARS:
        return None
    return Password(user, password)
