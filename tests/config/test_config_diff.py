"""What a reload has to do."""

from __future__ import annotations

from dataclasses import replace

from gateway.config.diff import ConfigDiff, diff
from gateway.config.model import Camera, Config, Hls, HostPort, Listen, Publish, Push, RtspDefaults, Secret, UnannouncedPicture

YARD = Camera("yard", "yard", rtsp="rtsp://192.168.1.2/live", username="a", password=Secret("one"))
GATE = Camera("gate", "gate", address="192.168.1.3")
PHONE = Camera("phone", "phone", publish=Publish(Secret("k")))


def test_nothing_changed() -> None:
    config = Config(cameras=(YARD, GATE))
    found = diff(config, replace(config, warnings=("x",)))
    assert found == ConfigDiff()
    assert not found


def test_cameras_that_come_go_and_change() -> None:
    changed = replace(YARD, password=Secret("two"))
    found = diff(Config(cameras=(YARD, GATE)), Config(cameras=(PHONE, changed)))
    assert found == ConfigDiff(added=("phone",), removed=("gate",), changed=("yard",))
    assert found


def test_a_camera_that_is_pushed_elsewhere_goes_on_as_it_is() -> None:
    pushed = replace(YARD, push=(Push("media.example", 1935, "live", Secret("x")),))
    found = diff(Config(cameras=(YARD, GATE)), Config(cameras=(pushed, GATE)))
    assert found == ConfigDiff(pushes=("yard",))
    assert found


def test_a_camera_that_is_only_called_otherwise_keeps_its_session_and_its_publisher() -> None:
    for field, value in (("name", "Other"), ("group", "East"), ("h265", UnannouncedPicture.SUB)):
        found = diff(Config(cameras=(YARD, PHONE)), Config(cameras=(YARD, replace(PHONE, **{field: value}))))
        assert found == ConfigDiff(relabelled=("phone",))
        assert found
    both = replace(YARD, name="Other", push=(Push("media.example", 1935, "live", Secret("x")),))
    assert diff(Config(cameras=(YARD,)), Config(cameras=(both,))) == ConfigDiff(pushes=("yard",), relabelled=("yard",))
    moved = replace(YARD, name="Other", rtsp="rtsp://192.168.1.9/live")
    assert diff(Config(cameras=(YARD,)), Config(cameras=(moved,))) == ConfigDiff(changed=("yard",))


def test_another_order_is_no_change() -> None:
    assert not diff(Config(cameras=(YARD, GATE)), Config(cameras=(GATE, YARD)))


def test_rtsp_defaults_change_every_camera_that_is_pulled() -> None:
    old = Config(cameras=(YARD, GATE, PHONE))
    assert diff(old, replace(old, rtsp=RtspDefaults(read_timeout_s=3.0))) == ConfigDiff(changed=("yard", "gate"))


def test_keys_that_need_a_restart_are_named_as_they_are_written() -> None:
    new = Config(site="Shed", listen=Listen(http=HostPort("::", 80)), hls=Hls(part_s=0.5))
    assert diff(Config(), new).restart_needed == ("site", "listen.http", "hls.part")
