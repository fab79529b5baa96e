"""Files on disk to one configuration."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.load import load
from gateway.config.model import (
    Camera,
    Config,
    HostPort,
    Listen,
    Onvif,
    Publish,
    Push,
    Secret,
    StreamChoice,
    SubPolicy,
    Transport,
)
from gateway.errors import ConfigError

from .conftest import Folder

SHIPPED = Path(__file__).parents[2] / "config.yaml"


def test_the_shipped_file_is_valid_and_is_the_defaults() -> None:
    assert load(SHIPPED, {}) == Config(data_dir=SHIPPED.parent / "data")


def test_the_examples_of_the_shipped_file_are_valid_when_uncommented(folder: Folder) -> None:
    (folder.path / "yard.password").write_text("s3cret\n")
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    text = "\n".join(re.sub(r"^#((?:  )*[^\s#])", r"\1", line) for line in lines)  # prose stands after one space
    folder.environ = {
        "CAMERA_PASSWORD": "one",
        "FRONT_DOOR_PASSWORD": "two",
        "TUBE_KEY": "three",
        "NVR_PASSWORD": "four",
        "HOOK_SECRET": "five",
    }
    config = folder.load(text)
    assert [camera.id for camera in config.cameras] == ["front-door", "yard", "gate"]
    assert config.discovery.credentials[0].password.reveal() == "one"
    assert config.cameras[1].password == Secret("s3cret")
    # off by default; the lines are examples
    assert config.listen == Listen(rtmps=HostPort("0.0.0.0", 1936), rtsp=HostPort("0.0.0.0", 8554))
    assert config.onvif == Onvif(True, "nvr", Secret("four"))
    assert (config.hls, config.rtsp) == (Config().hls, Config().rtsp)


def test_an_empty_file_is_the_defaults(folder: Folder) -> None:
    assert folder.load("") == folder.load("# nothing\n") == Config(data_dir=folder.path / "data")


def test_every_value_arrives(folder: Folder) -> None:
    (folder.path / "pw").write_text("from file\n")
    folder.environ = {"KEY": "k:e@y", "PW": "p/w"}
    config = folder.load("""\
        site: Warehouse 3
        listen: {https: "[::]:9443", http: off, rtmp: "127.0.0.1:0", rtsp: "[::]:8554"}
        data_dir: state
        discovery: {enabled: no, interval: 2m, credentials: [{username: admin, password_file: pw}]}
        rtsp: {transport: auto, open_timeout: 8s, read_timeout: 3s}
        hls: {part: 500ms, segment: 4s, window: 24s}
        auth: {anonymous_viewing: true}
        onvif: {listen: "[::]:8001", username: nvr, password_file: pw}
        cameras:
          front-door:
            name: "Front door"
            address: 192.168.10.215:8000
            username: admin
            password: "${PW}"
            profile: P1
            sub_profile: P2
          yard:
            enabled: false
            rtsp: RTSP://admin:12345@192.168.10.216/h264/ch1/main/av_stream
            sub: rtsp://192.168.10.216/h264/ch1/sub/av_stream
            sub_policy: always
            transport: udp
            audio: false
          phone:
            publish: {key: "${KEY}"}
    """)
    assert config.site == "Warehouse 3"
    assert config.listen == Listen(HostPort("::", 9443), None, HostPort("127.0.0.1", 0), rtsp=HostPort("::", 8554))
    assert config.data_dir == folder.path / "state"
    assert (config.discovery.enabled, config.discovery.interval_s) == (False, 120.0)
    assert config.discovery.credentials[0].password == Secret("from file")
    assert (config.rtsp.transport, config.rtsp.open_timeout_s, config.rtsp.read_timeout_s) == (Transport.AUTO, 8.0, 3.0)
    assert (config.hls.part_s, config.hls.segment_s, config.hls.window_s) == (0.5, 4.0, 24.0)
    assert config.auth.anonymous_viewing
    assert config.onvif == Onvif(False, "nvr", Secret("from file"), HostPort("::", 8001))
    assert config.cameras == (
        Camera(
            "front-door",
            "Front door",
            address="192.168.10.215:8000",
            username="admin",
            password=Secret("p/w"),
            profile="P1",
            sub_profile="P2",
        ),
        Camera(
            "yard",
            "yard",
            enabled=False,
            rtsp="rtsp://192.168.10.216/h264/ch1/main/av_stream",
            sub="rtsp://192.168.10.216/h264/ch1/sub/av_stream",
            username="admin",
            password=Secret("12345"),
            transport=Transport.UDP,
            sub_policy=SubPolicy.ALWAYS,
            audio=False,
        ),
        Camera("phone", "phone", publish=Publish(Secret("k:e@y"))),
    )


@pytest.mark.parametrize("written", ["12345", "012345", "0x1F", "1_000", "1e5", "12:30:45", "2024-01-01", "1.50", "="])
def test_an_unquoted_number_stays_the_password_that_was_typed(folder: Folder, written: str) -> None:
    config = folder.load(f"cameras: {{a: {{address: b, username: c, password: {written}}}}}")
    assert config.cameras[0].password == Secret(written)


def test_an_empty_password_is_one(folder: Folder) -> None:
    config = folder.load("cameras: {a: {address: b, username: admin, password: ''}}")
    assert config.cameras[0].password == Secret("")


def test_words_that_yaml_takes_for_booleans_can_be_ids(folder: Folder) -> None:
    config = folder.load("cameras: {on: {address: a}, no: {address: b}, 7: {address: c}}")
    assert [camera.id for camera in config.cameras] == ["on", "no", "7"]


def test_all_mistakes_of_all_files_come_at_once_in_order(folder: Folder) -> None:
    folder.write("cameras:\n  shed: {adress: 10.0.0.7}\n", "conf.d/b.yaml")
    folder.write("site: Shed\ncameras: {barn: {address: 10.0.0.8, audio: 1}}\n", "conf.d/a.yaml")
    found = folder.findings("""\
        cameras:
          yard:
            rtps: rtsp://192.168.1.2/live
            audio: perhaps
        hls: {window: 12}
    """)
    assert found == [
        'config.yaml:3: cameras.yard.rtps: unknown key, did you mean "rtsp"?',
        "config.yaml:4: cameras.yard.audio: must be true or false",
        "config.yaml:5: hls.window: needs a unit, such as 200ms, 2s or 1m",
        "conf.d/a.yaml:1: site: unknown key, known here are cameras",
        "conf.d/a.yaml:2: cameras.barn.audio: must be true or false",
        'conf.d/b.yaml:2: cameras.shed.adress: unknown key, did you mean "address"?',
    ]


def test_cameras_of_conf_d_follow_those_of_the_main_file_by_file_name(folder: Folder) -> None:
    folder.write("cameras: {d: {address: d}}", "conf.d/20.yaml")
    folder.write("cameras: {c: {address: c}}", "conf.d/10.yaml")
    config = folder.load("cameras: {b: {address: b}, a: {address: a}}")
    assert [camera.id for camera in config.cameras] == ["b", "a", "c", "d"]


def test_an_id_in_two_files_names_both_places(folder: Folder) -> None:
    folder.write("# adopted\ncameras:\n  yard: {address: 10.0.0.7}\n", "conf.d/adopted.yaml")
    found = folder.findings("cameras:\n  yard:\n    address: 10.0.0.8\n")
    assert found == ["conf.d/adopted.yaml:3: cameras.yard: this id is already used at config.yaml:2"]


def test_a_file_of_conf_d_with_another_ending_is_not_passed_over_in_silence(folder: Folder) -> None:
    folder.write("cameras: {a: {address: a}}", "conf.d/more.yml")
    assert folder.load("").warnings == ("conf.d/more.yml: is not read: its name must end in .yaml",)


@pytest.mark.parametrize("name", [".#yard.yaml", "._yard.yaml", ".yard.yaml"])
def test_what_editors_and_file_servers_leave_beside_a_file_refuses_nothing(folder: Folder, name: str) -> None:
    """Emacs locks the file it edits with a link that leads nowhere, macOS puts a binary file beside each on a share."""
    (folder.path / "conf.d").mkdir()
    (folder.path / "conf.d" / name).symlink_to("user@box.1234")
    assert folder.load("site: A").site == "A"


def test_cameras_do_not_go_because_their_folder_cannot_be_read(folder: Folder) -> None:
    (folder.path / "conf.d").symlink_to("conf.d")
    assert folder.findings("site: A") == ["conf.d: cannot be read (Too many levels of symbolic links)"]


def test_pushes_are_texts_or_mappings(folder: Folder) -> None:
    (folder.path / "ca.pem").write_text("x")
    folder.environ["KEY"] = "a/b"
    config = folder.load("""\
        cameras:
          yard:
            address: 10.0.0.8
            push:
              - "rtmps://user:pass@media.example/live/yard"
              - {url: "rtmp://a.example/live2", key: "${KEY}", name: Tube, stream: sub, silent_audio: false, enhanced: true}
              - {url: "rtmps://b.example/live/x", ca_file: ca.pem}
    """)
    plain, tube, private = config.cameras[0].push
    assert plain == Push("media.example", 443, "live", Secret("yard"), tls=True, username="user", password=Secret("pass"))
    assert tube == Push(
        "a.example",
        1935,
        "live2",
        Secret("a/b"),
        name="Tube",
        stream=StreamChoice.SUB,
        silent_audio=False,
        enhanced=True,
    )
    assert private.ca_file == folder.path / "ca.pem"
    assert [one.shown for one in config.cameras[0].push] == [
        "rtmps://media.example/live/***",
        "rtmp://a.example/live2/***",
        "rtmps://b.example/live/***",
    ]


def test_a_secret_is_in_no_repr(folder: Folder) -> None:
    config = folder.load("""\
        cameras:
          yard: {rtsp: "rtsp://admin:hush@10.0.0.8/live", push: ["rtmp://u:hush@media.example/live/hush?a=hush"]}
          phone: {publish: {key: hush}}
    """)
    assert "hush" not in repr(config) + str(config)


def test_two_ways_to_give_a_password(folder: Folder) -> None:
    (folder.path / "p").write_text("x")
    found = folder.findings("cameras:\n  a:\n    address: b\n    username: c\n    password: d\n    password_file: p\n")
    assert found == ['config.yaml:6: cameras.a.password_file: give "password" or "password_file", not both']


def test_a_login_in_the_url_of_the_sub_stream_counts_for_both(folder: Folder) -> None:
    config = folder.load("cameras: {a: {rtsp: 'rtsp://c/1', sub: 'rtsp://u:p@c/2'}}")
    assert (config.cameras[0].username, config.cameras[0].password) == ("u", Secret("p"))


def test_the_same_login_twice_is_no_conflict(folder: Folder) -> None:
    config = folder.load("cameras: {a: {rtsp: 'rtsp://u:p@c/1', sub: 'rtsp://u:p@c/2', username: u, password: p}}")
    assert config.cameras[0].rtsp == "rtsp://c/1"


def test_a_password_from_the_environment_may_hold_anything(folder: Folder) -> None:
    folder.environ = {"PW": "p@/:#?%41 ${PW}"}
    config = folder.load("cameras: {a: {rtsp: 'rtsp://u:${PW}@10.0.0.1/live'}}")
    assert config.cameras[0].password == Secret("p@/:#?%41 ${PW}")


def test_a_whole_url_from_the_environment(folder: Folder) -> None:
    folder.environ = {"YARD": "rtsp://u:p@10.0.0.1/live"}
    config = folder.load("cameras: {a: {rtsp: '${YARD}'}}")
    assert (config.cameras[0].rtsp, config.cameras[0].username) == ("rtsp://10.0.0.1/live", "u")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is a folder, not a file"),
        (lambda path: path.symlink_to(path), "cannot be read (Too many levels of symbolic links)"),
        (lambda path: path.write_bytes(b"#" * 1_000_001), ":1: larger than 1 MB, which no configuration is"),
        (lambda path: path.write_bytes("site: a\n".encode("utf-16")), ":1: is stored as UTF-16: save it as UTF-8"),
        (
            lambda path: path.write_bytes(b"# ok\nsite: Caf\xe9\n"),
            ":2: holds a character that is not UTF-8: save it as UTF-8",
        ),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, make: object, reason: str) -> None:
    path = tmp_path / "config.yaml"
    make(path)  # type: ignore[operator]  # one of the lambdas above
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    separator = "" if reason.startswith(":") else ": "
    assert caught.value.findings == [f"config.yaml{separator}{reason}"]


def test_a_byte_order_mark_is_no_mistake(folder: Folder) -> None:
    path = folder.write("")
    path.write_bytes(b"\xef\xbb\xbfsite: Shed\r\n")
    assert load(path, {}).site == "Shed"


KEYS = st.sampled_from(
    [
        "site",
        "listen",
        "https",
        "http",
        "rtmp",
        "discovery",
        "enabled",
        "interval",
        "credentials",
        "username",
        "password",
        "password_file",
        "rtsp",
        "transport",
        "hls",
        "part",
        "segment",
        "window",
        "auth",
        "onvif",
        "anonymous_viewing",
        "cameras",
        "yard",
        "sub",
        "address",
        "name",
        "publish",
        "key",
        "push",
        "<<",
        "on",
        "~",
        "'#id'",
    ]
)
WORDS = st.sampled_from(
    ["off", "12", "2s", "200ms", "${X}", "${", "rtsp://a:b/c@d/e", "rtmp://x", "0.0.0.0:1", "~", "/", "\x00", "\ud800"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=20) | st.binary(max_size=5)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def load_bytes(folder: Path, data: bytes) -> None:
    path = folder / "config.yaml"
    path.write_bytes(data)
    try:
        load(path, {"X": "x", "HOME": os.fspath(folder)})
    except ConfigError as error:
        assert error.findings
        assert all(one.startswith("config.yaml") and "\n" not in one for one in error.findings)


@RELAXED
@given(tree=st.dictionaries(KEYS, TREES, max_size=5))
def test_any_tree_of_values_is_a_configuration_or_findings(tmp_path: Path, tree: object) -> None:
    load_bytes(tmp_path, yaml.safe_dump(tree, allow_unicode=False).encode("utf-8", "replace"))


@RELAXED
@given(text=st.text(alphabet="ab:-?#&*!|>'\"%@`{}[],<= \n\t\\0~$\u00e9\x85", max_size=80))
def test_any_text_is_a_configuration_or_findings(tmp_path: Path, text: str) -> None:
    load_bytes(tmp_path, text.encode())


@RELAXED
@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_configuration_or_findings(tmp_path: Path, data: bytes) -> None:
    load_bytes(tmp_path, data)


@RELAXED
@given(url=st.text(alphabet="ab1.:/@#?[]%${}X ", max_size=30))
def test_any_url_is_a_configuration_or_findings(tmp_path: Path, url: str) -> None:
    load_bytes(tmp_path, yaml.safe_dump({"cameras": {"yard": {"rtsp": f"rtsp://{url}"}}}).encode())
