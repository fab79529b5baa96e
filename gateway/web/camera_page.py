"""`/cameras/<id>`: what a camera says about itself and delivers, with advice; its clock and a restart. For the admin.

The camera is asked while the page waits, so only two pages may ask at a time: the other worker threads serve the wall.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.exceptions import NotFound

from gateway.device.advice import WRONG_CLOCK_S, Advice, advise
from gateway.device.device import CameraDevice, Examination
from gateway.errors import SourceError, TimedOut
from gateway.http.access import Right
from gateway.redact import redact
from gateway.web.caller import note, port
from gateway.web.errors import failure
from gateway.web.observed import observed
from gateway.web.ports import CameraView
from gateway.web.rights import needs

camera_page = Blueprint("camera_page", __name__)

camera_page.add_app_template_filter(redact, "redacted")

ASKING = threading.BoundedSemaphore(2)
WAIT_TURN_S = 2.0
DONE = frozenset({"clock", "reboot"})


def _local(unix_s: float) -> str:
    """Date and time at the gateway: the page stands still, and must say of when it is."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page is about."""

    camera: CameraView
    examination: Examination | None
    trouble: str
    """Why the camera could not be asked; empty for one that is not asked."""
    trouble_code: str
    advice: tuple[Advice, ...]

    @property
    def clock_wrong(self) -> bool:
        """Worth setting."""
        return self.examination is not None and abs(self.examination.clock.offset_s) >= WRONG_CLOCK_S


@camera_page.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@camera_page.get("/cameras/<camera_id>")
@needs(Right.ADMIN, camera="camera_id")
def show(camera_id: str) -> Response:
    """The page."""
    camera = _camera(camera_id)
    device = port().device(camera_id)
    examination, trouble, code = None, "", ""
    if device is not None:
        try:
            with _turn():
                examination = device.examine()
        except SourceError as error:
            trouble, code = redact(str(error)), error.code
    done = request.args.get("done", "")
    offset_s = examination.clock.offset_s if examination is not None else None
    # A sub stream that nobody watches right now has nothing to show, and exists all the same.
    alone = len(camera.streams) == 1 and examination is not None
    said = examination.facts.description.profiles if examination is not None else ()
    seen = [observed(stream, camera.id, said, time.time()) for stream in camera.streams if stream.codec]
    shown = Shown(camera, examination, trouble, code, advise(seen, offset_s, expects_sub=alone))
    pictured = _local(camera.picture_at) if camera.picture_at is not None else ""
    page = render_template(
        "camera.html", shown=shown, now=_local(time.time()), pictured=pictured, done=done if done in DONE else ""
    )
    return make_response(page)


@camera_page.post("/cameras/<camera_id>/clock")
@needs(Right.ADMIN, camera="camera_id")
def set_clock(camera_id: str) -> Response:
    """Give the camera the gateway's time."""
    return _order(camera_id, "clock", CameraDevice.set_clock)


@camera_page.post("/cameras/<camera_id>/reboot")
@needs(Right.ADMIN, camera="camera_id")
def reboot(camera_id: str) -> Response:
    """Restart the camera."""
    return _order(camera_id, "reboot", CameraDevice.reboot)


def _order(camera_id: str, name: str, order: Callable[[CameraDevice], object]) -> Response:
    _camera(camera_id)
    device = port().device(camera_id)
    if device is None:
        raise NotFound("This camera takes no orders: it is not given by its ONVIF address.")
    try:
        with _turn():
            order(device)
    except SourceError as error:
        return failure(502, f"The camera did not do it: {redact(str(error))}", error.code)
    note(name, camera=camera_id)
    return make_response(redirect(f"/cameras/{camera_id}?done={name}", 303))


@contextmanager
def _turn() -> Iterator[None]:
    if not ASKING.acquire(timeout=WAIT_TURN_S):
        raise TimedOut("other cameras are being asked at the moment; try again")
    try:
        yield
    finally:
        ASKING.release()


def _camera(camera_id: str) -> CameraView:
    found = port().camera(camera_id)
    if found is None:
        raise NotFound("There is no camera of this id.")
    return found
