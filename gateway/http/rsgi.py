"""Between granian and the handlers: requests become values, answers become bytes, and nobody outlives his client.

`Application.take` gets every request and WebSocket on the event loop, from `intake`. A route's express lane is asked first;
all others run in a task of their own. granian does not cancel a handler whose client has gone, so this module does: a
blocked playlist request of a closed page would otherwise stay until its deadline.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gateway.http.admission import Admission, Turned
from gateway.http.calls import Call, HttpProtocol, Scope
from gateway.http.messages import Request, Response
from gateway.http.ranges import Unsatisfiable, parse_range
from gateway.http.refusals import busy, refusal
from gateway.http.router import Router, WebSocket
from gateway.redact import redact, redact_line

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_000_000
"""Forms and JSON are small; nothing is uploaded here."""
MAX_DRAINED_BYTES = 16_000_000
"""An answer in the middle of a body resets the connection, and the client sees that instead of the 413."""
BODY_DEADLINE_S = 30.0
"""A client that trickles its body must not hold a request for ever."""
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})

BodyHandler = Callable[[Request, bytes], Awaitable[Response]]
"""Answers a request with its body: the bridge to Flask."""


class Application:
    """What the listeners serve."""

    def __init__(
        self,
        router: Router,
        pages: BodyHandler,
        as_sent: Callable[[Request], Request] | None = None,
        admission: Admission | None = None,
    ) -> None:
        """`as_sent` undoes what a trusted proxy has done to a request."""
        self._router = router
        self._pages = pages
        self._as_sent = as_sent
        self._admission = admission or Admission()
        self._running: set[asyncio.Task[Any]] = set()
        self._closing = False

    def take(self, call: Call) -> None:
        """Answer a call, in an express lane where that is possible."""
        path = call.scope.path
        lane = None if self._closing else self._router.find_lane(path)
        if lane is not None:
            try:
                if lane.offer(call, path, self._serve):
                    return
            except Exception:
                log.exception("an express lane failed")
        self._serve(call)

    def _serve(self, call: Call) -> None:
        call.taskref(asyncio.get_running_loop().create_task(self._served(call)))

    async def _served(self, call: Call) -> None:
        try:
            await self.__rsgi__(call.scope, call.proto)
        except BaseException as error:
            call.err(error)
        else:
            call.done()

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        """Answer a call in the task that runs this; what granian calls when it has no intake of ours."""
        task = asyncio.current_task()
        assert task is not None, "granian runs every call in a task"
        self._running.add(task)
        try:
            request = make_request(scope)
            if self._as_sent is not None:
                request = self._as_sent(request)
            with self._admission.place(request.client):
                if scope.proto == "http":
                    await self._http(request, protocol, task)
                else:
                    await self._websocket(request, protocol)
        except Turned as turned:
            if scope.proto == "http":
                _send(protocol, request, busy(request.path, str(turned)))
            else:
                protocol.close(503)
        finally:
            self._running.discard(task)

    def release(self) -> None:
        """The gateway stops: end all waiting requests with 503 and answer new ones so."""
        self._closing = True
        self._router.release()
        for task in tuple(self._running):
            task.cancel()

    async def _http(self, request: Request, protocol: HttpProtocol, task: asyncio.Task[Any]) -> None:
        if self._closing:
            _send(protocol, request, refusal(request.path, 503, "the gateway is stopping"))
            return
        gone = protocol.client_disconnect()

        def cancel(_gone: object) -> None:
            task.cancel()

        gone.add_done_callback(cancel)
        try:
            response = await self._answer(request, protocol)
        except asyncio.CancelledError:
            if gone.done():
                return
            response = busy(request.path, "the gateway is stopping", retry_after_s=5)
        except Exception as error:
            _report(request, error)
            response = refusal(request.path, 500, "internal error; the log of the gateway says more")
        finally:
            gone.remove_done_callback(cancel)
        if gone.done():
            return
        gone.cancel()
        _send(protocol, request, response)

    async def _answer(self, request: Request, protocol: HttpProtocol) -> Response:
        handler = self._router.find(request.path)
        if handler is not None:
            return await handler(request)
        if request.method in BODILESS:
            return await self._pages(request, b"")
        try:
            async with asyncio.timeout(BODY_DEADLINE_S):
                body = await _read_body(request, protocol)
        except TimeoutError:
            return refusal(request.path, 408, "the request's body did not arrive in time")
        if body is None:
            return refusal(request.path, 413, f"a request may carry {MAX_BODY_BYTES} bytes at most")
        return await self._pages(request, body)

    async def _websocket(self, request: Request, protocol: WebSocket) -> None:
        handler = self._router.find_websocket(request.path)
        if handler is None or self._closing:
            protocol.close(503 if self._closing else 404)
            return
        try:
            await handler(request, protocol)
        except asyncio.CancelledError:
            pass  # the gateway stops; granian closes the connection
        except Exception as error:
            _report(request, error)
        protocol.close(None)


def make_request(scope: Scope) -> Request:
    """The request as the handlers see it.

    Browsers split the Cookie header into several fields on HTTP/2; they belong together with `; ` (RFC 9113 section
    8.2.3). Other repeated fields are joined with commas (RFC 9110 section 5.2).
    """
    headers: dict[str, str] = {}
    for name, value in scope.headers.items():
        known = headers.get(name)
        if known is None:
            headers[name] = value
        else:
            headers[name] = f"{known}; {value}" if name == "cookie" else f"{known}, {value}"
    if scope.authority and "host" not in headers:
        headers["host"] = scope.authority
    scheme = {"ws": "http", "wss": "https"}.get(scope.scheme, scope.scheme)
    return Request(scope.method, scope.path, scope.query_string, headers, client_address(scope.client), scheme)


def client_address(client: str) -> str:
    """The peer's address without port and brackets; IPv4 is written as IPv4 also on a dual-stack socket."""
    host = client.rpartition(":")[0].strip("[]")
    return host.removeprefix("::ffff:") if "." in host else host


async def _read_body(request: Request, protocol: HttpProtocol) -> bytes | None:
    """The body, None if it is too large. What is too large is read to its end within reason and thrown away."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:12]) > MAX_DRAINED_BYTES:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in protocol:
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(bytes(chunk))
        elif size > MAX_DRAINED_BYTES:
            break
        else:
            chunks.clear()
    return b"".join(chunks) if size <= MAX_BODY_BYTES else None


def _send(protocol: HttpProtocol, request: Request, response: Response) -> None:
    if isinstance(response.body, bytes):
        protocol.response_bytes(response.status, list(response.headers), response.body)
    else:
        _send_file(protocol, request, response, response.body)


def _send_file(protocol: HttpProtocol, request: Request, response: Response, file: Path) -> None:
    headers = [*response.headers, ("accept-ranges", "bytes")]
    asked = request.headers.get("range") if response.status == 200 else None
    if asked is None:
        protocol.response_file(response.status, headers, str(file))
        return
    try:
        size = file.stat().st_size
        wanted = parse_range(asked, size)
    except OSError:
        protocol.response_bytes(404, [("content-type", "text/plain; charset=utf-8")], b"no such file\n")
    except Unsatisfiable:
        protocol.response_bytes(416, [("content-range", f"bytes */{size}")], b"")
    else:
        if wanted is None:
            protocol.response_file(200, headers, str(file))
        else:
            headers.append(("content-range", wanted.content_range(size)))
            protocol.response_file_range(206, headers, str(file), wanted.start, wanted.end)


def _report(request: Request, error: Exception) -> None:
    """Log a defect once. The query is left out and the traceback redacted: both may hold credentials."""
    trace = "".join(traceback.format_exception(error))
    log.error("%s %s failed\n%s", request.method, redact_line(request.path), redact(trace).rstrip())
