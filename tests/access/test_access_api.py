"""Signed addresses, tokens and the audit log over the API, as programs use them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.config.model import Config
from gateway.http.access import Access
from gateway.service import Service

from .conftest import basic, serving


def run(config: Config, body: Callable[[Service, Access], Any]) -> None:
    async def once() -> None:
        async with serving(config) as (service, access):
            await body(service, access)

    asyncio.run(once())


async def ask(service: Service, path: str, user: str | dict[str, str] = "admin", method: str = "GET", **more: Any) -> Any:
    headers = basic(user) if isinstance(user, str) else user
    client = service.pages.test_client(use_cookies=False)
    return await asyncio.to_thread(lambda: client.open(path, method=method, headers=headers, buffered=True, **more))


def test_a_signed_address_opens_its_stream_until_its_end_and_only_its_maker_s_cameras(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(service: Service, access: Access) -> None:
        made = (await ask(service, "/api/v1/cameras/yard/link?lifetime=1h", "anna")).json
        assert made["stream"] == "yard"
        assert set(made["urls"]) == {"watch", "hls", "rtmp", "rtsp"}
        for url in made["urls"].values():
            assert parse_qs(urlsplit(url).query) == {"token": [made["token"]]}
        assert access.judge_token(made["token"], stream="yard").user == "link:anna"
        assert not access.judge_token(made["token"], stream="yard.sub").allowed
        shown = {"authorization": f"Bearer {made['token']}"}
        assert (await ask(service, "/api/v1/cameras/yard", shown)).status_code == 200
        assert (await ask(service, "/api/v1/cameras/gate", shown)).status_code == 404
        assert (await ask(service, "/api/v1/cameras/yard/link", shown)).status_code == 403, "it breeds no others"
        opened = await ask(service, f"/?token={made['token']}", {})
        assert opened.headers["location"] == f"/watch/yard?token={made['token']}"
        assert not [one for one in opened.headers.getlist("set-cookie") if "_form=" not in one], "and makes no session"
        monkeypatch.setattr(access.keyring, "_wall", lambda: float(made["expires"]))
        assert not access.judge_token(made["token"], stream="yard").allowed

    run(config, body)


LIFETIMES = [
    ("anna", "lifetime=7d", 200), ("anna", "lifetime=8d", 400), ("admin", "lifetime=366d", 200),
    ("admin", "lifetime=367d", 400), ("anna", "lifetime=59s", 400), ("anna", "lifetime=5", 400),
    ("anna", "lifetime=nan", 400), ("anna", "stream=third", 400), ("anna", "stream=sub", 404), ("anna", "", 200),
]  # fmt: skip


def test_how_long_an_address_may_live(config: Config) -> None:
    async def body(service: Service, _access: Access) -> None:
        for user, query, status in LIFETIMES:
            assert (await ask(service, f"/api/v1/cameras/yard/link?{query}", user)).status_code == status, (user, query)

    run(config, body)


def test_a_token_is_made_used_listed_and_revoked(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        wish = {"name": "panel", "scopes": ["operate"], "cameras": ["yard"], "lifetime": "30d"}
        made = await ask(service, "/api/v1/tokens", method="POST", json=wish)
        assert made.status_code == 201
        text, token_id = made.json["token"], made.json["id"]
        assert made.headers["location"] == f"/api/v1/tokens/{token_id}"
        shown = {"authorization": f"Bearer {text}"}
        me = (await ask(service, "/api/v1/me", shown)).json
        assert me == {"user": "token:panel", "rights": ["view", "operate"], "cameras": ["yard"], "links": False}
        listed = await ask(service, "/api/v1/tokens")
        assert [one["name"] for one in listed.json["tokens"]] == ["panel"]
        assert text not in listed.text
        assert (await ask(service, "/api/v1/tokens", method="POST", json=wish)).status_code == 400, "the name is taken"
        assert (await ask(service, f"/api/v1/tokens/{token_id}", method="DELETE")).status_code == 403, "no page of ours asks"
        own = {**basic("admin"), "x-csrf-token": access.form_token("n"), "cookie": f"{access.form_cookie('http')}=n"}
        assert (await ask(service, f"/api/v1/tokens/{token_id}", own, "DELETE")).status_code == 204
        assert (await ask(service, f"/api/v1/tokens/{token_id}", own, "DELETE")).status_code == 404
        assert (await ask(service, "/api/v1/me", shown)).status_code == 401

    run(config, body)


NO_WISHES: list[Any] = [
    {}, [], None, "x", {"name": "x"}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["root"]},
    {"name": "x", "scopes": "view"}, {"name": 1, "scopes": ["view"]}, {"name": "x", "scopes": [["view"]]},
    {"name": "x", "scopes": ["view"], "cameras": ["nope"]}, {"name": "x", "scopes": ["view"], "cameras": "yard"},
    {"name": "x", "scopes": ["view"], "lifetime": 5}, {"name": "x", "scopes": ["view"], "lifetime": "soon"},
    {"name": "x", "scopes": ["admin"], "cameras": ["yard"]},
]  # fmt: skip


def test_a_wish_that_is_none_is_a_bad_request(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        for wish in NO_WISHES:
            sent = {"data": json.dumps(wish), "content_type": "application/json"}
            answer = await ask(service, "/api/v1/tokens", method="POST", **sent)
            assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad-request"), wish
        assert access.keyring.tokens == ()

    run(config, body)


def test_a_session_of_the_viewing_token_ends_with_it(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        opened = await ask(service, f"/?token={access.viewing_token}", {})
        cookie = next(one for one in opened.headers.getlist("set-cookie") if "_form=" not in one).partition(";")[0]
        assert (await ask(service, "/api/v1/cameras", {"cookie": cookie})).status_code == 200
        renewed = (await ask(service, "/api/v1/viewing-token", method="POST", json={})).json["token"]
        assert (await ask(service, "/api/v1/cameras", {"cookie": cookie})).status_code == 401
        assert (await ask(service, f"/api/v1/cameras?token={renewed}", {})).status_code == 200

    run(config, body)


def test_what_people_do_is_in_the_audit_log_and_what_they_showed_is_not(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        form = {"csrf": access.form_token("n"), "username": "anna", "password": "right"}
        cookie = {"cookie": f"{access.form_cookie('http')}=n"}
        session = (await ask(service, "/login", cookie, "POST", data=form)).headers.getlist("set-cookie")[0].partition(";")[0]
        await ask(service, "/login", cookie, "POST", data={**form, "password": "wrong-password"})
        link = (await ask(service, "/api/v1/cameras/yard/link", {"cookie": session})).json["token"]
        token = (await ask(service, "/api/v1/tokens", method="POST", json={"name": "x", "scopes": ["view"]})).json["token"]
        await asyncio.to_thread(access.audit.flush)
        answer = await ask(service, "/api/v1/audit?limit=50")
        told = [(one["event"], one["user"], one["ok"]) for one in answer.json["entries"]]
        assert told[::-1] == [
            ("start", "", True), ("login", "anna", True), ("login-failed", "anna", False), ("link", "anna", True),
            ("login", "admin", True), ("token", "admin", True),
        ]  # fmt: skip
        assert not [secret for secret in ("right", "wrong-password", link, token, session) if secret in answer.text]
        for limit in ("0", "1001", "x", "-1", ""):
            assert (await ask(service, f"/api/v1/audit?limit={limit}")).status_code == 400

    run(config, body)
