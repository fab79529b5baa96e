"""Who may open a stream over RTSP, and who may call the ONVIF device. Pure but for the clock; event loop only.

Both have a user of their own: WS-Security and Digest need the password itself, and of everybody else's only a hash is kept.
RTSP players take a token in the address as well: the viewing token, an API token or a signed link.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from gateway.config.model import Onvif
from gateway.http.access import ANONYMOUS, Access
from gateway.http.authenticator import Authenticator, Gatekeeper, Scheme, Verdict
from gateway.http.throttle import Throttle
from gateway.nvr.profiles import STREAM_PATH
from gateway.rtsp.target import parse_target

REALM = "Camera Gateway"
REFUSED_AGAIN_S = 10.0
"""A recorder with an old password tries for ever; the audit log has it once per so much rest."""


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
        return Slowed(self._both, self.throttle, client, lambda: self.note_refusal(client, "onvif"))

    def for_streams(self, client: str) -> Gatekeeper:
        """RTSP, for the client at this address: a token, the user, or everybody where viewing is anonymous."""
        slowed = Slowed(self._both, self.throttle, client, lambda: self.note_refusal(client, "rtsp"))
        return StreamGate(slowed, self._access, client, self.users)

    def note_refusal(self, client: str, way: str) -> None:
        """Record a wrong password. Not the name: people type passwords there."""
        self._access.audit.going_on("login-failed", "?", client, again_s=REFUSED_AGAIN_S, ok=False, way=way)


class Slowed:
    """A `Gatekeeper` that makes one client's guessing slow."""

    def __init__(self, inner: Gatekeeper, throttle: Throttle, client: str, refused: Callable[[], None] = lambda: None) -> None:
        """`refused` hears of wrong passwords."""
        self._inner = inner
        self._throttle = throttle
        self._client = client
        self._refused = refused

    def check(self, method: str, uri: str, authorization: str | None) -> Verdict:
        """See `Gatekeeper.check`. A client that has to wait is refused whatever it says."""
        if authorization is None:
            return self._inner.check(method, uri, None)
        if self._throttle.attempt(self._client) > 0:
            return Verdict.REFUSED
        verdict = self._inner.check(method, uri, authorization)
        if verdict is Verdict.REFUSED:
            self._refused()
        else:
            self._throttle.succeeded(self._client)
        return verdict

    def still(self, method: str, uri: str, authorization: str | None) -> bool:
        """See `Gatekeeper.still`: also while somebody else at this address has to wait."""
        return self._inner.check(method, uri, authorization) in (Verdict.GRANTED, Verdict.STALE)

    def challenges(self, *, stale: bool = False) -> tuple[str, ...]:
        """See `Gatekeeper.challenges`."""
        return self._inner.challenges(stale=stale)


class StreamGate:
    """A `Gatekeeper` that takes `?token=` in the address, else asks another one; who begins to play is recorded."""

    def __init__(self, inner: Gatekeeper, access: Access, client: str, users: Mapping[str, str]) -> None:
        self._inner = inner
        self._access = access
        self._client = client
        self._users = users

    def check(self, method: str, uri: str, authorization: str | None) -> Verdict:
        """See `Gatekeeper.check`."""
        stream = stream_in(uri)
        token = token_in(uri)
        decision = self._access.judge_token(token, stream=stream) if token else None
        if decision is not None and decision.allowed:
            return self._granted(method, decision.user or "", stream)
        if self._access.anonymous_viewing:
            return self._granted(method, ANONYMOUS, stream)
        verdict = self._inner.check(method, uri, authorization)
        if verdict is Verdict.GRANTED:
            return self._granted(method, next(iter(self._users), ""), stream)
        return verdict

    def still(self, method: str, uri: str, authorization: str | None) -> bool:
        """See `Gatekeeper.still`."""
        if self._access.anonymous_viewing:
            return True
        token = token_in(uri)
        if token and self._access.judge_token(token, stream=stream_in(uri)).allowed:
            return True
        return self._inner.still(method, uri, authorization)

    def challenges(self, *, stale: bool = False) -> tuple[str, ...]:
        """See `Gatekeeper.challenges`."""
        return self._inner.challenges(stale=stale)

    def _granted(self, method: str, user: str, stream: str) -> Verdict:
        if method == "PLAY":
            self._access.note_watching(user, self._client, stream, "rtsp")
        return Verdict.GRANTED


def stream_in(uri: str) -> str:
    """The stream that an RTSP request's address names; what names none cannot be permitted to anybody limited."""
    return parse_target(uri).path.removeprefix(STREAM_PATH)


def token_in(uri: str) -> str:
    """The `token` of an RTSP request's address; empty if there is none.

    Clients glue a track's name behind the query (`?token=abc/trackID=0`), and VLC a slash.
    """
    try:
        query = urlsplit(uri).query
    except ValueError:
        return ""
    return parse_qs(query).get("token", [""])[0].partition("/")[0]
