"""The one authoriser: who shows what, which right, which camera or stream; yes or no.

Asked by pages and API (`check_request_sync`, on Flask's threads), HLS and the wall's WebSocket (`check_request`), RTMP
(`judge_params`), RTSP (`judge_token`), all on the event loop. Whoever lets somebody in for longer keeps the `Grant` and asks
`still` every second or two.

A password costs some 50 ms of scrypt and 32 MB, so it is never checked on the event loop, at most two at a time, and the
verdict is remembered for minutes. Everything else costs microseconds.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from werkzeug.security import check_password_hash

from gateway.access.audit import AuditLog
from gateway.access.grants import Grant, Right, accounts_of
from gateway.access.keyring import ADMIN, VIEWER, Keyring
from gateway.access.proxy import TrustedProxies
from gateway.config.model import Auth, Config
from gateway.http.calls import Headers
from gateway.http.credentials import Password, basic, bearer, cookie, from_parameters
from gateway.http.messages import Request
from gateway.http.passes import Passes
from gateway.http.secretfiles import SecretFiles, readable_password
from gateway.http.sessions import RENEWALS_PER_IDLE, SESSION_RENEW_S, Session
from gateway.http.throttle import Throttle
from gateway.http.verified import Verified

__all__ = ["ADMIN", "ANONYMOUS", "VIEWER", "Access", "Decision", "Proof", "Right"]

log = logging.getLogger(__name__)

ANONYMOUS = "anonymous"

PASSWORD_VERDICT_S = 600.0
SESSION_VERDICT_S = 60.0
"""Checking a signature takes 20 µs, a third of what serving a part costs."""
REFRESH_S = 2.0
"""How soon a password set by `gateway passwd` counts, and a token revoked by `gateway token`."""
SCRYPT_THREADS = 2
MAX_WAITING = 32
"""Different passwords waiting for scrypt; more are sent away at once."""
BUSY_RETRY_S = 2.0
MAX_DECISIONS = 4096
MAX_NAME_CHARS = 80
"""Longer ones are of no camera (ids have 63 characters), and what a client makes up is not remembered."""


class Proof(enum.Enum):
    """How somebody proved who they are. Browsers send the first three by themselves, so these need form tokens."""

    COOKIE = "cookie"
    BASIC = "basic"
    PROXY = "proxy"
    """A trusted proxy says so."""
    TOKEN = "token"
    """In the address; it may be the viewing token, an API token or a signed link."""
    BEARER = "bearer"
    PARAMETERS = "parameters"
    FORM = "form"
    NONE = "none"


BY_THEMSELVES = frozenset({Proof.COOKIE, Proof.BASIC, Proof.PROXY})


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. `retry_after` is in seconds, above 0 when the client must wait before it may try a password again."""

    allowed: bool
    user: str | None = None
    retry_after: float = 0.0
    proof: Proof = Proof.NONE
    hidden: bool = False
    """There is no such camera as far as this client may know."""
    grant: Grant | None = field(default=None, compare=False)
    """All that the client may; None for one who is not known."""

    @property
    def status(self) -> int:
        """The HTTP status that says this: 200, 401 unknown, 403 known but not entitled, 404 no such camera, 429 wait."""
        if self.allowed:
            return 200
        if self.hidden:
            return 404
        if self.user is not None:
            return 403
        return 429 if self.retry_after > 0 else 401


class _Wanted(NamedTuple):
    """What is asked for. `camera` and `stream` are empty where it is about none."""

    right: Right
    camera: str = ""
    stream: str = ""
    by_name: bool = False
    """Somebody says who he is: that everybody may view is no answer."""

    @property
    def of_everybody(self) -> bool:
        """What is granted where viewing is anonymous."""
        return self.right is Right.VIEW and not self.by_name


@dataclass(frozen=True, slots=True)
class _Question:
    """A password that only scrypt can judge."""

    presented: Password
    key: bytes
    proof: Proof
    wanted: _Wanted
    client: str


_ANONYMOUS_GRANT = Grant(ANONYMOUS, frozenset({Right.VIEW}))


class Access:
    """The authoriser. Make it with `Access.open`."""

    def __init__(
        self,
        files: SecretFiles,
        *,
        anonymous_viewing: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.anonymous_viewing = anonymous_viewing
        self.keyring = Keyring(files, wall=wall)
        self.audit = AuditLog(files.data_dir, monotonic=monotonic, wall=wall)
        self._files = files
        self._signer = self.keyring.signer
        self._auth = Auth()
        self._proxies: TrustedProxies | None = None
        self._cameras: frozenset[str] | None = None
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.Lock()
        self._refreshed = monotonic()
        self._throttle = Throttle(monotonic)
        self._passwords: Verified[bool] = Verified(PASSWORD_VERDICT_S, monotonic)
        self._sessions: Verified[Session] = Verified(SESSION_VERDICT_S, monotonic)
        self.passes = Passes(self._refresh, REFRESH_S, monotonic)
        """Who may watch what without another check; filled by `guard`, used by express lanes."""
        self._scrypt = threading.BoundedSemaphore(SCRYPT_THREADS)
        self._executor = ThreadPoolExecutor(SCRYPT_THREADS, thread_name_prefix="password")
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}
        self._decisions: dict[tuple[int, Proof, _Wanted], Decision] = {}
        """By identity of the grant, which every decision keeps alive. HLS asks the same thing five times a second."""

    @classmethod
    def open(
        cls, data_dir: Path, initial_password: str | None = None, *, anonymous_viewing: bool = False
    ) -> tuple[Access, str | None]:
        """Open `<data_dir>/secrets/`, making what is missing. Raises OSError.

        Without a password on disk `initial_password` becomes the admin's; if that is empty too, one is generated and
        returned as second value, to be shown to the user once.
        """
        files = SecretFiles(data_dir)
        generated = None
        if not files.password_hash:
            if not initial_password:
                generated = readable_password()
            files.set_password(initial_password or generated or "")
        return cls(files, anonymous_viewing=anonymous_viewing), generated

    def configure(self, config: Config) -> None:
        """Take up users and `auth` of a configuration. What people may changes at once; sessions of others go on."""
        self.keyring.configure(accounts_of(config))
        self.anonymous_viewing = config.auth.anonymous_viewing
        self._auth = config.auth
        self._cameras = frozenset(camera.id for camera in config.cameras)
        self._proxies = TrustedProxies(config.auth.proxy) if config.auth.proxy is not None else None
        self.forget()

    def close(self) -> None:
        """Let go of the worker threads. Password checks under way end by themselves within a second."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self.audit.stop()

    def as_sent(self, request: Request) -> Request:
        """The request as its real client sent it, if it comes through a trusted proxy."""
        return request if self._proxies is None else self._proxies.resolve(request)

    def fields_as_sent(self, peer: str, scheme: str, headers: Headers) -> tuple[str, str]:
        """Client and scheme of what came from this peer; see `as_sent`."""
        proxies = self._proxies
        return (peer, scheme) if proxies is None else proxies.resolve_fields(peer, scheme, headers)

    def note_watching(self, user: str, client: str, stream: str, way: str) -> None:
        """Record that somebody plays a stream, if its camera exists: what is made up would push out what was really done."""
        if self._cameras is None or stream.removesuffix(".sub") in self._cameras:
            self.audit.going_on("watch", user, client, camera=stream, way=way)

    def is_proxy(self, address: str) -> bool:
        """Whether a trusted proxy has this address: it brings everybody's requests."""
        return self._proxies is not None and self._proxies.includes(address)

    @property
    def viewing_token(self) -> str:
        """The token for screens without a keyboard; gives the right to view all cameras. Empty while it is revoked."""
        return self.keyring.viewing_token

    @property
    def installation(self) -> str:
        """40 hex digits that tell this installation from all others, for as long as it lives."""
        return self._signer.identity

    def set_password(self, password: str) -> None:
        """Give the admin a new password; all sessions end. Takes 50 ms. Raises ValueError if empty, OSError."""
        self._files.set_password(password)
        self.forget()

    # Sessions and forms, used by the pages

    def session_cookie(self, scheme: str) -> str:
        """Name of the session cookie.

        It differs between the schemes: browsers forbid a plain HTTP page to replace a Secure cookie of the same name,
        and a login there would silently not stick.
        """
        return f"gateway_{self._signer.installation}" + ("" if scheme == "https" else "_http")

    def form_cookie(self, scheme: str) -> str:
        """Name of the cookie that a form token belongs to."""
        return self.session_cookie(scheme) + "_form"

    @property
    def session_idle_s(self) -> float:
        """How long a session lasts after its last use."""
        return self._auth.session_idle_s

    def new_session(self, user: str) -> str:
        """Value of a session cookie for `user`. Raises ValueError if there is no such user."""
        mark = self.keyring.mark_of(user)
        if mark is None:
            raise ValueError("there is no such user")
        return self._signer.issue(user, mark, self._wall())

    def renewed(self, session: Session) -> str:
        """Value of a cookie that continues a session: it rests on the same, and dies with it should that be gone by now."""
        return self._signer.issue(session.user, session.mark, self._wall(), session.started)

    def session_to_renew(self, request: Request) -> Session | None:
        """The session whose cookie should be issued again because it is in use and no longer fresh."""
        session = self._session_of(request)
        fresh_s = min(SESSION_RENEW_S, self._auth.session_idle_s / RENEWALS_PER_IDLE)
        return None if session is None or self._wall() - session.issued < fresh_s else session

    def end_sessions(self, user: str) -> None:
        """Log a user out everywhere. Raises OSError."""
        self.keyring.end_logins(user)
        self.forget()

    def new_form_nonce(self) -> str:
        """Value of a form cookie."""
        return secrets.token_urlsafe(16)

    def form_token(self, nonce: str) -> str:
        """What a form must send along with the cookie holding `nonce`."""
        return self._signer.form_token(nonce)

    def form_token_matches(self, nonce: str, token: str) -> bool:
        """Whether a form came from a page of ours."""
        return bool(nonce) and self._signer.form_token_matches(nonce, token)

    def login_sync(self, client: str, user: str, password: str) -> Decision:
        """Judge what was typed into the login form. Blocks for scrypt."""
        return self._conclude_sync(self._ask(Password(user, password), Proof.FORM, _Wanted(Right.VIEW, by_name=True), client))

    # Checks

    async def check_request(self, request: Request, right: Right, *, camera: str = "", stream: str = "") -> Decision:
        """Judge a request by what it shows: proxy, cookie, header, parameters, in this order. Event loop."""
        return await self._conclude(self._examine(request, _Wanted(right, camera, stream)))

    def check_request_sync(self, request: Request, right: Right, *, camera: str = "") -> Decision:
        """`check_request` for worker threads."""
        return self._conclude_sync(self._examine(request, _Wanted(right, camera)))

    async def judge_params(
        self, client: str, params: Mapping[str, str], right: Right = Right.VIEW, *, stream: str = ""
    ) -> Decision:
        """Judge URL parameters (`token`, or `user` and `pass`). Event loop."""
        return await self._conclude(self._examine_parameters(client, params, _Wanted(right, stream=stream)))

    async def check_params(self, client: str, params: Mapping[str, str], right: Right = Right.VIEW) -> bool:
        """Whether somebody with these URL parameters has the right. Event loop."""
        return (await self.judge_params(client, params, right)).allowed

    def check_params_sync(self, client: str, params: Mapping[str, str]) -> bool:
        """`check_params` for worker threads."""
        return self._conclude_sync(self._examine_parameters(client, params, _Wanted(Right.VIEW))).allowed

    def judge_token(self, token: str, right: Right = Right.VIEW, *, stream: str = "") -> Decision:
        """Judge a token alone: the viewing token, an API token or a signed link. Costs no thread and no time."""
        self._refresh()
        grant = self.keyring.grant_of_token(token)
        if grant is None:
            return Decision(False)
        return self._entitled(grant, Proof.TOKEN, _Wanted(right, stream=stream))

    def still(self, grant: Grant, right: Right, *, stream: str = "") -> bool:
        """Whether somebody who was let in would be let in now: the user, his cameras, his password, the moment."""
        self._refresh()
        if grant.user == ANONYMOUS:
            return self.anonymous_viewing and right is Right.VIEW
        now = self.keyring.grant_of(grant.user)
        if now is None or now.mark != grant.mark or self._wall() >= grant.until or right not in now.rights:
            return False
        return not stream or (grant.stream in ("", stream) and now.plays(stream))

    def lasts(self, decision: Decision, seconds: float) -> bool:
        """Whether what was allowed will still be after so long, as far as time decides."""
        return decision.grant is not None and decision.grant.until - self._wall() > seconds

    def play_token(self, decision: Decision, stream: str, shown: str) -> str:
        """What the names in a playlist lead through: what the player has `shown`, or a link that stands for its password."""
        if shown and self.keyring.grant_of_token(shown) is not None:
            return shown
        try:
            return self.keyring.make_link(stream, decision.user or "", 0)
        except ValueError:
            return ""

    def _examine(self, request: Request, wanted: _Wanted) -> Decision | _Question:
        self._refresh()
        known: Decision | None = None
        if request.user:
            known = self._of_user(request.user, Proof.PROXY, wanted)
            if known.allowed:
                return known
        session = self._session_of(request)
        grant = self.keyring.grant_of(session.user) if session is not None else None
        if grant is not None:
            known = self._entitled(grant, Proof.COOKIE, wanted)
            if known.allowed:
                return known
        header = request.headers.get("authorization")
        if header:
            presented = basic(header)
            if presented is not None:
                return self._ask(presented, Proof.BASIC, wanted, request.client)
            grant = self.keyring.grant_of_token(bearer(header))
            if grant is not None:
                return self._entitled(grant, Proof.BEARER, wanted)
        if request.query:
            params = request.parameters()
            if "token" in params or ("user" in params and "pass" in params):
                return self._examine_parameters(request.client, params, wanted)
        if known is not None and not (self.anonymous_viewing and wanted.of_everybody):
            return known
        return self._refused(wanted)

    def _examine_parameters(self, client: str, params: Mapping[str, str], wanted: _Wanted) -> Decision | _Question:
        self._refresh()
        token = params.get("token")
        if token is not None:
            grant = self.keyring.grant_of_token(token)
            if grant is not None:
                return self._entitled(grant, Proof.TOKEN, wanted)
        presented = from_parameters(params)
        if presented is not None:
            return self._ask(presented, Proof.PARAMETERS, wanted, client)
        return self._refused(wanted)

    def _ask(self, presented: Password, proof: Proof, wanted: _Wanted, client: str) -> Decision | _Question:
        key = self._passwords.key(presented.user, presented.password)
        with self._lock:
            verdict = self._passwords.recall(key)
        if verdict is None:
            return _Question(presented, key, proof, wanted, client)
        return self._of_user(presented.user, proof, wanted) if verdict else self._refused(wanted)

    async def _conclude(self, question: Decision | _Question) -> Decision:
        if isinstance(question, Decision):
            return question
        waiting = self._waiting.get(question.key)
        if waiting is None:
            if len(self._waiting) >= MAX_WAITING:
                return self._refused(question.wanted, BUSY_RETRY_S)
            delay = self._begin_attempt(question)
            if delay:
                return self._refused(question.wanted, delay)
            loop = asyncio.get_running_loop()
            waiting = loop.run_in_executor(self._executor, self._check_password, question)
            self._waiting[question.key] = waiting
            waiting.add_done_callback(lambda _done: self._waiting.pop(question.key, None))
        return self._concluded(question, good=await asyncio.shield(waiting))

    def _conclude_sync(self, question: Decision | _Question) -> Decision:
        if isinstance(question, Decision):
            return question
        delay = self._begin_attempt(question)
        if delay:
            return self._refused(question.wanted, delay)
        return self._concluded(question, good=self._check_password(question))

    def _begin_attempt(self, question: _Question) -> float:
        user, client = question.presented.user, question.client
        with self._lock:
            delay = self._throttle.attempt(client, user)
        if delay:
            self.audit.going_on("login-delayed", self._known(user), client, way=question.proof.value)
        return delay

    def _concluded(self, question: _Question, *, good: bool) -> Decision:
        if not good:
            return self._refused(question.wanted)
        return self._of_user(question.presented.user, question.proof, question.wanted)

    def _check_password(self, question: _Question) -> bool:
        user, client = question.presented.user, question.client
        hashed = self.keyring.hash_of(user)
        with self._scrypt:
            # a name that nobody has costs the same time
            good = _matches(hashed or self._files.password_hash, question.presented.password)
        good = good and hashed is not None
        with self._lock:
            if good:
                self._throttle.succeeded(client, user)
            if hashed == self.keyring.hash_of(user):
                self._passwords.remember(question.key, good)
        way = question.proof.value
        if not good:
            log.warning("wrong user name or password from %s", client)
            self.audit.record("login-failed", self._known(user), client, ok=False, way=way)
        elif question.proof is not Proof.FORM:
            self.audit.going_on("login", user, client, way=way)
        return good

    def _known(self, user: str) -> str:
        """The name if there is such a user: people type their password there, too."""
        return user if self.keyring.hash_of(user) is not None else "?"

    def _of_user(self, name: str, proof: Proof, wanted: _Wanted) -> Decision:
        """Of somebody with a name; what a proxy calls a user must not pass for a token."""
        grant = self.keyring.grant_of(name) if self.keyring.hash_of(name) is not None else None
        return Decision(False, name, proof=proof) if grant is None else self._entitled(grant, proof, wanted)

    def _entitled(self, grant: Grant, proof: Proof, wanted: _Wanted) -> Decision:
        if grant.stream:
            return self._decide(grant, proof, wanted)  # a link's grant is made anew every time
        key = (id(grant), proof, wanted)
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._decide(grant, proof, wanted)
            if len(self._decisions) >= MAX_DECISIONS:
                self._decisions.clear()
            if decision.grant is grant and len(wanted.camera) + len(wanted.stream) <= MAX_NAME_CHARS:
                self._decisions[key] = decision
        return decision

    def _decide(self, grant: Grant, proof: Proof, wanted: _Wanted) -> Decision:
        camera, stream = wanted.camera, wanted.stream
        hidden = bool(camera and not grant.shows(camera)) or bool(stream and not grant.plays(stream))
        allowed = wanted.right in grant.rights and not hidden
        if not allowed and self.anonymous_viewing and wanted.of_everybody:
            return Decision(True, ANONYMOUS, grant=_ANONYMOUS_GRANT)
        return Decision(allowed, grant.user, proof=proof, hidden=hidden, grant=grant)

    def _refused(self, wanted: _Wanted, retry_after: float = 0.0) -> Decision:
        if self.anonymous_viewing and wanted.of_everybody:
            return Decision(True, ANONYMOUS, grant=_ANONYMOUS_GRANT)
        return Decision(False, retry_after=retry_after)

    def _session_of(self, request: Request) -> Session | None:
        header = request.headers.get("cookie")
        value = cookie(header, self.session_cookie(request.scheme)) if header else None
        if value is None:
            return None
        key = self._sessions.key(value)
        with self._lock:
            session = self._sessions.recall(key)
            if session is None:
                session = self._signer.read(
                    value, self.keyring.mark_of, self._wall(),
                    idle_s=self._auth.session_idle_s, lifetime_s=self._auth.session_lifetime_s,
                )  # fmt: skip
                if session is not None:
                    self._sessions.remember(key, session)
        return session

    def _refresh(self) -> None:
        now = self._monotonic()
        if now - self._refreshed < REFRESH_S:
            return
        with self._lock:
            self._refreshed = now
            password, changed = self._files.password_hash, self.keyring.refresh()
        if changed:
            if password != self._files.password_hash:
                log.info("the admin's password was changed: all sessions end")
                self.audit.record("password", ADMIN, "")
            self.forget()

    def forget(self) -> None:
        """Remember no verdict: what they rest on has changed."""
        with self._lock:
            self._passwords.clear()
            self._sessions.clear()
        self._decisions = {}
        self.passes.tear_up()


def _matches(password_hash: str, password: str) -> bool:
    try:
        return check_password_hash(password_hash, password)
    except ValueError:
        log.error("the admin's password hash is damaged; set a new password with: gateway passwd")
        return False
