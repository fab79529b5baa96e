"""What a scanner for web applications tries first, against a gateway with real listeners."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest

from gateway.config.model import Config, ProxyTrust, View
from gateway.http.access import Access
from gateway.service import Service

from .conftest import basic, serving

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
PAGES = (
    "/",
    "/login",
    "/watch/yard",
    "/discovery",
    "/discovery/adopt",
    "/cameras/yard",
    "/audit",
    "/nowhere",
    "/watch/nowhere",
)


def run(config: Config, body: Callable[[Service, Access], Any]) -> None:
    async def once() -> None:
        async with serving(config) as (service, access):
            await body(service, access)

    asyncio.run(once())


async def raw(service: Service, request: bytes) -> bytes:
    """What a connection answers to these bytes, until it is quiet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port("http"))
    writer.write(request)
    answer = b""
    try:
        async with asyncio.timeout(1.5):
            while chunk := await reader.read(65_536):
                answer += chunk
    except TimeoutError:
        pass
    finally:
        writer.close()
    return answer


async def ask(service: Service, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **more: Any) -> Any:
    client = service.pages.test_client(use_cookies=False)
    return await asyncio.to_thread(
        lambda: client.open(
            path, method=method, headers=headers or {}, buffered=True, base_url="https://box.local:8443", **more
        )
    )


def test_every_page_and_answer_carries_the_headers_that_keep_browsers_in_bounds(config: Config) -> None:
    async def body(service: Service, _access: Access) -> None:
        for path in (*PAGES, "/api/v1/cameras", "/api/v1/nothing", "/static/js/wall.js", "/healthz", "/gateway-ca.crt"):
            for headers in ({}, basic("admin")):
                answer = await ask(service, path, headers=headers)
                policy = answer.headers["content-security-policy"]
                for directive in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'"):
                    assert directive in policy, path
                assert "frame-ancestors 'self'" in policy
                assert "unsafe" not in policy
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["referrer-policy"] == "same-origin"
                assert "server" not in {name.lower() for name in answer.headers.keys()}  # noqa: SIM118  # not a mapping
                if not path.startswith(("/static/", "/gateway-ca")) and answer.status_code == 200:
                    assert "no-store" in answer.headers["cache-control"], path

    run(config, body)


def test_no_page_needs_an_exception_from_the_policy(config: Config) -> None:
    async def body(service: Service, _access: Access) -> None:
        for path in PAGES:
            text = (await ask(service, path, headers=basic("admin"))).text
            assert not re.search(r"<script(?![^>]*\bsrc=)", text), path
            assert not re.search(r"\s(on[a-z]+|style)\s*=", text), path
            assert not re.search(r"(src|href)=\"(https?:)?//", text), path

    run(config, body)


def test_cookies_are_out_of_reach_of_scripts_and_foreign_pages_and_each_login_has_its_own(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        name = access.form_cookie("https")

        async def log_in() -> Any:
            form = {"csrf": access.form_token("nonce"), "username": "anna", "password": "right"}
            return await ask(service, "/login", method="POST", headers={"cookie": f"{name}=nonce"}, data=form)

        first, second = await log_in(), await log_in()
        assert first.status_code == 303
        for cookie in first.headers.getlist("set-cookie"):
            assert "; Secure" in cookie
            assert "; HttpOnly" in cookie
            assert "; SameSite=Lax" in cookie
            assert "domain=" not in cookie.lower()
        values = [set(answer.headers.getlist("set-cookie")) for answer in (first, second)]
        assert len(values[0]) == 2, "the session, and another cookie for forms: what a page knew before is void"
        assert not values[0] & values[1]
        assert all("=nonce" not in cookie for cookie in values[0])

    run(config, body)


def test_nothing_is_changed_by_a_foreign_page(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        session = {"cookie": f"{access.session_cookie('https')}={access.new_session('admin')}"}
        writing = [
            (method, rule.rule.replace("<camera_id>", "yard").replace("<token_id>", "x"))
            for rule in service.pages.url_map.iter_rules()
            for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
        ]
        assert len(writing) > 8
        for method, path in writing:
            ways: list[dict[str, Any]] = [
                {"data": {"camera": "yard"}},
                {"data": "{}", "content_type": "text/plain"},
                {"json": {}, "headers": {"origin": "https://evil.example"}},
                {"data": {"csrf": access.form_token("other")}},
            ]
            for way in ways:
                headers = {**session, **way.pop("headers", {})}
                for shown in (headers, {**headers, "cookie": ""} | basic("admin")):
                    answer = await ask(service, path, method=method, headers=shown, **way)
                    assert answer.status_code in (400, 403), (method, path, way)

    run(config, body)


def test_names_from_the_configuration_are_text_and_nothing_else(config: Config) -> None:
    cameras = tuple(dataclasses.replace(camera, name=EVIL, group=EVIL) for camera in config.cameras)
    evil = dataclasses.replace(config, site=EVIL, cameras=cameras, views=(View("all", EVIL, ("yard",)),), users=())

    async def body(service: Service, _access: Access) -> None:
        for path in ("/", "/discovery", "/watch/yard", "/cameras/yard", "/api/v1/cameras"):
            answer = await ask(service, path, headers=basic("admin"))
            assert answer.status_code == 200
            if answer.mimetype == "text/html":
                assert "<script>alert" not in answer.text
                assert "<img src=x" not in answer.text
            else:
                assert answer.mimetype == "application/json"

    run(evil, body)


@pytest.mark.parametrize(
    ("name", "pages"),
    [("anna", set()), ("olga", {"/health"}), ("admin", {"/discovery", "/health", "/settings", "/audit"})],
)
def test_the_wall_leads_everybody_to_the_pages_that_are_for_him(config: Config, name: str, pages: set[str]) -> None:
    every = {"/discovery", "/health", "/settings", "/audit"}

    async def body(service: Service, _access: Access) -> None:
        wall = await ask(service, "/", headers=basic(name))
        assert {page for page in every if f'href="{page}"' in wall.text} == pages
        for page in every:
            answer = await ask(service, page, headers=basic(name))
            assert (answer.status_code == 200) is (page in pages), page

    run(config, body)


def test_names_that_strangers_type_are_text_on_the_page_of_the_audit_log(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        access.audit.record("login-failed", EVIL, EVIL, camera=EVIL, detail=EVIL)
        await asyncio.to_thread(access.audit.flush)
        text = (await ask(service, "/audit", headers=basic("admin"))).text
        assert "&lt;script&gt;" in text
        assert "<script>alert" not in text
        assert "<img src=x" not in text

    run(config, body)


PATHS = [
    "/static/../../config.yaml", "/static/%2e%2e/%2e%2e/config.yaml", "/static/..%2f..%2fpyproject.toml", "/static//etc/passwd",
    "/static/js/..%5c..%5c..%5cpyproject.toml", "/hls/../static/mark.svg", "/hls/yard/../../secrets/session.key",
    "/hls/yard/%2e%2e/%2e%2e/secrets/session.key", "/api/v1/cameras/..%2f..%2fsecrets/snapshot.jpg", "/watch/..%2f..%2fetc",
    "/static/%00", "/static/js/wall.js%00.txt",
]  # fmt: skip


def test_no_path_leads_out_of_the_folder_of_files(config: Config) -> None:
    async def body(service: Service, _access: Access) -> None:
        login = basic("admin")["authorization"].encode()
        for path in PATHS:
            answer = await raw(
                service,
                b"GET %s HTTP/1.1\r\nHost: box\r\nAuthorization: %s\r\nConnection: close\r\n\r\n" % (path.encode(), login),
            )
            status = int(answer.split(b" ", 2)[1]) if answer else 400
            assert status in (303, 307, 308, 400, 404), (path, answer[:200])
            assert b"[project]" not in answer
            assert b"root:" not in answer

    run(config, body)


ELSEWHERE = (
    "//evil.example", "https://evil.example", "/\\evil.example", "/%09/evil.example", "javascript:alert(1)",
    "/login/../..//evil",
)  # fmt: skip


def test_the_login_leads_to_no_other_site(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        cookie = {"cookie": f"{access.form_cookie('https')}=nonce"}
        for target in ELSEWHERE:
            form = {"csrf": access.form_token("nonce"), "username": "anna", "password": "right", "next": target}
            answer = await ask(service, "/login", method="POST", headers=cookie, data=form)
            assert answer.status_code == 303
            location = answer.headers["location"]
            assert location.startswith("/"), target
            assert not location.startswith(("//", "/\\", "/\t")), target

    run(config, body)


HOSTS = ("evil.example", "evil.example:80", 'box"onload=x', "a b", "evil.example/..", "[::1", "")


def test_a_host_header_gets_into_no_redirect_and_no_header_it_could_break(config: Config) -> None:
    async def body(service: Service, _access: Access) -> None:
        for host in HOSTS:
            for path in ("/", "/discovery", "/cameras/yard", "/login"):
                answer = await raw(service, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                location = re.search(rb"(?im)^location: (.*)\r$", answer)
                assert location is None or location[1].startswith(b"/"), answer
                policy = re.search(rb"(?im)^content-security-policy: (.*)\r$", answer)
                assert policy is None or not re.search(rb'script-src|"', policy[1])

    run(config, body)


def test_a_method_that_a_route_does_not_have_changes_nothing(config: Config) -> None:
    async def body(service: Service, access: Access) -> None:
        for method in ("TRACE", "PUT", "PATCH", "CONNECT", "PROPFIND"):
            for path in ("/", "/login", "/api/v1/cameras", "/api/v1/tokens", "/discovery"):
                assert (await ask(service, path, method=method, headers=basic("admin"))).status_code == 405
        for header in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
            answer = await ask(service, "/api/v1/viewing-token", headers={**basic("admin"), header: "DELETE"})
            assert answer.json["token"] == access.viewing_token
        for method in ("POST", "PUT", "DELETE"):
            answer = await raw(
                service, f"{method} /hls/yard/index.m3u8?token={access.viewing_token} HTTP/1.1\r\nHost: b\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )  # fmt: skip
            assert b" 405 " in answer.split(b"\r\n")[0]

    run(config, body)


NEXT = b"GET /audit HTTP/1.1\r\nHost: b\r\n\r\n"
SMUGGLED = [
    b"POST /login HTTP/1.1\r\nHost: b\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    b"POST /login HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\nContent-Length: 60\r\n\r\n" + NEXT,
    b"POST /login HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + NEXT,
    b"POST /login HTTP/1.1\r\nHost: b\r\nContent-Length: +6\r\n\r\n0\r\n\r\nX" + NEXT,
]


def test_a_request_with_two_readings_gets_one_answer_or_is_refused(config: Config) -> None:
    """Nothing here adds credentials to a connection, so the worst would be an answer too many; a proxy must never see one."""

    async def body(service: Service, _access: Access) -> None:
        for answer in await asyncio.gather(*(raw(service, one) for one in SMUGGLED)):
            statuses = re.findall(rb"HTTP/1\.1 (\d{3})", answer)
            assert len(statuses) <= 1 or statuses[0] in (b"400", b"501"), answer[:300]

    run(config, body)


def test_only_our_own_proxy_names_clients_users_and_schemes(config: Config) -> None:
    proxied = dataclasses.replace(
        config, auth=dataclasses.replace(config.auth, proxy=ProxyTrust(("127.0.0.1/32",), "x-forwarded-user"))
    )

    async def get(service: Service, *fields: str, path: str = "/api/v1/me") -> bytes:
        lines = [f"GET {path} HTTP/1.1", "Host: box", *fields, "Connection: close", "", ""]
        return await raw(service, "\r\n".join(lines).encode())

    async def trusted(service: Service, access: Access) -> None:
        assert b'"user":"anna"' in (await get(service, "X-Forwarded-User: anna")).replace(b" ", b"")
        assert b" 401 " in await get(service)
        for name in ("nobody-of-the-file", "viewer", "anonymous", "token:x", "link:admin", "play:admin"):
            assert b" 403 " in await get(service, f"X-Forwarded-User: {name}"), name
        assert b" 401 " in await get(service, "X-Forwarded-User: admin", "X-Forwarded-User: anna"), "one is the client's own"
        assert b"; Secure" in await get(service, "X-Forwarded-Proto: https", path="/login")
        for number in range(6):
            await get(
                service, f"Authorization: {basic('olga', f'guess {number}')['authorization']}", "X-Forwarded-For: 203.0.113.9"
            )
        late = f"Authorization: {basic('olga')['authorization']}"
        assert b" 429 " in await get(service, late, "X-Forwarded-For: 203.0.113.9")
        assert b" 200 " in await get(service, late, "X-Forwarded-For: 203.0.113.10")

    async def untrusted(service: Service, _access: Access) -> None:
        assert b" 401 " in await get(service, "X-Forwarded-User: admin", "X-Forwarded-For: 127.0.0.1")
        assert b"; Secure" not in await get(service, "X-Forwarded-Proto: https", path="/login")

    run(proxied, trusted)
    run(config, untrusted)
    elsewhere = dataclasses.replace(config.auth, proxy=ProxyTrust(("192.0.2.0/24",), "x-forwarded-user"))
    run(dataclasses.replace(config, auth=elsewhere), untrusted)


def test_five_hundred_viewers_behind_our_proxy_are_not_cut_off_as_one_with_too_many_connections(config: Config) -> None:
    proxied = dataclasses.replace(config, auth=dataclasses.replace(config.auth, proxy=ProxyTrust(("192.0.2.7",))))

    async def body(service: Service, access: Access) -> None:
        exempt = service._http.warden.exempt
        assert exempt("192.0.2.7")
        assert exempt("127.0.0.1")
        assert not exempt("192.0.2.8")
        access.configure(config)
        assert not exempt("192.0.2.7"), "since a reload it is none of ours"

    run(proxied, body)
