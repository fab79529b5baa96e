"""The bridge to Flask."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from flask import Flask, request, session

from gateway.http.messages import Request, Response
from gateway.http.wsgi_bridge import WsgiBridge, call, environment


def test_flask_sees_the_request_as_it_was_sent(make):
    app = Flask("test")
    seen: dict[str, Any] = {}

    @app.route("/<path:path>", methods=["GET", "POST"])
    def view(path: str) -> tuple[str, int, list[tuple[str, str]]]:
        seen.update(
            path=path, query=request.args["q"], form=request.form["name"], host=request.host, scheme=request.scheme,
            client=request.remote_addr, agent=request.user_agent.string,
        )  # fmt: skip
        return "done", 201, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Upper", "Y")]

    sent = make("/tür", "q=%C3%BC", method="POST", user_agent="vlc",
                content_type="application/x-www-form-urlencoded")  # fmt: skip
    answer = call(app, sent, b"name=J%C3%B6rg")
    assert seen == {"path": "tür", "query": "ü", "form": "Jörg", "host": "box.local:8443", "scheme": "https",
                    "client": "10.0.0.7", "agent": "vlc"}  # fmt: skip
    assert (answer.status, answer.body) == (201, b"done")
    assert ("set-cookie", "a=1") in answer.headers
    assert ("set-cookie", "b=2") in answer.headers
    assert ("x-upper", "Y") in answer.headers
    assert "content-length" not in dict(answer.headers)


def test_cookies_that_http2_split_reach_flask_s_session_whole(make):
    app = Flask("test")
    app.secret_key = "k"

    @app.get("/in")
    def log_in() -> str:
        session["user"] = "admin"
        return ""

    @app.get("/who")
    def who() -> str:
        return str(session.get("user"))

    cookie = dict(call(app, make("/in"), b"").headers)["set-cookie"].split(";")[0]
    assert call(app, make("/who", cookie=f"a=1; {cookie}; b=2"), b"").body == b"admin"


def test_a_header_with_an_underscore_cannot_pass_for_another(make):
    environ = environment(Request("GET", "/", "", {"x_real": "1", "x-real": "2", "host": "h"}, "c", "http"), b"")
    assert environ["HTTP_X_REAL"] == "2"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("box:8443", ("box", "8443")), ("[fd00::2]:1", ("fd00::2", "1")), ("box", ("box", "443")), ("", ("localhost", "443")),
     ("box:99999", ("localhost", "443")), ("[x", ("localhost", "443"))],
)  # fmt: skip
def test_any_host_header_gives_a_server_name(make, host: str, expected: tuple[str, str]):
    environ = environment(make(host=host), b"")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == expected


def test_head_keeps_the_length_of_what_get_would_send(make):
    app = Flask("test")
    app.add_url_rule("/", view_func=lambda: "12345")
    answer = call(app, make("/", method="HEAD"), b"")
    assert (answer.body, dict(answer.headers)["content-length"]) == (b"", "5")


def test_the_response_is_closed_also_when_the_application_breaks(make):
    closed = threading.Event()

    class Broken:
        def __iter__(self) -> Any:
            yield b"x"
            raise RuntimeError("broken")

        def close(self) -> None:
            closed.set()

    def app(_environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return Broken()

    with pytest.raises(RuntimeError, match="broken"):
        call(app, make("/"), b"")
    assert closed.is_set()


def test_write_and_late_errors_follow_pep_3333(make):
    def app(_environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"a")
        start_response("500 Oops", [("X", "1")], (ValueError, ValueError(), None))
        return [b"b"]

    answer = call(app, make("/"), b"")
    assert (answer.status, answer.body, answer.headers) == (500, b"ab", (("x", "1"),))

    def silent(_environ: Any, _start_response: Any) -> list[bytes]:
        return []

    with pytest.raises(AssertionError, match="start_response"):
        call(silent, make("/"), b"")


class Blocked:
    """An application that answers when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self, _environ: Any, start_response: Any) -> list[bytes]:
        self.entered.release()
        self.go.wait(5)
        start_response("200 OK", [])
        return [b"late"]


def test_more_requests_than_can_wait_are_sent_away_and_places_come_free_again(make):
    app = Blocked()

    async def run() -> None:
        bridge = WsgiBridge(app, threads=1, max_waiting=2)
        waiting = [asyncio.create_task(bridge(make("/"), b"")) for _ in range(2)]
        await asyncio.to_thread(app.entered.acquire)
        answer = await bridge(make("/"), b"")
        assert (answer.status, dict(answer.headers)["retry-after"]) == (503, "2")
        app.go.set()
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [200, 200]
        assert (await bridge(make("/"), b"")).status == 200
        bridge.close()
        assert (await bridge(make("/"), b"")).status == 503

    asyncio.run(run())


def test_a_page_that_hangs_is_given_up_at_the_deadline(make, caplog):
    app = Blocked()

    async def run() -> Response:
        bridge = WsgiBridge(app, threads=1, deadline_s=0.05)
        answer = await bridge(make("/slow", "token=secret"), b"")
        app.go.set()
        bridge.close()
        return answer

    assert asyncio.run(run()).status == 503
    assert "/slow took longer" in caplog.text
    assert "secret" not in caplog.text


def test_a_timeout_of_the_application_itself_is_not_taken_for_the_deadline(make):
    def app(_environ: Any, _start_response: Any) -> list[bytes]:
        raise TimeoutError("the service")

    async def run() -> None:
        bridge = WsgiBridge(app)
        try:
            await bridge(make("/"), b"")
        finally:
            bridge.close()

    with pytest.raises(TimeoutError, match="the service"):
        asyncio.run(run())


def test_a_queued_request_whose_client_went_away_is_not_run(make):
    app = Blocked()

    async def run() -> None:
        bridge = WsgiBridge(app, threads=1, max_waiting=2)
        first = asyncio.create_task(bridge(make("/"), b""))
        await asyncio.to_thread(app.entered.acquire)
        second = asyncio.create_task(bridge(make("/"), b""))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait({second})
        app.go.set()
        await first
        bridge.close()

    asyncio.run(run())
    assert not app.entered.acquire(blocking=False)
