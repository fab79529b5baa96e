"""Every route and protocol × everybody who may come: exactly the allowed ones pass.

The tables below say once more, independently of the code, what each route asks for. A route that is missing here, or that
states no right in the code, fails.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from gateway.access.grants import Right
from gateway.config.model import Config
from gateway.http.access import Access
from gateway.http.authenticator import Verdict
from gateway.http.messages import Request
from gateway.onvif.face.http_face import HttpRequest
from gateway.onvif.face.soap import SOAP, TDS
from gateway.rtmp.permission import Action, Credentials
from gateway.service import Service
from gateway.web.rights import FORGOTTEN, rule_of

from .conftest import Caller, basic, callers, serving

PUBLIC = None
SCOPES = f'<e:Envelope xmlns:e="{SOAP}"><e:Body><GetScopes xmlns="{TDS}"/></e:Body></e:Envelope>'.encode()
ROUTES: dict[str, Right | None] = {
    "GET /static/<path:filename>": PUBLIC,
    "GET /gateway-ca.crt": PUBLIC,
    "GET /login": PUBLIC,
    "POST /login": PUBLIC,
    "POST /logout": PUBLIC,
    "GET /": Right.VIEW,
    "GET /watch/<stream_id>": Right.VIEW,
    "POST /logout-everywhere": Right.VIEW,
    "GET /discovery": Right.ADMIN,
    "POST /discovery/forget": Right.ADMIN,
    "GET /discovery/adopt": Right.ADMIN,
    "GET /cameras/<camera_id>": Right.ADMIN,
    "POST /cameras/<camera_id>/clock": Right.ADMIN,
    "POST /cameras/<camera_id>/reboot": Right.ADMIN,
    "GET /audit": Right.ADMIN,
    "GET /health": Right.OPERATE,
    "GET /api/v1/health": Right.OPERATE,
    "GET /api/v1/incidents": Right.OPERATE,
    "GET /settings": Right.ADMIN,
    "POST /settings/reload": Right.ADMIN,
    "GET /api/v1/config": Right.ADMIN,
    "POST /api/v1/config/reload": Right.ADMIN,
    "GET /api/v1/me": Right.VIEW,
    "POST /api/v1/me/logout-everywhere": Right.VIEW,
    "GET /api/v1/cameras": Right.VIEW,
    "GET /api/v1/cameras/<camera_id>": Right.VIEW,
    "GET /api/v1/cameras/<camera_id>/snapshot.jpg": Right.VIEW,
    "GET /api/v1/cameras/<camera_id>/link": Right.VIEW,
    "GET /api/v1/cameras/<camera_id>/ptz": Right.OPERATE,
    "POST /api/v1/cameras/<camera_id>/ptz": Right.OPERATE,
    "POST /api/v1/cameras/<camera_id>/forget": Right.ADMIN,
    "GET /api/v1/qr.svg": Right.VIEW,
    "GET /api/v1/viewing-token": Right.ADMIN,
    "POST /api/v1/viewing-token": Right.ADMIN,
    "DELETE /api/v1/viewing-token": Right.ADMIN,
    "GET /api/v1/tokens": Right.ADMIN,
    "POST /api/v1/tokens": Right.ADMIN,
    "DELETE /api/v1/tokens/<token_id>": Right.ADMIN,
    "GET /api/v1/audit": Right.ADMIN,
    "GET /api/v1/": Right.VIEW,
    "GET /api/v1/openapi.json": Right.VIEW,
    "GET /api/v1/discovery": Right.ADMIN,
    "POST /api/v1/discovery/adopt": Right.ADMIN,
}
NAMED_ONLY = {"POST /logout-everywhere", "POST /api/v1/me/logout-everywhere", "GET /api/v1/cameras/<camera_id>/link"}
NATIVE = {"/hls/": Right.VIEW, "/metrics": Right.METRICS, "/healthz": PUBLIC, "/readyz": PUBLIC}
SOCKETS = {"/live": Right.VIEW}


def routes_of(app: Flask) -> dict[str, Callable[..., Any]]:
    return {
        f"{method} {rule.rule}": app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def run(config: Config, body: Callable[[Service, Access], Any]) -> None:
    async def once() -> None:
        async with serving(config) as (service, access):
            await body(service, access)

    asyncio.run(once())


def test_every_route_states_its_right_and_stands_in_the_matrix(config: Config) -> None:
    async def body(service: Service, _access: Access) -> None:
        found = routes_of(service.pages)
        assert sorted(found) == sorted(ROUTES)
        for name, view in found.items():
            rule = rule_of(view)
            assert rule is not FORGOTTEN, f"{name} does not say whom it is for: decorate it with gateway.web.rights.needs"
            assert rule.right == ROUTES[name], name
            if "<camera_id>" in name:
                assert rule.camera == "camera_id", f"{name} is about a camera"
        assert {prefix: handler.right for prefix, handler in service.router._handlers.items()} == NATIVE  # type: ignore[attr-defined]
        assert {prefix: handler.right for prefix, handler in service.router._websockets.items()} == SOCKETS  # type: ignore[attr-defined]

    run(config, body)


def test_a_route_that_states_nothing_is_for_admins_only(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        service.pages.add_url_rule("/forgotten", view_func=lambda: "secret", endpoint="forgotten")
        client = service.pages.test_client()
        everybody = callers(access)

        def ask(name: str) -> int:
            caller = everybody[name]
            return client.get(f"/forgotten?{urlencode(caller.params)}", headers=caller.headers).status_code

        answers = await asyncio.to_thread(lambda: [ask(name) for name in ("nobody", "operator", "link", "admin")])
        assert answers == [303, 403, 403, 200]

    run(config, body)


def passed(status: int, location: str, text: str) -> bool:
    hidden = status == 404 and "There is no camera of this" in text and "steered" not in text
    return not (status in (401, 403, 429) or location.startswith("/login") or hidden)


def expected(name: str, caller: Caller) -> bool:
    if name in ("POST /login", "POST /logout"):
        return True
    camera = "yard" if "<camera_id>" in name or "<stream_id>" in name else ""
    return caller.may(ROUTES[name], camera) and (caller.named or name not in NAMED_ONLY)


def test_pages_and_api_let_exactly_those_pass_who_may(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(service: Service, access: Access) -> None:
        everybody = callers(access)
        for change in ("renew_viewing_token", "revoke_viewing_token", "end_logins"):
            monkeypatch.setattr(access.keyring, change, lambda *_: "changed")

        def ask(name: str, caller: Caller) -> tuple[int, str, str]:
            method, _, rule = name.partition(" ")
            path = rule.replace("<path:filename>", "mark.svg").replace("<token_id>", "none-of-this-id")
            path = path.replace("<camera_id>", "yard").replace("<stream_id>", "yard")
            cookies = f"{access.form_cookie('http')}=nonce; {caller.headers.get('cookie', '')}"
            headers = {**caller.headers, "cookie": cookies, "x-csrf-token": access.form_token("nonce")}
            sent = {"json": {"scopes": []}} if method == "POST" and path.startswith("/api/") else {"data": {"camera": "yard"}}
            client = service.pages.test_client(use_cookies=False)
            answer = client.open(f"{path}?{urlencode(caller.params)}", method=method, headers=headers, buffered=True, **sent)
            status = 200 if name == "POST /login" and answer.status_code == 401 else answer.status_code  # a wrong password
            return status, "" if name.startswith("POST /logout") else answer.headers.get("location", ""), answer.text

        def ask_all() -> list[str]:
            return [
                f"{name}: {who} got {answer[:2]}"
                for name in ROUTES
                for who, caller in everybody.items()
                if passed(*(answer := ask(name, caller))) is not expected(name, caller)
            ]

        access._throttle.attempt = lambda *_: 0.0  # type: ignore[method-assign]  # the empty forms are no guesses
        assert await asyncio.to_thread(ask_all) == []

    run(config, body)


def test_hls_gives_media_to_those_who_may_and_no_other(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hls.server.START_WAIT_S", 0.0)

    async def body(service: Service, access: Access) -> None:
        handler = service.router.find("/hls/")
        assert handler is not None
        for who, caller in callers(access).items():
            token = caller.params.get("token", "")
            for stream in ("yard", "gate", "nowhere"):
                for name in ("index.m3u8", "live.m3u8", "r1/s7.m4s", "r1/s7.p0.m4s", "r1/init-1.mp4"):
                    headers = {"host": "box", **caller.headers}
                    query = urlencode(caller.params)
                    ways = [Request("GET", f"/hls/{stream}/{name}", query, headers, "10.0.0.7", "http")]
                    if token:
                        ways.append(Request("GET", f"/hls/~{token}/{stream}/{name}", "", {}, "10.0.0.7", "http"))
                    for request in ways:
                        answer = await handler(request)
                        let_in = answer.status == 503 or answer.body == b"no such file\n"
                        expected = caller.may(Right.VIEW, stream) and stream != "nowhere"
                        assert let_in is expected, (who, request.path, answer)
                        if caller.rights and caller.sees is not None:
                            assert let_in or answer.status in (403, 404)
            # what is hidden looks like what is not there
            if caller.sees is not None and caller.rights >= {Right.VIEW}:
                answers = [
                    await handler(Request("GET", f"/hls/{stream}/index.m3u8", urlencode(caller.params),
                                          {"host": "box", **caller.headers}, "10.0.0.7", "http"))
                    for stream in {"yard", "gate"} - {only for only in ("yard", "gate") if caller.may(Right.VIEW, only)}
                    | {"nowhere"}
                ]  # fmt: skip
                assert len({(answer.status, answer.body) for answer in answers}) == 1, who

    run(config, body)


def test_metrics_are_for_those_who_measure_and_health_checks_for_everybody(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        for who, caller in callers(access).items():
            for path, expected in (("/metrics", caller.may(Right.METRICS)), ("/healthz", True), ("/readyz", True)):
                handler = service.router.find(path)
                assert handler is not None
                headers = {"host": "box", **caller.headers}
                answer = await handler(Request("GET", path, urlencode(caller.params), headers, "10.0.0.7", "http"))
                assert (answer.status not in (401, 403, 404, 429)) is expected, (who, path, answer)
                told = b"cameras" in answer.body if path == "/healthz" and isinstance(answer.body, bytes) else False
                assert not told or caller.may(Right.ADMIN), who

    run(config, body)


def test_rtmp_plays_and_takes_for_those_who_may(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        authorise = service._rtmp._context.authorise

        async def ask(caller: Caller, action: Action, stream: str) -> bool:
            answer = authorise(Credentials("10.0.0.7", caller.params, stream, action))
            return bool(await answer if inspect.isawaitable(answer) else answer)

        for who, caller in callers(access).items():
            if not caller.params and who != "nobody":
                continue  # RTMP has no headers
            for stream in ("yard", "gate"):
                assert await ask(caller, Action.PLAY, stream) is caller.may(Right.VIEW, stream), (who, stream)
                assert await ask(caller, Action.PUBLISH, stream) is caller.may(Right.ADMIN, stream), (who, stream)
        key = Caller(frozenset(), params={"key": "yard-key"})
        assert await ask(key, Action.PUBLISH, "yard")
        assert not await ask(key, Action.PUBLISH, "gate")
        assert not await ask(key, Action.PLAY, "yard")

    run(config, body)


def test_rtsp_takes_tokens_and_the_recorders_user_and_nothing_else(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        gate = service._rtsp._server._settings.gatekeeper_of("10.0.0.7")
        assert gate is not None
        for who, caller in callers(access).items():
            token = caller.params.get("token", "")
            for stream in ("yard", "gate", "yard.sub"):
                for method in ("DESCRIBE", "SETUP", "PLAY"):
                    uri = f"rtsp://box:8554/live/{stream}?token={token}"
                    granted = gate.check(method, uri, None) is Verdict.GRANTED
                    assert granted is (bool(token) and caller.may(Right.VIEW, stream)), (who, stream)
        for user, password, expected in (("nvr", "nvr-password", True), ("nvr", "x", False), ("admin", "right", False)):
            shown = basic(user, password)["authorization"]
            assert (gate.check("DESCRIBE", "rtsp://box/live/yard", shown) is Verdict.GRANTED) is expected

    run(config, body)


def test_onvif_is_for_the_recorders_user_alone(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        for who, caller in callers(access).items():
            query = urlencode(caller.params)
            for method, path in (("GET", "/onvif/snapshot/yard"), ("GET", "/snapshot/yard.jpg")):
                headers = {key: value for key, value in caller.headers.items() if key == "authorization"}
                request = HttpRequest(
                    method, path, f"{path}?{query}", caller.params, headers, b"", "box", 8000, f"192.0.2.{len(who)}"
                )
                assert (await service._onvif.handle(request)).status in (401, 404, 405), who

    run(config, body)


class Socket:
    """A WebSocket that asks to be opened."""

    def __init__(self) -> None:
        self.refused: int | None = None

    def close(self, status: int | None = None) -> None:
        self.refused = status

    async def accept(self) -> Any:
        raise OSError("opened")


def test_the_wall_s_websocket_opens_for_viewers_and_shows_each_his_own_streams(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        handler = service.router.find_websocket("/live")
        assert handler is not None
        for who, caller in callers(access).items():
            request = Request("GET", "/live", urlencode(caller.params), {"host": "box", **caller.headers}, "10.0.0.7", "http")
            socket = Socket()
            await handler(request, socket)  # type: ignore[arg-type]
            opened = socket.refused is None
            assert opened is caller.may(Right.VIEW), who
            sees = await service._sees(request)
            for stream in ("yard", "gate", "yard.sub"):
                assert bool(sees and sees(stream)) is caller.may(Right.VIEW, stream), (who, stream)

    run(config, body)


def test_lists_hold_only_what_the_caller_sees(config: Config) -> None:
    from gateway.config.model import View

    async def body(service: Service, access: Access) -> None:
        for who, caller in callers(access).items():
            if Right.VIEW not in caller.rights:
                continue

            def ask(caller: Caller = caller) -> Any:
                query = urlencode(caller.params)
                return service.pages.test_client(use_cookies=False).get(f"/api/v1/cameras?{query}", headers=caller.headers).json

            listing = await asyncio.to_thread(ask)
            seen = [camera for camera in ("yard", "gate") if caller.sees is None or camera in caller.sees]
            assert [camera["id"] for camera in listing["cameras"]] == seen, who
            views = [view for view in (["gate", "yard"], ["yard"]) if set(view) & set(seen)]
            assert [view["cameras"] for view in listing["views"]] == [[one for one in view if one in seen] for view in views]

    import dataclasses

    views = (View("both", "Both", ("gate", "yard")), View("one", "One", ("yard",)))
    run(dataclasses.replace(config, views=views), body)
