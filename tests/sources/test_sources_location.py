"""Main and sub ask the camera once, also when the answer is bad."""

import threading

import pytest

from gateway import errors
from gateway.config.model import Camera
from gateway.sources.location import FRESH_S, Shared, Streams

CAMERA = Camera("cam", "Cam", address="cam")


class Finder:
    """A `CameraFinder` that answers with what `resolve` returns."""

    def __init__(self, resolve):
        self.resolve = resolve
        self.misses = 0

    def streams(self, camera):
        return self.resolve()

    def address(self, camera):
        return "cam", 80

    def missed(self, camera):
        self.misses += 1


def shared_by(resolve, **options):
    return Shared(CAMERA, Finder(resolve), **options)


def test_wrong_password_over_onvif_is_sent_once_for_two_readers_that_ask_at_once():
    asked, entered, answer = [], threading.Event(), threading.Event()

    def resolve():
        asked.append(1)
        entered.set()
        answer.wait(5)
        raise errors.WrongCredentials("refused")

    shared = shared_by(resolve)
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
    answers = [errors.Unreachable("away"), Streams("rtsp://cam/main", "rtsp://cam/sub")]

    def resolve():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = shared_by(resolve)
    with pytest.raises(errors.Unreachable):
        shared.main().url()
    assert shared.sub().url() == "rtsp://cam/sub"


def test_camera_with_one_profile_has_no_sub_once_it_said_so():
    shared = shared_by(lambda: Streams("rtsp://cam/main", None))
    main, sub = shared.main(), shared.sub()
    assert (main.exists, sub.exists) == (True, True)
    main.url()
    assert (main.exists, sub.exists) == (True, False)
    with pytest.raises(errors.NoSecondStream) as caught:
        sub.url()
    assert (caught.value.code, caught.value.retry) == ("no-such-path", errors.Retry.SLOW)
    main.forget()
    assert not sub.exists, "it does not come back for the seconds in which the camera is asked again"


def test_both_streams_follow_a_camera_that_has_moved():
    answers = [Streams("rtsp://old/main", "rtsp://old/sub"), Streams("rtsp://new/main", "rtsp://new/sub")]
    shared = shared_by(lambda: answers.pop(0))
    main, sub = shared.main(), shared.sub()
    assert (main.url(), sub.url(), main.moves) == ("rtsp://old/main", "rtsp://old/sub", 0)
    shared.moved()
    assert (main.moves, sub.moves) == (1, 1)
    assert (main.url(), sub.url()) == ("rtsp://new/main", "rtsp://new/sub")


def test_move_during_a_question_is_not_lost():
    asked, answer = threading.Event(), threading.Event()
    answers = [Streams("rtsp://old/main", None), Streams("rtsp://new/main", None)]

    def resolve():
        asked.set()
        answer.wait(5)
        return answers.pop(0)

    shared = shared_by(resolve)
    reader = threading.Thread(target=shared.main().url)
    reader.start()
    assert asked.wait(5)
    shared.moved()  # must not wait for the answer: the event loop calls it
    answer.set()
    reader.join(5)
    assert shared.main().url() == "rtsp://new/main"


def test_old_answer_is_used_only_after_a_look_at_who_is_there():
    now, looks = [0.0], []

    def confirm():
        looks.append(now[0])
        if now[0] > 100:
            raise errors.OtherDevice("another device is at cam")

    asked = []

    def resolve():
        asked.append(now[0])
        return Streams("rtsp://cam/main", None, confirm=confirm)

    shared = shared_by(resolve, monotonic=lambda: now[0])
    main = shared.main()
    main.url()
    now[0] = FRESH_S - 1
    main.url()
    assert looks == []
    now[0] = FRESH_S + 1
    main.url()
    main.url()
    assert looks == [FRESH_S + 1]
    now[0] = 101
    with pytest.raises(errors.OtherDevice):
        main.url()
    main.url()
    assert asked == [0.0, 101], "the camera is asked again, which looks for itself"


def test_useless_answer_gives_another_place_its_turn():
    finder = Finder(lambda: Streams("rtsp://cam/main", None))
    main = Shared(CAMERA, finder).main()
    main.url()
    main.forget()
    assert (finder.misses, main.moves) == (1, 0), "a place that has its turn is no move: waits go on"


def test_answer_that_is_of_no_use_to_both_readers_counts_once():
    finder = Finder(lambda: Streams("rtsp://cam/main", "rtsp://cam/sub"))
    shared = Shared(CAMERA, finder)
    main, sub = shared.main(), shared.sub()
    main.url()
    sub.url()
    main.forget()
    sub.forget()
    assert finder.misses == 1
    sub.url()
    sub.forget()
    assert finder.misses == 2


def test_failure_at_the_old_place_does_not_count_against_the_new_one():
    finder = Finder(lambda: Streams("rtsp://cam/main", None))
    shared = Shared(CAMERA, finder)
    main = shared.main()
    main.url()
    shared.moved()
    main.forget()
    assert finder.misses == 0


def test_two_readers_of_one_camera_ask_it_once():
    asked = []

    def resolve():
        asked.append(1)
        return Streams("rtsp://cam/main", None)

    shared = shared_by(resolve)
    main, sub = shared.main(), shared.sub()
    assert main.url() == "rtsp://cam/main"
    with pytest.raises(errors.NoSuchPath):
        sub.url()
    assert len(asked) == 1
    main.forget()
    main.url()
    assert len(asked) == 2
