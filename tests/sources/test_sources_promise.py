"""A reader says when it is heard of next, so that one that hangs is found out and one that waits is left in peace."""

from __future__ import annotations

import queue
import threading

from gateway.errors import CodecUnsupported
from gateway.media.timestamps import Timeline
from gateway.sources.location import Fixed
from gateway.sources.rtsp import MARGIN_S, OPENING_S, RtspReader
from gateway.sources.session import PullSettings

ENDED_WITHIN_S = 5.0


class Deaf:
    """A sink nobody reads."""

    def begin(self, expected, audio_note): ...

    def frame(self, frame): ...

    def end(self): ...

    def status(self, status): ...


class Place(Fixed):
    """A location whose answer a test decides."""

    def __init__(self, answer):
        super().__init__("rtsp://127.0.0.1:1/live")
        self._answer = answer

    def url(self):
        return self._answer()


def reader(answer):
    settings = PullSettings(open_timeout_s=5.0)
    return RtspReader("yard", Place(answer), settings, Timeline(), Deaf(), monotonic=lambda: 1000.0, wall=lambda: 0.0)


def test_a_reader_that_hangs_while_opening_is_late_after_its_time_limits():
    asked, let_go = threading.Event(), threading.Event()

    def hang():
        asked.set()
        let_go.wait(ENDED_WITHIN_S)
        raise CodecUnsupported("it hung")

    one = reader(hang)
    one.start()
    assert asked.wait(ENDED_WITHIN_S)
    assert one.due == 1000.0 + 10 * 5.0 + OPENING_S
    one.stop()
    let_go.set()
    one.thread.join(ENDED_WITHIN_S)
    assert not one.thread.is_alive()


def test_a_reader_that_waits_for_minutes_is_not_late():
    told = queue.SimpleQueue()

    def refuse():
        raise CodecUnsupported("not this one")

    one = reader(refuse)
    one._sink = Deaf()
    one._sink.status = lambda status: told.put(status.next_retry)
    one.start()
    while (delay := told.get(timeout=ENDED_WITHIN_S)) is None:
        pass
    waiting = 1000.0 + delay + MARGIN_S
    looks = threading.Event()
    assert any(one.due == waiting or looks.wait(0.01) for _ in range(500))
    assert delay > 30
    one.stop()
    one.thread.join(ENDED_WITHIN_S)
    assert not one.thread.is_alive()
