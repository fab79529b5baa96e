"""The services of one ONVIF device behind its logins: request bytes in, answer bytes out. Called on the event loop.

No sockets and no clock of its own. Only the events service ever waits inside an answer, for `events.LONGEST_WAIT_S` at
most: a client that leaves meanwhile keeps its place among the connections for that long.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from gateway.http.authenticator import Gatekeeper, RefuseAll, Verdict
from gateway.http.throttle import Throttle
from gateway.onvif.face.soap import Call, SoapFault, envelope, fault, parse_call
from gateway.onvif.face.tokens import TokenJudge

_REFUSED = SoapFault("Sender not authorized", "NotAuthorized")
_NOT_SO_FAST = SoapFault("Sender not authorized: too many wrong passwords, wait", "NotAuthorized")


@dataclass(frozen=True, slots=True)
class OnvifRequest:
    """One HTTP POST. `host` and `port` are the address by which the client reached us; answers name the same host."""

    body: bytes
    path: str
    authorization: str | None
    host: str
    """Without brackets."""
    port: int
    client: str = ""
    """The client's address, for slowing down whoever guesses passwords."""

    def url(self, path: str) -> str:
        """A URL of ours, at the place where the client has found us."""
        return f"http://{authority(self.host, self.port)}{path}"


@dataclass(frozen=True, slots=True)
class OnvifAnswer:
    """Status, body and headers of the answer; the body is always SOAP."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


Operation = Callable[[Call, OnvifRequest], str | Awaitable[str]]
"""Gives the content of the response element, as XML text with `soap.PREFIXES` and `r` for the service's own namespace.

Raises SoapFault.
"""


@dataclass(frozen=True, slots=True)
class Service:
    """One ONVIF service: its operations by name, all in one namespace."""

    namespace: str
    path: str
    operations: Mapping[str, Operation]
    version: tuple[int, int] = (2, 40)
    capability: tuple[str, str] | None = None
    """Name in GetCapabilities, and what stands there after the address; None for services younger than that call."""
    pre_auth: frozenset[str] = frozenset()
    """Operations that need no login: ONVIF's access class PRE_AUTH (Core specification 5.9.4)."""
    actions: Mapping[str, str] = field(default_factory=dict)
    """WS-Addressing's action of an operation's response, where clients look at it."""
    listed: bool = True
    """Whether GetServices names it: a second namespace of the same service is not."""


class Access:
    """Who may call: the users, judged by token or by HTTP authentication. `gatekeeper` None opens everything."""

    def __init__(
        self, judge: TokenJudge, gatekeeper: Callable[[], Gatekeeper | None], throttle: Throttle | None = None
    ) -> None:
        self._judge = judge
        self._gatekeeper = gatekeeper
        self._throttle = throttle

    def check(self, call: Call, request: OnvifRequest, now: float) -> OnvifAnswer | None:
        """None if the call may go on, else the refusal. `now` is the device's own clock."""
        gatekeeper = self._gatekeeper()
        if gatekeeper is None:
            return None
        if request.authorization is None and call.token is None:
            return _challenge(gatekeeper, stale=False)
        if self._throttle is not None and self._throttle.attempt(request.client) > 0:
            return OnvifAnswer(_NOT_SO_FAST.status, fault(_NOT_SO_FAST))
        if request.authorization is not None:
            verdict = gatekeeper.check("POST", request.path, request.authorization)
        elif call.token is not None and not isinstance(gatekeeper, RefuseAll) and self._judge.accepts(call.token, now):
            verdict = Verdict.GRANTED
        else:
            verdict = Verdict.REFUSED
        if verdict in (Verdict.GRANTED, Verdict.STALE) and self._throttle is not None:
            self._throttle.succeeded(request.client)
        if verdict is Verdict.GRANTED:
            return None
        if request.authorization is not None:
            return _challenge(gatekeeper, stale=verdict is Verdict.STALE)
        return OnvifAnswer(_REFUSED.status, fault(_REFUSED))


class OnvifFace:
    """Answers calls for one device."""

    def __init__(self, services: Iterable[Service], access: Access, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` is the device's own (Unix seconds), right or wrong."""
        self._services = {service.namespace: service for service in services}
        self._access = access
        self._clock = clock

    async def handle(self, request: OnvifRequest) -> OnvifAnswer:
        """Answer one request; never raises, whatever the bytes are."""
        try:
            call = parse_call(request.body)
            return await self._answer(call, request)
        except SoapFault as error:
            return OnvifAnswer(error.status, fault(error))

    async def _answer(self, call: Call, request: OnvifRequest) -> OnvifAnswer:
        service = self._services.get(call.namespace)
        if service is None or call.operation not in service.pre_auth:
            refusal = self._access.check(call, request, self._clock())
            if refusal is not None:
                return refusal
        operation = None if service is None else service.operations.get(call.operation)
        if service is None or operation is None:
            raise SoapFault(f"{call.operation} is not implemented", "ActionNotSupported", sender=False)
        content = operation(call, request)
        if inspect.isawaitable(content):
            content = await content
        tag = f"r:{call.operation}Response"
        body = f'<{tag} xmlns:r="{service.namespace}">{content}</{tag}>'
        return OnvifAnswer(200, envelope(body, _addressing(service, call)))


def authority(host: str, port: int) -> str:
    """host:port of a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _addressing(service: Service, call: Call) -> str:
    """WS-Addressing's header (ONVIF Core specification 9.2): clients of events match answers by it."""
    action = service.actions.get(call.operation)
    if action is None:
        return ""
    related = f"<a:RelatesTo>{escape(call.message_id)}</a:RelatesTo>" if call.message_id else ""
    return f"<a:Action>{action}</a:Action>{related}"


def _challenge(gatekeeper: Gatekeeper, *, stale: bool) -> OnvifAnswer:
    headers = tuple(("WWW-Authenticate", value) for value in gatekeeper.challenges(stale=stale))
    return OnvifAnswer(401, fault(_REFUSED), headers)
