"""The RTSP state machine, request by request, without a socket."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http.authenticator import Authenticator, RefuseAll, Verdict
from gateway.media.track import Codec, TrackConfig
from gateway.rtsp.message import Headers, Request, Response
from gateway.rtsp.sdp import Offer, offer_tracks
from gateway.rtsp.session import GRACE_S, MAX_REFUSALS, TIMEOUT_S, Found, Lookup, Session, SetupTrack, State
from gateway.rtsp.transport import InterleavedChannels, UdpPorts

PCMU = TrackConfig(Codec.PCMU, 8000, b"", "", sample_rate=8000, channels=1)
H264 = TrackConfig(Codec.H264, 90_000, b"\x01\x42\x00\x1f\xff\xe1\x00\x01\x67\x01\x00\x01\x68", "")
TWO_TRACKS = offer_tracks((H264, PCMU))
URI = "rtsp://h/x"
TCP = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
UDP = {"Transport": "RTP/AVP;unicast;client_port=5000-5001"}


class FakeHost:
    def __init__(self) -> None:
        self.room = True
        self.ports = True
        self.first: float | None = 2.0
        self.calls: list[str] = []

    def admit(self) -> bool:
        self.calls.append("admit")
        return self.room

    def open_ports(self, track_id: int, client: UdpPorts) -> UdpPorts | None:
        return UdpPorts(6000 + 2 * track_id, 6001 + 2 * track_id) if self.ports else None

    def start(self, tracks: Sequence[SetupTrack], offer: Offer) -> float | None:
        self.calls.append("start")
        return self.first

    def pause(self) -> None:
        self.calls.append("pause")

    def release(self) -> None:
        self.calls.append("release")


class Viewer:
    """Sends requests and answers lookups with `found`."""

    def __init__(self, found: Found = TWO_TRACKS, gate: Authenticator | RefuseAll | None = None) -> None:
        self.host = FakeHost()
        self.found = found
        self.gate = gate
        self.now = 0.0
        self.lookups: list[str] = []
        self.session = Session(self.host, lambda: self.gate, address="192.0.2.1", now=0.0)

    def ask(self, method: str, uri: str = URI, headers: dict[str, str] | None = None, body: bytes = b"") -> Response:
        fields = {"CSeq": "3"} | (headers or {})
        outcome = self.session.receive(Request(method, uri, Headers(fields.items()), body), self.now)
        if isinstance(outcome, Lookup):
            self.lookups.append(outcome.target.path)
            outcome = self.session.resume(outcome, self.found)
        return outcome

    def setup(self, track_id: int, transport: dict[str, str]) -> Response:
        return self.ask("SETUP", f"{URI}/trackID={track_id}", transport | self.named())

    def named(self) -> dict[str, str]:
        return {"Session": self.session.id} if self.session.id else {}

    def playing(self, transport: dict[str, str] = TCP) -> Viewer:
        assert self.ask("DESCRIBE").status == 200
        assert self.setup(0, transport).status == 200
        assert self.ask("PLAY", URI, self.named()).status == 200
        return self


def test_a_whole_session() -> None:
    viewer = Viewer()
    options = viewer.ask("OPTIONS")
    assert options.headers.get("Public") is not None
    assert options.headers.get("CSeq") == "3"
    described = viewer.ask("DESCRIBE")
    assert described.headers.get("Content-Base") == URI + "/"
    assert described.headers.get("Content-Type") == "application/sdp"
    assert described.body.count(b"m=") == 2
    first = viewer.setup(0, TCP)
    assert (first.headers.get("Transport") or "").startswith("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=")
    assert first.headers.get("Session") == f"{viewer.session.id};timeout=60"
    assert viewer.setup(1, {"Transport": "RTP/AVP/TCP;interleaved=2-3"}).status == 200
    played = viewer.ask("PLAY", URI, viewer.named())
    assert viewer.session.state is State.PLAYING
    assert viewer.lookups == ["/x"], "set-ups after DESCRIBE must not look the stream up again"
    video, audio = (played.headers.get("RTP-Info") or "").split(",")
    sender = viewer.session.tracks[0].sender
    assert video == f"url={URI}/trackID=0;seq={sender.sequence};rtptime={sender.timestamp(180_000)}"
    assert audio.endswith(f"rtptime={viewer.session.tracks[1].sender.timestamp(16_000)}"), "the same moment, 2 s"
    assert viewer.ask("TEARDOWN", URI, viewer.named()).status == 200
    assert viewer.session.state is State.INIT
    assert viewer.host.calls == ["admit", "start", "release"]


def test_without_a_frame_rtp_info_names_no_time() -> None:
    viewer = Viewer()
    viewer.host.first = None
    viewer.setup(0, TCP)
    assert "rtptime" not in (viewer.ask("PLAY", URI, viewer.named()).headers.get("RTP-Info") or "rtptime")


def test_setup_without_describe_looks_the_stream_up() -> None:
    viewer = Viewer()
    assert viewer.setup(1, TCP).status == 200
    assert viewer.lookups == ["/x"]


def test_what_is_not_there_is_404_and_what_does_not_run_is_503() -> None:
    for status in (404, 415, 503):
        viewer = Viewer(status)
        assert viewer.ask("DESCRIBE").status == status
        assert viewer.setup(0, TCP).status == status
    assert Viewer().setup(7, TCP).status == 404


def test_methods_of_other_servers_are_405_and_unknown_ones_501() -> None:
    announced = Viewer().ask("ANNOUNCE")
    assert announced.status == 405
    assert "DESCRIBE" in (announced.headers.get("Allow") or "")
    assert Viewer().ask("BREW").status == 501


def test_a_request_without_cseq_is_400() -> None:
    outcome = Viewer().session.receive(Request("OPTIONS", "*"), 0.0)
    assert isinstance(outcome, Response)
    assert outcome.status == 400


def test_an_onvif_back_channel_is_refused_by_name() -> None:
    response = Viewer().ask("DESCRIBE", URI, {"Require": "www.onvif.org/ver20/backchannel"})
    assert (response.status, response.headers.get("Unsupported")) == (551, "www.onvif.org/ver20/backchannel")


def test_describe_for_another_format_is_406() -> None:
    assert Viewer().ask("DESCRIBE", URI, {"Accept": "text/plain"}).status == 406
    assert Viewer().ask("DESCRIBE", URI, {"Accept": "application/sdp, */*"}).status == 200


def test_transports_that_are_not_served_are_461() -> None:
    assert Viewer().setup(0, {"Transport": "RTP/AVP;multicast"}).status == 461
    assert Viewer().ask("SETUP", URI + "/trackID=0").status == 400
    viewer = Viewer()
    viewer.setup(0, TCP)
    assert viewer.setup(1, UDP).status == 461, "one session does not mix TCP and UDP"


def test_udp_names_both_ends_ports() -> None:
    response = Viewer().setup(1, UDP)
    expected = "RTP/AVP;unicast;client_port=5000-5001;server_port=6002-6003;ssrc="
    assert (response.headers.get("Transport") or "").startswith(expected)


def test_no_udp_port_left_is_503_and_gives_the_place_back() -> None:
    viewer = Viewer()
    viewer.host.ports = False
    assert viewer.setup(0, UDP).status == 503
    assert viewer.host.calls == ["admit", "release"]


def test_a_full_camera_is_453() -> None:
    viewer = Viewer()
    viewer.host.room = False
    assert viewer.setup(0, TCP).status == 453
    assert viewer.session.id == ""


def test_setting_up_the_presentation_is_459_unless_it_has_one_track() -> None:
    assert Viewer().ask("SETUP", URI, TCP).status == 459
    assert Viewer(offer_tracks((PCMU,))).ask("SETUP", URI, TCP).status == 200


def test_a_taken_channel_is_replaced_by_a_free_one() -> None:
    viewer = Viewer()
    viewer.setup(0, TCP)
    assert viewer.setup(1, TCP).status == 200
    assert viewer.session.tracks[1].channels == InterleavedChannels(2, 3)
    assert viewer.setup(1, {"Transport": "RTP/AVP/TCP;unicast"}).status == 200


def test_requests_without_or_with_a_wrong_session_are_454() -> None:
    viewer = Viewer()
    assert viewer.ask("PLAY").status == 454
    viewer.setup(0, TCP)
    assert viewer.ask("PLAY").status == 454
    for method in ("PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SETUP"):
        response = viewer.ask(method, URI, {"Session": "other"} | TCP)
        assert response.status == 454
        assert response.headers.get("Session") is None


def test_requests_in_the_wrong_state_are_455() -> None:
    viewer = Viewer().playing()
    assert viewer.setup(1, TCP).status == 455
    assert viewer.ask("DESCRIBE", "rtsp://h/other").status == 455
    assert viewer.ask("PLAY", URI, viewer.named()).status == 200, "a second PLAY changes nothing"
    assert viewer.host.calls.count("start") == 1


def test_pause_and_play_again() -> None:
    viewer = Viewer().playing()
    assert viewer.ask("PAUSE", URI, viewer.named()).status == 200
    assert viewer.session.state is State.READY
    assert viewer.ask("PLAY", URI, viewer.named()).status == 200
    assert viewer.host.calls == ["admit", "start", "pause", "start"]


def test_parameters_are_a_ping_and_nothing_else() -> None:
    viewer = Viewer()
    assert viewer.ask("GET_PARAMETER").status == 200
    assert viewer.ask("SET_PARAMETER", URI, body=b"zoom: 3\r\n").status == 451


def test_a_query_lost_on_the_way_to_setup_is_forgiven_and_another_one_is_another_stream() -> None:
    viewer = Viewer()
    assert viewer.ask("DESCRIBE", "rtsp://h/cam?channel=1").status == 200
    assert viewer.ask("SETUP", "rtsp://h/cam/trackID=0", TCP).status == 200
    assert viewer.lookups == ["/cam"]
    other = Viewer()
    other.ask("DESCRIBE", "rtsp://h/cam?channel=1")
    other.ask("SETUP", "rtsp://h/cam?channel=2/trackID=0", TCP)
    assert other.lookups == ["/cam", "/cam"]


def test_nothing_is_looked_up_for_a_stranger() -> None:
    viewer = Viewer(gate=Authenticator({"admin": "pw"}))
    response = viewer.ask("DESCRIBE")
    assert response.status == 401
    assert [one.split()[0] for one in response.headers.get_all("WWW-Authenticate")] == ["Digest", "Basic"]
    assert viewer.setup(0, TCP).status == 401
    assert viewer.lookups == []
    assert viewer.ask("OPTIONS").status == 200
    assert viewer.ask("DESCRIBE", URI, {"Authorization": "Basic YWRtaW46cHc="}).status == 200


def test_login_can_be_refused_from_one_moment_to_the_next_and_guessing_ends_the_connection() -> None:
    viewer = Viewer(gate=Authenticator({"admin": "pw"}))
    good = {"Authorization": "Basic YWRtaW46cHc="}
    assert viewer.ask("DESCRIBE", URI, good).status == 200
    viewer.gate = RefuseAll()
    for _ in range(MAX_REFUSALS):
        assert not viewer.session.closing
        assert viewer.ask("DESCRIBE", URI, good).status == 401
    assert viewer.session.closing


def test_a_silent_udp_viewer_expires_and_any_sign_of_life_prevents_it() -> None:
    viewer = Viewer().playing(UDP)
    late = TIMEOUT_S + GRACE_S + 1.0
    assert viewer.session.expired(late)
    viewer.session.touch(30.0)
    assert not viewer.session.expired(late)
    viewer.now = 90.0
    viewer.ask("GET_PARAMETER", URI, viewer.named())
    assert not viewer.session.expired(90.0 + TIMEOUT_S)


def test_a_tcp_viewer_that_only_reads_does_not_expire_but_one_that_does_not_play_does() -> None:
    assert not Viewer().playing(TCP).session.expired(10_000.0)
    viewer = Viewer()
    viewer.setup(0, TCP)
    assert viewer.session.expired(10_000.0)


@settings(deadline=None)  # a loaded machine is not a defect
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "TEARDOWN", "RECORD"]),
            st.sampled_from([URI, URI + "/trackID=0", URI + "/trackID=1", URI + "/trackID=9", "*", "rtsp://h/y"]),
            st.sampled_from([{}, TCP, UDP, {"Transport": "nonsense"}]),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_no_order_of_requests_breaks_the_session(steps: list[tuple[str, str, dict[str, str], bool]]) -> None:
    viewer = Viewer()
    for method, uri, headers, named in steps:
        response = viewer.ask(method, uri, headers | (viewer.named() if named else {}))
        assert 200 <= response.status < 600
        response.encode()
        assert bool(viewer.session.id) is (viewer.session.state is not State.INIT)
    viewer.session.end()
    assert viewer.host.calls[-1] == "release"


class TokenGate(RefuseAll):
    """Lets in who shows this token in the address."""

    def __init__(self) -> None:
        super().__init__()
        self.valid = True

    def check(self, method: str, uri: str, authorization: str | None) -> Verdict:
        if self.valid and "token=good" in uri:
            return Verdict.GRANTED
        return super().check(method, uri, authorization)

    def still(self, method: str, uri: str, authorization: str | None) -> bool:
        return self.check(method, uri, authorization) is Verdict.GRANTED


def test_a_viewer_whose_token_was_revoked_is_noticed_and_one_without_a_gate_is_not():
    gate = TokenGate()
    viewer = Viewer(gate=gate)  # type: ignore[arg-type]
    assert viewer.ask("DESCRIBE", f"{URI}?token=good").status == 200
    assert viewer.ask("SETUP", f"{URI}?token=good/trackID=0", TCP).status == 200
    assert not viewer.session.withdrawn()
    gate.valid = False
    assert viewer.session.withdrawn()
    assert not Viewer().playing().session.withdrawn()
    assert not Viewer(gate=gate).session.withdrawn()  # type: ignore[arg-type]


def test_a_revoked_token_does_not_go_on_behind_an_authorization_field_that_means_nothing_or_a_token_for_another_stream():
    gate = TokenGate()
    viewer = Viewer(gate=gate)  # type: ignore[arg-type]
    bogus = {"Authorization": "Basic bm9ib2R5"}
    first = f"{URI}?token=good"
    assert viewer.ask("SETUP", f"{first}/trackID=0", TCP | bogus).status == 200
    assert viewer.ask("PLAY", "rtsp://h/y?token=good", viewer.named() | bogus).status == 200
    gate.check = lambda method, uri, authorization: (  # type: ignore[method-assign]
        Verdict.GRANTED if uri.startswith("rtsp://h/y") else Verdict.REFUSED
    )
    assert viewer.session.withdrawn()
    assert viewer.ask("SETUP", "rtsp://h/y?token=good/trackID=0", TCP | viewer.named()).status == 455
    assert viewer.session.withdrawn(), "a request that changes nothing is no reason to stay"


def test_a_camera_lets_a_viewer_with_a_login_go_on():
    gate = Authenticator({"u": "p"})
    viewer = Viewer(gate=gate)
    login = {"Authorization": "Basic dTpw"}
    assert viewer.ask("SETUP", f"{URI}/trackID=0", TCP | login).status == 200
    viewer.gate = RefuseAll()
    assert not viewer.session.withdrawn()
