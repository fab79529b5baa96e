"""Runs Flask (PEP 3333) on a few threads, so that pages never hold up the event loop.

Answers are complete bodies: pages and JSON are small, and granian's streaming has no back-pressure. The event loop
calls the bridge; the application runs on its threads.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.http.messages import Request, Response
from gateway.http.refusals import busy
from gateway.redact import redact_line

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

THREADS = 4
"""A page costs about 1 ms; four threads keep pages going while one waits for a picture to be decoded."""
MAX_WAITING = 64
"""Requests running or queued; a page loads a dozen files at once."""
DEADLINE_S = 30.0
PROXY_USER = "gateway.user"
"""Key of the WSGI environment for `Request.user`."""
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"})


class WsgiBridge:
    """Calls a WSGI application for a request. Make one per application."""

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int = THREADS,
        max_waiting: int = MAX_WAITING,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._application = application
        self._deadline_s = deadline_s
        self._places = threading.BoundedSemaphore(max_waiting)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def __call__(self, request: Request, body: bytes) -> Response:
        """Answer. 503 when too many requests wait or the application takes too long; its exceptions pass through."""
        if not self._places.acquire(blocking=False):
            return busy(request.path, "too many requests at once")
        try:
            work = self._executor.submit(call, self._application, request, body)
        except RuntimeError:
            self._places.release()
            return busy(request.path, "the gateway is stopping")
        work.add_done_callback(self._leave)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            if work.done() and not work.cancelled():
                raise  # the application's own
            log.warning("%s %s took longer than %.0f s", request.method, redact_line(request.path), self._deadline_s)
            return busy(request.path, "this took too long")

    def close(self) -> None:
        """Take no more requests; running ones end on their own."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _leave(self, _work: Future[Response]) -> None:
        self._places.release()


def call(application: WSGIApplication, request: Request, body: bytes) -> Response:
    """Run the application for one request and collect its whole answer. Worker thread."""
    status = 0
    headers: list[tuple[str, str]] = []
    written: list[bytes] = []

    def start_response(line: str, fields: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        nonlocal status, headers
        if status and exc_info is None:
            raise AssertionError("start_response was called twice")
        status, headers = int(line[:3]), fields
        return written.append

    chunks: Iterable[bytes] = application(environment(request, body), start_response)
    try:
        written.extend(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    if not status:
        raise AssertionError("the application did not call start_response")
    return Response(status, b"".join(written), _outgoing(headers, keep_length=request.method == "HEAD"))


def environment(request: Request, body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request (PEP 3333). Proxy headers are passed on but trusted by nobody any more: who the
    client is has been decided before."""
    host, port = _host_and_port(request)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.client,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        PROXY_USER: request.user,
    }
    for name, value in request.headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name != "content-length" and "_" not in name:
            # A name with an underscore would pass for the one with a hyphen.
            environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ


def _host_and_port(request: Request) -> tuple[str, int]:
    default = 443 if request.scheme == "https" else 80
    try:
        parts = urlsplit(f"//{request.headers.get('host', '')}")
        return parts.hostname or "localhost", parts.port or default
    except ValueError:
        return "localhost", default


def _outgoing(fields: list[tuple[str, str]], *, keep_length: bool) -> tuple[tuple[str, str], ...]:
    """Lower-case names, as HTTP/2 wants them. The server knows the body's length; only HEAD has a length without one."""
    outgoing = []
    for name, value in fields:
        lower = name.lower()
        if lower not in HOP_BY_HOP and (keep_length or lower != "content-length"):
            outgoing.append((lower, value))
    return tuple(outgoing)
