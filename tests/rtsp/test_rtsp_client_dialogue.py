"""Conversations with cameras, good and odd, without a network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NoSuchPath, NoVideo, ProtocolError, SessionLimit, SourceError, WrongCredentials
from gateway.rtsp.client import addressing, description, formats, refusal
from gateway.rtsp.client.dialogue import Dialogue, Redirected
from gateway.rtsp.client.framing import MAX_BODY_BYTES, MAX_HEAD_BYTES, Framing
from gateway.rtsp.client.login import Login
from gateway.rtsp.client.refusal import NotUnderstood
from gateway.rtsp.message import Headers, Interleaved, Request, Response

URL = "rtsp://cam/live"
SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n"
SOUND = b"m=audio 0 RTP/AVP 0\r\na=control:a\r\n"


def choose(media):
    return formats.choose_picture(media), formats.choose_sound(media)


def reply(status=200, *fields, body=b""):
    return Response(status, Headers(fields), body)


class Camera:
    """Answers by method; an answer may be a list, used up one by one."""

    def __init__(self, sdp=SDP, **answers):
        session = ("Session", "4711;timeout=30")
        self.answers = {
            "OPTIONS": reply(200, ("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER")),
            "DESCRIBE": reply(200, ("Content-Base", URL + "/"), body=sdp),
            "SETUP": [reply(200, session, ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00AB"))] * 2,
            "PLAY": reply(),
            **answers,
        }
        self.asked = []

    def talk(self, dialogue):
        talk = dialogue.open()
        request = next(talk)
        try:
            while True:
                self.asked.append(request)
                answer = self.answers[request.method]
                if isinstance(answer, list):
                    answer, self.answers[request.method] = answer[0], answer[1:]
                request = talk.send(answer)
        except StopIteration as end:
            return end.value

    @property
    def methods(self):
        return [request.method for request in self.asked]


def dialogue(username=None, password=None, url=URL, **more):
    return Dialogue(url, Login(username, password, cnonce=lambda: "c"), choose, **more)


def test_session_from_the_first_request_to_play():
    camera, one = Camera(), dialogue()
    playing = camera.talk(one)
    assert camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert (playing.video.rtp, playing.video.rtcp, playing.video.ssrc, playing.timeout_s) == (0, 1, 0xAB, 30)
    assert camera.asked[2].uri == URL + "/v"
    assert camera.asked[3].uri == URL + "/"
    assert camera.asked[3].headers.get("Session") == "4711"
    assert one.keep_alive().method == "GET_PARAMETER"
    assert one.answered(reply(501)).method == "OPTIONS"
    assert one.teardown().headers.get("Session") == "4711"


def test_channels_are_those_that_the_camera_answers():
    playing = Camera(SETUP=[reply(200, ("Transport", "RTP/AVP/TCP;unicast;interleaved=6-9"))]).talk(dialogue())
    assert (playing.video.rtp, playing.video.rtcp) == (6, 9)


@pytest.mark.parametrize("transport", [(), (("Transport", "RTP/AVP/TCP;unicast"),)])
def test_channels_are_those_that_were_asked_for_where_the_camera_names_none(transport):
    playing = Camera(SDP + SOUND, SETUP=[reply(200, *transport)] * 2).talk(dialogue())
    assert [(track.rtp, track.rtcp) for track in (playing.video, playing.audio)] == [(0, 1), (2, 3)]


@pytest.mark.parametrize("sdp", [SDP + SOUND, b"v=0\r\n" + SOUND + SDP.removeprefix(b"v=0\r\n")])
def test_camera_that_names_the_same_channels_for_sound_and_picture_gives_a_picture(sdp):
    playing = Camera(sdp).talk(dialogue())
    assert {playing.video.rtp, playing.audio.rtp} == {0, 2}
    assert {playing.video.rtcp, playing.audio.rtcp} == {1, 3}


def test_microphone_that_is_refused_costs_no_picture():
    camera = Camera(SDP + SOUND, SETUP=[reply(), reply(461)])
    assert camera.talk(dialogue()).audio is None
    assert camera.methods[-1] == "PLAY"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, WrongCredentials), (403, WrongCredentials), (404, NoSuchPath), (453, SessionLimit), (461, SessionLimit),
        (429, SessionLimit), (500, SessionLimit), (503, SessionLimit), (454, NotUnderstood), (400, NotUnderstood),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
def test_every_refusal_has_its_reason_at_every_step(method, status, kind):
    answer = reply(status)
    with pytest.raises(kind):
        Camera(**{method: [answer] if method == "SETUP" else answer}).talk(dialogue())


DIGEST = ("WWW-Authenticate", 'Digest realm="r", nonce="n1", algorithm=SHA-256, qop="auth"')
BASIC = ("WWW-Authenticate", 'Basic realm="r"')


def test_camera_that_asks_for_a_login_gets_it_from_then_on():
    camera = Camera(DESCRIBE=[reply(401, BASIC, DIGEST), reply(200, body=SDP)])
    camera.talk(dialogue("admin", "secret"))
    assert camera.methods == ["OPTIONS", "DESCRIBE", "DESCRIBE", "SETUP", "PLAY"]
    logins = [request.headers.get("Authorization") or "" for request in camera.asked]
    assert [login[:6] for login in logins] == ["", "", "Digest", "Digest", "Digest"]
    assert [f"nc={n:08x}" in login for n, login in enumerate(logins[2:], 1)] == [True] * 3
    assert "secret" not in "".join(logins)


@pytest.mark.parametrize("challenge", [BASIC, DIGEST])
def test_wrong_password_is_told_after_one_try(challenge):
    camera = Camera(DESCRIBE=[reply(401, challenge)] * 5)
    with pytest.raises(WrongCredentials):
        camera.talk(dialogue("admin", "wrong"))
    assert camera.methods.count("DESCRIBE") == 2


def test_camera_that_refuses_only_options_and_does_not_say_how_to_log_in_is_seen():
    camera = Camera(OPTIONS=reply(401), DESCRIBE=[reply(401, DIGEST), reply(200, body=SDP)])
    assert camera.talk(dialogue("admin", "secret"))
    assert Camera(OPTIONS=reply(401)).talk(dialogue())


def test_nonce_that_grew_old_is_no_wrong_password():
    fresh = ("WWW-Authenticate", 'Digest realm="r", nonce="n2", stale=true')
    camera = Camera(DESCRIBE=[reply(401, DIGEST), reply(401, fresh), reply(200, body=SDP)])
    assert camera.talk(dialogue("admin", "secret"))


def test_camera_that_calls_every_nonce_old_is_not_asked_for_ever():
    """140,000 logins in 20 s, a locked account, and a reader that never told what was wrong."""
    fresh = (reply(401, ("WWW-Authenticate", f'Digest realm="r", nonce="n{number}", stale=true')) for number in range(10))
    camera = Camera(DESCRIBE=[*fresh])
    with pytest.raises(WrongCredentials):
        camera.talk(dialogue("admin", "wrong"))
    assert camera.methods.count("DESCRIBE") == 3


def test_camera_that_gives_every_nonce_once_is_seen():
    fresh = [("WWW-Authenticate", f'Digest realm="r", nonce="n{number}", stale=true') for number in range(3)]
    answers = Camera().answers
    camera = Camera(
        DESCRIBE=[reply(401, DIGEST), answers["DESCRIBE"]],
        SETUP=[reply(401, fresh[0]), answers["SETUP"][0]],
        PLAY=[reply(401, fresh[1]), reply(401, fresh[2]), reply()],
    )
    assert camera.talk(dialogue("admin", "secret"))


def test_keep_alive_answers_a_new_nonce_once():
    one = dialogue("admin", "secret")
    Camera(DESCRIBE=[reply(401, DIGEST), reply(200, body=SDP)]).talk(one)
    one.keep_alive()
    fresh = ("WWW-Authenticate", 'Digest realm="r", nonce="n2"')
    assert 'nonce="n2"' in one.answered(reply(401, fresh)).headers.get("Authorization")
    assert one.answered(reply(401, fresh)) is None


@pytest.mark.parametrize("status", [400, 404, 405, 451, 454, 501, 551])
def test_keep_alive_that_the_camera_announced_but_refuses_is_replaced_before_the_session_ends(status):
    one = dialogue()
    Camera().talk(one)
    assert one.keep_alive().method == "GET_PARAMETER"
    assert one.answered(reply(status)).method == "OPTIONS"
    assert one.answered(reply(status)) is None
    assert one.keep_alive().method == "OPTIONS"


@pytest.mark.parametrize("location", ["rtsp://cam:99999/x", "rtsp://cam:abc/", "rtsp://[cam/x", "//[x/", "rtsp://cam:0/", ""])
def test_redirect_to_an_address_that_is_none_is_told(location):
    with pytest.raises((NotUnderstood, Redirected)) as caught:
        Camera(DESCRIBE=reply(302, ("Location", location))).talk(dialogue())
    assert isinstance(caught.value, NotUnderstood) or caught.value.url == URL


def test_redirect_is_followed_by_whoever_holds_the_socket_and_loses_its_login():
    camera = Camera(DESCRIBE=reply(302, ("Location", "rtsp://other:secret@cam2:8554/main")))
    with pytest.raises(Redirected) as caught:
        camera.talk(dialogue())
    assert caught.value.url == "rtsp://cam2:8554/main"


def test_redirect_out_of_tls_is_not_followed():
    with pytest.raises(NotUnderstood):
        Camera(DESCRIBE=reply(302, ("Location", "rtsp://cam/main"))).talk(dialogue(url="rtsps://cam/live"))


def test_session_without_a_picture_is_told():
    with pytest.raises(NoVideo):
        Camera(SOUND).talk(dialogue())


def test_camera_that_insists_on_udp_is_told_from_one_that_is_broken():
    answer = reply(200, ("Transport", "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001"))
    with pytest.raises(SessionLimit, match="transport is not offered"):
        Camera(SETUP=[answer]).talk(dialogue())


def test_ports_over_udp_whether_or_not_the_camera_tells_its_own():
    asked = []
    ports = lambda kind: asked.append(kind) or (5000, 5001)  # noqa: E731
    told = Camera(SETUP=[reply(200, ("Transport", 'RTP/AVP;unicast;client_port=5000-5001;server_port=6970;source="1.2.3.4"'))])
    playing = told.talk(dialogue(open_ports=ports))
    assert (playing.video.rtp, playing.video.rtcp, playing.video.source) == (6970, 6971, "1.2.3.4")
    assert told.asked[2].headers.get("Transport") == "RTP/AVP;unicast;client_port=5000-5001"
    silent = Camera(SETUP=[reply(200, ("Transport", "RTP/AVP;unicast"))]).talk(dialogue(open_ports=ports))
    assert silent.video.rtp == 0


# Which URL is asked


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        ("rtsp://cam/live", "trackID=1", "rtsp://cam/live/trackID=1"),
        ("rtsp://cam/live/", "trackID=1", "rtsp://cam/live/trackID=1"),
        ("rtsp://cam/live?a=1", "trackID=1", "rtsp://cam/live?a=1/trackID=1"),
        ("rtsp://cam/live", "rtsp://10.0.0.9:554/x/trackID=1", "rtsp://10.0.0.9:554/x/trackID=1"),
        ("rtsp://cam/live", "?ctype=video", "rtsp://cam/live?ctype=video"),
        ("rtsp://cam/live", "/live/trackID=1", "rtsp://cam/live/trackID=1"),
        ("rtsp://cam/live/", "/trackID=1", "rtsp://cam/live/trackID=1"),
        ("rtsp://cam/live", "", "rtsp://cam/live"),
        ("rtsp://cam/live", "*", "rtsp://cam/live"),
    ],
)
def test_control_urls_as_cameras_mean_them(base, control, url):
    assert addressing.control_url(base, control) == url


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (("Content-Base", ""),),
        (("Content-Base", "live/"),),
        (("Content-Base", "/live"),),
        (("Content-Base", "rtsp://[fe80::1/live"),),
    ],
)
def test_base_that_is_none_is_the_url_that_was_asked(fields):
    assert addressing.base_url(URL, Headers(fields)) == URL


# Descriptions as cameras write them


def media(text):
    return description.parse(text.encode()).media


@pytest.mark.parametrize(
    "text",
    [
        "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "m=video 0 RTP/AVP 96\ra=rtpmap: 96 h264/90000\r",
        "m=video 0 RTP/AVP/TCP 96 97\r\na=rtpmap:96  H264/90000/1\r\nnonsense\r\na=\r\n",
        "m=video 0/2 RTP/AVP 35 96\r\na=rtpmap:96 H264/90000\r\n",
        "m=video 0 RTP/AVP \r\na=rtpmap:96 H264/90000\r\n",
        "a=rtpmap:97 X\r\nm=video 5004 RTP/AVP 96\r\nb=AS:5000\r\na=rtpmap:96 H264\r\n",
    ],
)
def test_picture_is_found_in_whatever_cameras_call_a_description(text):
    (one,) = media(text)
    assert (one.kind, one.payload_type, one.encoding, one.clock_rate) == ("video", 96, "H264", 90_000)


def test_static_types_need_no_map():
    assert [(one.encoding, one.clock_rate) for one in media("m=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 26\r\n")] == [
        ("PCMA", 8000),
        ("JPEG", 90_000),
    ]


@pytest.mark.parametrize(
    ("sprop", "units"),
    [
        ("Z0IAKQ==,aM48gA==", [b"\x67\x42\x00\x29", b"\x68\xce\x3c\x80"]),
        ("Z0IAKQ,aM48gA", [b"\x67\x42\x00\x29", b"\x68\xce\x3c\x80"]),
        ("AAAAAWdCACkAAAABaM48gQ==", [b"\x67\x42\x00\x29", b"\x68\xce\x3c\x81"]),
        ("*** ,aM48gA==", [b"\x68\xce\x3c\x80"]),
        ("", []),
    ],
)
def test_parameter_sets_are_read_or_left_out(sprop, units):
    (one,) = media(f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 x=1; sprop-parameter-sets={sprop};y\r\n")
    assert one.parameter_sets() == units


BACK_CHANNEL = "m=audio 0 RTP/AVP 0\r\na=control:back\r\na=sendonly\r\n"


def test_loudspeaker_is_not_taken_for_a_microphone():
    picture = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=recvonly\r\n"
    assert formats.choose_sound(media(picture + BACK_CHANNEL)) is None
    assert formats.choose_sound(media(picture + BACK_CHANNEL + SOUND.decode())).control == "a"
    everything_is = picture.replace("recvonly", "sendonly")
    assert formats.choose_sound(media(everything_is + BACK_CHANNEL)).control == "back", "this camera means itself"


@given(st.binary(max_size=400))
def test_garbage_is_an_empty_description(data):
    for one in description.parse(data + b"\nm=video 0 RTP/AVP 96\n" + data).media:
        one.parameter_sets()
        formats.sound(one)


# Framing


def pieces(data, splits=()):
    framing, out, at = Framing("cam"), [], 0
    framing.channels = frozenset({0, 1})
    for end in [*sorted(splits), len(data)]:
        out += framing.feed(data[at:end])
        at = max(at, end)
    return out


PACKET = Interleaved(0, b"\x80\x60" + bytes(40))
ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nbody"
ASKED = b"OPTIONS rtsp://gateway/ RTSP/1.0\r\nCSeq: 9\r\n\r\n"
MIXED = ANSWER + PACKET.encode() + ANSWER + b"\r\n" + PACKET.encode() + ASKED + b"junk$" + PACKET.encode() * 2


@given(st.lists(st.integers(0, len(MIXED)), max_size=10))
def test_everything_is_found_wherever_tcp_cuts(splits):
    found = pieces(MIXED, splits)
    kinds = [type(piece).__name__ for piece in found]
    assert kinds == ["Response", "tuple", "Response", "tuple", "Request", "tuple", "tuple"]
    assert all(piece[1] == PACKET.payload for piece in found if isinstance(piece, tuple))


@pytest.mark.parametrize(
    "text",
    [b"RTSP/1.0 200 OK\n\n", b"RTSP/2.0  200\r\n\r\n", b"RTSP/1.0 200 OK\r\nno header\r\n: x\r\nCSeq : 1\r\n\r\n"],
)
def test_answers_of_careless_cameras_are_answers(text):
    (one,) = pieces(text)
    assert one.status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"RTSP/1.0 200 OK\r\nX: " + b"y" * (MAX_HEAD_BYTES + 100),
        b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"RTSP/1.0 okay\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        bytes(10_000),
    ],
)
def test_what_cannot_be_rtsp_is_an_error_and_takes_no_memory(data):
    with pytest.raises(ProtocolError):
        pieces(data)


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_raises_nothing_but_errors_of_ours(chunks):
    framing = Framing("cam")
    framing.channels = frozenset({0, 1})
    try:
        for chunk in [ANSWER, *chunks, PACKET.encode()]:
            list(framing.feed(chunk))
    except SourceError:
        pass


def test_request_of_the_camera_is_a_request():
    (_, one) = pieces(ANSWER + ASKED)
    assert isinstance(one, Request)
    assert refusal.of_status(551, "cam", "/").code == "protocol"
