"""Who gets at the streams over RTSP: the viewing token in any form that clients make of it, or the user, slowly if guessing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import Onvif, Secret
from gateway.http.access import Decision
from gateway.http.authenticator import Verdict, digest_response, parse_parameters
from gateway.nvr.logins import Logins, token_in

ONVIF = Onvif(False, "nvr", Secret("pw"))
URI = "rtsp://box:8554/live/yard"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def noted() -> list[tuple[str, ...]]:
    """What the audit log was told."""
    return []


@pytest.fixture
def logins(noted: list[tuple[str, ...]]) -> Callable[..., Logins]:
    def make(onvif: Onvif = ONVIF, *, anonymous: bool = False, now: Callable[[], float] = lambda: 0.0) -> Logins:
        access: Any = SimpleNamespace(
            anonymous_viewing=anonymous,
            judge_token=lambda token, *, stream: Decision(token == "to-ken_1" and stream != "gate", "viewer"),
            note_watching=lambda user, client, stream, way: noted.append(("watch", user, client, way)),
            audit=SimpleNamespace(going_on=lambda *said, **more: noted.append((*said, more["way"]))),
        )
        return Logins(onvif, access, now)

    return make


@pytest.mark.parametrize(
    "uri",
    [f"{URI}?token=to-ken_1", f"{URI}?token=to-ken_1/trackID=0", f"{URI}?a=b&token=to-ken_1", f"{URI}/?token=to-ken_1/"],
)
def test_the_viewing_token_opens_however_a_client_glues_the_track(logins: Callable[..., Logins], uri: str) -> None:
    gate = logins().for_streams("192.0.2.1")
    assert gate.check("SETUP", uri, None) is Verdict.GRANTED


def test_the_user_opens_and_nobody_else(logins: Callable[..., Logins]) -> None:
    gate = logins().for_streams("192.0.2.1")
    assert gate.check("DESCRIBE", URI, None) is Verdict.MISSING
    assert gate.check("DESCRIBE", f"{URI}?token=guess", None) is Verdict.MISSING
    assert gate.check("DESCRIBE", URI, basic("nvr", "pw")) is Verdict.GRANTED
    assert gate.check("DESCRIBE", URI, basic("admin", "pw")) is Verdict.REFUSED
    assert [challenge.partition(" ")[0] for challenge in gate.challenges()] == ["Digest", "Basic"]


def test_who_plays_and_who_guesses_is_recorded(logins: Callable[..., Logins], noted: list[tuple[str, ...]]) -> None:
    gate = logins().for_streams("192.0.2.1")
    gate.check("DESCRIBE", f"{URI}?token=to-ken_1", None)
    assert noted == [], "he only asks"
    gate.check("PLAY", f"{URI}?token=to-ken_1", None)
    gate.check("PLAY", URI, basic("nvr", "pw"))
    gate.check("DESCRIBE", URI, basic("hunter2", "guess"))
    assert noted == [
        ("watch", "viewer", "192.0.2.1", "rtsp"), ("watch", "nvr", "192.0.2.1", "rtsp"),
        ("login-failed", "?", "192.0.2.1", "rtsp"),
    ]  # fmt: skip


def test_without_a_user_only_the_token_opens(logins: Callable[..., Logins]) -> None:
    gate = logins(Onvif()).for_streams("192.0.2.1")
    for login in (basic("", ""), basic("nvr", ""), basic("None", "None")):
        assert gate.check("DESCRIBE", URI, login) is Verdict.REFUSED


def test_everybody_may_view_where_that_is_configured(logins: Callable[..., Logins]) -> None:
    assert logins(anonymous=True).for_streams("192.0.2.1").check("DESCRIBE", URI, None) is Verdict.GRANTED


def test_a_token_opens_only_the_stream_that_its_address_names(logins: Callable[..., Logins]) -> None:
    gate = logins().for_streams("192.0.2.1")
    for uri in ("rtsp://box/live/gate?token=to-ken_1", "rtsp://box/live/gate?token=to-ken_1/trackID=1"):
        assert gate.check("SETUP", uri, None) is Verdict.MISSING


def test_a_guessing_client_waits_on_new_connections_too_and_others_do_not(logins: Callable[..., Logins]) -> None:
    clock = [0.0]
    all_of_them = logins(now=lambda: clock[0])
    for _ in range(6):
        gate = all_of_them.for_streams("192.0.2.66")
        assert gate.check("DESCRIBE", URI, basic("nvr", "guess")) is Verdict.REFUSED
    again, other = all_of_them.for_streams("192.0.2.66"), all_of_them.for_streams("192.0.2.1")
    assert again.check("DESCRIBE", URI, basic("nvr", "pw")) is Verdict.REFUSED
    assert all_of_them.for_pictures("192.0.2.66").check("GET", "/x", basic("nvr", "pw")) is Verdict.REFUSED
    assert other.check("DESCRIBE", URI, basic("nvr", "pw")) is Verdict.GRANTED
    clock[0] += 200.0
    assert again.check("DESCRIBE", URI, basic("nvr", "pw")) is Verdict.GRANTED


def test_a_recorder_whose_password_was_changed_does_not_play_on_and_a_neighbour_who_guesses_sends_nobody_away(
    logins: Callable[..., Logins],
) -> None:
    all_of_them = logins()
    shown = ("SETUP", URI, basic("nvr", "pw"))
    assert all_of_them.for_streams("192.0.2.1").check(*shown) is Verdict.GRANTED
    for _ in range(6):
        all_of_them.for_streams("192.0.2.1").check("DESCRIBE", URI, basic("nvr", "guess"))
    assert all_of_them.for_streams("192.0.2.1").check(*shown) is Verdict.REFUSED, "new ones wait"
    assert all_of_them.for_streams("192.0.2.1").still(*shown)
    all_of_them.configure(Onvif(False, "nvr", Secret("another")))
    assert not all_of_them.for_streams("192.0.2.1").still(*shown)
    assert not all_of_them.for_streams("192.0.2.1").still("SETUP", URI, None)
    assert all_of_them.for_streams("192.0.2.1").still("SETUP", f"{URI}?token=to-ken_1", basic("no", "body"))


def test_a_digest_stays_good_for_who_plays_though_its_nonce_is_used_up(logins: Callable[..., Logins]) -> None:
    all_of_them = logins()
    gate = all_of_them.for_streams("192.0.2.1")
    fields = parse_parameters(gate.challenges()[0].removeprefix("Digest "))
    assert fields is not None
    secret = hashlib.md5(b"nvr:Camera Gateway:pw").hexdigest()
    response = digest_response(secret, "SETUP", URI, fields["nonce"], qop="auth", nc="00000001", cnonce="c")
    login = (
        f'Digest username="nvr", realm="Camera Gateway", nonce="{fields["nonce"]}", uri="{URI}", '
        f'response="{response}", qop=auth, nc=00000001, cnonce="c"'
    )
    assert gate.check("SETUP", URI, login) is Verdict.GRANTED
    assert gate.still("SETUP", URI, login)
    all_of_them.configure(ONVIF)
    assert all_of_them.for_streams("192.0.2.1").still("SETUP", URI, login), "a reload that changes nothing here"
    all_of_them.configure(Onvif(False, "nvr", Secret("another")))
    assert not all_of_them.for_streams("192.0.2.1").still("SETUP", URI, login)


@given(st.text(max_size=60))
def test_any_address_is_searched_for_a_token_without_an_error(uri: str) -> None:
    token_in(uri)
    token_in(f"rtsp://{uri}?token={uri}")
