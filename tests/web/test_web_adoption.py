"""The adopt route: for the admin, from pages of ours, and with reasons for people and programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import render_template_string

from gateway.errors import AdoptError
from gateway.sources.adoption import Wish
from gateway.web.adoption import FIELDS
from gateway.web.ports import AdoptedView, DiscoveredView

URL = "/api/v1/discovery/adopt"
WISH = {"address": "192.168.1.20", "username": "admin", "password": "camera-pw"}


@pytest.fixture
def wishes(gateway: Any) -> list[Wish]:
    """What reached the gateway."""
    reached: list[Wish] = []

    def adopt(wish: Wish) -> AdoptedView:
        reached.append(wish)
        if gateway.failure is not None:
            raise gateway.failure
        return AdoptedView("yard", "Yard", "conf.d/yard.yaml", True)

    gateway.adopt = adopt
    return reached


def test_the_form_adopts(browser: Any, wishes: list[Wish]) -> None:
    browser.log_in()
    answer = browser.post(URL, csrf=browser.csrf("/"), **WISH, name="Yard")
    assert answer.status_code == 201
    assert answer.json == {"id": "yard", "name": "Yard", "file": "conf.d/yard.yaml", "sub": True}
    assert answer.headers["Location"].endswith("/api/v1/cameras/yard")
    assert wishes == [Wish("192.168.1.20", "", "Yard", "admin", "camera-pw")]


def test_a_script_of_the_page_adopts_with_json(browser: Any, wishes: list[Wish]) -> None:
    browser.log_in()
    headers = {"X-CSRF-Token": browser.csrf("/")}
    answer = browser.client.post(URL, base_url=browser.base, json=WISH, headers=headers)
    assert answer.status_code == 201
    assert wishes[0].password == "camera-pw"


def test_other_sites_and_strangers_adopt_nothing(browser: Any, wishes: list[Wish], access: Any) -> None:
    assert browser.post(URL, **WISH).status_code == 401
    assert browser.client.post(f"{URL}?token={access.viewing_token}", base_url=browser.base, json=WISH).status_code == 403
    browser.log_in()
    assert browser.post(URL, **WISH).json["error"]["code"] == "form-token"
    assert browser.post(URL, csrf="made-up", **WISH).status_code == 403
    assert browser.get(URL).status_code == 405
    assert wishes == []


@pytest.mark.parametrize(
    ("code", "status"),
    [("already-configured", 409), ("id-taken", 409), ("bad-request", 400), ("wrong-credentials", 422), ("unreachable", 422)],
)
def test_refusals_have_a_code_and_never_the_password(
    browser: Any, gateway: Any, wishes: list[Wish], code: str, status: int
) -> None:
    browser.log_in()
    token = browser.csrf("/")
    gateway.failure = AdoptError(code, "the camera does not like camera-pw")
    answer = browser.post(URL, csrf=token, **WISH)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert answer.json["error"]["message"] == "the camera does not like ***"


@pytest.mark.parametrize("body", [[], "text", {"address": 5}, {"address": "x", "name": None}, {}, {"address": " "}])
def test_malformed_wishes_are_bad_requests(browser: Any, wishes: list[Wish], body: Any) -> None:
    browser.log_in()
    headers = {"X-CSRF-Token": browser.csrf("/")}
    assert browser.client.post(URL, base_url=browser.base, json=body, headers=headers).status_code == 400
    assert wishes == []


def test_the_form_names_the_fields_of_the_route(app: Any) -> None:
    """Rendered as the discovery page includes it; what a device says of itself is escaped."""
    template = (Path(__file__).parents[2] / "web/templates/_adopt_form.html").read_text(encoding="utf-8")
    device = DiscoveredView("urn:1", "10.0.0.9:80", ("http://10.0.0.9/onvif",), '"><script>', "X1", 1.0, 2.0, None)
    with app.test_request_context(base_url="https://box.local:8443"):
        page = render_template_string(template, device=device)
    assert set(re.findall(r'name="(\w+)"', page)) == {"csrf", *FIELDS}
    assert f'action="{URL}"' in page
    assert "<script>" not in page
