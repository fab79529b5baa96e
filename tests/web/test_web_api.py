"""The REST API and the health routes."""

from __future__ import annotations

import base64
import logging
import time

import pytest

from gateway.http.access import Access, Right
from gateway.web.operations import Media, operation
from gateway.web.rights import require

BASIC = {"Authorization": "Basic " + base64.b64encode(b"admin:correct horse").decode()}


def test_a_camera_is_described_completely_and_without_credentials(client):
    answer = client.get("/api/v1/cameras/front-door", headers=BASIC, base_url="https://10.0.0.5:8443")
    camera = answer.json
    assert list(camera)[:7] == ["id", "name", "state", "since", "reason", "code", "next_retry"]
    assert (camera["state"], camera["since"], camera["picture_at"]) == ("live", 1_700_000_000.5, 1_700_000_100.25)
    assert camera["urls"]["hls"] == "https://10.0.0.5:8443/hls/front-door/index.m3u8"
    assert camera["urls"]["rtmp"] == "rtmp://10.0.0.5:1935/live/front-door"
    assert camera["source"] == "rtsp://***@192.168.1.64/ch1"
    stream = camera["streams"][0]
    assert stream["viewers"] == {"rtmp": 0, "hls": 3, "ws": 0, "rtsp": 0}
    assert {"id", "codec", "codecs", "width", "height", "fps", "audio", "audio_note", "bitrate", "keyframe_interval",
            "on_demand"} <= set(stream)  # fmt: skip
    assert "hunter22" not in answer.text


def test_an_offline_camera_says_why_and_when_it_is_tried_again(client):
    camera = client.get("/api/v1/cameras/yard", headers=BASIC).json
    assert (camera["state"], camera["code"], camera["next_retry"]) == ("offline", "unreachable", 1_700_000_230.0)
    assert camera["reason"] == "rtsp://***@10.0.0.9: no route"


def test_the_list_keeps_the_order_of_the_configuration_and_tells_the_time(client):
    listing = client.get("/api/v1/cameras", headers=BASIC).json
    assert [camera["id"] for camera in listing["cameras"]] == ["front-door", "yard"]
    assert listing["site"] == "Warehouse 3"
    assert abs(listing["now"] - time.time()) < 10
    assert listing["version"] == "1.2.3"
    assert [camera["group"] for camera in listing["cameras"]] == ["Entrances", None]
    assert listing["views"] == [{"id": "doors", "name": "Doors", "cameras": ["front-door"], "layout": "1+5"}]


def test_the_viewing_token_is_told_to_the_admin_only(client, access: Access):
    answer = client.get("/api/v1/viewing-token", headers=BASIC)
    assert answer.json == {"token": access.viewing_token}
    assert answer.headers["cache-control"] == "no-store"
    assert client.get(f"/api/v1/viewing-token?token={access.viewing_token}").status_code == 403
    access.anonymous_viewing = True
    assert client.get("/api/v1/viewing-token").status_code == 401


@pytest.mark.parametrize("text", ["", "x" * 601, "摄" * 201])
def test_a_qr_code_of_nothing_or_too_much_is_a_bad_request(client, text):
    answer = client.get("/api/v1/qr.svg", query_string={"text": text}, headers=BASIC)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad-request")
    assert client.get("/api/v1/qr.svg?text=x").status_code == 401


@pytest.mark.parametrize("host", ["box.local", "box.local:8443", "[fd00::2]:8443", "192.168.1.2:9"])
def test_addresses_name_the_box_as_the_client_does(client, host):
    urls = client.get("/api/v1/cameras/front-door", headers=BASIC | {"Host": host}).json["urls"]
    name = host if host == "box.local" else host.rpartition(":")[0]
    assert urls["rtmp"] == f"rtmp://{name}:1935/live/front-door"


def test_a_malformed_host_is_refused_not_echoed(client):
    answer = client.get("/api/v1/cameras", headers=BASIC | {"Host": 'x"><script>'})
    assert answer.status_code == 400
    assert "script" not in answer.text


def test_snapshots_come_with_their_time_and_are_never_stored(client, gateway):
    answer = client.get("/api/v1/cameras/front-door/snapshot.jpg?width=640", headers=BASIC)
    assert (answer.data, answer.mimetype) == (b"\xff\xd8picture", "image/jpeg")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-picture-at"] == "1700000100.250"
    client.get("/api/v1/cameras/front-door/snapshot.jpg", headers=BASIC)
    assert gateway.asked_widths == [640, None]


@pytest.mark.parametrize("width", ["0", "15", "7681", "-1", "x", "", "1e3", "9" * 5000, "000100" + "9" * 5000, "²"])
def test_an_absurd_width_is_a_bad_request(client, width):
    answer = client.get("/api/v1/cameras/front-door/snapshot.jpg", query_string={"width": width}, headers=BASIC)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad-request")


def test_a_camera_without_a_picture_says_so(client):
    answer = client.get("/api/v1/cameras/yard/snapshot.jpg", headers=BASIC)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "no-picture")


def test_unknown_cameras_and_routes_are_json(client):
    for path in ("/api/v1/cameras/none", "/api/v1/nothing"):
        answer = client.get(path, headers=BASIC)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not-found")
    answer = client.post("/api/v1/cameras", headers=BASIC)
    assert (answer.status_code, answer.json["error"]["code"]) == (405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


def test_scripts_are_asked_for_basic_and_pages_are_not(client):
    plain = client.get("/api/v1/cameras")
    assert plain.status_code == 401
    assert plain.headers["www-authenticate"].startswith('Basic realm="Camera Gateway"')
    assert plain.json["error"]["code"] == "unauthorized"
    for mode in ("cors", "no-cors", "same-origin"):
        fetched = client.get("/api/v1/cameras", headers={"Sec-Fetch-Mode": mode})
        assert fetched.status_code == 401
        assert "www-authenticate" not in fetched.headers
    over_http = client.get("/api/v1/cameras", headers={"Referer": "http://localhost/"})
    assert "www-authenticate" not in over_http.headers


def test_the_viewing_token_may_read_cameras_and_not_the_lan(client, access: Access):
    token = access.viewing_token
    assert client.get(f"/api/v1/cameras?token={token}").status_code == 200
    assert client.get(f"/api/v1/cameras/front-door/snapshot.jpg?token={token}").status_code == 200
    assert client.get(f"/api/v1/discovery?token={token}").status_code == 403
    assert client.get("/api/v1/cameras?token=wrong").status_code == 401


def test_user_and_pass_in_the_address_work_where_no_header_can_be_sent(client):
    assert client.get("/api/v1/cameras?user=admin&pass=correct%20horse").status_code == 200


def test_discovery_is_shown_to_the_admin_without_credentials_in_it(client):
    devices = client.get("/api/v1/discovery", headers=BASIC).json["devices"]
    assert devices[0]["camera_id"] == "yard"
    assert devices[0]["xaddrs"] == ["http://***@10.0.0.9/onvif"]


def test_a_gateway_that_does_not_answer_is_a_503_with_json(client, gateway):
    gateway.failure = TimeoutError()
    answer = client.get("/api/v1/cameras", headers=BASIC)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "busy")
    assert answer.headers["retry-after"] == "2"


def test_a_defect_is_logged_once_and_redacted(client, gateway, caplog):
    gateway.failure = RuntimeError("rtsp://admin:hunter22@10.0.0.1/ broke")
    with caplog.at_level(logging.INFO):
        answer = client.get("/api/v1/cameras?token=abcdef", headers=BASIC)
    assert (answer.status_code, answer.json["error"]["code"]) == (500, "internal")
    assert len(caplog.records) == 1
    assert "rtsp://***@10.0.0.1/ broke" in caplog.text
    assert "hunter22" not in caplog.text + answer.text
    assert "abcdef" not in caplog.text


def test_writing_with_a_session_needs_the_page_s_form_token(app, browser):
    @app.post("/api/v1/test-write")
    @operation(Media("text/html"))
    def write() -> str:
        refused = require(Right.ADMIN)
        return refused if refused is not None else "written"  # type: ignore[return-value]

    browser.log_in()
    answer = browser.post("/api/v1/test-write")
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "form-token")
    token = browser.csrf("/")
    sent = browser.client.post("/api/v1/test-write", base_url=browser.base, headers={"X-CSRF-Token": token})
    assert sent.text == "written"
    with_parameters = browser.client.post("/api/v1/test-write?user=admin&pass=correct%20horse")
    assert with_parameters.text == "written"
