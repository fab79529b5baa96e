"""Steering cameras: `/api/v1/cameras/<id>/ptz`. Worker threads.

Movements are answered at once: they happen on the camera's own thread, and only the newest counts. Everything else waits
for the camera, 3 s at most.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound, UnsupportedMediaType

from gateway.device.device import CameraDevice
from gateway.device.driver import Busy
from gateway.errors import SourceError
from gateway.http.access import Right
from gateway.onvif.ptz import PtzAbilities
from gateway.onvif.ptz_client import PtzClient
from gateway.redact import redact
from gateway.web import shapes
from gateway.web.caller import note_going_on, port
from gateway.web.errors import failure
from gateway.web.operations import operation
from gateway.web.ptz_command import PtzCommand, parse_command
from gateway.web.rights import needs

ptz = Blueprint("ptz", __name__, url_prefix="/api/v1")

T = TypeVar("T")

ANSWER_S = 3.0
"""How long a page waits for a camera."""
STEERING_AGAIN_S = 10.0
"""A joystick sends ten moves a second; the audit log has the first after a pause of this length."""


@ptz.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@ptz.get("/cameras/<camera_id>/ptz")
@operation(shapes.Steering, tag="steering")
@needs(Right.OPERATE, camera="camera_id")
def abilities(camera_id: str) -> Response:
    """What the camera can do, and its presets."""
    device, can = _steered(camera_id)
    trouble = device.driver.trouble
    presets = device.presets
    if presets is None and can.max_presets:
        try:
            presets = _wait(device.load_presets())
        except (SourceError, TimeoutError, Busy) as error:
            trouble = error if isinstance(error, SourceError) else None
    return jsonify(
        {
            "camera": camera_id,
            "pan_tilt": can.pan_tilt,
            "zoom": can.zoom,
            "continuous": bool(can.continuous),
            "absolute": bool(can.absolute),
            "relative": bool(can.relative),
            "home": can.home,
            "max_presets": can.max_presets,
            "presets": [{"token": preset.token, "name": preset.name} for preset in presets or ()],
            "trouble": redact(str(trouble)) if trouble is not None else "",
        }
    )


@ptz.post("/cameras/<camera_id>/ptz")
@operation(
    answers={200: shapes.Done, 202: shapes.Accepted},
    body=shapes.PtzBody,
    refuses=(502,),
    tag="steering",
)
@needs(Right.OPERATE, camera="camera_id")
def command(camera_id: str) -> Response:
    """Do something. 202: on its way; 200: done."""
    device, can = _steered(camera_id)
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON.")
    try:
        wanted = parse_command(request.get_json(silent=True))
        _refuse_impossible(wanted, can)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    if wanted.action != "stop":
        note_going_on(
            "ptz", camera=camera_id, again_s=STEERING_AGAIN_S if wanted.action == "move" else 0.0, action=wanted.action
        )
    if wanted.action in ("move", "stop"):
        if wanted.action == "move":
            device.steer(wanted.vector)
        else:
            device.driver.stop()
        trouble = device.driver.trouble
        response = jsonify({"accepted": True, "trouble": redact(str(trouble)) if trouble is not None else ""})
        response.status_code = 202
        return response
    try:
        return jsonify(_carry_out(device, wanted))
    except SourceError as error:
        return failure(502, redact(str(error)), error.code)
    except Busy as error:
        response = failure(503, str(error))
        response.headers["Retry-After"] = "2"
        return response


def _carry_out(device: CameraDevice, wanted: PtzCommand) -> dict[str, object]:
    token = wanted.preset
    match wanted.action:
        case "absolute":
            _wait(device.errand(lambda client: client.absolute(wanted.vector, zoom=wanted.zoom), moves=True))
        case "relative":
            _wait(device.errand(lambda client: client.relative(wanted.vector), moves=True))
        case "preset":
            _wait(device.errand(lambda client: client.go_to(wanted.preset), moves=True))
        case "home":
            _wait(device.errand(PtzClient.go_home, moves=True))
        case "set_home":
            _wait(device.errand(PtzClient.set_home, moves=False))
        case "set_preset":
            name = wanted.name or wanted.preset
            token = _wait(device.errand(lambda client: client.set_preset(name, wanted.preset), moves=False))
        case _:
            _wait(device.errand(lambda client: client.remove_preset(wanted.preset), moves=False))
    done: dict[str, object] = {"done": True}
    if wanted.action in ("set_preset", "remove_preset"):
        presets = _wait(device.load_presets())
        done |= {"preset": token, "presets": [{"token": preset.token, "name": preset.name} for preset in presets]}
    return done


def _refuse_impossible(wanted: PtzCommand, can: PtzAbilities) -> None:
    """Raises ValueError for what this camera has no motor or memory for."""
    needs = {"move": bool(can.continuous), "absolute": bool(can.absolute), "relative": bool(can.relative),
             "home": can.home, "set_home": can.home, "set_preset": can.max_presets > 0}  # fmt: skip
    if not needs.get(wanted.action, True):
        raise ValueError(f"This camera knows no {wanted.action.replace('_', ' ')}.")


def _wait(future: Future[T]) -> T:
    try:
        return future.result(ANSWER_S)
    except TimeoutError:
        future.cancel()
        raise


def _steered(camera_id: str) -> tuple[CameraDevice, PtzAbilities]:
    device = port().device(camera_id)
    if device is None or device.known is None or device.known.ptz is None:
        raise NotFound("There is no camera of this id that can be steered.")
    return device, device.known.ptz
