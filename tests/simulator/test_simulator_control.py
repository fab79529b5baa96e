"""The remote control: every fault has its word, wrong words are explained, nobody else's web page may use it."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.onvif.face.http_face import HttpRequest, HttpResponse
from gateway.simulator.camera import Auth, CameraSpec, VirtualCamera
from gateway.simulator.control import Control, parse_size
from gateway.simulator.faults import Frozen


def request(method: str, path: str, value: str | None = None, *, client: str = "127.0.0.1", **headers: str) -> HttpRequest:
    query = {} if value is None else {"value": value}
    return HttpRequest(method, path, path, query, headers, b"", "127.0.0.1", 80, client)


def ask(control: Control, *args: str, **options: str) -> tuple[int, dict[str, object]]:
    response: HttpResponse = asyncio.run(control.handle(request(*args, **options)))
    return response.status, json.loads(response.body)


@pytest.fixture
def camera() -> VirtualCamera:
    """Not started: it needs no ports for this."""
    return VirtualCamera(CameraSpec(name="Yard", auth=Auth.BOTH, password="very-secret"))


def test_each_fault_is_switched_on_and_off(camera: VirtualCamera):
    control = Control([camera])
    assert ask(control, "POST", "/control/1/freeze", "video")[1]["freeze"] == "video"
    assert camera.faults.frozen is Frozen.VIDEO
    assert ask(control, "POST", "/control/1/freeze", "off")[1]["freeze"] == "off"
    assert ask(control, "POST", "/control/1/jump", "-5.5")[1]["jump"] == -5.5
    assert ask(control, "POST", "/control/1/login", "refuse")[1]["login"] == "refuse"
    assert ask(control, "POST", "/control/1/login", "accept")[1]["login"] == "accept"
    assert ask(control, "POST", "/control/1/drop")[0] == 200
    assert ask(control, "POST", "/control/1/resize", "640x480")[0] == 200


def test_the_list_names_cameras_and_no_passwords(camera: VirtualCamera):
    status, answer = ask(Control([camera]), "GET", "/control")
    assert status == 200
    assert answer["cameras"][0]["name"] == "Yard"  # type: ignore[index]  # JSON
    assert "very-secret" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("method", "path", "value", "status"),
    [
        ("GET", "/control/1/drop", None, 405),
        ("POST", "/control/2/drop", None, 404),
        ("POST", "/control/x/drop", None, 404),
        ("POST", "/control/²/drop", None, 404),
        ("POST", "/control/1/explode", None, 404),
        ("POST", "/", None, 404),
        ("POST", "/control/1/freeze", "audio", 400),
        ("POST", "/control/1/jump", "nan", 400),
        ("POST", "/control/1/jump", "soon", 400),
        ("POST", "/control/1/jump", "1e12", 400),
        ("POST", "/control/1/resize", "big", 400),
        ("POST", "/control/1/resize", "641x360", 400),
        ("POST", "/control/1/power", "maybe", 400),
    ],
)
def test_wrong_words_are_explained(camera: VirtualCamera, method: str, path: str, value: str | None, status: int):
    answered, answer = ask(Control([camera]), method, path, value)
    assert answered == status
    assert answer["error"]


def test_others_machines_and_web_pages_are_turned_away(camera: VirtualCamera):
    control = Control([camera])
    assert ask(control, "POST", "/control/1/drop", client="192.0.2.1")[0] == 403
    assert ask(control, "POST", "/control/1/drop", host="rebound.example:80")[0] == 403
    assert ask(control, "POST", "/control/1/drop", origin="http://evil.example")[0] == 403
    for host in ("localhost:19100", "127.0.0.1", "[::1]:19100"):
        assert ask(control, "POST", "/control/1/drop", host=host)[0] == 200


def test_sizes():
    assert parse_size("1920X1080") == (1920, 1080)
    for text in ("", "x", "12x", "x12", "-1x5", "1.5x2"):
        with pytest.raises(ValueError, match="not a size"):
            parse_size(text)
