"""The REST API under `/api/v1/`. Worker threads.

Machines come with Basic credentials or a token, pages with their session. `gateway.web.rights` lets them in. Errors are JSON.
"""

from __future__ import annotations

import time

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from gateway.access.audit import AGAIN_S
from gateway.http.access import Right
from gateway.web import qr, shapes
from gateway.web.caller import decide, host_name, is_admin, note, note_going_on, port, shown
from gateway.web.errors import failure
from gateway.web.operations import Media, operation
from gateway.web.ports import CameraView
from gateway.web.rights import needs
from gateway.web.view_json import camera_json, discovered_json, wall_view_json

api = Blueprint("api", __name__, url_prefix="/api/v1")

MIN_WIDTH_PX, MAX_WIDTH_PX = 16, 7680


@api.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@api.get("/cameras")
@operation(shapes.CameraList)
@needs(Right.VIEW)
def cameras() -> Response:
    """The cameras the caller may see, in the order of the configuration, and the views the configuration makes of them."""
    host, operates = _host(), decide(Right.OPERATE).allowed
    admin = is_admin()
    seen = [camera for camera in port().cameras() if shown(camera.id)]
    found = [camera_json(camera, host, with_source=admin, operates=operates, brief=True) for camera in seen]
    ids = frozenset(camera.id for camera in seen)
    views = [wall_view_json(view) for one in port().wall_views() if (view := one.limited_to(ids)) is not None]
    listing: shapes.CameraList = {
        "site": port().site,
        "version": port().version,
        "now": time.time(),
        "views": views,
        "cameras": found,
    }
    return jsonify(listing)


@api.get("/cameras/<camera_id>")
@operation(shapes.Camera)
@needs(Right.VIEW, camera="camera_id")
def camera(camera_id: str) -> Response:
    """One camera."""
    operates = decide(Right.OPERATE).allowed
    return jsonify(camera_json(_camera(camera_id), _host(), with_source=is_admin(), operates=operates))


@api.get("/cameras/<camera_id>/snapshot.jpg")
@operation(
    Media("image/jpeg"),
    query=shapes.SnapshotQuery,
    headers={"X-Picture-At": "When the camera took it, in Unix seconds."},
)
@needs(Right.VIEW, camera="camera_id")
def snapshot(camera_id: str) -> Response:
    """The last keyframe as JPEG, at most `width` pixels wide. Also of a camera that is offline: see `X-Picture-At`."""
    found = _camera(camera_id)
    picture = port().snapshot(camera_id, _width())
    if picture is None:
        return failure(404, "There has been no picture of this camera yet.", "no-picture")
    note_going_on("snapshot", camera=camera_id, again_s=AGAIN_S)
    response = Response(picture, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "no-store"
    if found.picture_at is not None:
        response.headers["X-Picture-At"] = f"{found.picture_at:.3f}"
    return response


@api.get("/qr.svg")
@operation(Media("image/svg+xml"), query=shapes.QrQuery, tag="tools")
@needs(Right.VIEW)
def qr_code() -> Response:
    """An address as a QR code, for the camera of a phone."""
    try:
        drawing = qr.svg(request.args.get("text", ""))
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return Response(drawing, mimetype="image/svg+xml")


@api.get("/discovery")
@operation(shapes.DeviceList, tag="discovery")
@needs(Right.ADMIN)
def discovery() -> Response:
    """Devices that answered on the LAN. For the admin."""
    return jsonify({"now": time.time(), "devices": [discovered_json(device) for device in port().discovered()]})


@api.post("/cameras/<camera_id>/forget")
@operation(answers={204: None}, tag="discovery")
@needs(Right.ADMIN, camera="camera_id")
def forget(camera_id: str) -> Response:
    """The camera was replaced: learn anew who is at its address. For the admin."""
    if not port().forget_identity(camera_id):
        raise NotFound("There is no camera of this id.")
    note("forget", camera=camera_id)
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
