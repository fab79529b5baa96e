"""Two sessions with one camera, and how many of their requests are under way at once."""

from __future__ import annotations

import threading

import pytest

from gateway.errors import TimedOut
from gateway.onvif.deadline import Deadline
from gateway.onvif.session import Session
from gateway.onvif.transport import Reply

OK = b'<s:Envelope xmlns:s="x"><s:Body><R/></s:Body></s:Envelope>'


class Slow:
    """A transport that answers when told to, and counts what is under way."""

    def __init__(self):
        self.under_way = self.most = 0
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.lock = threading.Lock()

    def post(self, url, body, headers, deadline):
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.entered.release()
        self.gate.wait(5)
        with self.lock:
            self.under_way -= 1
        return Reply(200, OK)

    def close(self):
        """Nothing is open."""


def call(transport, url="http://10.0.0.5/onvif/d", action="GetProfiles", seconds=5.0):
    Session("cam", None, transport).call(url, action, "<x/>", Deadline(seconds), anonymous=True)


def started(*calls):
    threads = [threading.Thread(target=one) for one in calls]
    for thread in threads:
        thread.start()
    return threads


def test_parts_of_the_gateway_ask_a_camera_one_after_the_other():
    transport = Slow()
    threads = started(*[lambda: call(transport)] * 3)
    assert transport.entered.acquire(timeout=5)
    transport.gate.set()
    for thread in threads:
        thread.join(5)
    assert transport.most == 1


def test_cameras_do_not_wait_for_each_other():
    transport = Slow()
    threads = started(lambda: call(transport), lambda: call(transport, "http://10.0.0.6/onvif/d"))
    assert transport.entered.acquire(timeout=5)
    assert transport.entered.acquire(timeout=5)
    transport.gate.set()
    for thread in threads:
        thread.join(5)
    assert transport.most == 2


def test_waiting_for_events_keeps_nobody_from_steering():
    transport = Slow()
    threads = started(
        lambda: call(transport, action="http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest")
    )
    assert transport.entered.acquire(timeout=5)
    threads += started(lambda: call(transport, action="http://www.onvif.org/ver20/ptz/wsdl/Stop"))
    assert transport.entered.acquire(timeout=5)
    transport.gate.set()
    for thread in threads:
        thread.join(5)


def test_turn_that_does_not_come_is_told_in_time():
    transport = Slow()
    (thread,) = started(lambda: call(transport))
    assert transport.entered.acquire(timeout=5)
    with pytest.raises(TimedOut, match="still busy with an earlier request"):
        call(transport, seconds=0.05)
    transport.gate.set()
    thread.join(5)
