"""Our own client on real sockets: TCP, UDP and TLS, against a camera that does what it is told."""

import contextlib
import errno
import hashlib
import ipaddress
import re
import socket
import ssl
import struct
import threading
import time
from fractions import Fraction
from unittest.mock import patch

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.camera_tls import ANYBODY, CameraTrust
from gateway.http.addresses import BoxNames
from gateway.http.certificates import Certificates
from gateway.media.annexb import split
from gateway.media.counts import Counts
from gateway.media.timestamps import Timeline
from gateway.rtsp.packetize_h264 import packetize_h264
from gateway.sources.line import Line
from gateway.sources.location import Fixed
from gateway.sources.own_session import OwnSession
from gateway.sources.rtsp import RtspReader
from gateway.sources.session import PullSettings

SDP = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n"
G726 = SDP + "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\na=control:a\r\n"
FAST = {"open_timeout_s": 2.0, "read_timeout_s": 2.0}


def picture():
    """NAL units of a keyframe with its parameter sets."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 64, "yuv420p", Fraction(1, 25)
    encoder.gop_size = 1
    packets = [*encoder.encode(av.VideoFrame(64, 64, "yuv420p")), *encoder.encode(None)]
    return split(b"".join(bytes(packet) for packet in packets))


class PlayingCamera:
    """Serves sessions on a free port, each on a thread; plays a keyframe every 20 ms. Remembers what it is asked."""

    def __init__(
        self,
        *,
        sdp=SDP,
        tls=None,
        udp=False,
        redirect=None,
        before_play=b"",
        behind=b"",
        every_s=0.02,
        skip=(),
        forgetful=False,
    ):
        self.sdp, self.tls, self.udp, self.redirect = sdp, tls, udp, redirect
        self.before_play, self.behind, self.every_s, self.skip = before_play, behind, every_s, set(skip)
        self.forgetful = forgetful
        self.requests = []
        self.received = b""
        self.left = threading.Event()
        self.units = picture()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.closing = False
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, scheme="rtsp"):
        return f"{scheme}://127.0.0.1:{self.port}/cam"

    def accept(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def close(self):
        self.closing = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self, connection):
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self.talk(connection)
        except OSError:
            connection.close()
        finally:
            self.left.set()

    def talk(self, connection):
        pending, player = b"", None
        while data := connection.recv(65536):
            pending += data
            self.received += data
            while b"\r\n\r\n" in pending:
                head, _, pending = pending.partition(b"\r\n\r\n")
                text = head[head.rfind(b"\0") + 1 :].decode("latin-1") if b"RTSP/" in head else ""
                match = re.search(r"(OPTIONS|DESCRIBE|SETUP|PLAY|TEARDOWN|GET_PARAMETER) (\S+) RTSP", text)
                if match is None:
                    continue
                self.requests.append(text[match.start() :])
                connection.sendall(self.answer(match[1], text))
                if match[1] == "PLAY" and player is None:
                    player = threading.Thread(target=self.play, args=(connection,), daemon=True)
                    player.start()
                if match[1] == "TEARDOWN":
                    return

    def answer(self, method, text):
        number = re.search(r"CSeq: (\d+)", text)[1]
        lines, body = [f"CSeq: {number}"], ""
        status = "200 OK"
        if method == "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
        if self.forgetful and method == "GET_PARAMETER":
            status = "454 Session Not Found"
        if method == "DESCRIBE" and self.redirect:
            status, lines = "302 Moved", [*lines, f"Location: {self.redirect}"]
        elif method == "DESCRIBE":
            body = self.sdp
            lines.append(f"Content-Length: {len(body)}")
        elif method == "SETUP" and self.udp:
            if "client_port" not in text:
                return f"RTSP/1.0 461 Unsupported Transport\r\nCSeq: {number}\r\n\r\n".encode()
            self.client_port = int(re.search(r"client_port=(\d+)", text)[1])
            lines += [
                f"Transport: RTP/AVP;unicast;client_port={self.client_port}-{self.client_port + 1}",
                "Session: 1;timeout=1",
            ]
        elif method == "SETUP":
            lines += ["Transport: RTP/AVP/TCP;unicast;interleaved=4-5", "Session: 1;timeout=1"]
        reply = f"RTSP/1.0 {status}\r\n" + "\r\n".join(lines) + "\r\n\r\n" + body
        return (self.before_play if method == "PLAY" else b"") + reply.encode()

    def play(self, connection):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sequence = 0
        with contextlib.suppress(OSError), sender:
            for number in range(100_000):
                packets = packetize_h264(self.units, ())
                for index, payload in enumerate(packets):
                    marker = 0x80 if index == len(packets) - 1 else 0
                    packet = struct.pack("!BBHII", 0x80, 96 | marker, sequence & 0xFFFF, number * 1800, 7) + payload
                    sequence += 1
                    if sequence in self.skip:
                        continue
                    if self.udp:
                        sender.sendto(packet, ("127.0.0.1", self.client_port))
                    else:
                        connection.sendall(self.behind + struct.pack("!BBH", 0x24, 4, len(packet)) + packet)
                time.sleep(self.every_s)


@pytest.fixture
def playing():
    """Factory of playing cameras, closed after the test."""
    made = []

    def make(**options):
        made.append(PlayingCamera(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def pull(notebook):
    """Starts readers, which are stopped after the test."""
    readers = []

    def start(url, counts=None, **settings):
        settings = PullSettings(**{**FAST, "client": "own", **settings})
        readers.append(RtspReader("cam", Fixed(url), settings, Timeline(counts), notebook))
        readers[-1].start()
        return readers[-1]

    yield start
    for one in readers:
        one.stop()
    for one in readers:
        one.thread.join(10)


def pictures(count):
    return lambda notebook: len(notebook.frames) >= count


def test_stop_ends_a_playing_session_at_once_and_says_good_bye(playing, pull, notebook):
    camera = playing()
    one = pull(camera.url())
    assert notebook.wait(pictures(3)), notebook.statuses
    began = time.monotonic()
    one.stop()
    one.thread.join(5)
    assert time.monotonic() - began < 4
    assert camera.left.wait(5)
    assert camera.requests[-1].startswith("TEARDOWN")


def test_stop_ends_a_silent_session_at_once(playing, pull, notebook):
    one = pull(playing(every_s=1000).url(), read_timeout_s=30.0)
    assert notebook.wait(pictures(1))
    began = time.monotonic()
    one.stop()
    one.thread.join(5)
    assert time.monotonic() - began < 4


def test_stop_ends_an_opening_session_at_once(camera, pull, notebook):
    silent = camera(lambda _: b"")
    one = pull(f"rtsp://127.0.0.1:{silent.port}/x", open_timeout_s=30.0)
    while not silent.requests:
        time.sleep(0.005)
    began = time.monotonic()
    one.stop()
    one.thread.join(5)
    assert time.monotonic() - began < 4


def test_session_is_kept_alive_and_told_what_arrives(playing, pull, notebook):
    camera = playing()
    pull(camera.url())
    assert notebook.wait(lambda _: any(one.startswith("GET_PARAMETER") for one in camera.requests[4:]), 10)
    assert notebook.wait(lambda _: b"\x81\xc9" in camera.received, 10), "a receiver report"


def test_camera_that_knows_no_session_when_asked_with_get_parameter_plays_on(playing, pull, notebook):
    """thingino: offline and live without end, once in every half session timeout."""
    camera = playing(forgetful=True)
    pull(camera.url())
    assert notebook.wait(lambda _: sum(one.startswith("OPTIONS") for one in camera.requests) >= 3, 20)
    assert sum(one.startswith("PLAY") for one in camera.requests) == 1
    assert sum(one.startswith("GET_PARAMETER") for one in camera.requests) == 1


def test_camera_that_has_forgotten_the_session_and_is_silent_is_left_before_the_read_timeout(playing, pull, notebook):
    pull(playing(forgetful=True, every_s=1000).url(), read_timeout_s=60.0)
    assert notebook.wait(lambda n: any("has forgotten the session" in (s.reason or "") for s in n.statuses), 20)


def test_pictures_in_front_of_the_answer_to_play_are_not_lost(playing, pull, notebook):
    payloads = packetize_h264(picture(), ())
    early = b""
    for number, payload in enumerate(payloads):
        kind = 96 | (0x80 if number == len(payloads) - 1 else 0)
        header = struct.pack("!BBHBBHII", 0x24, 4, 12 + len(payload), 0x80, kind, 65_000 + number, 2**32 - 1800, 7)
        early += header + payload
    pull(playing(before_play=early, every_s=1000).url())
    assert notebook.wait(pictures(2)), "the early one, and the only other one"


def test_answers_and_junk_between_pictures_harm_none(playing, pull, notebook):
    counts = Counts()
    between = b"RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n" + b"OPTIONS rtsp://gateway RTSP/1.0\r\nCSeq: 5\r\n\r\njunk$\x04junk"
    camera = playing(behind=between)
    pull(camera.url(), counts)
    assert notebook.wait(pictures(20))
    assert notebook.wait(lambda _: b"RTSP/1.0 200 OK\r\nCSeq: 5" in camera.received), "its question was answered"
    assert (counts.lost, counts.spoiled) == (0, 0)


def test_pictures_are_dated_by_the_clock_of_a_camera_that_can_be_right(playing, pull, notebook, monkeypatch):
    monkeypatch.setattr("gateway.media.capture_clock.TRIAL_S", 0.0)
    monkeypatch.setattr("gateway.media.capture_clock.SLEW", 10.0)
    began = time.time()
    seconds, fraction = divmod(began - 0.2 + 2_208_988_800, 1)
    report = struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, int(seconds), int(fraction * 2**32), 0, 1, 1)
    pull(playing(behind=struct.pack("!BBH", 0x24, 5, len(report)) + report).url())
    assert notebook.wait(pictures(20))
    first, last = notebook.frames[0], notebook.frames[-1]
    by_camera = began - 0.2 + (last.dts - first.dts) / 90_000
    assert last.wall == pytest.approx(by_camera, abs=0.02)


def test_losses_are_counted_for_the_stream(playing, pull, notebook):
    counts = Counts()
    pull(playing(skip=(7, 12)).url(), counts)
    assert notebook.wait(lambda _: counts.lost == 2, 10), counts.lost


@pytest.mark.parametrize("transport", ["udp", "auto"])
def test_pictures_come_over_udp(playing, pull, notebook, transport):
    pull(playing(udp=True).url(), transport=transport)
    assert notebook.wait(pictures(20)), notebook.statuses


def test_camera_over_udp_that_goes_away_is_noticed_by_its_connection(playing, pull, notebook):
    camera = playing(udp=True, every_s=1000)
    one = pull(camera.url(), transport="udp", read_timeout_s=30.0)
    assert notebook.wait(pictures(1))
    one._session._line._sock.shutdown(socket.SHUT_RDWR)
    assert notebook.wait(lambda n: n.statuses[-1].code == "ended", 5)


def test_redirect_is_followed_without_giving_the_login_to_another_host(playing, pull, notebook):
    target = playing()
    first = playing(redirect=f"rtsp://localhost:{target.port}/cam")
    pull(first.url(), username="admin", password="secret")
    assert notebook.wait(pictures(1)), notebook.statuses
    assert not any("Authorization" in request for request in target.requests)


def test_sound_that_only_libavformat_unpacks_goes_through_it(playing, notebook, caplog):
    camera = playing(sdp=G726)
    for client, expected in (("own", None), ("auto", "libav")):
        with contextlib.suppress(errors.SourceError):
            one = RtspReader("cam", Fixed(camera.url()), PullSettings(**FAST, client=client), Timeline(), notebook)
            session = one._open_with(camera.url())
            assert session.client == (expected or "own")
            session.__exit__(None, None, None)


class Script:
    """A line on which a camera says what was written for it."""

    peer = local = "127.0.0.1"

    def __init__(self, chunks):
        self.chunks = iter(chunks)

    def read(self):
        return next(self.chunks, b"")

    def connect(self, *_):
        """It is."""

    send = set_tick = connect

    def interrupt(self):
        """Nothing blocks."""

    close = interrupt


GOOD = [
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: GET_PARAMETER\r\n\r\n",
    f"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}".encode(),
    b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
    b"RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n",
]
garbage = st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=60).map(lambda data: struct.pack("!BBH", 0x24, len(data) & 1, len(data)) + data),
    st.binary(max_size=60).map(lambda data: struct.pack("!BBHBBHII", 0x24, 0, 12 + len(data), 128, 96, 1, 1, 1) + data),
    st.sampled_from([*GOOD, b"RTSP/1.0 302 Moved\r\nLocation: \0\r\n\r\n", b"RTSP/1.0 200 OK\r\nSession: \1;\r\n\r\n"]),
)


@given(st.integers(0, 4), st.lists(garbage, max_size=12))
def test_camera_that_talks_nonsense_at_any_moment_ends_in_an_error_of_ours(until, nonsense):
    settings = PullSettings(username="a", password="b", open_timeout_s=0.0)
    session = OwnSession(settings, "tcp", Counts(), sleep=lambda _: None)
    session._line = Script([*GOOD[:until], *nonsense])
    try:
        with patch("gateway.sources.own_session.Line", lambda: Script(nonsense)):
            session.open("rtsp://cam/live")
            for packet in session.packets():
                assert packet is None or packet.units
    except errors.SourceError:
        pass


@pytest.mark.parametrize("answer", ["interleaved=300-301", "interleaved=255", "interleaved=0"])
def test_channels_that_no_packet_can_have_are_not_used(answer):
    session = OwnSession(PullSettings(), "tcp", Counts(), sleep=lambda _: None)
    script = [*GOOD[:2], GOOD[2].replace(b"interleaved=0-1", answer.encode()), GOOD[3]]
    session._line = Script(script)
    session.open("rtsp://cam/ä b")
    assert set(session._by_channel) == {0, 1}
    session._chores(1e9)


def test_camera_that_says_continue_before_it_answers_is_waited_for():
    session = OwnSession(PullSettings(), "tcp", Counts(), sleep=lambda _: None)
    session._line = Script([*GOOD[:2], b"RTSP/1.0 100 Continue\r\n\r\n", *GOOD[2:]])
    session.open("rtsp://cam/live")
    assert session.video_codec == "h264"


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Certificates as the gateway makes them, in the place of a camera's."""
    names = BoxNames(("localhost",), (ipaddress.ip_address("127.0.0.1"),))
    made = Certificates(tmp_path_factory.mktemp("tls"), names=lambda: names)
    made.ensure()
    return made


@pytest.fixture
def secure(playing, authority):
    """A camera that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server)
    return playing(tls=context)


def fingerprint_of(camera):
    with socket.create_connection(("127.0.0.1", camera.port)) as plain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as secured:
            return hashlib.sha256(secured.getpeercert(True)).hexdigest()


@pytest.mark.parametrize("kind", ["anybody", "fingerprint", "ca_file"])
def test_camera_whose_certificate_is_good_is_seen(secure, pull, notebook, authority, kind):
    trusts = {
        "anybody": lambda: CameraTrust(),
        "fingerprint": lambda: CameraTrust(fingerprint=fingerprint_of(secure)),
        "ca_file": lambda: CameraTrust(ca_file=authority.authority),
    }
    one = pull(secure.url("rtsps"), trust=trusts[kind]())
    assert notebook.wait(pictures(5)), notebook.statuses
    began = time.monotonic()
    one.stop()
    one.thread.join(5)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("trust", [CameraTrust(fingerprint="ab" * 32), CameraTrust(verify=True)])
@pytest.mark.parametrize("client", ["own", "auto", "libav"])
def test_camera_with_another_certificate_never_hears_the_password(secure, notebook, trust, client):
    settings = PullSettings("admin", "secret", **FAST, trust=trust, client=client)
    with pytest.raises(errors.CertificateRefused):
        RtspReader("cam", Fixed(secure.url("rtsps")), settings, Timeline(), notebook).run_once()
    assert secure.requests == []


def test_certificate_that_is_asked_for_forbids_a_stream_without_tls(playing, notebook):
    camera = playing()
    settings = PullSettings("admin", "secret", **FAST, trust=CameraTrust(fingerprint="ab" * 32))
    with pytest.raises(errors.CertificateRefused, match="without TLS"):
        RtspReader("cam", Fixed(camera.url()), settings, Timeline(), notebook).run_once()
    assert camera.requests == []


def test_stop_ends_a_handshake_that_the_camera_does_not_answer_at_once():
    with socket.create_server(("127.0.0.1", 0)) as silent, contextlib.closing(Line()) as line:
        threading.Timer(0.3, line.interrupt).start()
        began = time.monotonic()
        with pytest.raises(errors.SourceError):
            line.connect(f"rtsps://127.0.0.1:{silent.getsockname()[1]}/", ANYBODY, 10.0)
        assert time.monotonic() - began < 3


def test_authority_that_is_renewed_on_the_disk_is_taken_up_without_a_restart(secure, notebook, authority, tmp_path):
    other = Certificates(tmp_path / "other", names=lambda: BoxNames(("localhost",), ()))
    other.ensure()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(other.authority.read_bytes())
    trust = CameraTrust(ca_file=ca_file)
    with contextlib.closing(Line()) as line, pytest.raises(errors.CertificateRefused):
        line.connect(secure.url("rtsps"), trust, 5.0)
    ca_file.write_bytes(authority.authority.read_bytes() + b"\n")
    with contextlib.closing(Line()) as line:
        line.connect(secure.url("rtsps"), trust, 5.0)


def test_plain_camera_at_a_tls_address_is_told(playing, notebook):
    settings = PullSettings(**FAST, client="own")
    with pytest.raises(errors.SourceError) as caught:
        RtspReader("cam", Fixed(playing().url("rtsps")), settings, Timeline(), notebook).run_once()
    assert isinstance(caught.value, errors.ProtocolError | errors.Ended)


def test_name_with_an_address_of_a_kind_that_the_machine_does_not_speak_is_reached_at_the_other(playing, notebook, monkeypatch):
    camera = playing()
    v6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::1", camera.port, 0, 0))
    v4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", camera.port))
    real = socket.socket

    def without_ipv6(family=-1, *args, **more):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [v6, v4])
    monkeypatch.setattr("gateway.sources.line.socket.socket", without_ipv6)
    line = Line()
    line.connect(camera.url(), ANYBODY, 2.0)
    line.close()
    assert line.peer == "127.0.0.1"


def test_machine_that_has_no_socket_left_is_told_so(playing, monkeypatch):
    def exhausted(*args, **more):
        raise OSError(errno.EMFILE, "Too many open files")

    url = playing().url()
    with monkeypatch.context() as patched:
        patched.setattr("gateway.sources.line.socket.socket", exhausted)
        with pytest.raises(errors.Unreachable, match="too many"):
            Line().connect(url, ANYBODY, 2.0)


def test_camera_that_resets_what_it_has_just_accepted_is_no_failure_of_ours(playing, monkeypatch):
    class Reset(socket.socket):
        def getpeername(self):
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    url = playing().url()
    monkeypatch.setattr("gateway.sources.line.socket.socket", Reset)
    with contextlib.closing(Line()) as line, pytest.raises(errors.Ended):
        line.connect(url, ANYBODY, 2.0)
