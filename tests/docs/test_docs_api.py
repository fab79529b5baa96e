"""The JSON in docs/api.md against what the code makes, and the links between the pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.access.audit import EVENTS
from gateway.box.clock_sync import ClockSync
from gateway.box.facts import Box, Temperature
from gateway.health.process import Process
from gateway.health.view import CameraHealth, HealthView, StreamHealth
from gateway.journal.incident import Change, Incident, Step
from gateway.journal.kinds import IncidentKind
from gateway.media.state import State, Status
from gateway.onvif.events import Kind
from gateway.rtmp.push import PushState
from gateway.rtmp.push_errors import PushError
from gateway.simulator.control import FAULTS
from gateway.web.errors import CODES
from gateway.web.health_json import health_json
from gateway.web.ports import CameraView, DiscoveredView, EventsView, EventView, PushView, StreamView, WallView
from gateway.web.ptz_command import ACTIONS
from gateway.web.view_json import camera_json, discovered_json, wall_view_json
from gateway.webhook.delivery import HookStatus
from gateway.webhook.message import make_message

ROOT = Path(__file__).parents[2]
VIEWERS = {"rtmp": 0, "hls": 0, "ws": 0, "rtsp": 0}
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


def _stream(stream_id: str) -> StreamView:
    return StreamView(
        id=stream_id,
        codec="h264",
        codecs="avc1.64001F",
        width=1280,
        height=720,
        fps=25.0,
        audio=None,
        audio_note="",
        bitrate=2e6,
        keyframe_interval=2.0,
        viewers={},
        status=Status(State.LIVE, since=1.0),
        on_demand=False,
    )


def _camera() -> dict[str, Any]:
    view = CameraView(
        id="front-door",
        name="Front door",
        status=Status(State.LIVE, since=1.0),
        streams=(_stream("front-door"), _stream("front-door.sub")),
        urls=dict.fromkeys(("hls", "rtmp", "hls_sub", "rtmp_sub", "snapshot"), "x"),
        source="192.168.10.215",
        picture_at=1.0,
        pushes=(PushView("Town hall", "rtmps://a.example/live2/***", "front-door", "live", 1.0, "", "", None, 1, 1.0, 0),),
        ptz=True,
        events=EventsView(True, "", (EventView("motion", True, 1.0, ""),), (EventView("motion", True, 1.0, ""),)),
    )
    return camera_json(view, "HOST", with_source=True, operates=True)


def _examples(pages: dict[str, Any], page: str) -> list[Any]:
    return [json.loads(block) for block in pages[page].blocks("json")]


def _shape(value: Any) -> Any:
    """Keys in their order, without the values."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    return [_shape(inner) for inner in value] if isinstance(value, list) else None


def test_the_camera_in_the_page_has_the_fields_of_the_code(pages: dict[str, Any]) -> None:
    documented = next(one for one in _examples(pages, "docs/api.md") if "streams" in one)
    made = _camera()
    assert _shape(documented) == _shape(made)
    assert list(documented) == list(made)


def test_the_device_in_the_page_has_the_fields_of_the_code(pages: dict[str, Any]) -> None:
    documented = next(one for one in _examples(pages, "docs/api.md") if "devices" in one)["devices"][0]
    device = DiscoveredView("e", "a", (), "n", "h", 1.0, 2.0, None)
    assert list(documented) == list(discovered_json(device))


def test_the_view_in_the_page_has_the_fields_of_the_code(pages: dict[str, Any]) -> None:
    documented = next(one for one in _examples(pages, "docs/api.md") if "views" in one)["views"][0]
    assert list(documented) == list(wall_view_json(WallView("entrances", "Entrances", ("front-door",), None)))


def test_the_health_in_the_page_has_the_fields_of_the_code(pages: dict[str, Any]) -> None:
    documented = next(one for one in _examples(pages, "docs/api.md") if "box" in one)
    incident = Incident(1, "", IncidentKind.START, "start", "", 1.0, 1.0)
    stream = StreamHealth("front-door", "tcp", 0.0, 1, {"timeout": 1}, 0, None)
    seen = replace(_stream("front-door"), viewers=VIEWERS)
    view = CameraView("front-door", "F", Status(State.LIVE, 1.0), (seen,), {}, "", None)
    health = HealthView(
        1.0,
        1.0,
        Box(temperatures=(Temperature("cpu", 1.0),), clock=ClockSync(True, 0.1)),
        Process(1, 1, 1, 1, 1, 1.0),
        0.1,
        0.1,
        (CameraHealth(view, (stream,), (), 0.0, (), 1.0, 1.0),),
        (incident,),
        (
            HookStatus(
                "pager", "https://alerts.example/", 0, 1.0, "", {"delivered": 1, "failed": 0, "refused": 0, "dropped": 0}
            ),
        ),
        "",
    )
    made = health_json(health, "S", "1", admin=True)
    made["cameras"][0]["advice"] = [{"key": "", "text": "", "params": {}}]
    assert _shape(documented) == _shape(made)
    assert list(documented) == list(made)


def test_the_message_of_a_webhook_is_the_one_of_the_code(pages: dict[str, Any]) -> None:
    (documented,) = _examples(pages, "docs/monitoring.md")
    incident = Incident(1, "front-door", IncidentKind.OFFLINE, "unreachable", "", 1.0)
    made = json.loads(make_message(Change(Step.BEGAN, incident), "", "Front door", 1.0).body)
    assert _shape(documented) == _shape(made)
    steps = {row[0].strip("`") for row in pages["docs/monitoring.md"].rows("`type`")}
    assert steps == {f"incident.{step.value}" for step in Step if step is not Step.COUNTED}
    kinds = {name.strip("`") for row in pages["docs/monitoring.md"].rows("`kind`") for name in row[0].split(", ")}
    assert kinds == {kind.value for kind in IncidentKind}


def test_ways_to_steer_are_those_of_the_code(pages: dict[str, Any]) -> None:
    rows = [name.strip("`") for row in pages["docs/api.md"].rows("`action`") for name in row[0].split(", ")]
    assert sorted(rows) == sorted(ACTIONS)


def test_kinds_of_events_are_those_of_the_code(pages: dict[str, Any]) -> None:
    rows = [name.strip("`") for row in pages["docs/api.md"].rows("`kind`") for name in row[0].split(", ")]
    assert sorted(rows) == sorted(kind.value for kind in Kind)


def test_states_are_those_of_the_code(pages: dict[str, Any]) -> None:
    documented = [row[0].strip("`") for row in pages["docs/api.md"].rows("`state`")]
    assert documented == [state.value for state in State]


def test_states_of_a_push_are_those_of_the_code(pages: dict[str, Any]) -> None:
    documented = [row[0].strip("`") for row in pages["docs/api.md"].rows("Push")]
    assert documented == [state.value for state in PushState]


def test_codes_of_a_push_are_those_of_the_code(pages: dict[str, Any]) -> None:
    section = pages["docs/api.md"].text.partition("### Pushes")[2].partition("\n## ")[0]
    assert all(f"`{leaf.code}`" in section for leaf in PushError.__subclasses__())


def test_statuses_have_the_codes_of_the_code(pages: dict[str, Any]) -> None:
    rows = [row for row in pages["docs/api.md"].rows("Status") if len(row) == 3]
    assert len(rows) >= 6
    for status, codes, _ in rows:
        assert codes.split(",")[0].strip("`") == CODES[int(status)]


def test_the_answer_of_the_simulators_control(pages: dict[str, Any]) -> None:
    answer = _examples(pages, "docs/simulator.md")[0]
    assert {"freeze", "jump", "login", "power"} <= set(FAULTS) & set(answer)


def test_events_of_the_audit_log_are_those_of_the_code(pages: dict[str, Any]) -> None:
    rows = [name.strip("`") for row in pages["docs/users.md"].rows("Event") for name in row[0].split(", ")]
    assert sorted(rows) == sorted(EVENTS)


def test_links_lead_somewhere(pages: dict[str, Any]) -> None:
    broken = []
    for page in pages.values():
        for target, anchor in _LINK.findall(page.prose()):
            file = (ROOT / page.name).parent / target if target else ROOT / page.name
            if not file.is_file():
                broken.append(f"{page.name}: {target}")
            elif anchor and anchor not in _anchors(file):
                broken.append(f"{page.name}: {target}#{anchor}")
    assert not broken


def _anchors(file: Path) -> set[str]:
    """Anchors as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
