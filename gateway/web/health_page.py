"""`/health` for people, `/api/v1/health` and `/api/v1/incidents` for programs. For admin and operators. Worker threads.

The page is a frame; its script fetches the JSON every few seconds, so that it can hang in an office all year.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import BadRequest

from gateway.http.access import Right
from gateway.journal.incident import Incident
from gateway.web import health_shapes, shapes
from gateway.web.caller import decide, port, shown
from gateway.web.errors import failure
from gateway.web.health_json import health_json, incidents_json
from gateway.web.operations import operation
from gateway.web.rights import needs

health_page = Blueprint("health_page", __name__)
health_api = Blueprint("health_api", __name__, url_prefix="/api/v1")

PATH = "/health"
DEFAULT_LIMIT, MAX_LIMIT = 100, 500


@health_api.after_request
@health_page.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@health_page.get(PATH)
@needs(Right.OPERATE)
def page() -> Response:
    """The page."""
    return make_response(render_template("health.html"))


@health_api.get("/health")
@operation(health_shapes.Health, tag="health")
@needs(Right.OPERATE)
def health() -> Response:
    """How the gateway, its box and every camera do; of the cameras, those that the caller may see."""
    view = port().health()
    seen = replace(
        view,
        cameras=tuple(one for one in view.cameras if shown(one.view.id)),
        incidents=tuple(one for one in view.incidents if _seen(one)),
    )
    return jsonify(health_json(seen, port().site, port().version, admin=decide(Right.ADMIN).allowed))


@health_api.get("/incidents")
@operation(health_shapes.IncidentList, query=shapes.IncidentsQuery, tag="health")
@needs(Right.OPERATE)
def incidents() -> Response:
    """What has happened, the newest first. `camera` chooses one, empty for the gateway's own; `limit` and `before` page.

    What concerns cameras that the caller may not see is left out, so a page may hold less than `limit`.
    """
    limit = _number("limit", DEFAULT_LIMIT)
    before = _number("before", 0) or None
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"limit is a number from 1 to {MAX_LIMIT}.")
    try:
        found = port().incidents(request.args.get("camera"), limit, before)
    except (sqlite3.Error, TimeoutError):
        return failure(503, "The disk with the incidents does not answer; the newest are in /api/v1/health.", "busy")
    return jsonify({"incidents": incidents_json(one for one in found if _seen(one))})


def _seen(incident: Incident) -> bool:
    """The gateway's own incidents concern everybody who operates it."""
    return not incident.camera or shown(incident.camera)


def _number(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise BadRequest(f"{name} is a number.")
    return int(text)
