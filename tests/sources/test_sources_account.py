"""A wrong password must not lock the camera's account, however many streams and viewers ask."""

import pytest

from gateway.config.model import Camera, Credential, Secret
from gateway.errors import WrongCredentials
from gateway.sources.account import TRIAL_S, Account, with_login

HALF_HOUR_S = 1800.0


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def account(clock):
    return Account(monotonic=clock, rand=lambda: 0.0)


def attempt(account, stream):
    """A login with a wrong password; whether the camera was asked."""
    try:
        account.admit(stream)
    except WrongCredentials:
        return False
    account.refused(stream, WrongCredentials("refused"))
    return True


@pytest.mark.quirk(22)
def test_main_and_sub_with_a_wrong_password_cost_four_logins_in_half_an_hour(account, clock):
    account.admit("cam")
    account.admit("cam.sub")
    for stream in ("cam", "cam.sub"):
        account.refused(stream, WrongCredentials("refused"))
    asked = [clock.now, clock.now]
    start = clock.now
    while clock.now < start + 4 * HALF_HOUR_S:
        clock.now += 5
        asked += [clock.now for stream in ("cam", "cam.sub") if attempt(account, stream)]
    most = max(sum(at <= other < at + HALF_HOUR_S for other in asked) for at in asked)
    assert most <= 4, asked
    assert len(asked) > 4, "it goes on trying"


def test_new_viewer_of_a_refused_stream_does_not_ask_the_camera_again(account, clock):
    assert attempt(account, "cam.sub")
    assert not any(attempt(account, "cam.sub") for _ in range(20))
    assert account.wait_s() == 600
    clock.now += 601
    assert attempt(account, "cam.sub")
    assert account.wait_s() == 1200


def test_one_reader_tries_for_all_and_another_one_if_it_comes_to_no_verdict(account, clock):
    attempt(account, "cam")
    clock.now += 601
    account.admit("cam")
    with pytest.raises(WrongCredentials, match="refused"):
        account.admit("cam.sub")
    account.admit("cam")  # the camera was away; its own next try is welcome
    clock.now += TRIAL_S + 1
    account.admit("cam.sub")


def test_stream_that_plays_is_not_held_back_by_a_refusal_of_the_other_one(account):
    account.accepted("cam")
    account.refused("cam.sub", WrongCredentials("not allowed"))
    account.admit("cam")
    with pytest.raises(WrongCredentials):
        account.admit("cam.sub")


def test_login_that_works_again_ends_the_waiting_for_all(account, clock):
    attempt(account, "cam")
    clock.now += 601
    account.admit("cam")
    account.accepted("cam")
    account.admit("cam.sub")
    assert account.wait_s() == 0


CREDENTIALS = (Credential("admin", Secret("one")), Credential("admin", Secret("two")))


def test_discovery_login_is_for_cameras_given_by_address_that_have_none():
    plain = Camera("cam", "Cam", address="10.0.0.5")
    own = Camera("cam", "Cam", address="10.0.0.5", username="viewer", password=Secret("x"))
    rtsp = Camera("cam", "Cam", rtsp="rtsp://10.0.0.5/live")
    assert with_login(plain, CREDENTIALS).password == Secret("one")
    assert with_login(plain, ()) is plain
    assert with_login(own, CREDENTIALS) is own
    assert with_login(rtsp, CREDENTIALS) is rtsp
