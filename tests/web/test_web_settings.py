"""The settings page and its API: for the admin, with everything that is wrong, and a button that needs a form token."""

from __future__ import annotations

import re

import pytest

from gateway.config.diff import ConfigDiff
from gateway.config.effective import Line
from gateway.reload.attempt import Attempt, Complaint, Outcome, Trigger
from gateway.reload.reloading import ConfigStatus
from gateway.web.app import create_app

APPLIED = Attempt(1.0, Trigger.FILES, Outcome.APPLIED, ConfigDiff(added=("gate",), changed=("yard",), settings=("site",)))
REFUSED = Attempt(
    2.0, Trigger.REQUEST, Outcome.REFUSED, complaints=(Complaint("unknown key <b>", "config.yaml", 7, "cameras.yard.grup"),)
)
LINES = (
    Line(0, "site", "Shed <i>", "config.yaml", 1),
    Line(0, "hls", ""),
    Line(1, "part", "200ms"),
    Line(2, "", "rtmp://h/live/***", "conf.d/a.yaml", 3, item=True),
)


@pytest.fixture
def status(gateway):
    found = {"last": APPLIED, "reloads": 0}

    def config_status():
        files, restart, warnings = ("config.yaml",), ("data_dir",), ("a warning",)
        return ConfigStatus("config.yaml", 1.0, True, files, found["last"], APPLIED, restart, warnings, LINES)

    def reload_config():
        found["reloads"] += 1
        return found["last"]

    gateway.config_status, gateway.reload_config = config_status, reload_config
    return found


@pytest.fixture
def app(gateway, access, tmp_path, status):
    return create_app(gateway, access, https_port=8443, authority=tmp_path / "ca.pem")


def csrf(page):
    return re.search(r'name="csrf" value="(\w+)"', page.text)[1]


@pytest.fixture
def admin(browser):
    browser.post("/login", csrf=csrf(browser.get("/login")), username="admin", password="correct horse", next="/")
    return browser


def test_strangers_log_in_first_and_viewers_stay_out(browser, access):
    answer = browser.get("/settings")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/settings")
    token = access.viewing_token
    assert browser.get(f"/settings?token={token}").status_code == 403
    assert browser.get(f"/api/v1/config?token={token}").status_code == 403
    assert browser.get("/api/v1/config").status_code == 401
    assert browser.post("/settings/reload").status_code in (401, 403)


def test_the_page_shows_what_is_in_effect_and_where_it_stands(admin):
    text = admin.get("/settings").text
    assert "Shed &lt;i&gt;" in text
    assert "conf.d/a.yaml:3" in text
    assert re.search(r'<tr class="default">\s*<td class="d1"><code>part: <b>200ms', text)
    assert "data_dir" in text
    assert "a warning" in text
    assert re.search(r"Cameras added</dt><dd><code>gate", text)


def test_findings_stand_on_the_page_with_file_and_line(admin, status):
    status["last"] = REFUSED
    text = admin.get("/settings").text
    assert "config.yaml:7" in text
    assert "cameras.yard.grup" in text
    assert "unknown key &lt;b&gt;" in text
    assert 'class="outcome refused"' in text
    assert re.search(r"Cameras added</dt><dd><code>gate", text), "what was applied before is still to be seen"


def test_the_button_reloads_once_and_only_with_its_form_token(admin, status):
    assert admin.post("/settings/reload", csrf="wrong").status_code == 400
    assert status["reloads"] == 0
    answer = admin.post("/settings/reload", csrf=csrf(admin.get("/settings")))
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    assert status["reloads"] == 1


def test_the_api_says_the_same_for_programs(app, status):
    client, login = app.test_client(), ("admin", "correct horse")
    found = client.get("/api/v1/config", auth=login)
    assert found.headers["cache-control"] == "no-store"
    assert found.json["last_attempt"]["added"] == ["gate"]
    assert found.json["restart_needed"] == ["data_dir"]
    assert found.json["lines"][0] == {
        "depth": 0, "key": "site", "value": "Shed <i>", "item": False, "default": False, "file": "config.yaml", "line": 1,
    }  # fmt: skip
    assert client.post("/api/v1/config/reload", auth=login, json={}).json["outcome"] == "applied"
    status["last"] = REFUSED
    refused = client.post("/api/v1/config/reload", auth=login, json={})
    assert refused.status_code == 409
    assert refused.json["findings"] == [
        {"file": "config.yaml", "line": 7, "key": "cameras.yard.grup", "message": "unknown key <b>"}
    ]
    assert client.post("/api/v1/config/reload", auth=login).status_code == 403, "a form of another site"
