"""The API described: `/api/v1/openapi.json` for programs, `/api/v1/` for people. Worker threads.

The document is made once, when somebody asks: pydantic's work for it is worth no memory on a box where nobody does.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template

from gateway.http.access import Right
from gateway.web import openapi
from gateway.web.caller import access, port
from gateway.web.operations import operation
from gateway.web.rights import needs

api_page = Blueprint("api_page", __name__, url_prefix=openapi.PREFIX)

_DOCUMENT = "gateway.openapi"
_METHODS = ("get", "post", "put", "patch", "delete")


@api_page.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@api_page.get("/openapi.json")
@operation(dict[str, Any], tag="tools")
@needs(Right.VIEW)
def openapi_document() -> Response:
    """This document: the API in the form of OpenAPI 3.1."""
    return Response(_text(), mimetype="application/json")


@api_page.get("/")
@needs(Right.VIEW)
def page() -> Response:
    """The same for people."""
    described = json.loads(_text())
    return make_response(render_template("api.html", operations=_by_tag(described), schemas=described["components"]["schemas"]))


def _text() -> str:
    known: str | None = current_app.extensions.get(_DOCUMENT)
    if known is None:
        known = json.dumps(openapi.document(current_app, port().version, access().session_cookie("https")), ensure_ascii=False)
        current_app.extensions[_DOCUMENT] = known
    return known


def _by_tag(described: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Operations under their headings, each with its address and method."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in described["paths"].items():
        for method in _METHODS:
            if method in methods:
                one = methods[method]
                found.setdefault(one["tags"][0], []).append({"path": path, "method": method.upper(), **one})
    return found
