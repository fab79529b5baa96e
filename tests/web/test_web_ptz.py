"""Steering through the API: who may, what is refused, what the camera gets."""

from __future__ import annotations

import base64
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.device.driver import Busy
from gateway.errors import ProtocolError, TimedOut
from gateway.onvif.ptz import ASSUMED, UNIT, Axes, Preset, PtzAbilities, Vector
from gateway.web import ptz_api
from gateway.web.ptz_command import ACTIONS, PtzCommand, parse_command

PATH = "/api/v1/cameras/yard/ptz"
BASIC = {"Authorization": "Basic " + base64.b64encode(b"admin:correct horse").decode()}


class FakeDevice:
    """A `CameraDevice` whose camera answers at once, or with `error`."""

    def __init__(self, can: PtzAbilities | None) -> None:
        self.known = SimpleNamespace(ptz=can)
        self.presets: tuple[Preset, ...] | None = None
        self.driver = SimpleNamespace(trouble=None, stop=lambda: self.did.append(("stop",)))
        self.did: list[Any] = []
        self.error: Exception | None = None
        self.silent = False

    def steer(self, speed: Vector) -> None:
        self.did.append(("move", speed))

    def errand(self, run: Any, *, moves: bool) -> Future[Any]:
        if isinstance(self.error, Busy):
            raise self.error
        future: Future[Any] = Future()
        if self.error is not None:
            future.set_exception(self.error)
        elif not self.silent:
            future.set_result(run(self))
        return future

    def load_presets(self) -> Future[Any]:
        return self.errand(lambda ptz: ptz.list_presets(), moves=False)

    def list_presets(self) -> tuple[Preset, ...]:
        self.presets = (Preset("1", "Gate"),)
        return self.presets

    def absolute(self, place: Vector, *, zoom: bool) -> None:
        self.did.append(("absolute", place, zoom))

    def set_preset(self, name: str, token: str) -> str:
        self.did.append(("set_preset", name, token))
        return "7"

    def go_to(self, token: str) -> None:
        self.did.append(("preset", token))


@pytest.fixture
def device(gateway: Any) -> FakeDevice:
    gateway.devices["yard"] = FakeDevice(PtzAbilities("main", ASSUMED, ASSUMED, home=True, max_presets=16))
    return gateway.devices["yard"]


@pytest.fixture
def post(client: Any):
    """POST JSON as a script does."""

    def post(body: Any, **headers: str):
        return client.post(PATH, base_url="https://box.local:8443", json=body, headers={**BASIC, **headers})

    return post


def test_abilities_and_presets(client: Any, device: FakeDevice):
    answer = client.get(PATH, base_url="https://box.local:8443", headers=BASIC)
    assert answer.status_code == 200
    assert answer.json["presets"] == [{"token": "1", "name": "Gate"}]
    assert (answer.json["pan_tilt"], answer.json["relative"], answer.json["home"]) == (True, False, True)


def test_camera_that_does_not_tell_its_presets_can_be_steered_all_the_same(client: Any, device: FakeDevice):
    device.error = TimedOut("rtsp://admin:secret@10.0.0.9: the camera did not answer in time")
    answer = client.get(PATH, base_url="https://box.local:8443", headers=BASIC)
    assert answer.json["presets"] == []
    assert "did not answer in time" in answer.json["trouble"]
    assert "secret" not in answer.text


def test_commands_reach_the_camera(post: Any, device: FakeDevice):
    assert post({"action": "move", "pan": 0.5, "zoom": -1}).status_code == 202
    assert post({"action": "stop"}).status_code == 202
    assert post({"action": "absolute", "pan": 1}).json == {"done": True}
    assert post({"action": "preset", "preset": "3"}).status_code == 200
    assert post({"action": "set_preset", "name": "Gate"}).json["preset"] == "7"
    assert device.did == [
        ("move", Vector(0.5, 0, -1)), ("stop",), ("absolute", Vector(1), False), ("preset", "3"), ("set_preset", "Gate", ""),
    ]  # fmt: skip


def test_what_the_camera_says_is_passed_on(post: Any, device: FakeDevice, monkeypatch: pytest.MonkeyPatch):
    device.error = ProtocolError("10.0.0.9: the camera reports: preset does not exist")
    answer = post({"action": "preset", "preset": "3"})
    assert (answer.status_code, answer.json["error"]["code"]) == (502, "protocol")
    assert "preset does not exist" in answer.json["error"]["message"]
    device.error = Busy("the camera is busy with earlier commands")
    assert post({"action": "home"}).status_code == 503
    device.error, device.silent = None, True
    monkeypatch.setattr(ptz_api, "ANSWER_S", 0.01)
    assert post({"action": "preset", "preset": "3"}).status_code == 503


def test_camera_is_not_asked_for_what_it_cannot(post: Any, gateway: Any):
    gateway.devices["yard"] = device = FakeDevice(PtzAbilities("main", Axes(zoom=UNIT)))
    for action in ("absolute", "relative", "home", "set_home"):
        assert post({"action": action}).status_code == 400
    assert post({"action": "move", "zoom": 1}).status_code == 202
    assert device.did == [("move", Vector(zoom=1.0))]


def test_fixed_camera_and_unknown_camera_are_not_found(post: Any, gateway: Any):
    assert post({"action": "stop"}).status_code == 404
    gateway.devices["yard"] = FakeDevice(None)
    assert post({"action": "stop"}).status_code == 404


def test_only_the_admin_steers(client: Any, access: Any, device: FakeDevice):
    path = f"{PATH}?token={access.viewing_token}"
    assert client.post(path, json={"action": "stop"}).status_code == 403
    assert client.get(path).status_code == 403
    assert client.post(PATH, json={"action": "stop"}).status_code == 401
    assert device.did == []


def test_viewers_are_not_told_to_steer(client: Any, access: Any, gateway: Any, monkeypatch: pytest.MonkeyPatch):
    from dataclasses import replace

    cameras = tuple(replace(camera, ptz=True) for camera in gateway.cameras())
    monkeypatch.setattr(gateway, "cameras", lambda: cameras)
    by_token = client.get(f"/api/v1/cameras?token={access.viewing_token}").json["cameras"]
    assert not any(camera["ptz"] for camera in by_token)
    assert all(camera["ptz"] for camera in client.get("/api/v1/cameras", headers=BASIC).json["cameras"])


def test_other_web_sites_cannot_steer(browser: Any, device: FakeDevice):
    """A browser adds the cookie by itself; a foreign page can send forms and plain text, but no JSON."""
    browser.log_in()
    own = {"Origin": "https://box.local:8443"}

    def send(headers: dict[str, str], **body: Any) -> int:
        return browser.client.post(PATH, base_url=browser.base, headers=headers, **body).status_code

    assert send(own, json={"action": "stop"}) == 202
    assert send({"Origin": "https://evil.example"}, json={"action": "stop"}) == 403
    assert send({"Origin": "null"}, json={"action": "stop"}) == 403
    assert send(own, data='{"action": "stop"}', content_type="text/plain") == 403
    assert send({"Origin": "https://evil.example"}, data={"action": "stop"}) == 403
    assert len(device.did) == 1


def test_body_that_is_no_json_is_refused(client: Any, device: FakeDevice):
    options = {"base_url": "https://box.local:8443", "headers": BASIC, "content_type": "application/json"}
    for text in ("", "{", "[]", "null", '"move"', '{"action": "move", "pan": NaN}'):
        assert client.post(PATH, data=text, **options).status_code == 400, text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "action must be one of"),
        ({"action": "fly"}, "action must be one of"),
        ({"action": ["move"]}, "action must be one of"),
        ({"action": "move", "pan": "1"}, "pan must be a number"),
        ({"action": "move", "pan": True}, "pan must be a number"),
        ({"action": "move", "tilt": 1.01}, "from -1 to 1"),
        ({"action": "stop", "pan": 1}, "stop takes no pan"),
        ({"action": "preset"}, "token"),
        ({"action": "preset", "preset": "a\nb"}, "text"),
        ({"action": "set_preset"}, "needs a name"),
        ({"action": "set_preset", "name": "x" * 65}, "at most 64"),
    ],
)
def test_wrong_commands_are_explained(body: Any, words: str):
    with pytest.raises(ValueError, match=words):
        parse_command(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


keys = st.sampled_from(["action", "pan", "tilt", "zoom", "preset", "name", "x"])


@given(st.dictionaries(keys, json_values | st.sampled_from(ACTIONS)))
def test_any_json_is_a_command_or_a_sentence(body: Any):
    try:
        command = parse_command(body)
    except ValueError as error:
        assert str(error).endswith(".")
    else:
        assert isinstance(command, PtzCommand)
        assert command.vector == command.vector.clamped()


@pytest.mark.parametrize("text", ['{"action": "move", "pan": 1%s}' % ("0" * 400), "[" * 100_000], ids=["huge", "deep"])
def test_json_made_to_break_the_reader_is_a_bad_request(client: Any, device: FakeDevice, text: str) -> None:
    answer = client.post(
        PATH, base_url="https://box.local:8443", data=text, headers={**BASIC, "Content-Type": "application/json"}
    )
    assert (answer.status_code, device.did) == (400, [])
