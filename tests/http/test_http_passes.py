"""What a pass is worth, and when it ends."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.http import passes as module
from gateway.http.access import Access, Right
from gateway.http.guard import guarded
from gateway.http.messages import Request, Response
from gateway.http.passes import PASS_S, Passes, of_request, of_token

SOMEBODY = of_request("https", "Basic eA==", None)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def office() -> tuple[Passes, Clock, list[float]]:
    clock, looks = Clock(), []
    return Passes(lambda: looks.append(clock.now), 2.0, clock), clock, looks


def test_a_pass_is_for_one_stream_and_these_credentials_and_ends():
    passes, clock, _ = office()
    passes.issue(SOMEBODY, "cam", passes.era)
    assert passes.holds(SOMEBODY, "cam")
    assert not passes.holds(SOMEBODY, "other")
    assert not passes.holds(of_request("http", "Basic eA==", None), "cam")
    assert not passes.holds(of_request("https", None, "Basic eA=="), "cam")
    assert not passes.holds(of_token("Basic eA=="), "cam")
    clock.now += PASS_S
    assert not passes.holds(SOMEBODY, "cam")


def test_a_check_that_began_before_a_password_was_changed_is_worth_no_pass():
    passes, _, _ = office()
    era = passes.era
    passes.tear_up()
    passes.issue(SOMEBODY, "cam", era)
    assert not passes.holds(SOMEBODY, "cam")


def test_credentials_are_forgotten_and_many_of_them_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_PASSES", 10)
    passes, clock, _ = office()
    for number in range(100):
        passes.issue(of_token(str(number)), "cam", passes.era)
        assert len(passes._until) <= 10
    assert passes.holds(of_token("99"), "cam")
    clock.now += 2 * PASS_S
    passes.issue(SOMEBODY, "cam", passes.era)
    assert list(passes._until) == [(SOMEBODY, "cam")]


def test_viewers_with_huge_cookies_do_not_fill_the_memory_with_passes():
    passes, _, _ = office()
    for number in range(50):
        credentials = of_request("https", None, f"session=1; junk={number}" + "x" * 60_000)
        passes.issue(credentials, "cam", passes.era)
        assert not passes.holds(credentials, "cam"), "checked every time, which is what it costs"
    assert not passes._until


def test_a_pass_that_is_written_while_passes_are_torn_up_does_not_outlive_them():
    passes, _, _ = office()
    era, torn = passes.era, []

    class Hasty(dict):
        """Another thread changes a password at the worst moment: after the era was looked at."""

        def items(self):
            if not torn:
                torn.append(threading.Thread(target=passes.tear_up))
                torn[0].start()
                torn[0].join(0.2)
            return super().items()

    passes._until = Hasty()
    passes.issue(SOMEBODY, "cam", era)
    torn[0].join(5.0)
    assert not passes.holds(SOMEBODY, "cam")
    assert passes.era == era + 1


def test_players_with_passes_still_make_access_look_for_a_new_password():
    passes, clock, looks = office()
    for _ in range(50):
        passes.holds(SOMEBODY, "cam")
        clock.now += 0.1
    assert len(looks) == 3


def test_the_guard_issues_passes_to_whoever_it_lets_in_and_a_new_password_ends_them(access: Access, make):
    async def handler(request: Request) -> Response:
        return Response(200)

    async def once() -> None:
        guard = guarded(access, "/hls/", handler)
        cookie = f"{access.session_cookie('https')}={access.new_session('admin')}"
        good, bad = of_request("https", None, cookie), of_request("https", None, "x=1")
        assert (await guard(make("/hls/cam/live.m3u8", cookie=cookie))).status == 200
        assert (await guard(make("/hls/cam/live.m3u8", cookie="x=1"))).status == 401
        assert (await guard(make(f"/hls/~{access.viewing_token}/cam/live.m3u8"))).status == 200
        assert (await guard(make("/hls/~wrong/cam/live.m3u8"))).status == 403
        assert access.passes.holds(good, "cam")
        assert access.passes.holds(of_token(access.viewing_token), "cam")
        assert not access.passes.holds(bad, "cam")
        assert not access.passes.holds(of_token("wrong"), "cam")
        admin = guarded(access, "/hls/", handler, Right.ADMIN)
        assert (await admin(make("/hls/other/live.m3u8", cookie=cookie))).status == 200
        assert not access.passes.holds(good, "other"), "passes are for viewing"
        access.set_password("another-password")
        assert not access.passes.holds(good, "cam")

    asyncio.run(once())
