"""The wall, login and logout, as a browser sees them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from gateway.http.access import Access
from gateway.web.app import create_app


def test_the_wall_sends_a_stranger_to_the_login_and_back_to_where_he_wanted(browser):
    answer = browser.get("/?layout=4")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2F%3Flayout%3D4")
    answer = browser.log_in(target="/?layout=4")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?layout=4")
    wall = browser.get("/")
    assert wall.status_code == 200
    assert wall.text.startswith("wall of Warehouse 3 1.2.3 csrf=")
    assert "for the admin" in wall.text, "who gets the links to the admin's pages"
    assert wall.headers["cache-control"] == "no-store"


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(browser):
    cookie = browser.log_in().headers["set-cookie"]
    assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"))


def test_plain_http_logs_in_with_a_cookie_of_its_own_name(client, browser):
    secure = browser.log_in().headers["set-cookie"]
    plain = type(browser)(client, "http://box.local:8080")
    answer = plain.log_in()
    assert "Secure" not in answer.headers["set-cookie"]
    assert answer.headers["set-cookie"].split("=")[0] != secure.split("=")[0]
    assert plain.get("/").status_code == 200


def test_the_login_on_plain_http_points_to_https_and_the_one_on_https_does_not(client, browser):
    assert "https=None" in browser.get("/login").text
    plain = type(browser)(client, "http://box.local:8080")
    assert "https=https://box.local:8443/login " in plain.get("/login").text
    assert "https=https://box.local:8443/login?next=%2F%3Fa%3D1 " in plain.get("/login?next=/?a=1").text
    ipv6 = type(browser)(client, "http://[fd00::2]:8080")
    assert "https=https://[fd00::2]:8443/login " in ipv6.get("/login").text


def test_a_wrong_password_is_said_in_the_form(browser):
    answer = browser.log_in("wrong")
    assert answer.status_code == 401
    assert "error=User name or password is wrong." in answer.text
    assert "www-authenticate" not in answer.headers
    assert browser.get("/").status_code == 303


def test_guessing_is_slowed_down_with_a_message_for_people(browser):
    answers = [browser.log_in(f"guess {number}") for number in range(7)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert "Too many wrong passwords. Try again in" in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_what_went_wrong_at_the_login_can_be_said_in_chinese(browser, gateway, access: Access):
    assert "key=login.wrong_password" in browser.log_in("wrong").text
    assert "key=login.expired" in browser.post("/login", username="admin").text
    answers = [browser.log_in(f"guess {number}") for number in range(7)]
    assert "key=login.too_many" in answers[-1].text
    texts = Path(__file__).resolve().parents[2] / "web" / "static" / "js" / "strings.zh.js"
    known = texts.read_text(encoding="utf-8")
    assert all(f'"login.{name}"' in known for name in ("wrong_password", "expired", "too_many"))
    page = create_app(gateway, access).test_client().post("/login", data={"username": "admin"}).text
    assert 'data-i18n="login.expired"' in page


def test_a_login_that_failed_keeps_the_user_name_and_waits_for_the_password(
    gateway, access: Access, monkeypatch: pytest.MonkeyPatch
):
    """It had to be typed again with every wrong password."""
    monkeypatch.setattr(access.keyring, "_accounts", {"anna": None})
    client = create_app(gateway, access).test_client()
    name, password = re.findall(r"<input id=[^>]*>", client.get("/login").text)
    assert ('value=""' in name, "autofocus" in name, "autofocus" in password) == (True, True, False)
    again = client.post("/login", data={"username": ' "><b>anna', "password": "wrong"}).text
    name, password = re.findall(r"<input id=.*?(?:required)[^>]*>", again, re.DOTALL)
    assert 'value="&#34;&gt;&lt;b&gt;anna"' in name
    assert ("autofocus" in name, "autofocus" in password) == (False, True)
    assert "wrong" not in name + password


def test_a_login_form_of_another_site_is_refused(browser):
    assert browser.post("/login", username="admin", password="correct horse").status_code == 400
    token = browser.csrf()
    browser.client.delete_cookie(next(c.key for c in browser.client._cookies.values()), domain="box.local")
    assert browser.post("/login", csrf=token, username="admin", password="correct horse").status_code == 400


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "/logout",
     "/%0a//x\n", "", "http:evil"],
)  # fmt: skip
def test_the_login_never_leads_to_another_site(browser, target):
    assert browser.log_in(target=target).headers["location"] == "/"


def test_logout_ends_the_session_and_needs_the_form_token(browser):
    browser.log_in()
    assert browser.post("/logout").status_code == 400
    assert browser.client.get("/logout", base_url=browser.base).status_code == 405
    assert browser.get("/").status_code == 200
    answer = browser.post("/logout", csrf=browser.csrf("/"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert browser.get("/").status_code == 303


def test_a_new_password_ends_all_sessions(browser, access: Access):
    browser.log_in()
    access.set_password("another")
    assert browser.get("/").status_code == 303
    assert browser.log_in("another").status_code == 303
    assert browser.get("/").status_code == 200


def test_an_address_with_the_viewing_token_opens_the_wall_for_a_screen_without_keyboard(browser, access: Access):
    answer = browser.get(f"/?token={access.viewing_token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "for the admin" not in browser.get("/").text
    assert browser.get("/api/v1/discovery").status_code == 403
    assert browser.get("/api/v1/cameras").json["cameras"][0]["source"] is None


def test_a_kiosk_opens_with_its_token_at_once_and_others_are_led_to_an_address_without_it(browser, access: Access):
    """The kiosk's script needs the token and what stands behind the #; a redirect would take one of them away."""
    token = access.viewing_token
    answer = browser.get(f"/?kiosk=1&token={token}&x=a%26b")
    assert answer.status_code == 200
    assert answer.text.startswith("wall of Warehouse 3")
    assert browser.get("/api/v1/cameras").status_code == 200, "with the session that came along"
    session = next(one for one in answer.headers.getlist("set-cookie") if "_form=" not in one)
    browser.client.delete_cookie(session.partition("=")[0], domain="box.local")
    assert browser.get(f"/?x=a%26b&token={token}").headers["location"] == "/?x=a%26b"


def test_errors_of_pages_are_pages(browser):
    answer = browser.get("/nowhere")
    assert answer.status_code == 404
    assert answer.text.startswith("Warehouse 3: 404 ")
    assert answer.content_type.startswith("text/html")


def test_every_page_carries_a_policy_that_allows_players_and_nothing_from_elsewhere(browser):
    headers = browser.get("/login").headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "media-src 'self' blob:" in policy
    assert "connect-src 'self' ws://box.local:8443 wss://box.local:8443" in policy
    assert "frame-ancestors 'self'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_a_malformed_host_header_does_not_get_into_the_policy(browser):
    answer = browser.get("/login", Host="evil.example; script-src *")
    assert "evil" not in answer.headers["content-security-policy"]


def test_libraries_are_cached_and_our_own_files_are_revalidated(browser):
    vendor = browser.get("/static/vendor/player.mjs")
    assert vendor.headers["cache-control"] == "public, max-age=604800"
    assert vendor.content_type.startswith("text/javascript")
    own = browser.get("/static/wall.css")
    assert own.headers["cache-control"] == "no-cache"
    again = browser.get("/static/wall.css", **{"If-None-Match": own.headers["etag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_authority_can_be_downloaded_before_logging_in(browser, tmp_path: Path):
    assert browser.get("/gateway-ca.crt").status_code == 404
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    answer = browser.get("/gateway-ca.crt")
    assert answer.mimetype == "application/x-x509-ca-cert"


def test_anonymous_viewing_opens_the_wall_but_not_the_admin_routes(browser, access: Access):
    access.anonymous_viewing = True
    assert browser.get("/").status_code == 200
    assert browser.get("/api/v1/cameras").json["cameras"][0]["source"] is None
    assert browser.get("/api/v1/discovery").status_code == 401


def test_the_real_templates_render(gateway, access, monkeypatch):
    app: Flask = create_app(gateway, access)
    client = app.test_client()
    assert "Warehouse 3" in client.get("/login").text
    assert client.get("/nowhere").status_code == 404
    wall = client.get("/", headers={"Authorization": "Basic YWRtaW46Y29ycmVjdCBob3JzZQ=="})
    assert "Warehouse 3" in wall.text


def test_a_line_break_in_the_address_of_a_camera_page_reaches_no_header(browser):
    answer = browser.get("/cameras/a%0d%0aSet-Cookie:%20a=b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/cameras/a%0D%0ASet-Cookie%3A%20a%3Db")
