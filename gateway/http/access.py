"""Decides who may see and who may change things: one administrator, and everybody who holds the viewing token.

Called from the event loop for every media request (`check_request`, `check_params`) and from Flask's threads (the
`_sync` variants). A password costs some 50 ms of scrypt and 32 MB, so it is never checked on the event loop, at most
two at a time, and the verdict is remembered for minutes.
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
from dataclasses import dataclass
from pathlib import Path

from werkzeug.security import check_password_hash

from gateway.http.credentials import Password, basic, cookie, from_parameters
from gateway.http.messages import Request
from gateway.http.passes import Passes
from gateway.http.secretfiles import SecretFiles, readable_password
from gateway.http.sessions import SESSION_RENEW_S, Session, Signer
from gateway.http.throttle import Throttle
from gateway.http.verified import Verified

log = logging.getLogger(__name__)

ADMIN = "admin"
VIEWER = "viewer"
"""Whoever shows the viewing token."""
ANONYMOUS = "anonymous"

PASSWORD_VERDICT_S = 600.0
SESSION_VERDICT_S = 60.0
"""Checking a signature takes 20 µs, a third of what serving a part costs."""
REFRESH_S = 2.0
"""How soon a password set by `gateway passwd` counts."""
SCRYPT_THREADS = 2
MAX_WAITING = 32
"""Different passwords waiting for scrypt; more are sent away at once."""
BUSY_RETRY_S = 2.0


class Right(enum.Enum):
    """What a route asks for."""

    VIEW = "view"
    OPERATE = "operate"
    """Steer cameras."""
    METRICS = "metrics"
    """Read `/metrics`: for programs that watch the gateway, not for people who watch cameras."""
    ADMIN = "admin"


class Proof(enum.Enum):
    """How somebody proved who they are. Browsers send the first two by themselves, so these need form tokens."""

    COOKIE = "cookie"
    BASIC = "basic"
    TOKEN = "token"
    PARAMETERS = "parameters"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. `retry_after` is in seconds, above 0 when the client must wait before it may try a password again."""

    allowed: bool
    user: str | None = None
    retry_after: float = 0.0
    proof: Proof = Proof.NONE

    @property
    def status(self) -> int:
        """The HTTP status that says this: 200, 401 unknown, 403 known but not entitled, 429 come back later."""
        if self.allowed:
            return 200
        if self.user is not None:
            return 403
        return 429 if self.retry_after > 0 else 401


@dataclass(frozen=True, slots=True)
class _Question:
    """A password that only scrypt can judge."""

    presented: Password
    key: bytes
    proof: Proof
    right: Right
    client: str


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
        self._files = files
        self._signer = Signer(files.session_key)
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

    def close(self) -> None:
        """Let go of the worker threads. Password checks under way end by themselves within a second."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    @property
    def viewing_token(self) -> str:
        """The token for "copy address"; gives the right to view, for as long as the installation lives."""
        return self._signer.viewing_token

    @property
    def installation(self) -> str:
        """40 hex digits that tell this installation from all others, for as long as it lives."""
        return self._signer.identity

    def is_viewing_token(self, token: str) -> bool:
        """Whether this is the viewing token; costs no thread and no time."""
        return self._signer.is_viewing_token(token)

    def set_password(self, password: str) -> None:
        """Give the admin a new password; all sessions end. Takes 50 ms. Raises ValueError if empty, OSError."""
        self._files.set_password(password)
        self._forget()

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

    def new_session(self, user: str) -> str:
        """Value of a session cookie for `user`."""
        return self._signer.issue(user, self._files.password_hash, self._wall())

    def session_to_renew(self, request: Request) -> str | None:
        """The user whose session cookie should be issued again because it is in use and a day old."""
        session = self._session_of(request)
        if session is None or self._wall() - session.issued < SESSION_RENEW_S:
            return None
        return session.user

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
        return self._conclude_sync(self._ask(Password(user, password), Proof.PARAMETERS, Right.ADMIN, client))

    # Checks

    async def check_request(self, request: Request, right: Right) -> Decision:
        """Judge a request by its cookie, Basic credentials or parameters, in this order. Event loop."""
        return await self._conclude(self._examine(request, right))

    def check_request_sync(self, request: Request, right: Right) -> Decision:
        """`check_request` for worker threads."""
        return self._conclude_sync(self._examine(request, right))

    async def check_params(self, client: str, params: Mapping[str, str], right: Right = Right.VIEW) -> bool:
        """Whether somebody with these URL parameters (`token`, or `user` and `pass`) has the right. Event loop."""
        return (await self._conclude(self._examine_parameters(client, params, right))).allowed

    def check_params_sync(self, client: str, params: Mapping[str, str]) -> bool:
        """`check_params` for worker threads."""
        return self._conclude_sync(self._examine_parameters(client, params, Right.VIEW)).allowed

    def _examine(self, request: Request, right: Right) -> Decision | _Question:
        self._refresh()
        session = self._session_of(request)
        header = request.headers.get("authorization")
        if session is not None:
            decision = self._entitled(session.user, right, Proof.COOKIE)
            if decision.allowed or (header is None and not request.query):
                return decision
        presented = basic(header) if header else None
        if presented is not None:
            return self._ask(presented, Proof.BASIC, right, request.client)
        return self._examine_parameters(request.client, request.parameters() if request.query else {}, right)

    def _examine_parameters(self, client: str, params: Mapping[str, str], right: Right) -> Decision | _Question:
        self._refresh()
        token = params.get("token")
        if token is not None and self._signer.is_viewing_token(token):
            return self._entitled(VIEWER, right, Proof.TOKEN)
        presented = from_parameters(params)
        if presented is not None:
            return self._ask(presented, Proof.PARAMETERS, right, client)
        return self._refused(right)

    def _ask(self, presented: Password, proof: Proof, right: Right, client: str) -> Decision | _Question:
        key = self._passwords.key(presented.user, presented.password)
        with self._lock:
            verdict = self._passwords.recall(key)
        if verdict is None:
            return _Question(presented, key, proof, right, client)
        return self._entitled(presented.user, right, proof) if verdict else self._refused(right)

    async def _conclude(self, question: Decision | _Question) -> Decision:
        if isinstance(question, Decision):
            return question
        waiting = self._waiting.get(question.key)
        if waiting is None:
            if len(self._waiting) >= MAX_WAITING:
                return self._refused(question.right, BUSY_RETRY_S)
            with self._lock:
                delay = self._throttle.attempt(question.client)
            if delay:
                return self._refused(question.right, delay)
            loop = asyncio.get_running_loop()
            waiting = loop.run_in_executor(self._executor, self._check_password, question)
            self._waiting[question.key] = waiting
            waiting.add_done_callback(lambda _done: self._waiting.pop(question.key, None))
        good = await asyncio.shield(waiting)
        return (
            self._entitled(question.presented.user, question.right, question.proof) if good else self._refused(question.right)
        )

    def _conclude_sync(self, question: Decision | _Question) -> Decision:
        if isinstance(question, Decision):
            return question
        with self._lock:
            delay = self._throttle.attempt(question.client)
        if delay:
            return self._refused(question.right, delay)
        if self._check_password(question):
            return self._entitled(question.presented.user, question.right, question.proof)
        return self._refused(question.right)

    def _check_password(self, question: _Question) -> bool:
        presented = question.presented
        judged_by = self._files.password_hash
        with self._scrypt:
            good = _matches(judged_by, presented.password)
        good = good and presented.user == ADMIN
        with self._lock:
            if good:
                self._throttle.succeeded(question.client)
            if judged_by == self._files.password_hash:
                self._passwords.remember(question.key, good)
        if not good:
            log.warning("wrong user name or password from %s", question.client)
        return good

    def _entitled(self, user: str, right: Right, proof: Proof) -> Decision:
        return Decision(user == ADMIN or right is Right.VIEW, user, proof=proof)

    def _refused(self, right: Right, retry_after: float = 0.0) -> Decision:
        if self.anonymous_viewing and right is Right.VIEW:
            return Decision(True, ANONYMOUS)
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
                session = self._signer.read(value, self._files.password_hash, self._wall())
                if session is not None:
                    self._sessions.remember(key, session)
        return session

    def _refresh(self) -> None:
        now = self._monotonic()
        if now - self._refreshed < REFRESH_S:
            return
        with self._lock:
            self._refreshed = now
            changed = self._files.refresh()
        if changed:
            log.info("the admin's password was changed: all sessions end")
            self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._passwords.clear()
            self._sessions.clear()
        self.passes.tear_up()


def _matches(password_hash: str, password: str) -> bool:
    try:
        return check_password_hash(password_hash, password)
    except ValueError:
        log.error("the admin's password hash is damaged; set a new password with: gateway passwd")
        return False
