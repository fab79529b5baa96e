"""The adopt route: for the admin, from pages of ours, and with reasons for people and programs."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from gateway.errors import AdoptError
from gateway.sources.adoption import Wish
from gateway.web.adoption import FIELDS
from gateway.web.app import create_app
from gateway.web.ports import AdoptedView

URL = "/api/v1/discovery/adopt"
WISH = {"address": "192.168.1.20", "username": "admin", "password": "camera-pw"}


@pytest.fixture
def real_pages(gateway: Any, access: Any) -> Any:
    """The admin's browser on the pages as they are."""
    credentials = base64.b64encode(b"admin:correct horse").decode()
    client = create_app(gateway, access).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Basic {credentials}"
    return client


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
    [
        ("already-configured", 409),
        ("id-taken", 409),
        ("bad-request", 400),
        ("busy", 503),
        ("wrong-credentials", 422),
        ("unreachable", 422),
    ],
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


def test_the_page_names_the_fields_of_the_route_and_is_filled_from_its_address(real_pages: Any) -> None:
    """What a device says of itself comes in the address, and is escaped."""
    page = real_pages.get('/discovery/adopt?address=10.0.0.9:80&name="><script>alert(1)</script>').text
    assert set(re.findall(r'<input[^>]* name="(\w+)"', page)) == {"csrf", *FIELDS}
    assert f'action="{URL}"' in page
    assert 'value="10.0.0.9:80"' in page
    assert "<script>alert" not in page


def test_the_page_is_for_the_admin(browser: Any, client: Any, access: Any) -> None:
    answer = browser.get("/discovery/adopt?address=10.0.0.9")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/login?next=/discovery/adopt%3Faddress%3D10.0.0.9"
    assert browser.get(f"/discovery/adopt?token={access.viewing_token}").status_code == 403
