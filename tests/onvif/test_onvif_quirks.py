"""One fault of real cameras at a time, where the test of the module concerned has not shown it already.

`design/onvif-quirks.md` lists them all; the last test holds that enough of them are guarded.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

from gateway.errors import ProtocolError, Unreachable, WrongCredentials
from gateway.onvif import addresses
from gateway.onvif.client import MEDIA1_NS, MEDIA2_NS, OnvifClient
from gateway.onvif.resolve import resolve_camera
from gateway.onvif.soap import Credentials

USERNAME, PASSWORD = "viewer", "pass:w/rd#1"
RIGHT = Credentials(USERNAME, PASSWORD)
TESTS = Path(__file__).resolve().parents[1]
LEAST_QUIRKS = 30


def ask(camera, credentials=RIGHT, **options):
    return OnvifClient(camera.address, credentials, **options)


@pytest.mark.quirk(1)
def test_addresses_of_the_lan_behind_nat_are_reached_through_the_host_that_was_typed(camera):
    camera.stream_uri = lambda token: f"rtsp://192.168.1.64:554/{token}"
    camera.snapshot_uri = "http://192.168.1.64/snap.jpg"
    with ask(camera) as client:
        assert client.services()[MEDIA1_NS] == f"http://{camera.address}/onvif/Media"
        assert client.stream_uri("main") == "rtsp://127.0.0.1:554/main"
        assert client.snapshot_uri("main") == f"http://{camera.address}/snap.jpg"


@pytest.mark.quirk(11)
def test_port_that_stands_twice_in_a_service_address(camera):
    camera.xaddr = lambda path: f"http://127.0.0.1:{camera.port}:{camera.port}{path}"
    with ask(camera) as client:
        assert len(client.profiles()) == 2


@pytest.mark.quirk(12)
def test_service_address_without_a_host(camera):
    camera.xaddr = lambda path: f"http://{path}"
    with ask(camera) as client:
        assert len(client.profiles()) == 2


@pytest.mark.quirk(13)
@pytest.mark.parametrize(
    ("uri", "host", "expected"),
    [
        ("rtsp://::ffff:192.168.1.123/main", "192.168.1.123", "rtsp://192.168.1.123/main"),
        ("rtsp://fd00::20:554/main", "fd00::20", "rtsp://[fd00::20]"),
        ("rtsp://rtsp://10.0.0.5/main", "10.0.0.5", "rtsp://10.0.0.5/main"),
        ("10.0.0.5:1935/main", "10.0.0.5", "rtsp://10.0.0.5:1935/main"),
    ],
)
def test_stream_uri_with_ipv6_without_brackets_with_the_scheme_twice_or_without_one(uri, host, expected):
    assert addresses.clean_stream_uri(uri, host).startswith(expected)


@pytest.mark.quirk(17)
def test_camera_that_tells_only_its_local_time_and_zone(camera):
    camera.clock_offset_s = 7200.0  # signatures are checked with a clock that is two hours fast
    local = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=7200, hours=8)
    camera.date_xml = (
        "<t:TimeZone><t:TZ>CST-8</t:TZ></t:TimeZone><t:LocalDateTime>"
        f"<t:Time><t:Hour>{local.hour}</t:Hour><t:Minute>{local.minute}</t:Minute><t:Second>{local.second}</t:Second></t:Time>"
        f"<t:Date><t:Year>{local.year}</t:Year><t:Month>{local.month}</t:Month><t:Day>{local.day}</t:Day></t:Date>"
        "</t:LocalDateTime>"
    )
    with ask(camera) as client:
        assert len(client.profiles()) == 2
    assert camera.attempts() == 1


@pytest.mark.quirk(18)
def test_signature_time_is_zulu_with_whole_seconds_because_hikvision_refuses_others(camera):
    with ask(camera) as client:
        client.profiles()
    signed = next(request.body for request in camera.requests if request.carries_password)
    assert re.search(r"<wsu:Created>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ</wsu:Created>", signed)


@pytest.mark.quirk(20)
def test_user_of_the_web_page_who_is_no_onvif_user_is_told_so(camera):
    camera.username = "onvif-user"
    with ask(camera) as client, pytest.raises(WrongCredentials, match=r"refused the user name or password \(ONVIF\)"):
        client.profiles()
    assert camera.attempts() == 1


@pytest.mark.quirk(23)
@pytest.mark.parametrize("credentials", [None, Credentials("", "")])
def test_camera_that_wants_no_login_or_an_empty_one(camera, credentials):
    camera.auth = "none" if credentials is None else "wsse"
    camera.username = camera.password = ""
    with ask(camera, credentials) as client:
        assert len(client.profiles()) == 2


@pytest.mark.quirk(27)
def test_https_with_a_certificate_of_its_own_making(camera, tmp_path):
    camera.certificate = str(self_signed(tmp_path / "camera.pem"))
    with OnvifClient(f"https://{camera.address}", RIGHT) as client:
        assert len(client.profiles()) == 2


@pytest.mark.quirk(32)
def test_camera_that_breaks_on_addressing_headers(camera):
    camera.breaks_on_addressing = True
    with ask(camera) as client:
        client.describe()
        client.set_synchronization_point("main")


@pytest.mark.quirk(35)
def test_operations_that_exist_at_their_own_service_only(camera):
    camera.strict_paths = True
    with ask(camera) as client:
        assert client.describe().model == "C1234"
        assert client.stream_uri("main")


@pytest.mark.quirk(36)
def test_network_interfaces_that_are_not_told_cost_nothing(camera):
    with ask(camera) as client:
        assert client.hardware_addresses() == ()
        assert client.describe().serial == "S1"
    camera.hardware_address = "C0-56-E3-01-02-03"
    with ask(camera) as client:
        assert client.hardware_addresses() == ("c0:56:e3:01:02:03",)


@pytest.mark.quirk(37)
def test_onvif_on_an_unusual_port_is_found_among_the_usual_ones(camera, monkeypatch):
    monkeypatch.setattr(addresses, "USUAL_PORTS", (1, 2, camera.port, 3))
    with OnvifClient("127.0.0.1", RIGHT) as client:
        assert len(client.profiles()) == 2
        assert client.place == ("127.0.0.1", camera.port)


@pytest.mark.quirk(38)
def test_onvif_that_is_switched_off_is_suggested(camera, monkeypatch):
    monkeypatch.setattr(addresses, "USUAL_PORTS", (1, 2))
    with pytest.raises(Unreachable, match=r"nothing answers on port 1, 2; is the camera on, with ONVIF switched on\?"):
        resolve_camera("127.0.0.1", USERNAME, PASSWORD)
    camera.not_found = True
    monkeypatch.setattr(addresses, "USUAL_PORTS", (1, camera.port))
    with pytest.raises(ProtocolError, match=r"is ONVIF switched on in the camera\?"):
        resolve_camera("127.0.0.1", USERNAME, PASSWORD)


@pytest.mark.quirk(45)
def test_snapshot_uri_that_is_a_fault(camera):
    camera.snapshot_fault = True
    with ask(camera) as client:
        assert client.snapshot_uri("main") is None


@pytest.mark.quirk(47)
def test_stream_uri_of_dahua_keeps_its_own_parameters(camera):
    camera.stream_uri = lambda token: (
        "rtsp://10.9.8.7:554/cam/realmonitor?channel=1&amp;subtype=0&amp;unicast=true&amp;proto=Onvif"
    )
    with ask(camera) as client:
        expected = "rtsp://127.0.0.1:554/cam/realmonitor?channel=1&subtype=0&unicast=true&proto=Onvif"
        assert client.stream_uri("main") == expected


def test_stranger_is_looked_at_before_the_password_is_sent_and_not_after(camera):
    looked = []

    def look(url):
        looked.append((url, camera.attempts()))

    with ask(camera, before_password=look) as client:
        client.describe()
        client.stream_uri("main")
    ((url, attempts_before),) = looked
    assert (addresses.split(url).effective_port, attempts_before) == (camera.port, 0)
    assert any(request.operation == "GetSystemDateAndTime" for request in camera.requests)


def test_introduction_carries_no_password_and_says_whether_one_is_needed(camera):
    with ask(camera, None) as client:
        assert client.introduce().needs_password
    camera.auth = "none"
    with ask(camera, None) as client:
        introduction = client.introduce()
    assert (introduction.manufacturer, introduction.serial, introduction.needs_password) == ("ACME", "S1", False)
    assert camera.attempts() == 0


def test_media_services_are_both_known_by_their_namespace(camera):
    camera.media = ("1", "2")
    with ask(camera) as client:
        assert {MEDIA1_NS, MEDIA2_NS} <= set(client.services())


def test_at_least_thirty_quirks_are_guarded_and_each_by_a_test_of_its_own():
    marked: dict[int, list[str]] = {}
    for file in (TESTS / "onvif").glob("test_*.py"), (TESTS / "sources").glob("test_*.py"):
        for path in file:
            text = path.read_text(encoding="utf-8")
            for found in re.finditer(
                r"((?:^@pytest\.mark\.quirk\(\d+\)\n)+)(?:@(?:.|\n)*?)?^def (test_\w+)", text, re.MULTILINE
            ):
                for number in re.findall(r"\d+", found[1]):
                    marked.setdefault(int(number), []).append(found[2])
    assert len(marked) >= LEAST_QUIRKS, sorted(marked)
    assert all(len(tests) == 1 for tests in marked.values())
    page = (TESTS.parent / "design" / "onvif-quirks.md").read_text(encoding="utf-8")
    named = {int(number): test for number, test in re.findall(r"^\| (\d+) \|.*`(test_\w+)`", page, re.MULTILINE)}
    assert named == {number: tests[0] for number, tests in marked.items()}


def self_signed(path: Path) -> Path:
    """A key and a certificate such as a camera makes at its first start."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "IPC")])
    start = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path
