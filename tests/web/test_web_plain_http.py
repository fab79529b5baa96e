"""Plain HTTP sends people on to HTTPS, and neither players nor proxies in circles."""

from __future__ import annotations

import pytest

from gateway.web.app import create_app
from gateway.web.headers import HSTS_S
from gateway.web.plain_http import REDIRECT, SENT_COOKIE

ELSEWHERE = {"REMOTE_ADDR": "192.168.1.20"}


@pytest.fixture
def app(gateway, access, tmp_path):
    app = create_app(gateway, access, https_port=8443, authority=tmp_path / "ca.pem")
    app.config[REDIRECT] = True
    return app


def ask(app, path, *, host="box.lan:8080", scheme="http", peer="192.168.1.20", method="GET", cookies=True, **headers):
    client = app.test_client(use_cookies=cookies)
    answer = client.open(
        path, method=method, base_url=f"{scheme}://{host}", environ_base={"REMOTE_ADDR": peer},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )  # fmt: skip
    answer.close()
    return answer


@pytest.mark.parametrize("path", ["/", "/login?next=/settings", "/settings", "/discovery", "/cameras/yard", "/nowhere"])
def test_pages_go_to_https_with_path_and_query(app, path):
    answer = ask(app, path)
    assert (answer.status_code, answer.headers["location"]) == (307, f"https://box.lan:8443{path}")
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/api/v1/cameras", "/healthz", "/readyz", "/static/css/base.css", "/gateway-ca.crt", "/watch/front-door"]
)
def test_what_players_scripts_and_frames_need_stays(app, path):
    assert ask(app, path).status_code not in (301, 302, 307, 308)


def test_the_usual_port_is_not_written(app):
    app.config["GATEWAY_HTTPS_PORT"] = 443
    assert ask(app, "/").headers["location"] == "https://box.lan/"
    assert ask(app, "/", host="[fd00::2]:8080").headers["location"] == "https://[fd00::2]/"


@pytest.mark.parametrize("change", [{"GATEWAY_HTTPS_PORT": None}, {REDIRECT: False}])
def test_off_is_off(app, change):
    app.config.update(change)
    assert ask(app, "/login").status_code == 200


def test_people_at_the_box_itself_stay(app):
    for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080"):
        assert ask(app, "/login", host=host).status_code == 200
    assert ask(app, "/login", peer="127.0.0.1").status_code == 200


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_behind_a_proxy_nobody_is_sent_in_circles(app, name):
    assert ask(app, "/login", **{name: "https"}).status_code == 200


def test_a_proxy_that_says_nothing_of_itself_is_noticed_by_the_second_request(app):
    client = app.test_client()
    options = {"base_url": "http://box.lan", "environ_base": {"REMOTE_ADDR": "192.168.1.20"}}
    first = client.get("/login", **options)
    assert first.status_code == 307
    assert SENT_COOKIE in first.headers["set-cookie"]
    assert "Secure" not in first.headers["set-cookie"]
    assert client.get("/login", **options).status_code == 200


def test_a_screen_that_nobody_can_click_on_stays_where_it_was_set_up(app, access):
    """It would show a warning about the certificate instead of the cameras, with nobody to answer it."""
    client = app.test_client()
    options = {"base_url": "http://box.lan:8080", "environ_base": ELSEWHERE}
    assert client.get(f"/?token={access.viewing_token}&kiosk=1", **options).status_code == 200
    assert client.get("/", **options).status_code == 200, "it has a session now"
    assert app.test_client().get(f"/?token={access.viewing_token}", **options).headers["location"] == "/"
    assert app.test_client().get("/", **options).status_code == 307


def test_a_host_header_that_is_none_is_no_way_out(app):
    for host in ("evil.example/x", "a b", "x@y"):
        answer = app.test_client().get("/login", headers={"Host": host}, environ_base=ELSEWHERE)
        assert answer.status_code != 307


def test_forms_are_answered_where_they_were_sent(app):
    assert ask(app, "/login", method="POST").status_code == 400


def test_hsts_is_off_unless_asked_for_and_never_on_plain_http(app):
    name = "Strict-Transport-Security"
    assert name not in ask(app, "/login", scheme="https").headers
    app.config[HSTS_S] = 86400.0
    assert ask(app, "/login", scheme="https").headers[name] == "max-age=86400"
    assert name not in ask(app, "/api/v1/cameras").headers
