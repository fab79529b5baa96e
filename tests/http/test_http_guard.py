"""`Access` in front of native handlers."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import re

import pytest

from gateway.http.access import ADMIN, Access, Right
from gateway.http.guard import guarded, guarded_websocket, rewrite_playlist
from gateway.http.messages import Request, Response

BASIC = "Basic " + base64.b64encode(b"admin:correct horse").decode()

MULTIVARIANT = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS="avc1.64001F"
live.m3u8?x=1
"""
MEDIA = """#EXTM3U
#EXT-X-MAP:URI="r1/init.mp4"
#EXTINF:2.0,
r1/7.m4s
#EXT-X-PART:DURATION=0.2,URI="r1/8.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="r1/8.1.m4s"
#EXT-X-RENDITION-REPORT:URI="https://other/live.m3u8",LAST-MSN=8
/absolute.m4s"""


class Inner:
    """A native handler that keeps what it was asked."""

    def __init__(self, body: str = "media") -> None:
        self.body = body
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, self.body.encode(), (("content-type", "x/y"), ("ETag", "1")))


def ask(access: Access, inner: Inner, request: Request) -> Response:
    async def once() -> Response:
        return await guarded(access, "/hls/", inner)(request)

    return asyncio.run(once())


def test_a_stranger_s_player_is_asked_for_basic_and_the_handler_never_hears_of_it(access: Access, make):
    inner = Inner()
    answer = ask(access, inner, make())
    assert answer.status == 401
    assert dict(answer.headers)["www-authenticate"].startswith('Basic realm="Camera Gateway"')
    assert inner.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_mode": "cors"},
        {"sec_fetch_mode": "no-cors"},
        {"referer": "https://box.local:8443/"},
    ],
)
def test_a_page_whose_session_ended_gets_no_password_window_for_every_tile(access: Access, make, headers):
    answer = ask(access, Inner(), make(**headers))
    assert answer.status == 401
    assert "www-authenticate" not in dict(answer.headers)


def test_opening_the_address_in_a_browser_asks_for_a_password(access: Access, make):
    assert "www-authenticate" in dict(ask(access, Inner(), make(sec_fetch_mode="navigate")).headers)


def test_sessions_and_basic_pass_untouched(access: Access, make):
    inner = Inner(MEDIA)
    cookie = f"{access.session_cookie('https')}={access.new_session(ADMIN)}"
    for request in (make(cookie=cookie, accept_encoding="gzip"), make(authorization=BASIC)):
        answer = ask(access, inner, request)
        assert answer.body == MEDIA.encode()
        assert inner.requests[-1] is request


def test_a_player_with_a_token_finds_its_way_through_the_playlists_without_sending_it_again(access: Access, make):
    token = access.viewing_token
    inner = Inner(MULTIVARIANT)
    answer = ask(access, inner, make("/hls/yard/index.m3u8", f"token={token}", accept_encoding="gzip"))
    assert isinstance(answer.body, bytes)
    assert f"\n/hls/~{token}/yard/live.m3u8?x=1\n" in answer.body.decode()
    assert "accept-encoding" not in inner.requests[-1].headers
    assert "ETag" not in dict(answer.headers)
    inner = Inner(MEDIA)
    answer = ask(access, inner, make(f"/hls/~{token}/yard/live.m3u8", "x=1"))
    assert answer.body == MEDIA.encode()
    assert (inner.requests[-1].path, inner.requests[-1].query) == ("/hls/yard/live.m3u8", "x=1")


def test_user_and_pass_on_the_first_playlist_are_enough(access: Access, make):
    answer = ask(access, Inner(MULTIVARIANT), make(query="user=admin&pass=correct%20horse"))
    assert isinstance(answer.body, bytes)
    assert "horse" not in answer.body.decode()
    named = re.search(r"/hls/~(link\.0\.admin\.yard\.[\w-]+)/yard/live.m3u8", answer.body.decode())
    assert named is not None
    assert ask(access, Inner(MEDIA), make(f"/hls/~{named[1]}/yard/live.m3u8")).status == 200
    assert ask(access, Inner(MEDIA), make(f"/hls/~{named[1]}/gate/live.m3u8")).status == 404
    assert access.viewing_token not in answer.body.decode()
    access.set_password("another")
    assert ask(access, Inner(MEDIA), make(f"/hls/~{named[1]}/yard/live.m3u8")).status == 403


def test_handlers_see_neither_passwords_nor_tokens(access: Access, make):
    inner = Inner()
    for credentials in (f"token={access.viewing_token}", "user=admin&pass=correct%20horse"):
        for path in ("/hls/yard/live.m3u8", "/hls/yard/r1/s7.m4s"):
            assert ask(access, inner, make(path, f"_HLS_msn=7&{credentials}&_HLS_part=1&x=")).status == 200
            assert inner.requests[-1].query == "_HLS_msn=7&_HLS_part=1&x="


def test_a_preflight_passes_because_browsers_send_it_without_credentials(access: Access, make):
    inner = Inner()
    assert ask(access, inner, make(method="OPTIONS", origin="https://panel.example")).status == 200


def test_a_wrong_token_in_the_path_is_refused_without_a_password_window(access: Access, make):
    inner = Inner()
    for path in ("/hls/~wrong/yard/live.m3u8", "/hls/~/yard/live.m3u8", "/hls/~"):
        assert ask(access, inner, make(path)).status in (401, 403)
    assert inner.requests == []


def test_the_viewing_token_in_a_path_opens_no_admin_route(access: Access, make):
    async def once() -> Response:
        request = make(f"/hls/~{access.viewing_token}/yard/live.m3u8")
        return await guarded(access, "/hls/", Inner(), Right.ADMIN)(request)

    assert asyncio.run(once()).status == 403


def test_only_relative_names_of_a_playlist_are_rewritten():
    lines = rewrite_playlist(MEDIA, "/b/").split("\n")
    assert lines[1] == '#EXT-X-MAP:URI="/b/r1/init.mp4"'
    assert lines[3] == "/b/r1/7.m4s"
    assert lines[4] == '#EXT-X-PART:DURATION=0.2,URI="/b/r1/8.0.m4s",INDEPENDENT=YES'
    assert lines[6] == '#EXT-X-RENDITION-REPORT:URI="https://other/live.m3u8",LAST-MSN=8'
    assert lines[7] == "/absolute.m4s"
    assert rewrite_playlist("", "/b/") == ""


def test_guessing_at_media_routes_is_told_to_wait(access: Access, make):
    answers = [ask(access, Inner(), make(query=f"user=admin&pass=guess{number}")) for number in range(6)]
    assert answers[-1].status == 429
    assert int(dict(answers[-1].headers)["retry-after"]) >= 1


class Socket:
    """A WebSocket that asks to be opened."""

    def __init__(self) -> None:
        self.refused: int | None = None

    def close(self, status: int | None = None) -> None:
        self.refused = status


def open_socket(access: Access, request: Request) -> str | int | None:
    opened: list[str] = []

    async def live(_request: Request, _socket: object) -> None:
        opened.append("opened")

    async def once() -> None:
        await guarded_websocket(access, live)(request, socket)  # type: ignore[arg-type]

    socket = Socket()
    asyncio.run(once())
    return opened[0] if opened else socket.refused


def test_websockets_need_credentials_and_our_own_page(access: Access, make):
    cookie = f"{access.session_cookie('https')}={access.new_session(ADMIN)}"
    assert open_socket(access, make("/live")) == 401
    assert open_socket(access, make("/live", cookie=cookie, origin="https://box.local:8443")) == "opened"
    assert open_socket(access, make("/live", cookie=cookie)) == "opened"
    assert open_socket(access, make("/live", cookie=cookie, origin="https://evil.example")) == 403
    token = f"token={access.viewing_token}"
    assert open_socket(access, make("/live", token, origin="https://panel.example")) == "opened"


def test_a_page_of_the_internet_sees_nothing_through_a_visitor_s_browser_where_everybody_here_may_look(access: Access, make):
    access.anonymous_viewing = True
    assert open_socket(access, make("/live", origin="https://evil.example")) == 403
    assert open_socket(access, make("/live", origin="https://box.local:8443")) == "opened"
    assert open_socket(access, make("/live")) == "opened", "a program of this network"


def test_a_malformed_referer_or_origin_is_a_stranger_s_and_no_defect(access: Access, make):
    # urlsplit refuses half an IPv6 address: anybody could fill the log with tracebacks
    assert "www-authenticate" in dict(ask(access, Inner(), make(referer="http://[")).headers)
    cookie = f"{access.session_cookie('https')}={access.new_session(ADMIN)}"
    assert open_socket(access, make("/live", cookie=cookie, origin="http://[")) == 403


def test_a_pass_is_given_for_what_a_lane_can_see_and_for_no_longer_than_it_lasts(access: Access, make, clock):
    def passed(request: Request, *credentials: str | None) -> bool:
        ask(access, Inner(MEDIA), request)
        return access.passes.holds(credentials, "yard")

    assert passed(make("/hls/yard/live.m3u8", authorization=BASIC), "https", BASIC, None)
    proxied = dataclasses.replace(make("/hls/yard/live.m3u8"), user=ADMIN)
    assert ask(access, Inner(MEDIA), proxied).status == 200
    assert not passed(proxied, "https", None, None), "it would be everybody's who comes without credentials"
    long, short = (access.keyring.make_link("yard", ADMIN, int(clock.now) + seconds) for seconds in (60, 5))
    assert passed(make(f"/hls/~{long}/yard/live.m3u8"), long)
    assert not passed(make(f"/hls/~{short}/yard/live.m3u8"), short), "it would outlive the link"
    assert not access.passes.holds((long,), "gate")
    access.end_sessions(ADMIN)
    assert not access.passes.holds((long,), "yard"), "torn up with the logins"


def test_page_of_another_site_is_told_that_it_needs_credentials(access: Access, make):
    """Without a permission to read the answer its script saw a broken network."""
    answer = ask(access, Inner(), make("/hls/yard/index.m3u8"))
    assert answer.status == 401
    assert ("access-control-allow-origin", "*") in answer.headers
