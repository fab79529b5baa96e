"""Every way a camera can refuse gives its one reason; credentials stay where they belong."""

import socket
import threading
import time
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from gateway import errors
from gateway.config.model import Camera, RtspClient, RtspDefaults
from gateway.media import canonical
from gateway.media.joiner import Packet
from gateway.media.state import State
from gateway.media.timestamps import Timeline
from gateway.sources import diagnosis
from gateway.sources.audio import AudioPath
from gateway.sources.backoff import Backoff
from gateway.sources.libav_session import with_credentials
from gateway.sources.location import Fixed
from gateway.sources.rtsp import RtspReader
from gateway.sources.session import PullSettings
from gateway.sources.single import first_keyframe

FAST = PullSettings(open_timeout_s=1.0, read_timeout_s=1.0)


@pytest.fixture(params=["own", "libav"])
def client(request):
    """Who speaks with the camera: what users are told does not depend on it."""
    return request.param


@pytest.fixture
def fast(client):
    """Settings with short timeouts."""
    return replace(FAST, client=client)


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
def test_refusal_has_its_own_reason(camera, notebook, fast, answer, kind, text):
    server = camera(answer)
    with pytest.raises(errors.SourceError) as caught:
        reader(server.port, notebook, fast).run_once()
    assert (caught.value.code, isinstance(caught.value, kind), text in str(caught.value)) == (kind.code, True, True), (
        caught.value
    )


def test_refused_connection_is_unreachable(notebook, fast):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(errors.Unreachable, match=f"refuses connections on port {port}"):
        reader(port, notebook, fast).run_once()


def test_unknown_name_is_unreachable(notebook, fast):
    location = Fixed("rtsp://camera.invalid/stream")
    with pytest.raises(errors.Unreachable, match=r"camera\.invalid"):
        RtspReader("cam", location, fast, Timeline(), notebook).run_once()


def test_password_is_in_no_error_and_in_no_context_of_one(camera, notebook, client):
    server = camera(replies(b"401 Unauthorized", b'WWW-Authenticate: Digest realm="x", nonce="1"'))
    settings = PullSettings("admin", "p@ss:w/rd#?", open_timeout_s=1.0, read_timeout_s=1.0, client=client)
    with pytest.raises(errors.WrongCredentials) as caught:
        reader(server.port, notebook, settings).run_once()
    error = caught.value
    while error is not None:
        assert "p@ss" not in str(error)
        assert "p%40ss" not in repr(error)
        error = error.__cause__ or error.__context__
    assert "p@ss" not in repr(settings)


def test_wrong_password_is_tried_once_per_step(camera, notebook, client):
    server = camera(replies(b"401 Unauthorized", b'WWW-Authenticate: Basic realm="x"'))
    settings = PullSettings("admin", "wrong", open_timeout_s=1.0, read_timeout_s=1.0, client=client)
    one = reader(server.port, notebook, settings)
    one.start()
    assert notebook.wait(lambda n: any(s.code == "wrong-credentials" for s in n.statuses))
    one.stop()
    one.thread.join(5)
    assert sum(b"Authorization" in request for request in server.requests) == 1
    status = notebook.statuses[-1]
    assert status.state is State.OFFLINE
    assert status.next_retry - time.time() > 40


@pytest.mark.quirk(25)
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
    assert time.monotonic() - began < 4
    assert not one.thread.is_alive()


def test_rtsp_urls_have_their_default_ports():
    assert diagnosis.endpoint("rtsp://cam/x") == ("cam", 554)
    assert diagnosis.endpoint("rtsps://cam/x") == ("cam", 322)
    assert diagnosis.endpoint("rtsp://[fe80::1]:8554/x") == ("fe80::1", 8554)


class Onvif:
    """A location of a camera whose ONVIF port is open while RTSP is refused."""

    exists = True

    def __init__(self, onvif_port, rtsp_port):
        self.ports = onvif_port, rtsp_port
        self.known = False
        self.asked = 0

    def url(self):
        self.asked += not self.known
        self.known = True
        return f"rtsp://127.0.0.1:{self.ports[1]}/main"

    def endpoint(self):
        return "127.0.0.1", self.ports[0]

    def forget(self):
        self.known = False

    moves = 0

    def hurry(self):
        """Its pictures begin with a keyframe."""


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_camera_that_answers_onvif_but_not_rtsp_is_not_asked_over_onvif_every_second(camera, notebook):
    onvif = camera(lambda _: None)
    location = Onvif(onvif.port, closed_port())
    one = RtspReader("cam", location, FAST, Timeline(), notebook, backoff=Backoff(rand=lambda: 0.5))
    one.start()
    try:
        assert notebook.wait(lambda n: sum(s.next_retry is not None for s in n.statuses) >= 3)
        waits = [s for s in notebook.statuses if s.next_retry is not None]
        assert waits[2].next_retry - time.time() > 1.5, "the back-off goes on growing"
    finally:
        one.stop()
        one.thread.join(5)
    assert location.asked == 2, "the answer is doubted after two failures, not after each"
    assert onvif.connections == 0, "what is watched is the port that failed"


class Services(Onvif):
    """Its device service is up; the port that it names for the rest is closed."""

    def url(self):
        self.asked += 1
        raise errors.Unreachable("127.0.0.1 refuses connections")


def test_open_port_that_is_not_the_one_that_fails_cuts_one_wait_short_and_no_more(camera, notebook):
    """A sick camera was asked over ONVIF every second, for as long as it was sick."""
    onvif = camera(lambda _: None)
    location = Services(onvif.port, closed_port())
    now = SimpleNamespace(s=0.0)
    one = RtspReader("cam", location, FAST, Timeline(), notebook, monotonic=lambda: now.s, backoff=Backoff(rand=lambda: 0.5))

    def wait(seconds):
        now.s += seconds
        return one._stop.is_set()

    one._wake.wait = wait
    delays = []
    for _ in range(8):
        with pytest.raises(errors.Unreachable) as caught:
            one.run_once()
        delays.append(one._delay(caught.value))
        one._wait(caught.value, delays[-1])
    assert delays == [0.5, 1, 2, 0.5, 1, 2, 4, 8]


def test_knock_that_got_lost_is_no_reason_to_leave_a_healthy_camera_alone(camera, monkeypatch):
    """Wi-Fi: it was said to answer what could not be understood, and no session was tried."""
    healthy = camera(replies(b"404 Not Found"))
    monkeypatch.setattr(diagnosis, "knock", lambda *_: False)
    assert diagnosis.hindrance("127.0.0.1", healthy.port, 2.0) is None
    one = RtspReader("cam", Fixed(f"rtsp://127.0.0.1:{healthy.port}/x"), FAST, Timeline(), SimpleNamespace(status=print))
    one._failed_before = True
    with pytest.raises(errors.NoSuchPath):
        one.run_once()


def test_wait_after_a_wrong_password_is_not_cut_short_by_discovery(camera, notebook):
    server = camera(replies(b"401 Unauthorized", b'WWW-Authenticate: Basic realm="x"'))
    one = reader(server.port, notebook, PullSettings("admin", "wrong", open_timeout_s=1.0, read_timeout_s=1.0))
    one.retry_now()
    one.start()
    assert notebook.wait(lambda n: any(s.next_retry for s in n.statuses))
    one.retry_now()
    assert not notebook.wait(lambda n: n.statuses[-1].next_retry is None, 0.1)
    one.stop()
    one.thread.join(5)
    assert not one.thread.is_alive()
    assert sum(b"Authorization" in request for request in server.requests) == 1


def test_announcement_during_a_session_does_not_skip_the_wait_after_it(notebook):
    one = reader(1, notebook)
    one.retry_now()
    began = time.monotonic()
    one._wait(errors.Ended("x"), 0.1)
    assert time.monotonic() - began >= 0.1


def test_announcement_during_the_wait_ends_it(notebook):
    one = reader(1, notebook)
    waiting = threading.Thread(target=one._wait, args=(errors.Ended("x"), 30.0))
    waiting.start()
    while waiting.is_alive():
        one.retry_now()
        waiting.join(0.01)


def test_name_that_is_none_is_told_without_the_password(notebook, client):
    settings = PullSettings("admin", "hunter22", open_timeout_s=1.0, read_timeout_s=1.0, client=client)
    one = RtspReader("cam", Fixed("rtsp://cam..lan/stream"), settings, Timeline(), notebook)
    with pytest.raises(errors.Unreachable, match=r"the name cam\.\.lan is not known") as caught:
        one.run_once()
    assert caught.value.__context__ is None
    assert diagnosis.knock("cam..lan", 554, 1.0) is False


def test_unexpected_failure_is_logged_without_what_caused_it(notebook, caplog):
    settings = PullSettings("admin", "hunter22")
    one = RtspReader("cam", Fixed("rtsp://127.0.0.1:1/stream"), settings, Timeline(), notebook)

    def fails():
        one.stop()
        defect = RuntimeError("defect near hunter22")
        defect.__context__ = ValueError("cannot open rtsp://admin:hunter22@cam/")
        raise defect

    one.run_once = fails
    one.run()
    assert "RuntimeError: defect near ***" in caplog.text
    assert "hunter22" not in caplog.text


def test_path_of_a_vendor_that_puts_the_password_there_is_not_told(camera, notebook):
    server = camera(replies(b"404 Not Found"))
    with pytest.raises(errors.NoSuchPath) as caught:
        reader(server.port, notebook, path="/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp").run_once()
    assert "/user=***_password=***_channel=1" in str(caught.value)


class Transports:
    """Opens over the transports that it offers; notes what was tried."""

    def __init__(self, one, offered):
        self.one, self.offered, self.tried = one, offered, []
        one._open_with = self.open

    def open(self, url):
        self.tried.append(self.one._transport)
        if self.one._transport not in self.offered:
            raise errors.SessionLimit("not offered")

    def session(self):
        self.tried.clear()
        self.one._open("rtsp://cam/")
        return self.tried


def test_auto_returns_to_tcp_after_udp_that_gave_no_picture(notebook):
    one = reader(1, notebook, PullSettings(transport="auto"))
    camera = Transports(one, {"udp"})
    assert camera.session() == ["tcp", "udp"]
    assert camera.session() == ["tcp", "udp"], "opening proves nothing"
    one._live(640, 360, "h264", AudioPath.none(""), 0.1)
    assert camera.session() == ["udp"]
    one._learn(errors.Ended("x"))
    assert camera.session() == ["udp"]
    one._learn(errors.Stalled("x"))
    camera.offered = {"tcp", "udp"}
    assert camera.session() == ["tcp"]
    one._live(640, 360, "h264", AudioPath.none(""), 0.1)
    assert camera.session() == ["tcp"]


def test_client_that_gets_no_picture_gives_the_next_turn_to_the_other_and_takes_the_one_after(notebook):
    one = reader(1, notebook)
    turns = []
    for failure in (errors.NoVideo("x"), errors.Ended("x"), errors.Unreachable("x"), errors.Stalled("x"), errors.Stalled("x")):
        one._learn(failure)
        turns.append(one._client)
    assert turns == ["libav", "own", "own", "libav", "own"]
    one._live_since = 1.0
    one._learn(errors.Stalled("x"))
    assert one._client == "own", "it had a picture: the camera is to blame"


def test_camera_that_hangs_up_on_our_client_again_and_again_is_asked_through_the_other_in_the_end(notebook):
    one = reader(1, notebook)
    turns = []
    for _ in range(12):
        one._learn(errors.Ended("x"))
        turns.append(one._client)
    assert turns == [*["own"] * 4, "libav", *["own"] * 5, "libav", "own"]
    for failure in [errors.Ended("x"), errors.Unreachable("x")] * 10:
        one._learn(failure)
        assert one._client == "own", "it starts"


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def playing(monkeypatch, notebook, client):
    """Makes a reader whose camera plays pairs of seconds and packet; a packet that is None ends as a timeout does."""

    def play(packets, clock):
        settings = PullSettings(read_timeout_s=5.0, client=client)
        fake(monkeypatch, client, packets, clock)
        return RtspReader("cam", Fixed("rtsp://cam/"), settings, Timeline(), notebook, monotonic=clock)

    return play


def fake(monkeypatch, client, packets, clock):
    """Put the packets in the place of a camera."""
    if client == "libav":
        monkeypatch.setattr("gateway.sources.libav_session.av.open", lambda *args, **more: FakeContainer(packets, clock))
    else:
        monkeypatch.setattr("gateway.sources.rtsp.OwnSession", lambda *args, **more: FakeSession(packets, clock))


class FakeSession:
    """What our own client makes of a camera."""

    client, video_codec, video_extradata, sound, sound_note = "own", "h264", b"", None, ""
    dated = None

    def __init__(self, packets, clock):
        self.played, self.clock = packets, clock

    def open(self, url):
        """It is."""

    def interrupt(self):
        """Nothing blocks."""

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def packets(self):
        for wait_s, packet in self.played:
            self.clock.now += wait_s
            if packet is None:
                raise errors.Stalled("cam has sent nothing for 5 s")
            yield Packet(None, canonical.nal_units(packet))


class FakeContainer:
    def __init__(self, packets, clock):
        self.packets, self.clock = packets, clock
        self.streams = SimpleNamespace(video=[Track(0, "h264")], audio=[])

    def close(self):
        pass

    def demux(self, *streams):
        for wait_s, packet in self.packets:
            self.clock.now += wait_s
            if packet is None:
                raise av.error.ExitError(1414092869, "Immediate exit requested")
            yield packet


class Track:
    def __init__(self, index, codec):
        self.index = index
        self.codec_context = SimpleNamespace(name=codec, extradata=b"")


class Picture(bytes):
    stream_index, pts, is_keyframe = 0, None, False

    @property
    def size(self):
        return len(self)


def keyframe():
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 64, "yuv420p", Fraction(1, 25)
    packets = [*encoder.encode(av.VideoFrame(64, 64, "yuv420p")), *encoder.encode(None)]
    picture = Picture(b"".join(bytes(packet) for packet in packets))
    picture.is_keyframe = True
    return picture


GARBAGE = Picture(b"\x00\x00\x00\x01\x0c\xff\xff")  # filler data only: bytes, but no picture


def test_video_that_turns_to_garbage_is_stalled_and_not_late_for_ever(notebook, playing):
    clock = Clock()
    one = playing([(0.1, keyframe()), *[(1.0, GARBAGE)] * 100], clock)
    with pytest.raises(errors.Stalled, match="only data that cannot be read"):
        one.run_once()
    assert 5 < clock.now - 100.1 < 7
    assert len(notebook.frames) == 1


class SameTimeSession(FakeSession):
    """A camera whose RTP clock stands still."""

    def packets(self):
        for packet in super().packets():
            yield Packet(0, packet.units)


def test_pictures_of_a_camera_whose_clock_stands_still_are_dated_by_arrival(monkeypatch, notebook):
    clock = Clock()
    packets = [(0.1, keyframe()), *[(0.1, Picture(b"\0\0\0\1\x41\x9a\x02\x05"))] * 50, (5.0, None)]
    monkeypatch.setattr("gateway.sources.rtsp.OwnSession", lambda *args, **more: SameTimeSession(packets, clock))
    settings = PullSettings(read_timeout_s=5.0, client="own")
    with pytest.raises(errors.Stalled):
        RtspReader("cam", Fixed("rtsp://cam/"), settings, Timeline(), notebook, monotonic=clock).run_once()
    assert len(notebook.frames) >= 48
    times = [frame.seconds for frame in notebook.frames[10:]]
    assert times[-1] - times[0] == pytest.approx((len(times) - 1) * 0.1, abs=0.01)


def test_camera_that_ends_no_picture_any_more_is_stalled_and_not_late_for_ever(monkeypatch, notebook):
    clock = Clock()
    packets = [(0.1, keyframe()), *[(0.1, GARBAGE)] * 200]
    monkeypatch.setattr("gateway.sources.rtsp.OwnSession", lambda *args, **more: SameTimeSession(packets, clock))
    settings = PullSettings(read_timeout_s=5.0, client="own")
    with pytest.raises(errors.Stalled):
        RtspReader("cam", Fixed("rtsp://cam/"), settings, Timeline(), notebook, monotonic=clock).run_once()


def test_timeout_after_the_last_picture_does_not_count_as_healthy(playing):
    clock = Clock()
    delays = []
    one = playing([(0.1, keyframe()), (6.0, keyframe()), (5.0, None)], clock)
    one._backoff = SimpleNamespace(next_delay=lambda retry, healthy_s: delays.append(healthy_s) or 0.0)
    with pytest.raises(errors.Stalled) as caught:
        one.run_once()
    one._delay(caught.value)
    assert delays == [pytest.approx(6.0)]


def test_snapshot_of_a_camera_slower_than_the_read_timeout_is_its_first_keyframe(monkeypatch, client):
    packets = [(0.1, keyframe()), (10.0, None)]
    fake(monkeypatch, client, packets, Clock())
    defaults = RtspDefaults(client=RtspClient(client))
    frame = first_keyframe(Camera("cam", "Cam", rtsp="rtsp://cam/"), defaults, lambda camera: ("", None))
    assert frame.keyframe


class Asking(Fixed):
    """A location that can be asked for keyframes."""

    hurries = 0

    def hurry(self):
        self.hurries += 1


def test_camera_that_begins_in_the_middle_of_a_group_is_asked_for_a_keyframe_once(playing):
    clock = Clock()
    between = Picture(b"\x00\x00\x00\x01\x41\x9a\x02\x05")
    packets = [*[(0.04, between)] * 50, (0.04, keyframe()), *[(0.04, between)] * 5, (0.1, None)]
    one = playing(packets, clock)
    one._location = Asking("rtsp://cam/")
    with pytest.raises(errors.SourceError):
        one.run_once()
    assert one._location.hurries == 1


def test_camera_that_begins_with_a_keyframe_is_not_asked_for_another(playing):
    one = playing([(0.04, keyframe()), *[(0.4, GARBAGE)] * 5, (0.1, None)], Clock())
    one._location = Asking("rtsp://cam/")
    with pytest.raises(errors.SourceError):
        one.run_once()
    assert one._location.hurries == 0


def test_wait_at_the_old_address_ends_when_the_camera_has_moved_even_after_a_wrong_password(notebook):
    location = Asking("rtsp://127.0.0.1:1/")
    one = RtspReader("cam", location, FAST, Timeline(), notebook)
    location.moves += 1
    began = time.monotonic()
    one._wait(errors.WrongCredentials("x"), 60.0)
    one._wait(errors.Unreachable("x"), 60.0)
    assert time.monotonic() - began < 5


def test_failure_at_the_old_address_is_not_held_against_the_new_one(notebook):
    forgotten = threading.Event()

    class Moving(Asking):
        def url(self):
            self.moves += 1  # while it is being asked
            raise errors.Unreachable("away")

        def forget(self):
            forgotten.set()

    one = RtspReader("cam", Moving("rtsp://127.0.0.1:1/"), FAST, Timeline(), notebook, backoff=Backoff(rand=lambda: 0.5))
    one.start()
    try:
        assert notebook.wait(lambda n: sum(s.next_retry is not None for s in n.statuses) >= 4)
    finally:
        one.stop()
        one.thread.join(5)
    assert not forgotten.is_set()
