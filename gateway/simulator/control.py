"""The simulator's remote control: `POST /control/<camera>/<fault>?value=...`, on loopback only. Event loop only.

Lets a test in another process, or a person with curl, break a camera and mend it again:

    drop                      cut the RTSP sessions
    freeze  video | all | off stop the pictures, or everything, with sessions left open
    jump    seconds           move all timestamps, e.g. 3600 or -5
    resize  WIDTHxHEIGHT      change the main profile's size in mid-stream
    login   refuse | accept   turn every user away
    power   off | on          vanish, and return on the same ports
    motion, tamper, input
            on | off          report it to whoever listens to the camera's events

`<camera>` is its number from 1 on. `GET /control` lists cameras and their faults as JSON.
"""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Sequence

from gateway.errors import ListenError
from gateway.onvif.face.http_face import HttpRequest, HttpResponse
from gateway.simulator.camera import VirtualCamera
from gateway.simulator.events_face import TOPICS
from gateway.simulator.faults import Frozen

FAULTS = ("drop", "freeze", "jump", "resize", "login", "power", *TOPICS)


class Control:
    """The handler for an `HttpFace`."""

    def __init__(self, cameras: Sequence[VirtualCamera]) -> None:
        self._cameras = cameras

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request: 200 with JSON, 400 for a wrong value, 404 for an unknown camera or fault."""
        if not _is_local(request):
            return _answer(403, {"error": "the control is for this machine only"})
        parts = request.path.strip("/").split("/")
        if parts == ["control"] and request.method == "GET":
            return _answer(200, {"cameras": [describe(camera, at + 1) for at, camera in enumerate(self._cameras)]})
        if len(parts) != 3 or parts[0] != "control" or parts[2] not in FAULTS:
            return _answer(404, {"error": f"POST /control/<camera number>/<{'|'.join(FAULTS)}>"})
        if request.method != "POST":
            return _answer(405, {"error": "use POST"})
        number = int(parts[1]) if parts[1].isascii() and parts[1].isdigit() else 0
        if not 1 <= number <= len(self._cameras):
            return _answer(404, {"error": f"there are cameras 1 to {len(self._cameras)}"})
        camera = self._cameras[number - 1]
        try:
            await self._apply(camera, parts[2], request.query.get("value", ""))
        except ValueError as error:
            return _answer(400, {"error": str(error)})
        except ListenError as error:
            return _answer(409, {"error": str(error)})
        return _answer(200, describe(camera, number))

    async def _apply(self, camera: VirtualCamera, fault: str, value: str) -> None:
        match fault:
            case "drop":
                camera.drop_sessions()
            case "freeze":
                camera.freeze(Frozen(_one_of(value, *(choice.value for choice in Frozen))))
            case "jump":
                camera.jump(_seconds(value))
            case "resize":
                camera.resize(*parse_size(value))
            case "login":
                camera.refuse_login(_one_of(value, "refuse", "accept") == "refuse")
            case "motion" | "tamper" | "input":
                camera.events.report(fault, _one_of(value, "on", "off") == "on")
            case _:
                await (camera.go_dark() if _one_of(value, "off", "on") == "off" else camera.come_back())


def describe(camera: VirtualCamera, number: int) -> dict[str, object]:
    """A camera and its faults for JSON, without its password."""
    return {
        "camera": number,
        "name": camera.spec.name,
        "sessions": camera.sessions,
        "freeze": camera.faults.frozen.value,
        "jump": camera.faults.jump_s,
        "login": "refuse" if camera.faults.refuse_login else "accept",
        "power": "off" if camera.faults.dark else "on",
        **{what: "on" if on else "off" for what, on in camera.events.states.items()},
        "listeners": camera.events.subscriptions,
    }


def parse_size(text: str) -> tuple[int, int]:
    """`1280x720` as numbers. Raises ValueError."""
    width, mark, height = text.lower().partition("x")
    if not (mark and width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise ValueError(f"{text!r} is not a size like 1280x720")
    return int(width[:6]), int(height[:6])


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r} is not a number of seconds")
    return seconds


def _one_of(value: str, *choices: str) -> str:
    if value not in choices:
        raise ValueError(f"value must be one of {', '.join(choices)}")
    return value


def _is_local(request: HttpRequest) -> bool:
    """From this machine, and not by way of a web page: a browser names the page's origin or a host that is not ours."""
    host = request.headers.get("host", "localhost").rpartition("@")[2]
    name = host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
    if "origin" in request.headers or not (name == "localhost" or _is_loopback(name)):
        return False
    return _is_loopback(request.client)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _answer(status: int, content: dict[str, object]) -> HttpResponse:
    return HttpResponse(status, json.dumps(content).encode() + b"\n", "application/json")
