"""One camera's conversation: signs requests, finds out how the camera wants them signed, one request at a time.

Worker threads; every call blocks until its deadline at most.

Cameras lock an account after a few wrong passwords (Dahua five, Tapo for 30 minutes), so the number of requests that
carry a password is kept as small as can be. The ladder, climbed once per session with the first request that needs it:

    0. Without a password, for questions only, to see whether the camera asks for HTTP Digest: it may do so at one service
       and not at another. Costs a round trip, and spares a password that would be wrong in form.
    1. WS-Security digest, signed with the camera's time.
       Left out if the camera has asked for HTTP Digest.
    2. HTTP Digest together with WS-Security, only if the camera asked for HTTP Digest.
    3. The same as before, signed with our own time; only if the camera's clock is off by a time zone (it then reports
       local time as UTC) and its refusal came from SOAP, not from HTTP Digest.

A wrong password therefore costs one request, and one more with a clock that is wrong by a time zone. After that the
session is refused for good and sends no password again; a new session is made when the user enters a new one. Passwords
are never sent in clear.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from gateway.errors import ProtocolError, TimedOut, WrongCredentials
from gateway.http import digest_client as digest
from gateway.onvif import addresses, clock, soap, turns
from gateway.onvif.deadline import Deadline
from gateway.onvif.reader import Node
from gateway.onvif.soap import Credentials, NotSoap, SoapFault
from gateway.onvif.transport import ConnectionDropped, Reply, Transport
from gateway.redact import redact

_LOCKOUT = re.compile(r"attempt|lock|remain|banned|too many", re.IGNORECASE)
_NO_SUCH_PLACE = frozenset({404, 405, 410, 501})


@dataclass(frozen=True, slots=True)
class Signing:
    """How a request is signed."""

    http_digest: bool
    camera_time: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A reply, understood: exactly one of `node` and `error`, or a refusal."""

    reply: Reply
    node: Node | None = None
    error: ProtocolError | None = None
    refusal: str | None = None
    """The camera's words when it refused name and password; may be empty."""


class Session:
    """Requests to one camera. `label` is its address as shown in messages."""

    def __init__(
        self,
        label: str,
        credentials: Credentials | None,
        transport: Transport,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        entropy: Callable[[int], bytes] = os.urandom,
        before_password: Callable[[str], None] | None = None,
    ) -> None:
        """`before_password` is called once, with the URL, before the first request that is signed with the password.

        It may raise a SourceError to keep it from a device that is not the camera; by then the device has answered
        anonymous requests.
        """
        self.label = label
        self._camera_ahead_s: float | None = None
        """The camera's clock minus our monotonic one, which nobody sets: it is the camera that judges what is signed."""
        self._credentials = credentials
        self._transport = transport
        self._now = now
        self._monotonic = monotonic
        self._entropy = entropy
        self._lock = threading.Lock()
        self._before_password = before_password
        self._settled: Signing | None = None
        self._refused: WrongCredentials | None = None
        self._challenge: digest.Challenge | None = None
        self._count = 0
        self._addressing = ""
        """Of the request under way."""
        self.http_date: str | None = None
        """`Date` header of the last reply: a clock for cameras that do not tell theirs to strangers."""
        self.refusal_is_onvif = False
        """Whether the last refusal came in SOAP or asked for HTTP Digest: a router's web page does neither."""

    @property
    def offset_s(self) -> float:
        """The camera's clock minus ours as it is now; 0 while the camera's is not known."""
        return self._camera_ahead_s + self._monotonic() - self._now() if self._camera_ahead_s is not None else 0.0

    @offset_s.setter
    def offset_s(self, seconds: float) -> None:
        self._camera_ahead_s = self._now() + seconds - self._monotonic()

    def close(self) -> None:
        self._transport.close()

    def call(
        self, url: str, action: str, body: str, deadline: Deadline, *, anonymous: bool = False, addressing: str = ""
    ) -> Node:
        """Send one request and return the element in the reply's body. `addressing` is XML for the SOAP header.

        Raises WrongCredentials, SoapFault and NotSoap (both ProtocolError), Unreachable, TimedOut.
        """
        if not self._lock.acquire(timeout=deadline.remaining_s()):
            raise TimedOut(f"{self.label}: the camera is still busy with an earlier request")
        self._addressing = addressing
        try:
            if anonymous or self._credentials is None:
                return self._anonymous(url, action, body, deadline)
            if self._refused is not None:
                raise self._refused
            if self._before_password is not None:
                self._before_password(url)
                self._before_password = None
            if self._settled is not None:
                return self._signed(self._settled, self._credentials, url, action, body, deadline)
            return self._climb(self._credentials, url, action, body, deadline)
        finally:
            self._lock.release()

    def _anonymous(self, url: str, action: str, body: str, deadline: Deadline) -> Node:
        outcome = self._exchange(None, None, url, action, body, deadline)
        if outcome.refusal is not None:
            raise WrongCredentials(f"{self.label}: the camera asks for a user name and password (ONVIF)")
        return self._result(outcome)

    def _signed(self, signing: Signing, credentials: Credentials, url: str, action: str, body: str, deadline: Deadline) -> Node:
        """A request signed in the way that worked before. A refusal is about rights now, or a changed password."""
        outcome = self._exchange(signing, credentials, url, action, body, deadline)
        if outcome.refusal is not None and digest.find_challenge(outcome.reply.challenges) is not None:
            # The nonce has expired, or this service wants HTTP Digest although the one before did not.
            signing = replace(signing, http_digest=True)
            outcome = self._exchange(signing, credentials, url, action, body, deadline)
        if outcome.refusal is not None:
            raise WrongCredentials(f"{self.label}: the camera does not allow this user to do that (ONVIF)")
        self._settled = signing
        return self._result(outcome)

    def _climb(self, credentials: Credentials, url: str, action: str, body: str, deadline: Deadline) -> Node:
        if self._challenge is None and _is_question(action):
            self._exchange(None, None, url, action, body, deadline)
        signing: Signing | None = Signing(http_digest=self._challenge is not None, camera_time=True)
        refusal = ""
        while signing is not None:
            outcome = self._exchange(signing, credentials, url, action, body, deadline)
            if outcome.refusal is not None and outcome.reply.status == 401 and signing.http_digest and self._is_stale():
                outcome = self._exchange(signing, credentials, url, action, body, deadline)
            if outcome.refusal is None:
                if outcome.node is not None:
                    self._settled = signing  # a Fault about something else proves nothing
                return self._result(outcome)
            refusal = outcome.refusal or refusal
            signing = self._next(signing, outcome)
        message = f"{self.label}: the camera refused the user name or password (ONVIF)"
        if _LOCKOUT.search(refusal):
            message += f"; it says: {redact(refusal, credentials.password)}"
        self._refused = WrongCredentials(message)
        raise self._refused

    def _next(self, tried: Signing, outcome: _Outcome) -> Signing | None:
        """The next rung of the ladder; None after a definite refusal."""
        if not tried.http_digest and self._challenge is not None and outcome.reply.challenges:
            return replace(tried, http_digest=True)
        digest_refused = tried.http_digest and outcome.reply.status == 401
        if tried.camera_time and clock.is_zone_like(self.offset_s) and not digest_refused:
            return replace(tried, camera_time=False)
        return None

    @contextlib.contextmanager
    def _turn(self, url: str, action: str, deadline: Deadline) -> Iterator[None]:
        """While the camera answers nobody else's request."""
        if not turns.takes_turn(action):
            yield
            return
        address = addresses.split(url)
        turn = turns.turn_at(address.host, address.effective_port)
        if not turn.lock.acquire(timeout=deadline.remaining_s()):
            raise TimedOut(f"{self.label}: the camera is still busy with an earlier request")
        try:
            yield
        finally:
            turn.lock.release()

    def _is_stale(self) -> bool:
        return self._challenge is not None and self._challenge.stale

    def _exchange(
        self,
        signing: Signing | None,
        credentials: Credentials | None,
        url: str,
        action: str,
        body: str,
        deadline: Deadline,
    ) -> _Outcome:
        """One request and its meaning; asks once more (signed anew) if a kept-alive connection turned out dead."""
        with self._turn(url, action, deadline):
            try:
                reply = self._post(signing, credentials, url, action, body, deadline)
            except ConnectionDropped:
                reply = self._post(signing, credentials, url, action, body, deadline)
        self.http_date = reply.date or self.http_date
        if (challenge := digest.find_challenge(reply.challenges)) is not None:
            self._challenge, self._count = challenge, 0
        outcome = _understand(reply)
        if outcome.refusal is not None:
            self.refusal_is_onvif = challenge is not None or b"Envelope" in reply.body
        return outcome

    def _post(
        self,
        signing: Signing | None,
        credentials: Credentials | None,
        url: str,
        action: str,
        body: str,
        deadline: Deadline,
    ) -> Reply:
        security = ""
        headers = {"Content-Type": soap.content_type(action), "User-Agent": "camera-gateway"}
        if signing is not None and credentials is not None:
            created = clock.zulu(self._now() + (self.offset_s if signing.camera_time else 0.0))
            security = soap.username_token(credentials, created, self._entropy(16))
            if signing.http_digest and self._challenge is not None:
                self._count += 1
                headers["Authorization"] = digest.authorization(
                    self._challenge,
                    "POST",
                    addresses.split(url).tail or "/",
                    credentials.username,
                    credentials.password,
                    cnonce=self._entropy(8).hex(),
                    count=self._count,
                )
        return self._transport.post(url, soap.envelope(body, security, self._addressing), headers, deadline)

    def _result(self, outcome: _Outcome) -> Node:
        if outcome.node is not None:
            return outcome.node
        error = outcome.error
        if isinstance(error, SoapFault):
            raise SoapFault(error.codes, error.reason, label=self.label)
        raise NotSoap(f"{self.label}: {error}")


def _is_question(action: str) -> bool:
    """Whether asking twice changes nothing at the camera."""
    return action.rpartition("/")[2].startswith("Get")


def _understand(reply: Reply) -> _Outcome:
    if reply.status in (401, 403):
        return _Outcome(reply, refusal=_words(reply))
    try:
        return _Outcome(reply, node=soap.read(reply.body))
    except SoapFault as fault:
        if fault.is_auth:
            return _Outcome(reply, refusal=fault.reason)
        return _Outcome(reply, error=fault)
    except NotSoap as error:
        if 300 <= reply.status < 400 and reply.location:
            to = addresses.split(reply.location)
            elsewhere = f"{to.scheme}://{to.netloc}" if to.host else to.tail
            return _Outcome(reply, error=NotSoap(f"the camera redirects to {elsewhere}; use that address"))
        if reply.status in _NO_SUCH_PLACE:
            return _Outcome(reply, error=NotSoap(f"a web server answers, but not ONVIF (HTTP {reply.status})"))
        return _Outcome(reply, error=error if reply.status == 200 else NotSoap(f"{error} (HTTP {reply.status})"))


def _words(reply: Reply) -> str:
    """What a refusing camera says, if it says it in SOAP; Hikvision sends a web page."""
    try:
        soap.read(reply.body)
    except SoapFault as fault:
        return fault.reason
    except NotSoap:
        pass
    return ""
