"""The client against a camera with one fault of real cameras at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from gateway.errors import NoVideo, ProtocolError, TimedOut, Unreachable, WrongCredentials
from gateway.onvif.client import MEDIA1_NS, MEDIA2_NS, OnvifClient
from gateway.onvif.deadline import Deadline
from gateway.onvif.resolve import resolve_camera
from gateway.onvif.soap import Credentials
from gateway.onvif.transport import Timeouts

USERNAME, PASSWORD = "viewer", "pass:w/rd#1"
RIGHT = Credentials(USERNAME, PASSWORD)
WRONG = Credentials(USERNAME, "not-the-password")


def ask(camera, credentials=RIGHT, **options):
    return OnvifClient(camera.address, credentials, **options)


def test_describes_a_camera_that_behaves(camera):
    with ask(camera) as client:
        description = client.describe()
    assert (description.manufacturer, description.model) == ("ACME", "C1234")
    assert (description.firmware, description.serial) == ("1.2", "S1")
    main, sub = description.profiles
    assert (main.token, main.codec, main.width, main.height, main.fps) == ("main", "h264", 1920, 1080, 25.0)
    assert (sub.token, sub.bitrate, sub.source) == ("sub", 4_096_000, "VS1")


def test_resolve_gives_both_streams_without_credentials(camera):
    camera.stream_uri = lambda token: f"rtsp://viewer:secret@10.9.8.7:554/{token}?username=viewer&amp;x=1"
    resolved = resolve_camera(camera.address, USERNAME, PASSWORD)
    assert resolved.main_url == "rtsp://127.0.0.1:554/main?x=1"
    assert resolved.sub_url == "rtsp://127.0.0.1:554/sub?x=1"
    assert resolved.main_profile.token == "main"
    assert resolved.sub_profile is not None


def test_resolve_does_not_pull_one_stream_twice(camera):
    camera.stream_uri = lambda token: "rtsp://10.9.8.7/only"
    resolved = resolve_camera(camera.address, USERNAME, PASSWORD)
    assert (resolved.sub_url, resolved.sub_profile) == (None, None)


def test_resolve_names_the_profiles_there_are(camera):
    with pytest.raises(NoVideo, match=r"127\.0\.0\.1:\d+: the camera has no profile 'p9'; it has main, sub"):
        resolve_camera(camera.address, USERNAME, PASSWORD, profile="p9")


@pytest.mark.quirk(24)
@pytest.mark.parametrize(
    "xaddr",
    [
        lambda path: f"http://10.9.8.7:80{path}",
        lambda path: f"http://0.0.0.0:8080{path}",
        lambda path: f"http://{path}",
        lambda path: f"http://10.9.8.7:8106:8106{path}",
        lambda path: f"https://[fe80::1]{path}",
        lambda path: path,
    ],
    ids=["behind NAT", "0.0.0.0", "empty host", "port twice", "link-local https", "path only"],
)
def test_services_at_addresses_that_cannot_be_reached(camera, xaddr):
    camera.xaddr = xaddr
    with ask(camera) as client:
        assert client.services()[MEDIA1_NS] == f"http://{camera.address}/onvif/Media"
        assert len(client.profiles()) == 2


@pytest.mark.quirk(14)
def test_clock_years_off_is_followed(camera):
    camera.clock_offset_s = -86400 * 3650 - 437
    with ask(camera) as client:
        assert len(client.profiles()) == 2
        assert client.clock_offset_s == pytest.approx(camera.clock_offset_s, abs=2)
    assert camera.attempts() == 1


@pytest.mark.quirk(16)
def test_local_time_reported_as_utc(camera):
    camera.reported_offset_s = 8 * 3600
    with ask(camera) as client:
        assert len(client.profiles()) == 2
    assert camera.attempts() == 2


@pytest.mark.quirk(15)
def test_time_only_for_known_users_uses_the_date_header(camera):
    camera.time_needs_password = True
    camera.clock_offset_s = -1000
    with ask(camera) as client:
        assert len(client.profiles()) == 2


@pytest.mark.parametrize(
    "date_xml",
    [
        "",
        "<t:UTCDateTime><t:Time><t:Hour>0</t:Hour></t:Time></t:UTCDateTime>",
        "<t:UTCDateTime><t:Time><t:Hour>x</t:Hour><t:Minute>61</t:Minute><t:Second>16</t:Second></t:Time>"
        "<t:Date><t:Year>0000</t:Year><t:Month>00</t:Month><t:Day>00</t:Day></t:Date></t:UTCDateTime>",
    ],
    ids=["missing", "half", "0000-00-00"],
)
def test_dates_that_make_no_sense_are_ignored(camera, date_xml):
    camera.date_xml = date_xml
    with ask(camera) as client:
        assert len(client.profiles()) == 2
        assert client.clock_offset_s == pytest.approx(0, abs=2)


@pytest.mark.quirk(19)
def test_http_digest_only_camera_gets_one_password(camera):
    camera.auth = "digest"
    camera.services_need_password = True
    with ask(camera) as client:
        client.describe()
        client.stream_uri("main")
    signed = [request for request in camera.requests if request.carries_password]
    assert all("authorization" in request.headers for request in signed), "no attempt without HTTP Digest"


def test_http_digest_asked_for_only_by_the_media_service(camera):
    camera.auth = "digest"
    with ask(camera) as client:
        assert len(client.profiles()) == 2
    assert camera.attempts() == 1


def test_http_digest_nonce_that_expires(camera):
    camera.auth = "digest"
    with ask(camera) as client:
        client.profiles()
        camera.nonce = "n2"
        assert client.stream_uri("main") == "rtsp://127.0.0.1:554/main"


@pytest.mark.parametrize("html", [False, True], ids=["Fault", "HTML 401"])
def test_wrong_password_is_sent_exactly_once(camera, html):
    camera.html_refusal = html
    with ask(camera, WRONG) as client:
        for _ in range(3):
            with pytest.raises(WrongCredentials) as caught:
                client.describe()
    assert str(caught.value) == f"{camera.address}: the camera refused the user name or password (ONVIF)"
    assert camera.attempts() == 1


@pytest.mark.parametrize("early", [True, False])
def test_wrong_password_with_http_digest_is_sent_once_wherever_it_is_asked_for(camera, early):
    camera.auth = "digest"
    camera.services_need_password = early
    with ask(camera, WRONG) as client, pytest.raises(WrongCredentials):
        client.profiles()
    assert camera.attempts() == 1


def test_wrong_password_with_a_clock_off_by_a_time_zone(camera):
    camera.clock_offset_s = 3600
    with ask(camera, WRONG) as client, pytest.raises(WrongCredentials):
        client.profiles()
    assert camera.attempts() == 2


@pytest.mark.quirk(21)
def test_attempts_left_are_passed_on(camera):
    camera.fault_xml = (
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>Authority failure, "
        "you still have 3 attempt(s) not-the-password</s:Text></s:Reason></s:Fault>"
    )
    with ask(camera, WRONG) as client, pytest.raises(WrongCredentials, match="still have 3 attempt") as caught:
        client.profiles()
    assert "not-the-password" not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>Wsse authorized time check failed"
        "</s:Text></s:Reason></s:Fault>",
        "<s:Fault><faultcode>ter:NotAuthorized</faultcode><faultstring/></s:Fault>",
        "<Fault><Code><Subcode><Value>wsse:FailedAuthentication</Value></Subcode></Code></Fault>",
    ],
    ids=["text only", "SOAP 1.1", "no namespace"],
)
def test_refusal_without_the_standard_subcode(camera, fault):
    camera.fault_xml = fault
    with ask(camera, WRONG) as client, pytest.raises(WrongCredentials):
        client.profiles()


def test_camera_that_wants_a_password_and_gets_none(camera):
    with ask(camera, None) as client, pytest.raises(WrongCredentials, match="asks for a user name and password"):
        client.profiles()
    assert camera.attempts() == 0


def test_camera_without_a_password(camera):
    camera.auth = "none"
    with ask(camera, None) as client:
        assert len(client.profiles()) == 2


@pytest.mark.quirk(28)
def test_line_breaks_and_entities_in_a_stream_uri(camera):
    camera.stream_uri = lambda token: "\r\n rtsp://10.9.8.7:554/cam/realmonitor?channel=1&amp;amp;subtype=0\r\n\t"
    with ask(camera) as client:
        assert client.stream_uri("main") == "rtsp://127.0.0.1:554/cam/realmonitor?channel=1&subtype=0"


@pytest.mark.quirk(43)
def test_hikvision_extras_are_taken_off_the_stream_uri(camera):
    camera.stream_uri = lambda token: "rtsp://10.9.8.7/Streaming/Channels/101?transportmode=unicast&amp;profile=Profile_1"
    with ask(camera) as client:
        assert client.stream_uri("main") == "rtsp://127.0.0.1/Streaming/Channels/101"


@pytest.mark.quirk(46)
def test_missing_stream_uri(camera):
    camera.stream_uri = lambda token: ""
    with ask(camera) as client, pytest.raises(ProtocolError, match="gives no RTSP address for profile 'main'"):
        client.stream_uri("main")


@pytest.mark.quirk(26)
def test_snapshot_uri_loses_its_credentials(camera):
    with ask(camera) as client:
        assert client.snapshot_uri("main") == f"http://{camera.address}/snap.jpg?ch=1"


@pytest.mark.quirk(44)
def test_snapshot_uri_that_is_rtsp(camera):
    camera.snapshot_uri = "rtsp://10.9.8.7/snap"
    with ask(camera) as client:
        assert client.snapshot_uri("main") is None


def test_garbage_before_the_xml(camera):
    camera.prefix = b"\0\0\x7f\xff garbage \r\n"
    with ask(camera) as client:
        assert len(client.profiles()) == 2


@pytest.mark.quirk(31)
def test_garbage_before_the_status_line(camera):
    camera.http_prefix = b"\0\0\0\r\n<junk>"
    with ask(camera) as client:
        assert len(client.profiles()) == 2


@pytest.mark.quirk(29)
def test_undeclared_prefix_and_missing_namespaces(camera):
    camera.body_override["GetProfiles"] = (
        b'<Envelope><Body><Ter:GetProfilesResponse><Ter:Profiles token="a"><VideoEncoderConfiguration>'
        b"<Encoding>H264</Encoding></VideoEncoderConfiguration></Ter:Profiles></Ter:GetProfilesResponse></Body></Envelope>"
    )
    with ask(camera) as client:
        assert [profile.token for profile in client.profiles()] == ["a"]


@pytest.mark.quirk(30)
def test_broken_device_information_does_not_cost_the_picture(camera):
    camera.body_override["GetDeviceInformation"] = b"<Envelope><Body><GetDevi\xff\xfe"
    with ask(camera) as client:
        description = client.describe()
    assert (description.model, len(description.profiles)) == ("", 2)


@pytest.mark.quirk(34)
def test_get_services_unsupported_falls_back_to_capabilities(camera):
    camera.services_supported = False
    with ask(camera) as client:
        assert len(client.profiles()) == 2
    assert "GetCapabilities" in camera.operations()


@pytest.mark.quirk(41)
def test_media2_only(camera):
    camera.media = ("2",)
    with ask(camera) as client:
        main, _ = client.profiles()
        assert (main.codec, main.width) == ("h265", 3840)
        assert client.stream_uri("main") == "rtsp://127.0.0.1:554/main"
    assert MEDIA1_NS not in client._services


@pytest.mark.quirk(40)
def test_media2_is_preferred_because_media1_hides_h265(camera):
    camera.media = ("1", "2")
    with ask(camera) as client:
        assert client.profiles()[0].codec == "h265"
        assert set(client.services()) >= {MEDIA1_NS, MEDIA2_NS}


def test_media2_that_does_not_work_falls_back_to_media1(camera):
    camera.media = ("1", "2")
    good = camera.do_GetProfiles
    camera.do_GetProfiles = lambda r: camera.unsupported(r) if "Media2" in r.path else good(r)
    with ask(camera) as client:
        assert client.profiles()[0].codec == "h264"
        assert client.stream_uri("main") == "rtsp://127.0.0.1:554/main"


@pytest.mark.quirk(61)
def test_keep_alive_connection_closed_by_the_camera(camera):
    camera.close_after = True
    with ask(camera) as client:
        assert client.describe().model == "C1234"


def test_slow_loris_camera_hits_the_deadline(camera):
    camera.drip = True
    started = time.monotonic()
    with ask(camera, deadline=Deadline(0.3)) as client, pytest.raises(TimedOut, match="did not answer in time"):
        client.profiles()
    assert time.monotonic() - started < 2


def test_silent_camera_hits_the_read_timeout(camera):
    camera.drip = True
    with ask(camera, timeouts=Timeouts(read_s=0.02)) as client, pytest.raises(TimedOut):
        client.profiles()


def test_body_of_three_megabytes_is_refused(camera):
    camera.body_override["GetServices"] = b"<a>" + b"x" * 3_000_000
    with ask(camera) as client, pytest.raises(ProtocolError, match="larger than 2 MB"):
        client.services()


def test_web_server_that_is_not_onvif(camera):
    camera.not_found = True
    with ask(camera) as client, pytest.raises(ProtocolError, match=r"not ONVIF \(HTTP 404\)"):
        client.services()


def test_nothing_listens(camera):
    with OnvifClient("127.0.0.1:1", RIGHT) as client, pytest.raises(Unreachable, match="nothing listens on port 1"):
        client.services()


@pytest.mark.parametrize("address", ["", "rtsp://admin:hunter2@10.0.0.5/x", "http://admin:hunter2@/x"])
def test_address_that_is_none_is_a_camera_that_cannot_be_reached(address):
    with pytest.raises(Unreachable, match="address") as caught:
        resolve_camera(address, "a", "b")
    assert "hunter2" not in str(caught.value)


def test_address_from_discovery_is_used_when_no_port_is_typed(camera):
    known = [f"http://10.9.8.7:{camera.port}/onvif/device_service"]
    with OnvifClient("127.0.0.1", RIGHT, known_xaddrs=known) as client:
        assert client.services()[MEDIA1_NS] == f"http://{camera.address}/onvif/Media"


def test_synchronization_point(camera):
    with ask(camera) as client:
        client.set_synchronization_point("main")
    assert "ProfileToken>main<" in camera.requests[-1].body


def test_sixteen_cameras_at_once_share_the_wsdl_files(camera):
    results = []

    def work():
        results.append(resolve_camera(camera.address, USERNAME, PASSWORD).main_url)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == ["rtsp://127.0.0.1:554/main"] * 16


def test_importing_loads_no_zeep():
    code = "import sys, gateway.onvif.resolve, gateway.onvif.discovery; sys.exit('zeep' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
