"""Basic and Digest authentication of RTSP and ONVIF requests (RFC 2617, RFC 7616 with MD5, RFC 7617). Pure; clock injected.

MD5, because that is what cameras and NVRs speak; a client that cannot do Digest is offered Basic as well if the server
wants it. Nonces carry their own time of issue and a keyed hash, so that only those need to be remembered that were used
with a count (`nc`): an answer that was overheard is good for nothing then. Clients without `qop` sign no count, and repeat
themselves legitimately.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import unquote

NONCE_LIFETIME_S = 300.0
"""Bounds how long an overheard answer without a count can be replayed. A client with an old nonce is told `stale`."""
MAX_NONCES = 256
MAX_COUNTS = 1024
"""Of one nonce. Beyond this the client is given another one."""

_AUTHORITY = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_TRACK = re.compile(r"/trackID=\d{1,3}/?$", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,\s*|$)')


class Scheme(enum.Enum):
    """Authentication schemes a server can offer."""

    DIGEST = "Digest"
    BASIC = "Basic"


class Verdict(enum.Enum):
    """What came of a request's credentials."""

    GRANTED = "granted"
    MISSING = "missing"
    """None were sent: every client's first request."""
    REFUSED = "refused"
    STALE = "stale"
    """Right, but made with a nonce that has expired."""


class Gatekeeper(Protocol):
    """Decides over requests. The server asks the one it holds at that moment, so it may be replaced at any time."""

    def check(self, method: str, uri: str, authorization: str | None) -> Verdict:
        """Judge a request by its `Authorization` header, or by a token in its `uri`."""

    def still(self, method: str, uri: str, authorization: str | None) -> bool:
        """Whether a request that was granted would be granted now. Nobody's attempt is counted."""

    def challenges(self, *, stale: bool = False) -> tuple[str, ...]:
        """Values for `WWW-Authenticate`."""


class Authenticator:
    """Users with passwords. `users` may be a live mapping; a missing user costs the same time as a wrong password."""

    def __init__(
        self,
        users: Mapping[str, str],
        *,
        realm: str = "Camera",
        schemes: tuple[Scheme, ...] = (Scheme.DIGEST, Scheme.BASIC),
        qop: bool = False,
        clock: Callable[[], float] = time.monotonic,
        secret: bytes | None = None,
    ) -> None:
        """`qop` announces `qop="auth"`; answers with and without it are taken either way.

        Raises ValueError for an empty tuple of schemes or a realm with quotes.
        """
        if not schemes or '"' in realm or "\\" in realm:
            raise ValueError("at least one scheme, and a realm without quotes")
        self._users = users
        self._realm = realm
        self._schemes = schemes
        self._qop = qop
        self._clock = clock
        self._secret = secret or secrets.token_bytes(32)
        self._counts: OrderedDict[str, set[int]] = OrderedDict()
        """By nonce, those that have been seen: recorders with several connections send them in any order."""

    def challenges(self, *, stale: bool = False) -> tuple[str, ...]:
        """One challenge per scheme, in the order they were given."""
        return tuple(self._challenge(scheme, stale) for scheme in self._schemes)

    def check(self, method: str, uri: str, authorization: str | None) -> Verdict:
        """Judge an `Authorization` header value."""
        if authorization is None:
            return Verdict.MISSING
        scheme, _, rest = authorization.strip().partition(" ")
        if scheme.lower() == "basic" and Scheme.BASIC in self._schemes:
            return self._check_basic(rest.strip())
        if scheme.lower() == "digest" and Scheme.DIGEST in self._schemes:
            return self._check_digest(method, uri, rest)
        return Verdict.REFUSED

    def still(self, method: str, uri: str, authorization: str | None) -> bool:
        """Cameras let whoever plays go on, whatever becomes of his password."""
        return True

    def _challenge(self, scheme: Scheme, stale: bool) -> str:
        if scheme is Scheme.BASIC:
            return f'Basic realm="{self._realm}"'
        suffix = (', qop="auth"' if self._qop else "") + (", stale=true" if stale else "")
        return f'Digest realm="{self._realm}", nonce="{self._new_nonce()}", algorithm=MD5{suffix}'

    def _check_basic(self, encoded: str) -> Verdict:
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return Verdict.REFUSED
        known = self._users.get(user.decode("utf-8", "replace"))
        same = hmac.compare_digest(password, (known or "").encode())
        return Verdict.GRANTED if colon and known is not None and same else Verdict.REFUSED

    def _check_digest(self, method: str, uri: str, text: str) -> Verdict:
        sent = parse_parameters(text)
        if sent is None or sent.get("algorithm", "MD5").upper() != "MD5" or sent.get("realm") != self._realm:
            return Verdict.REFUSED
        if sent.get("qop", "auth") != "auth":
            return Verdict.REFUSED
        nonce, named_uri, user = sent.get("nonce", ""), sent.get("uri", ""), sent.get("username", "")
        known = self._users.get(_as_text(user))
        secret = _md5(f"{user}:{self._realm}:".encode("latin-1", "replace") + (known or "").encode())
        expected = digest_response(
            secret, method, named_uri, nonce, qop=sent.get("qop"), nc=sent.get("nc", ""), cnonce=sent.get("cnonce", "")
        )
        same = hmac.compare_digest(expected.encode(), sent.get("response", "").lower().encode("latin-1", "replace"))
        if not same or known is None or not _same_resource(uri, named_uri):
            return Verdict.REFUSED
        age = self._nonce_age(nonce)
        if age is None or age > NONCE_LIFETIME_S:
            return Verdict.STALE
        if sent.get("qop") is not None and self._repeated(nonce, sent.get("nc", "")):
            return Verdict.STALE  # to a client that counts wrongly it costs one more request
        return Verdict.GRANTED

    def _repeated(self, nonce: str, count: str) -> bool:
        """Whether this count of the nonce was used before. It is from now on."""
        try:
            number = int(count, 16)
        except ValueError:
            return True
        seen = self._counts.setdefault(nonce, set())
        if len(self._counts) > MAX_NONCES:
            self._counts.popitem(last=False)
        if number in seen or len(seen) >= MAX_COUNTS:
            return True
        seen.add(number)
        return False

    def _new_nonce(self) -> str:
        issued = f"{int(self._clock()):x}.{secrets.token_hex(4)}"
        return f"{issued}.{self._seal(issued)}"

    def _nonce_age(self, nonce: str) -> float | None:
        """Seconds since we issued it; None if we did not (we may have, before a restart: that is stale, not wrong)."""
        issued, _, seal = nonce.rpartition(".")
        if not hmac.compare_digest(self._seal(issued).encode(), seal.encode("latin-1", "replace")):
            return None
        return self._clock() - int(issued.partition(".")[0], 16)

    def _seal(self, issued: str) -> str:
        return hmac.new(self._secret, issued.encode("latin-1", "replace"), hashlib.sha256).hexdigest()[:32]


class RefuseAll:
    """Turns everybody away: a camera whose password was changed, or that locked an account."""

    def __init__(self, realm: str = "Camera") -> None:
        self._delegate = Authenticator({}, realm=realm)

    def check(self, method: str, uri: str, authorization: str | None) -> Verdict:
        """Never GRANTED."""
        return Verdict.MISSING if authorization is None else Verdict.REFUSED

    def still(self, method: str, uri: str, authorization: str | None) -> bool:
        """As `Authenticator.still`."""
        return True

    def challenges(self, *, stale: bool = False) -> tuple[str, ...]:
        """Both schemes."""
        return self._delegate.challenges(stale=stale)


def digest_response(
    secret: str, method: str, uri: str, nonce: str, *, qop: str | None = None, nc: str = "", cnonce: str = ""
) -> str:
    """The `response` of RFC 7616 section 3.4.1, without `qop` that of RFC 2069. `secret`: MD5 of user:realm:password."""
    request = _md5(f"{method}:{uri}".encode("latin-1", "replace"))
    middle = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    return _md5(f"{secret}:{middle}:{request}".encode("latin-1", "replace"))


def parse_parameters(text: str) -> dict[str, str] | None:
    """`name="value", name=value` with lower-case names; None if malformed or a name repeats."""
    found: dict[str, str] = {}
    offset = 0
    text = text.strip()
    while offset < len(text):
        match = _PARAMETER.match(text, offset)
        if match is None or match[1].lower() in found:
            return None
        value = match[3] if match[3] is not None else re.sub(r"\\(.)", r"\1", match[2])
        found[match[1].lower()] = value
        offset = match.end()
    return found


def _same_resource(uri: str, named: str) -> bool:
    """Clients sign the presentation's URI for its tracks, with or without a trailing slash, or only its path."""
    return _resource(uri) == _resource(named)


def _resource(uri: str) -> str:
    path = _TRACK.sub("", _AUTHORITY.sub("", uri)).partition("?")[0]
    return unquote(path, errors="replace").strip("/")


def _as_text(latin: str) -> str:
    try:
        return latin.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return latin


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
