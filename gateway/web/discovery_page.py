"""`/discovery`: what the network holds, for the admin. Rendered on the server, without scripts of its own. Worker threads."""

from __future__ import annotations

import time

from flask import Blueprint, Response, make_response, redirect, render_template, request

from gateway.http.access import Right
from gateway.redact import redact
from gateway.web.caller import note, port
from gateway.web.errors import failure
from gateway.web.ports import CameraView, DiscoveredView, Presence
from gateway.web.rights import needs

discovery_page = Blueprint("discovery_page", __name__)

PATH = "/discovery"
OTHER_DEVICE = "other-device"
"""Code of a camera whose address another device has: its owner may have replaced it."""


@discovery_page.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@discovery_page.get(PATH)
@needs(Right.ADMIN)
def discovery() -> Response:
    """The devices, and the configured cameras that are not where they should be."""
    devices = port().discovered()
    cameras = {camera.id: camera for camera in port().cameras()}
    return make_response(
        render_template(
            "discovery.html",
            devices=[_row(device, cameras) for device in devices],
            replaced=[
                {"id": camera.id, "name": camera.name, "reason": redact(camera.status.reason)}
                for camera in cameras.values()
                if camera.status.code == OTHER_DEVICE
            ],
            now=time.strftime("%Y-%m-%d %H:%M:%S"),
        )
    )


@discovery_page.post(f"{PATH}/forget")
@needs(Right.ADMIN)
def forget() -> Response:
    """The admin says that a camera was replaced: whatever is at its address now is the camera."""
    if not port().forget_identity(request.form.get("camera", "")):
        return failure(404, "There is no camera of this id.")
    note("forget", camera=request.form.get("camera", ""))
    return make_response(redirect(PATH, 303))


def _row(device: DiscoveredView, cameras: dict[str, CameraView]) -> dict[str, object]:
    """One line of the table; `configured` is where the configuration has the camera."""
    camera = cameras.get(device.camera_id or "")
    return {
        "device": device,
        "camera": camera,
        "configured": redact(camera.source) if camera is not None and device.state is Presence.MOVED else "",
    }
