"""The answer to a request that never reaches its handler: a line for people, or an error of the API below `/api/`. Pure."""

from __future__ import annotations

import json

from gateway.http.messages import Response

API = "/api/"
CODES = {408: "too-slow", 413: "too-large", 500: "internal", 503: "busy"}


def refusal(path: str, status: int, text: str, *headers: tuple[str, str]) -> Response:
    """The answer to a request for `path`."""
    fixed = (("cache-control", "no-store"), *headers)
    if path.startswith(API):
        body = json.dumps({"error": {"code": CODES.get(status, "failed"), "message": f"{text[:1].upper()}{text[1:]}."}})
        return Response(status, body.encode(), (("content-type", "application/json"), *fixed))
    return Response(status, f"{text}\n".encode(), (("content-type", "text/plain; charset=utf-8"), *fixed))


def busy(path: str, text: str, *, retry_after_s: int = 2) -> Response:
    """503: it may be tried again."""
    return refusal(path, 503, text, ("retry-after", str(retry_after_s)))
