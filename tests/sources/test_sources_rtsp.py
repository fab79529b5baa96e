"""Every way a camera can refuse gives its one reason; credentials stay where they belong."""

import socket
import threading
import time

import pytest

from gateway import errors
from gateway.media.state import State
from gateway.media.timestamps import Timeline
from gateway.sources import diagnosis
from gateway.sources.location import Fixed, Shared
from gateway.sources.rtsp import PullSettings, RtspReader, with_credentials

FAST = PullSettings(open_timeout_s=1.0, read_timeout_s=1.0)


def cseq(request):
    for line in request.split(b"\r\n"):
        if line.lower().startswith(b"cseq:"):
            return line.split(b":")[1].strip()
    return b"0"


def replies(status, *headers):
    """An answer to everything but OPTIONS, which succeeds."""

    def answer(request):
        code = b"200 OK" if request.startswith(b"OPTIONS") else status
        extra = b"" if request.startswith(b"OPTIONS") else b"".join(header + b"\r\n" for header in headers)
        return b"RTSP/1.0 " + code + b"\r\nCSeq: " + cseq(request) + b"\r\n" + extra + b"\r\n"

    return answer


def reader(port, notebook, settings=FAST, path="/stream"):
    return RtspReader("cam", Fixed(f"rtsp://127.0.0.1:{port}{path}"), settings, Timeline(), notebook)


REFUSALS = [
    (replies(b"404 Not Found"), errors.NoSuchPath, "has no stream at /stream"),
    (replies(b"403 Forbidden"), errors.WrongCredentials, "does not allow"),
    (replies(b"453 Not Enough Bandwidth"), errors.SessionLimit, "too many viewers"),
    (replies(b"503 Service Unavailable"), errors.SessionLimit, "too many viewers"),
    (replies(b"401 Unauthorized", b'WWW-Authenticate: Basic realm="x"'), errors.WrongCredentials, "refused the user name"),
    (lambda _: b"SSH-2.0-OpenSSH_9.2\r\n", errors.ProtocolError, "does not speak RTSP"),
    (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", errors.ProtocolError, "is a web server"),
    (lambda _: None, errors.Ended, "closes the connection"),
    (lambda _: b"", errors.TimedOut, "does not answer"),
    (replies(b"200 OK", b"Content-Length: 5"), errors.ProtocolError, "could not be understood"),
]


@pytest.mark.parametrize(("answer", "kind", "text"), REFUSALS, ids=[f"{r[1].code}-{i}" for i, r in enumerate(REFUSALS)])
def test_refusal_has_its_own_reason(camera, notebook, answer, kind, text):
    server = camera(answer)
    with pytest.raises(errors.SourceError) as caught:
        reader(server.port, notebook).run_once()
    assert (type(caught.value), text in str(caught.value)) == (kind, True), caught.value


def test_refused_connection_is_unreachable(notebook):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(errors.Unreachable, match=f"refuses connections on port {port}"):
        reader(port, notebook).run_once()


def test_unknown_name_is_unreachable(notebook):
    location = Fixed("rtsp://camera.invalid/stream")
    with pytest.raises(errors.Unreachable, match=r"camera\.invalid"):
        RtspReader("cam", location, FAST, Timeline(), notebook).run_once()


def test_password_is_in_no_error_and_in_no_context_of_one(camera, notebook):
    server = camera(replies(b"401 Unauthorized", b'WWW-Authenticate: Digest realm="x", nonce="1"'))
    settings = PullSettings("admin", "p@ss:w/rd#?", open_timeout_s=1.0, read_timeout_s=1.0)
    with pytest.raises(errors.WrongCredentials) as caught:
        reader(server.port, notebook, settings).run_once()
    error = caught.value
    while error is not None:
        assert "p@ss" not in str(error)
        assert "p%40ss" not in repr(error)
        error = error.__cause__ or error.__context__
    assert "p@ss" not in repr(settings)


def test_wrong_password_is_tried_once_per_step(camera, notebook):
    server = camera(replies(b"401 Unauthorized", b'WWW-Authenticate: Basic realm="x"'))
    one = reader(server.port, notebook, PullSettings("admin", "wrong", open_timeout_s=1.0, read_timeout_s=1.0))
    one.start()
    assert notebook.wait(lambda n: any(s.code == "wrong-credentials" for s in n.statuses))
    one.stop()
    one.thread.join(5)
    assert sum(b"Authorization" in request for request in server.requests) == 1
    status = notebook.statuses[-1]
    assert status.state is State.OFFLINE
    assert status.next_retry - time.time() > 40


@pytest.mark.parametrize("password", ["p@ss", "a:b", "a/b?c#d", "ü€ %41", "x" * 90])
def test_any_character_of_a_password_survives_the_url(password):
    url = with_credentials("rtsp://192.168.1.2:554/a?b=c", "adm:in", password)
    host_part = url.removeprefix("rtsp://").split("/")[0]
    assert host_part.endswith("@192.168.1.2:554")
    assert host_part.count("@") == 1


def test_overlong_credentials_are_told_instead_of_cut_off():
    with pytest.raises(errors.WrongCredentials, match="too long"):
        with_credentials("rtsp://x/", "admin", "ü" * 40)


def test_camera_that_comes_back_ends_the_backoff_early(camera, notebook):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    one = reader(port, notebook)
    for _ in range(6):
        one._backoff.next_delay(errors.Retry.BACKOFF)
    one.start()
    assert notebook.wait(lambda n: any(s.code == "unreachable" for s in n.statuses))
    back = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=lambda: [back.accept()[0].close() for _ in range(9)], daemon=True).start()
    began = time.monotonic()
    assert notebook.wait(lambda n: n.statuses[-1].code == "ended", 8)
    assert time.monotonic() - began < 5
    one.stop()
    back.close()
    one.thread.join(5)


def test_stop_ends_a_waiting_reader_at_once(notebook):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    one = reader(port, notebook)
    one.start()
    assert notebook.wait(lambda n: any(s.next_retry for s in n.statuses))
    began = time.monotonic()
    one.stop()
    one.thread.join(5)
    assert time.monotonic() - began < 1.5
    assert not one.thread.is_alive()


def test_two_readers_of_one_camera_ask_it_once():
    asked = []

    def resolve():
        asked.append(1)
        return "rtsp://cam/main", None

    shared = Shared(resolve, ("cam", 80))
    main, sub = shared.main(), shared.sub()
    assert main.url() == "rtsp://cam/main"
    with pytest.raises(errors.NoSuchPath):
        sub.url()
    assert len(asked) == 1
    main.forget()
    main.url()
    assert len(asked) == 2


def test_rtsp_urls_have_their_default_ports():
    assert diagnosis.endpoint("rtsp://cam/x") == ("cam", 554)
    assert diagnosis.endpoint("rtsps://cam/x") == ("cam", 322)
    assert diagnosis.endpoint("rtsp://[fe80::1]:8554/x") == ("fe80::1", 8554)
