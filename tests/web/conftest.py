"""A gateway that serves two made-up cameras, and the application in front of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from gateway.http.access import Access
from gateway.media.state import State, Status
from gateway.web.app import create_app
from gateway.web.ports import CameraView, DiscoveredView, Readiness, StreamView, WallView

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from api_answers import Watcher

PASSWORD = "correct horse"

FRONT_DOOR = CameraView(
    id="front-door",
    name="Front door",
    status=Status(State.LIVE, since=1_700_000_000.5),
    streams=(
        StreamView(
            id="front-door",
            codec="h264",
            codecs="avc1.64001F,mp4a.40.2",
            width=1280,
            height=720,
            fps=25.0,
            audio="aac",
            audio_note="transcoded from pcmu",
            bitrate=2_000_000.4,
            keyframe_interval=2.0,
            viewers={"hls": 3},
            status=Status(State.LIVE, since=1_700_000_000.5),
            on_demand=False,
        ),
    ),
    urls={"hls": "https://{host}:8443/hls/front-door/index.m3u8", "rtmp": "rtmp://{host}:1935/live/front-door"},
    source="rtsp://admin:hunter22@192.168.1.64/ch1",
    picture_at=1_700_000_100.25,
    group="Entrances",
)
YARD = CameraView(
    id="yard",
    name="Yard",
    status=Status(State.OFFLINE, 1_700_000_200.0, "rtsp://a:b@10.0.0.9: no route", "unreachable", 1_700_000_230.0),
    streams=(),
    urls={},
    source="10.0.0.9",
    picture_at=None,
)


class FakeGateway:
    """A `GatewayPort` that answers from constants."""

    site = "Warehouse 3"
    version = "1.2.3"

    def __init__(self) -> None:
        self.asked_widths: list[int | None] = []
        self.failure: Exception | None = None
        self.forgotten: list[str] = []
        self.ready = Readiness(True, ())
        self.devices: dict[str, Any] = {}
        self.frames: tuple[str, ...] = ()

    def cameras(self) -> tuple[CameraView, ...]:
        if self.failure is not None:
            raise self.failure
        return (FRONT_DOOR, YARD)

    def camera(self, camera_id: str) -> CameraView | None:
        return {camera.id: camera for camera in (FRONT_DOOR, YARD)}.get(camera_id)

    def wall_views(self) -> tuple[WallView, ...]:
        return (WallView("doors", "Doors", ("front-door",), "1+5"),)

    def embedders(self) -> tuple[str, ...]:
        return self.frames

    def snapshot(self, camera_id: str, width: int | None) -> bytes | None:
        self.asked_widths.append(width)
        return b"\xff\xd8picture" if camera_id == "front-door" else None

    def discovered(self) -> tuple[DiscoveredView, ...]:
        xaddrs = ("http://u:p@10.0.0.9/onvif",)
        return (DiscoveredView("urn:uuid:1", "10.0.0.9", xaddrs, "Cam", "X1", 1.0, 2.0, "yard"),)

    def forget_identity(self, camera_id: str) -> bool:
        self.forgotten.append(camera_id)
        return self.camera(camera_id) is not None

    def device(self, camera_id: str) -> Any:
        return self.devices.get(camera_id)

    def readiness(self) -> Readiness:
        return self.ready


@pytest.fixture(autouse=True)
def api_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    """Every answer of the API in every test here is what its document says."""
    watcher = Watcher()
    process = Flask.process_response

    def watched(app: Flask, response: Response) -> Response:
        watcher.look(app, answered := process(app, response))
        return answered

    monkeypatch.setattr(Flask, "process_response", watched)
    yield watcher
    assert not watcher.problems


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    """An authoriser whose scrypt is made cheap."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "admin.hash").write_text(generate_password_hash(PASSWORD, method="scrypt:1024:8:1"))
    access, generated = Access.open(tmp_path)
    assert generated is None
    yield access
    access.close()


@pytest.fixture
def app(gateway: FakeGateway, access: Access, tmp_path: Path) -> Flask:
    web = tmp_path / "web"
    (web / "templates").mkdir(parents=True)
    (web / "static" / "vendor").mkdir(parents=True)
    (web / "static" / "vendor" / "player.mjs").write_text("export {};")
    (web / "static" / "wall.css").write_text("body {}")
    templates = {
        "wall.html": "wall of {{ site }} {{ version }} csrf={{ csrf }}{% if admin %} for the admin{% endif %}",
        "login.html": "login csrf={{ csrf }} next={{ next }} https={{ https_url }} error={{ error }} key={{ error_key }}",
        "watch.html": "watch {{ camera.name }} {{ stream_id }} query={{ query }}",
        "health.html": "health of {{ site }}",
        "error.html": "{{ site }}: {{ status }} {{ error }} csrf={{ csrf }}",
    }
    for name, text in templates.items():
        (web / "templates" / name).write_text(text)
    app = create_app(gateway, access, https_port=8443, authority=tmp_path / "ca.pem", web_root=web)
    app.testing = False
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


class Browser:
    """What a person with a browser does, over HTTPS unless told otherwise."""

    def __init__(self, client: FlaskClient, base: str = "https://box.local:8443") -> None:
        self.client = client
        self.base = base

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, base_url=self.base, headers=headers, buffered=True)

    def post(self, path: str, **form: str) -> TestResponse:
        return self.client.post(path, base_url=self.base, data=form)

    def csrf(self, path: str = "/login") -> str:
        match = re.search(r"csrf=(\w+)", self.get(path).text)
        assert match is not None
        return match.group(1)

    def log_in(self, password: str = PASSWORD, target: str = "") -> TestResponse:
        return self.post("/login", csrf=self.csrf(), username="admin", password=password, next=target)


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    return Browser(client)
