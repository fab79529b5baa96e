"""The page with one camera: who gets it, and who may frame it."""

from __future__ import annotations

import pytest

from gateway.http.access import Access
from gateway.web.app import create_app


def test_a_stranger_is_sent_to_the_login_and_back(browser):
    answer = browser.get("/watch/front-door")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fwatch%2Ffront-door")
    browser.log_in()
    assert browser.get("/watch/front-door").text == "watch Front door front-door query="


def test_in_a_frame_a_stranger_reads_what_is_missing_because_a_login_cannot_be_framed(browser):
    answer = browser.get("/watch/front-door", **{"Sec-Fetch-Dest": "iframe"})
    assert answer.status_code == 401
    assert "needs a login, or an address with a token" in answer.text


def test_an_address_with_a_token_gets_no_session_but_hands_the_token_on(browser, access: Access):
    """A frame of another site sends no cookies."""
    answer = browser.get(f"/watch/front-door?token={access.viewing_token}&x=1")
    assert answer.text == f"watch Front door front-door query=?token={access.viewing_token}"
    assert browser.get("/watch/front-door").status_code == 303


def test_an_address_that_has_ended_says_so_and_is_not_in_the_way_after_the_login(browser, gateway, access: Access):
    """It led to a bare login, and after that to the login again."""
    answer = browser.get("/watch/front-door?token=ended&x=1")
    where = answer.headers["location"]
    assert (answer.status_code, where) == (303, "/login?next=%2Fwatch%2Ffront-door%3Fx%3D1&ended=1")
    client = create_app(gateway, access).test_client()
    text = client.get(where).text
    assert "This address works no longer" in text
    assert 'data-i18n="login.address_ended"' in text
    assert "aria-invalid" not in text
    assert "aria-invalid" not in client.get("/login").text


@pytest.mark.parametrize("stream", ["nothing", "front-door.sub", "front-door.x", ".sub"])
def test_what_does_not_exist_is_not_found(browser, stream):
    browser.log_in()
    assert browser.get(f"/watch/{stream}").status_code == 404


def test_a_camera_never_reached_has_its_page_all_the_same(browser):
    browser.log_in()
    assert browser.get("/watch/yard").status_code == 200


def test_only_this_page_may_be_framed_and_only_by_the_sites_named(browser, gateway):
    browser.log_in()
    assert browser.get("/watch/front-door").headers["content-security-policy"].endswith("frame-ancestors 'self'")
    gateway.frames = ("https://portal.example", "https://*.example.org")
    policy = browser.get("/watch/front-door").headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://portal.example https://*.example.org")
    assert browser.get("/watch/nothing").headers["content-security-policy"] == policy
    assert browser.get("/").headers["content-security-policy"].endswith("frame-ancestors 'self'")


def test_the_real_page_plays_without_scripts_and_keeps_the_token(gateway, access: Access):
    client = create_app(gateway, access).test_client()
    text = client.get(f"/watch/front-door?token={access.viewing_token}").text
    assert f'src="/hls/front-door/index.m3u8?token={access.viewing_token}"' in text
    assert f'poster="/api/v1/cameras/front-door/snapshot.jpg?token={access.viewing_token}"' in text
    for attribute in ("playsinline", "webkit-playsinline", "x5-playsinline", 'x5-video-player-type="h5-page"'):
        assert attribute in text
