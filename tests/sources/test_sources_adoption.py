"""Adopting: a camera is asked before anything is written, and every refusal is a sentence for people."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import load
from gateway.errors import AdoptError, Unreachable, WrongCredentials
from gateway.onvif.media import DeviceDescription, Profile
from gateway.onvif.resolve import ResolvedCamera
from gateway.sources.adoption import Adopted, Wish, adopt

ABOUT = DeviceDescription("Acme", "Cam 3\n#", "1.0", "SN1", ())
PROFILE = Profile("p0", "Main", "h264", 1920, 1080, 25)
FOUND = ResolvedCamera("rtsp://192.168.1.20/main", "rtsp://192.168.1.20/sub", PROFILE, PROFILE, ABOUT)


class Network:
    """Answers instead of cameras, and remembers what was asked."""

    def __init__(self) -> None:
        self.answer: ResolvedCamera | Exception = FOUND
        self.asked: list[tuple[Any, ...]] = []

    def __call__(self, *asked: Any, deadline_s: float) -> ResolvedCamera:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text('cameras:\n  gate: {address: "192.168.1.9:8000"}\n  acme-cam-3: {rtsp: "rtsp://192.168.1.8/x"}\n')
    return path


@pytest.fixture
def take(config: Path, network: Network) -> Callable[..., Adopted]:
    def run(address: str = "192.168.1.20", **more: str) -> Adopted:
        wish = Wish(address, **more)
        return adopt(wish, config, {}, resolve=network, now=lambda: datetime(2026, 1, 2, 3, 4))

    return run


def test_a_camera_is_asked_with_its_login_and_written_down(take: Any, network: Network, config: Path):
    adopted = take(id="yard", name="Yard", username="admin", password="pw")
    assert network.asked == [("192.168.1.20", "admin", "pw")]
    assert (adopted.id, adopted.name, adopted.has_sub) == ("yard", "Yard", True)
    assert adopted.file.read_text().startswith("# Adopted 2026-01-02 03:04: Acme Cam 3 #, serial number SN1\n")
    assert [camera.id for camera in load(config, {}).cameras] == ["gate", "acme-cam-3", "yard"]
    assert adopted.config.cameras[-1].username == "admin"


def test_name_and_id_are_made_up_from_what_the_camera_says(take: Any, network: Network):
    assert take().id == "acme-cam-3-2"
    network.answer = ResolvedCamera("rtsp://x/", None, PROFILE, None, DeviceDescription("", "", "", "", ()))
    adopted = take("192.168.1.21")
    assert (adopted.id, adopted.name, adopted.has_sub) == ("camera", "Camera", False)


@pytest.mark.parametrize(
    "address", ["http://192.168.1.20:80/onvif/device_service", "http://admin:x@192.168.1.20:80/onvif", " 192.168.1.20:80 "]
)
def test_the_address_of_a_service_is_taken_as_its_host(take: Any, network: Network, address: str):
    take(address)
    assert network.asked[0][0] == "192.168.1.20:80"


def test_without_a_login_the_discovery_credentials_are_tried_and_stay_in_their_place(take: Any, network: Network, config: Path):
    config.write_text("discovery: {credentials: [{username: root, password: all-of-them}]}\n")
    adopted = take()
    assert network.asked == [("192.168.1.20", "root", "all-of-them")]
    assert "all-of-them" not in adopted.file.read_text()


@pytest.mark.parametrize(
    ("wish", "code", "words"),
    [
        ({"address": "192.168.1.9:8000"}, "already-configured", "192.168.1.9:8000 is configured already, as gate"),
        ({"id": "gate"}, "id-taken", "there is a camera gate already"),
        ({"id": "Gate!"}, "bad-request", "an id is"),
        ({"address": "not a host"}, "bad-request", "the address must be"),
        ({"address": "rtsp://192.168.1.20/x"}, "bad-request", "RTSP"),
        ({"username": "a\nb"}, "bad-request", "username must be one line"),
        ({"password": "pw"}, "bad-request", "needs a user name"),
    ],
)
def test_what_cannot_be_is_refused_before_the_camera_is_asked(
    take: Any, network: Network, config: Path, wish: dict[str, str], code: str, words: str
):
    with pytest.raises(AdoptError, match=words) as refused:
        take(**wish)
    assert refused.value.code == code
    assert network.asked == []
    assert not (config.parent / "conf.d").exists()


@pytest.mark.parametrize("answer", [WrongCredentials("192.168.1.20: the camera refused the password"), Unreachable("no route")])
def test_a_cameras_own_refusal_is_passed_on_and_nothing_is_written(take: Any, network: Network, config: Path, answer: Any):
    network.answer = answer
    with pytest.raises(AdoptError) as refused:
        take(username="admin", password="guess")
    assert (refused.value.code, str(refused.value)) == (answer.code, str(answer))
    assert not (config.parent / "conf.d").exists()


def test_a_configuration_with_mistakes_is_not_added_to(take: Any, config: Path):
    config.write_text("camera: {}\n")
    with pytest.raises(AdoptError, match=r"mistakes, correct them first: config.yaml:1"):
        take()


def test_a_file_in_the_way_is_named(take: Any, config: Path):
    folder = config.parent / "conf.d"
    folder.mkdir()
    (folder / "yard.yaml").write_text("")
    with pytest.raises(AdoptError, match=r"conf.d/yard.yaml exists already"):
        take(id="yard")


def test_a_folder_that_cannot_be_made_is_named(take: Any, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(AdoptError, match=r"cannot write to .*conf\.d: No space left on device") as refused:
        take()
    assert refused.value.code == "not-written"


def test_a_file_in_the_place_of_the_folder_is_a_mistake_to_correct_first(take: Any, config: Path):
    (config.parent / "conf.d").write_text("a file")
    with pytest.raises(AdoptError, match=r"correct them first: conf\.d: cannot be read") as refused:
        take()
    assert refused.value.code == "configuration"
