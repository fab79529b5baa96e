"""Main and sub ask the camera once, also when the answer is bad."""

import threading

import pytest

from gateway import errors
from gateway.sources.location import Shared


def test_wrong_password_over_onvif_is_sent_once_for_two_readers_that_ask_at_once():
    asked, entered, answer = [], threading.Event(), threading.Event()

    def resolve():
        asked.append(1)
        entered.set()
        answer.wait(5)
        raise errors.WrongCredentials("refused")

    shared = Shared(resolve, ("cam", 80))
    seen = []

    def ask(location):
        try:
            location.url()
        except errors.SourceError as error:
            seen.append(type(error))

    first = threading.Thread(target=ask, args=(shared.main(),))
    first.start()
    assert entered.wait(5)
    second = threading.Thread(target=ask, args=(shared.sub(),))
    original, waiting = shared._lock, threading.Event()

    class Announcing:
        def __enter__(self):
            waiting.set()
            return original.__enter__()

        def __exit__(self, *args):
            return original.__exit__(*args)

    shared._lock = Announcing()
    second.start()
    assert waiting.wait(5)
    answer.set()
    first.join(5)
    second.join(5)
    assert seen == [errors.WrongCredentials] * 2
    assert len(asked) == 1


def test_failure_is_asked_for_again_later():
    answers = [errors.Unreachable("away"), ("rtsp://cam/main", "rtsp://cam/sub")]

    def resolve():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = Shared(resolve, ("cam", 80))
    with pytest.raises(errors.Unreachable):
        shared.main().url()
    assert shared.sub().url() == "rtsp://cam/sub"


def test_camera_with_one_profile_has_no_sub_once_it_said_so():
    shared = Shared(lambda: ("rtsp://cam/main", None), ("cam", 80))
    main, sub = shared.main(), shared.sub()
    assert (main.exists, sub.exists) == (True, True)
    main.url()
    assert (main.exists, sub.exists) == (True, False)
    with pytest.raises(errors.NoSecondStream) as caught:
        sub.url()
    assert (caught.value.code, caught.value.retry) == ("no-such-path", errors.Retry.SLOW)
    main.forget()
    assert not sub.exists, "it does not come back for the seconds in which the camera is asked again"
