"""Who may open a stream over RTSP, and who may call the ONVIF device. Pure but for the clock; event loop only.

Both have a user of their own: WS-Security and Digest need the password itself, and of the admin's only a hash is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from gateway.config.model import Onvif
from gateway.http.access import Access
from gateway.http.authenticator import Authenticator, Gatekeeper, Scheme, Verdict
from gateway.http.throttle import Throttle

REALM = "Camera Gateway"


def users_of(onvif: Onvif) -> Mapping[str, str]:
    """User names with passwords; empty if none is configured."""
    return {} if onvif.password is None else {onvif.username: onvif.password.reveal()}


class Logins:
    """The gatekeepers of both servers, with one memory for wrong passwords."""

    def __init__(self, onvif: Onvif, access: Access, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.throttle = Throttle(monotonic)
        self._access = access
        self.configure(onvif)

    def configure(self, onvif: Onvif) -> None:
        """Know these users from the next question on."""
        self.users = users_of(onvif)
        self._both = Authenticator(self.users, realm=REALM, schemes=(Scheme.DIGEST, Scheme.BASIC), qop=True)
        self._digest = Authenticator(self.users, realm=REALM, schemes=(Scheme.DIGEST,), qop=True)

    def for_calls(self) -> Gatekeeper:
        """HTTP authentication of ONVIF calls; `face.Access` slows guessing down by itself."""
        return self._digest

    def for_pictures(self, client: str) -> Gatekeeper:
        """HTTP authentication of snapshots, for the client at this address."""
        return Slowed(self._both, self.throttle, client)

    def for_streams(self, client: str) -> Gatekeeper | None:
        """RTSP, for the client at this address: the viewing token or the user. None: everybody may view."""
        if self._access.anonymous_viewing:
            return None
        return TokenOr(Slowed(self._both, self.throttle, client), self._access.is_viewing_token)


class Slowed:
    """A `Gatekeeper` that makes one client's guessing slow."""

    def __init__(self, inner: Gatekeeper, throttle: Throttle, client: str) -> None:
        self._inner = inner
        self._throttle = throttle
        self._client = client

    def check(self, method: str, uri: str, authorization: str | None) -> Verdict:
        """See `Gatekeeper.check`. A client that has to wait is refused whatever it says."""
        if authorization is None:
            return self._inner.check(method, uri, None)
        if self._throttle.attempt(self._client) > 0:
            return Verdict.REFUSED
        verdict = self._inner.check(method, uri, authorization)
        if verdict is not Verdict.REFUSED:
            self._throttle.succeeded(self._client)
        return verdict

    def challenges(self, *, stale: bool = False) -> tuple[str, ...]:
        """See `Gatekeeper.challenges`."""
        return self._inner.challenges(stale=stale)


class TokenOr:
    """A `Gatekeeper` that takes `?token=` in the address, else asks another one."""

    def __init__(self, inner: Gatekeeper, is_token: Callable[[str], bool]) -> None:
        self._inner = inner
        self._is_token = is_token

    def check(self, method: str, uri: str, authorization: str | None) -> Verdict:
        """See `Gatekeeper.check`."""
        token = token_in(uri)
        if token and self._is_token(token):
            return Verdict.GRANTED
        return self._inner.check(method, uri, authorization)

    def challenges(self, *, stale: bool = False) -> tuple[str, ...]:
        """See `Gatekeeper.challenges`."""
        return self._inner.challenges(stale=stale)


def token_in(uri: str) -> str:
    """The `token` of an RTSP request's address; empty if there is none.

    Clients glue a track's name behind the query (`?token=abc/trackID=0`), and VLC a slash.
    """
    try:
        query = urlsplit(uri).query
    except ValueError:
        return ""
    return parse_qs(query).get("token", [""])[0].partition("/")[0]
