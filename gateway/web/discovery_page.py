"""`/discovery`: what the network holds, for the admin. Rendered on the server, without scripts of its own. Worker threads."""

from __future__ import annotations

import time
from urllib.parse import quote

from flask import Blueprint, Response, make_response, redirect, render_template, request

from gateway.http.access import Right
from gateway.redact import redact
from gateway.web.caller import decide, port
from gateway.web.cookies import form_token_good
from gateway.web.errors import failure
from gateway.web.ports import CameraView, DiscoveredView, Presence

discovery_page = Blueprint("discovery_page", __name__)

PATH = "/discovery"
OTHER_DEVICE = "other-device"
"""Code of a camera whose address another device has: its owner may have replaced it."""


@discovery_page.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@discovery_page.get(PATH)
def discovery() -> Response:
    """The devices, and the configured cameras that are not where they should be."""
    refused = _only_admin()
    if refused is not None:
        return refused
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
def forget() -> Response:
    """The admin says that a camera was replaced: whatever is at its address now is the camera."""
    refused = _only_admin()
    if refused is not None:
        return refused
    if not form_token_good():
        return failure(400, "The page was too old. Please go back and try again.")
    if not port().forget_identity(request.form.get("camera", "")):
        return failure(404, "There is no camera of this id.")
    return make_response(redirect(PATH, 303))


def _only_admin() -> Response | None:
    """None for the admin. Others are sent to the login, where an admin's session begins."""
    decision = decide(Right.ADMIN)
    if decision.allowed:
        return None
    if decision.status == 401:
        return make_response(redirect(f"/login?next={quote(PATH)}", 303))
    return failure(decision.status, "This page is for the admin.")


def _row(device: DiscoveredView, cameras: dict[str, CameraView]) -> dict[str, object]:
    """One line of the table; `configured` is where the configuration has the camera."""
    camera = cameras.get(device.camera_id or "")
    return {
        "device": device,
        "camera": camera,
        "configured": redact(camera.source) if camera is not None and device.state is Presence.MOVED else "",
    }
