"""The REST API under `/api/v1/`. Worker threads.

Machines come with Basic credentials or the viewing token, pages with their session. Errors are JSON.
"""

from __future__ import annotations

import time

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from gateway.http.access import Right
from gateway.http.guard import BASIC_CHALLENGE, wants_challenge
from gateway.web import qr
from gateway.web.caller import access, decide, host_name, is_admin, plain_request, port
from gateway.web.cookies import form_token_good, from_own_script, needs_form_token
from gateway.web.errors import failure
from gateway.web.ports import CameraView
from gateway.web.view_json import camera_json, discovered_json, wall_view_json

api = Blueprint("api", __name__, url_prefix="/api/v1")

MIN_WIDTH_PX, MAX_WIDTH_PX = 16, 7680
READING = frozenset({"GET", "HEAD", "OPTIONS"})


@api.before_request
def _only_viewers() -> Response | None:
    return require(Right.VIEW)


@api.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def require(right: Right) -> Response | None:
    """None if the caller may go on, else the answer for him. Writing takes JSON from our own origin, or a form token."""
    decision = decide(right)
    if not decision.allowed:
        messages = {401: "Log in first.", 403: "You may not do this.", 429: "Too many wrong passwords; wait a little."}
        response = failure(decision.status, messages[decision.status])
        if decision.retry_after > 0:
            response.headers["Retry-After"] = str(int(decision.retry_after) + 1)
        if decision.status == 401 and wants_challenge(plain_request()):
            response.headers[BASIC_CHALLENGE[0]] = BASIC_CHALLENGE[1]
        return response
    if request.method not in READING and needs_form_token() and not (form_token_good() or from_own_script()):
        return failure(403, "The page is too old; reload it.", "form-token")
    return None


@api.get("/cameras")
def cameras() -> Response:
    """All cameras, in the order of the configuration, and the views the configuration makes of them."""
    host, admin, operates = _host(), is_admin(), decide(Right.OPERATE).allowed
    found = [camera_json(camera, host, with_source=admin, operates=operates, brief=True) for camera in port().cameras()]
    views = [wall_view_json(view) for view in port().wall_views()]
    listing = {"site": port().site, "version": port().version, "now": time.time(), "views": views, "cameras": found}
    return jsonify(listing)


@api.get("/cameras/<camera_id>")
def camera(camera_id: str) -> Response:
    """One camera."""
    operates = decide(Right.OPERATE).allowed
    return jsonify(camera_json(_camera(camera_id), _host(), with_source=is_admin(), operates=operates))


@api.get("/cameras/<camera_id>/snapshot.jpg")
def snapshot(camera_id: str) -> Response:
    """The last keyframe as JPEG, at most `width` pixels wide. Also of a camera that is offline: see `X-Picture-At`."""
    found = _camera(camera_id)
    picture = port().snapshot(camera_id, _width())
    if picture is None:
        return failure(404, "There has been no picture of this camera yet.", "no-picture")
    response = Response(picture, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "no-store"
    if found.picture_at is not None:
        response.headers["X-Picture-At"] = f"{found.picture_at:.3f}"
    return response


@api.get("/viewing-token")
def viewing_token() -> Response:
    """What "copy address" puts into an address so that it plays without a login. For the admin."""
    refused = require(Right.ADMIN)
    return refused if refused is not None else jsonify({"token": access().viewing_token})


@api.get("/qr.svg")
def qr_code() -> Response:
    """An address as a QR code, for the camera of a phone."""
    try:
        drawing = qr.svg(request.args.get("text", ""))
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return Response(drawing, mimetype="image/svg+xml")


@api.get("/discovery")
def discovery() -> Response:
    """Devices that answered on the LAN. For the admin."""
    refused = require(Right.ADMIN)
    if refused is not None:
        return refused
    return jsonify({"now": time.time(), "devices": [discovered_json(device) for device in port().discovered()]})


@api.post("/cameras/<camera_id>/forget")
def forget(camera_id: str) -> Response:
    """The camera was replaced: learn anew who is at its address. For the admin."""
    refused = require(Right.ADMIN)
    if refused is not None:
        return refused
    if not port().forget_identity(camera_id):
        raise NotFound("There is no camera of this id.")
    return Response(status=204)


def _camera(camera_id: str) -> CameraView:
    found = port().camera(camera_id)
    if found is None:
        raise NotFound("There is no camera of this id.")
    return found


def _host() -> str:
    host = host_name()
    if host is None:
        raise BadRequest("The Host header is malformed.")
    return host


def _width() -> int | None:
    text = request.args.get("width")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and MIN_WIDTH_PX <= int(text) <= MAX_WIDTH_PX):
        raise BadRequest(f"width is a number of pixels from {MIN_WIDTH_PX} to {MAX_WIDTH_PX}.")
    return int(text)
