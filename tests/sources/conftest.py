"""Stand-ins for cameras that misbehave: TCP servers that answer what they are told, and a sink that remembers."""

import socket
import threading

import pytest


class Answering:
    """A TCP server on a free port; `answer(request) -> bytes | None` per request, None closes. Counts connections."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            while True:
                try:
                    request = connection.recv(8192)
                except OSError:
                    return
                if not request:
                    return
                self.requests.append(request)
                reply = self.answer(request)
                if reply is None:
                    return
                connection.sendall(reply)

    def close(self):
        self.socket.close()
        for connection in self.open:
            connection.close()


@pytest.fixture
def camera():
    """Factory of `Answering` servers, closed after the test."""
    made = []

    def make(answer):
        made.append(Answering(answer))
        return made[-1]

    yield make
    for server in made:
        server.close()


class Notebook:
    """A sink that remembers; events wake whoever waits for a status."""

    def __init__(self):
        self.statuses = []
        self.frames = []
        self.sessions = []
        self.ends = 0
        self.changed = threading.Condition()

    def begin(self, expected, audio_note):
        self.sessions.append((expected, audio_note))

    def frame(self, frame):
        with self.changed:
            self.frames.append(frame)
            self.changed.notify_all()

    def end(self):
        self.ends += 1

    def status(self, status):
        with self.changed:
            self.statuses.append(status)
            self.changed.notify_all()

    def wait(self, condition, timeout_s=10):
        with self.changed:
            return self.changed.wait_for(lambda: condition(self), timeout_s)


@pytest.fixture
def notebook():
    """A fresh sink."""
    return Notebook()
