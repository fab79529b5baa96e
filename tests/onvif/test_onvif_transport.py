"""HTTP with deadlines that hold."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import ProtocolError, SourceError, TimedOut, Unreachable
from gateway.onvif.deadline import Deadline
from gateway.onvif.transport import HttpTransport, Interrupted, Timeouts


class Server:
    """Answers every request on every connection with the same bytes, then closes."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(2)
        self.listener.close()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(self.answer)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(65536)
                except OSError:
                    pass


def post(answer, deadline_s=2.0):
    with Server(answer) as server:
        transport = HttpTransport("cam", Timeouts(1, 1, 1))
        try:
            return transport.post(server.url, b"<x/>", {}, Deadline(deadline_s))
        finally:
            transport.close()


def test_chunked_and_unmeasured_bodies():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert post(chunked).body == b"abc"
    assert post(b"HTTP/1.0 200 OK\r\n\r\nabc").body == b"abc"


def test_headers_that_matter_are_kept():
    reply = post(
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=a\r\nWWW-Authenticate: Digest nonce=b\r\n"
        b"Date: Fri, 02 Jan 2026 03:04:05 GMT\r\nContent-Length: 0\r\n\r\n"
    )
    assert (reply.status, len(reply.challenges), reply.date) == (401, 2, "Fri, 02 Jan 2026 03:04:05 GMT")


def test_unending_body_is_cut_off():
    with pytest.raises(ProtocolError, match="larger than 2 MB"):
        post(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (2 * 1024 * 1024 + 10))


def test_what_is_not_http():
    with pytest.raises(ProtocolError, match="does not speak HTTP properly"):
        post(b"220 FTP ready\r\n")


def test_no_answer_at_all():
    with pytest.raises(ProtocolError, match="closed the connection without an answer"):
        post(b"")


def test_unknown_name():
    with pytest.raises(Unreachable, match="the name is not known"):
        HttpTransport("cam").post("http://cam.invalid/x", b"", {}, Deadline(5))


def test_no_time_left():
    with pytest.raises(TimedOut, match="no time left"):
        HttpTransport("cam").post("http://127.0.0.1:9/x", b"", {}, Deadline(0))


def test_silence_ends_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transport = HttpTransport("cam")
        started = time.monotonic()
        with pytest.raises(TimedOut):
            transport.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"", {}, Deadline(0.05))
        assert time.monotonic() - started < 4
        transport.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail)))
def test_garbage_raises_only_what_is_promised(answer):
    try:
        post(answer)
    except SourceError:
        pass


class Mute:
    """Accepts, reads, and never answers; `heard` is set with every request."""

    def __init__(self):
        self.heard = threading.Semaphore(0)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"
        self.connections = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            connection.recv(65536)
            self.heard.release()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        for connection in [self.listener, *self.connections]:
            connection.close()


def test_long_poll_is_called_off_from_another_thread_at_once():
    server, transport = Mute(), HttpTransport("camera", Timeouts(read_s=30.0, answer_s=30.0))
    caught = []

    def poll():
        try:
            transport.post(server.url, b"", {}, Deadline(30.0))
        except Interrupted as error:
            caught.append(error)

    for _ in range(3):
        thread = threading.Thread(target=poll)
        thread.start()
        assert server.heard.acquire(timeout=5)
        began = time.monotonic()
        transport.interrupt()
        thread.join(5)
        assert not thread.is_alive()
        assert time.monotonic() - began < 2
    assert len(caught) == 3
    transport.close()
    server.close()


def test_interruption_between_two_requests_meets_the_next_one_and_no_other():
    with Server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as server:
        transport = HttpTransport("camera")
        transport.interrupt()
        with pytest.raises(Interrupted):
            transport.post(server.url, b"", {}, Deadline(5.0))
        assert transport.post(server.url, b"", {}, Deadline(5.0)).body == b"ok"
        transport.close()
