"""Every failure of a page or an API call in one form: JSON under `/api/`, a page for people elsewhere."""

from __future__ import annotations

import logging
import traceback

from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from gateway.redact import redact, redact_line

log = logging.getLogger(__name__)

JSON_PATHS = ("/api/",)
CODES = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    413: "too-large",
    422: "camera-refused",
    429: "too-many-attempts",
    415: "unsupported-media-type",
    500: "internal",
    502: "protocol",
    503: "busy",
}


def install(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(TimeoutError, _timeout)
    app.register_error_handler(Exception, _defect)


def failure(status: int, message: str, code: str | None = None) -> Response:
    """The answer for a failure with this HTTP status. `message` is one sentence for people."""
    if request.path.startswith(JSON_PATHS):
        response = jsonify({"error": {"code": code or CODES.get(status, "failed"), "message": message}})
    else:
        response = make_response(render_template("error.html", status=status, error=message))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _http(error: HTTPException) -> Response:
    original = error.get_response()
    if error.code is None or error.code < 400:
        return make_response(original)
    response = failure(error.code, error.description or error.name)
    for name in ("Allow", "Retry-After"):
        if name in original.headers:
            response.headers[name] = original.headers[name]
    return response


def _timeout(_error: TimeoutError) -> Response:
    response = failure(503, "The gateway did not answer in time.")
    response.headers["Retry-After"] = "2"
    return response


def _defect(error: Exception) -> Response:
    """Log a defect once, redacted: a traceback may quote an address with credentials."""
    trace = "".join(traceback.format_exception(error))
    log.error("%s %s failed\n%s", request.method, redact_line(request.path), redact(trace).rstrip())
    return failure(500, "Internal error; the log of the gateway says more.")
