"""Adopting a camera that discovery has found: the page with the form, and the route behind it. Worker threads.

Both are for the admin. The camera is asked while the request waits, so one of the few workers is busy for up to
`adoption.PROBE_DEADLINE_S`.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import BadRequest

from gateway.errors import AdoptError
from gateway.http.access import Right
from gateway.redact import redact
from gateway.sources.adoption import Wish
from gateway.web import shapes
from gateway.web.caller import note, port
from gateway.web.errors import failure
from gateway.web.operations import operation
from gateway.web.rights import needs

adoption = Blueprint("adoption", __name__)

PAGE = "/discovery/adopt"

FIELDS = ("address", "id", "name", "username", "password")
_STATUSES = {
    "bad-request": 400,
    "already-configured": 409,
    "id-taken": 409,
    "configuration": 409,
    "not-written": 409,
    "busy": 503,
}
CAMERA_SAYS_NO = 422


@adoption.get(PAGE)
@needs(Right.ADMIN)
def page() -> Response:
    """The form. `address` and `name` in the address fill it: the discovery page links here for every device."""
    address, name = request.args.get("address", ""), request.args.get("name", "")
    response = make_response(render_template("adopt.html", address=address, name=name))
    response.headers["Cache-Control"] = "no-store"
    return response


@adoption.post("/api/v1/discovery/adopt")
@operation(
    answers={201: shapes.Adopted},
    body=shapes.Adopt,
    forms=True,
    refuses=(409, 422),
    headers={"Location": "The camera."},
    tag="discovery",
)
@needs(Right.ADMIN)
def adopt() -> Response:
    """Ask the camera at `address` and serve it from now on. JSON or a form; the answer is JSON."""
    given = _fields()
    try:
        adopted = port().adopt(Wish(**given))
    except AdoptError as error:
        response = failure(_STATUSES.get(error.code, CAMERA_SAYS_NO), redact(str(error), given.get("password", "")), error.code)
    else:
        note("adopt", camera=adopted.id, file=adopted.file)
        response = jsonify({"id": adopted.id, "name": adopted.name, "file": adopted.file, "sub": adopted.has_sub})
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/cameras/{adopted.id}"
    response.headers["Cache-Control"] = "no-store"
    return response


def _fields() -> dict[str, str]:
    source: Any = request.get_json() if request.is_json else request.form
    if not hasattr(source, "get") or any(not isinstance(source.get(key, ""), str) for key in FIELDS):
        raise BadRequest(f"Send {', '.join(FIELDS)} as texts; only address is needed.")
    if not source.get("address", "").strip():
        raise BadRequest("The address is missing.")
    return {key: source.get(key, "") for key in FIELDS}
