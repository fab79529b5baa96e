"""The page of discovered devices, with the templates that are shipped."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gateway.media.state import State, Status
from gateway.web.app import create_app
from gateway.web.ports import DiscoveredView, Presence

XADDRS = ("http://u:p@10.0.0.9/onvif",)
DEVICES = (
    DiscoveredView("urn:uuid:1", "10.0.0.9", XADDRS, "<b>Cam</b>", "X1", 1.0, 2.0, None, needs_password=True),
    DiscoveredView(
        "urn:uuid:2", "10.0.0.10", (), "Yard", "X2", 1.0, 2.0, "yard",
        state=Presence.MOVED, manufacturer="ACME", model="C1", mac="c0:56:e3:01:02:03",
    ),
    DiscoveredView("urn:uuid:3", "10.0.0.11", (), "", "", 1.0, 2.0, None, state=Presence.GONE, previous_address="10.0.0.2"),
)  # fmt: skip


@pytest.fixture
def app(gateway, access, tmp_path):
    return create_app(gateway, access, https_port=8443, authority=tmp_path / "ca.pem")


@pytest.fixture
def admin(browser):
    page = browser.get("/login").text
    token = re.search(r'name="csrf" value="(\w+)"', page)[1]
    browser.post("/login", csrf=token, username="admin", password="correct horse", next="/")
    return browser


def csrf(page):
    return re.search(r'name="csrf" value="(\w+)"', page.text)[1]


def test_strangers_are_sent_to_the_login_and_come_back(browser):
    answer = browser.get("/discovery")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/discovery")


def test_viewers_with_a_token_do_not_see_the_network(browser, access):
    assert browser.get(f"/discovery?token={access.viewing_token}").status_code in (303, 403)


def test_every_device_with_its_state_and_nothing_secret(admin, gateway, monkeypatch):
    monkeypatch.setattr(gateway, "discovered", lambda: DEVICES)
    page = admin.get("/discovery")
    assert page.status_code == 200
    assert re.findall(r'<tr class="(\w+)"', page.text) == ["new", "moved", "gone"]
    assert "&lt;b&gt;Cam" in page.text
    assert "<b>Cam" not in page.text
    for text in ("10.0.0.9", "ACME", "C1", "c0:56:e3:01:02:03", "needed", "config.yaml says", "before", "10.0.0.2"):
        assert text in page.text
    assert "u:p@" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "<script>" not in page.text, "the page's policy forbids scripts in it"


def test_nobody_answered_yet(admin, gateway, monkeypatch):
    monkeypatch.setattr(gateway, "discovered", tuple)
    assert "No ONVIF device has answered yet." in admin.get("/discovery").text


@pytest.fixture
def replaced(gateway, monkeypatch):
    """A camera whose address another device has."""
    cameras = gateway.cameras()
    status = Status(State.OFFLINE, 1.0, "another device is at 10.0.0.9: rtsp://a:b@10.0.0.9", "other-device", 2.0)
    monkeypatch.setattr(gateway, "cameras", lambda: (cameras[0], replace(cameras[1], status=status)))


@pytest.mark.usefixtures("replaced")
def test_camera_that_was_replaced_is_forgotten_by_a_button(admin, gateway):
    page = admin.get("/discovery")
    assert "another device is at 10.0.0.9" in page.text
    assert "a:b@" not in page.text
    answer = admin.post("/discovery/forget", csrf=csrf(page), camera="yard")
    assert (answer.status_code, answer.headers["location"]) == (303, "/discovery")
    assert gateway.forgotten == ["yard"]


def test_forgetting_needs_the_page_the_admin_and_a_camera(admin, gateway, client):
    assert admin.post("/discovery/forget", camera="yard").status_code == 400
    assert client.post("/discovery/forget", data={"camera": "yard"}).status_code == 401
    token = csrf(admin.get("/login"))
    assert admin.post("/discovery/forget", csrf=token, camera="nobody").status_code == 404
    assert gateway.forgotten == ["nobody"]


def test_scripts_forget_over_the_api(client, gateway):
    basic = {"Authorization": "Basic YWRtaW46Y29ycmVjdCBob3JzZQ==", "X-CSRF-Token": ""}
    assert client.post("/api/v1/cameras/yard/forget").status_code == 401
    answer = client.post("/api/v1/cameras/yard/forget?user=admin&pass=correct%20horse")
    assert (answer.status_code, gateway.forgotten) == (204, ["yard"])
    assert client.post("/api/v1/cameras/x/forget?user=admin&pass=correct%20horse").status_code == 404
    assert client.post("/api/v1/cameras/yard/forget", headers=basic).status_code in (204, 403)
