"""The native routes `/metrics`, `/healthz`, `/readyz`: answered on the event loop, because whether it runs is the question.

Strangers learn that the gateway lives and whether it is ready, nothing else. Event loop only.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence
from typing import Any

from gateway.http.access import Access, Right
from gateway.http.guard import guarded, stated
from gateway.http.messages import Request, Response
from gateway.http.router import Router
from gateway.metrics.exposition import CONTENT_TYPE
from gateway.redact import redact
from gateway.web.ports import Readiness

METRICS, HEALTHZ, READYZ = "/metrics", "/healthz", "/readyz"
_READING = ("GET", "HEAD")
_HEADERS = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))
_TEXT = (("content-type", "text/plain; charset=utf-8"), *_HEADERS)
_JSON = (("content-type", "application/json"), *_HEADERS)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Routes:
    """Make it, `add_to` a router, `configure` it."""

    def __init__(
        self,
        access: Access,
        collect: Callable[[], bytes],
        readiness: Callable[[], Readiness],
        details: Callable[[], dict[str, Any]],
    ) -> None:
        """`collect` makes the metrics, `details` what an admin is told beside the verdict."""
        self._access = access
        self._collect = collect
        self._readiness = readiness
        self._details = details
        self._networks: tuple[Network, ...] = ()
        self._guarded = guarded(access, METRICS, self._metrics, Right.METRICS)

    def configure(self, allow: Sequence[str]) -> None:
        """Who may read the metrics without a login."""
        self._networks = tuple(ipaddress.ip_network(text) for text in allow)

    def add_to(self, router: Router) -> None:
        """Route them."""
        router.add(METRICS, stated(self.metrics, Right.METRICS))
        router.add(HEALTHZ, stated(self.healthz, None))
        router.add(READYZ, stated(self.readyz, None))

    async def metrics(self, request: Request) -> Response:
        """`/metrics`."""
        if self._listed(request.client):
            return await self._metrics(request)
        return await self._guarded(request)

    async def healthz(self, request: Request) -> Response:
        """`/healthz`: whoever gets an answer knows that the event loop runs."""
        refused = _refused(request, HEALTHZ)
        if refused is not None:
            return refused
        if await self._is_admin(request):
            return _answer(request, 200, _JSON, {"status": "ok", **self._details()})
        return _answer(request, 200, _TEXT, b"ok")

    async def readyz(self, request: Request) -> Response:
        """`/readyz`: the gateway serves as configured (200), or what is missing (503)."""
        refused = _refused(request, READYZ)
        if refused is not None:
            return refused
        readiness = self._readiness()
        said: dict[str, Any] = {"ready": readiness.ready, "problems": [redact(problem) for problem in readiness.problems]}
        # How much is left is for the admin: to somebody who wears the box down it would say how well it goes.
        admin = await self._is_admin(request)
        said |= {"pressure": readiness.pressure, "pressure_reason": readiness.pressure_reason if admin else ""}
        if admin:
            said |= self._details()
        return _answer(request, 200 if readiness.ready else 503, _JSON, said)

    async def _metrics(self, request: Request) -> Response:
        refused = _refused(request, METRICS)
        return refused or _answer(request, 200, (("content-type", CONTENT_TYPE), *_HEADERS), self._collect())

    async def _is_admin(self, request: Request) -> bool:
        """Checks only what was sent: a probe without credentials costs nothing."""
        if not (request.query or "authorization" in request.headers or "cookie" in request.headers):
            return False
        return (await self._access.check_request(request, Right.ADMIN)).allowed

    def _listed(self, client: str) -> bool:
        if not self._networks:
            return False
        try:
            address = ipaddress.ip_address(client.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _refused(request: Request, path: str) -> Response | None:
    if request.path != path:
        return Response(404, b"no such page\n", _TEXT)
    if request.method not in _READING:
        return Response(405, b"only GET and HEAD\n", (*_TEXT, ("allow", "GET, HEAD")))
    return None


def _answer(request: Request, status: int, headers: tuple[tuple[str, str], ...], body: bytes | dict[str, Any]) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    if request.method == "HEAD":
        return Response(status, b"", (*headers, ("content-length", str(len(content)))))
    return Response(status, content, headers)
