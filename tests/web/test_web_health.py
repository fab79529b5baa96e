"""The health page and its API: for admins and operators, and without a secret."""

from __future__ import annotations

import base64
import sqlite3
from typing import Any

import pytest

from gateway.box.facts import Box
from gateway.health.process import Process
from gateway.health.view import CameraHealth, HealthView, StreamHealth
from gateway.journal.incident import Incident
from gateway.journal.kinds import IncidentKind
from gateway.webhook.delivery import HookStatus

BASIC = {"Authorization": "Basic " + base64.b64encode(b"admin:correct horse").decode()}
OFFLINE = Incident(7, "yard", IncidentKind.OFFLINE, "unreachable", "rtsp://a:hunter22@10.0.0.9: no route", 1.0)


@pytest.fixture
def healthy(gateway: Any) -> Any:
    """A gateway with its two cameras' health."""
    front, yard = gateway.cameras()
    stream = StreamHealth("front-door", "tcp", 0.3, 2, {"timeout": 2}, 5, 250)
    gateway.health = lambda: HealthView(
        now=1_700_000_300.0,
        started=1_700_000_000.0,
        box=Box(),
        process=Process(10**8, 10**9, 20, 30, 1024, 5.0),
        cpu=0.25,
        lag_s=0.01,
        cameras=(
            CameraHealth(front, (stream,), (), 30.0, (), 0.99987654, None),
            CameraHealth(yard, (), (), None, (OFFLINE,), 0.0, 0.5),
        ),
        incidents=(),
        hooks=(HookStatus("pager", "https://alerts.example/", 1, None, "rtsp://u:hunter22@x", {"delivered": 0}),),
        journal_trouble="",
    )
    gateway.asked = []

    def incidents(camera: str | None, limit: int, before: int | None = None) -> list[Incident]:
        gateway.asked.append((camera, limit, before))
        if gateway.failure is not None:
            raise gateway.failure
        return [OFFLINE]

    gateway.incidents = incidents
    return gateway


def test_the_health_of_everything_with_advice_and_without_passwords(client, healthy):
    answer = client.get("/api/v1/health", headers=BASIC)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "hunter22" not in answer.text
    front, yard = answer.json["cameras"]
    assert front["uptime"] == {"day": 0.99988, "week": None}
    assert front["streams"][0]["today"] == {
        "interruptions": 2, "failures": {"timeout": 2}, "repairs": 5, "lost_packets": 250,
    }  # fmt: skip
    assert [piece["key"] for piece in front["advice"]] == ["uneven", "losses", "clock_fast", "audio"]
    assert yard["incidents"][0]["kind"] == "offline"
    assert front["source"] == "rtsp://***@192.168.1.64/ch1"


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/incidents"])
def test_viewers_and_strangers_are_not_told(client, healthy, access, path):
    assert client.get(path).status_code == 401
    assert client.get(f"{path}?token={access.viewing_token}").status_code == 403
    assert healthy.asked == []


def test_the_page_sends_strangers_to_the_login_and_viewers_away(client, healthy, access):
    answer = client.get("/health")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/health")
    assert client.get(f"/health?token={access.viewing_token}").status_code == 403


def test_incidents_are_chosen_by_camera_and_paged(client, healthy):
    answer = client.get("/api/v1/incidents?camera=yard&limit=5&before=99", headers=BASIC)
    assert answer.json["incidents"][0]["id"] == 7
    client.get("/api/v1/incidents?camera=", headers=BASIC)
    client.get("/api/v1/incidents", headers=BASIC)
    assert healthy.asked == [("yard", 5, 99), ("", 100, None), (None, 100, None)]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "limit=-1", "before=1e9", "limit=٣", "before=" + "9" * 30]
)
def test_nonsense_is_refused_before_the_disk_is_asked(client, healthy, query):
    answer = client.get(f"/api/v1/incidents?{query}", headers=BASIC)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad-request")
    assert healthy.asked == []


@pytest.mark.parametrize("failure", [TimeoutError(), sqlite3.OperationalError("disk I/O error")])
def test_a_disk_that_does_not_answer_is_said_and_not_waited_for(client, healthy, failure):
    healthy.failure = failure
    answer = client.get("/api/v1/incidents", headers=BASIC)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "busy")


def test_no_network_is_blamed_while_the_gateway_itself_is_late(client, healthy):
    from dataclasses import replace

    late = replace(healthy.health(), lag_s=0.3)
    healthy.health = lambda: late
    front, _ = client.get("/api/v1/health", headers=BASIC).json["cameras"]
    assert [piece["key"] for piece in front["advice"]] == ["losses", "clock_fast", "audio"]
