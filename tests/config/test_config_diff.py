"""What a reload has to do."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from gateway.camera_tls import CameraTrust
from gateway.config.diff import APPLIED, ConfigDiff, applicable, diff
from gateway.config.model import (
    Camera,
    Config,
    Hls,
    HostPort,
    Listen,
    Publish,
    Push,
    RtspClient,
    RtspDefaults,
    Secret,
    SubPolicy,
    Transport,
    UnannouncedPicture,
)

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
        assert found == ConfigDiff(adjusted=("phone",))
        assert found
    both = replace(YARD, name="Other", push=(Push("media.example", 1935, "live", Secret("x")),))
    assert diff(Config(cameras=(YARD,)), Config(cameras=(both,))) == ConfigDiff(pushes=("yard",), adjusted=("yard",))
    moved = replace(YARD, name="Other", rtsp="rtsp://192.168.1.9/live")
    assert diff(Config(cameras=(YARD,)), Config(cameras=(moved,))) == ConfigDiff(changed=("yard",))


def test_what_is_no_matter_of_the_session_costs_none() -> None:
    for field, value in (("sub_policy", SubPolicy.ALWAYS), ("events", False)):
        assert diff(Config(cameras=(GATE,)), Config(cameras=(replace(GATE, **{field: value}),))).adjusted == ("gate",)


def test_another_order_is_no_change() -> None:
    assert not diff(Config(cameras=(YARD, GATE)), Config(cameras=(GATE, YARD)))


def test_timeouts_of_all_cameras_cost_no_session_and_the_transport_only_where_it_is_the_default() -> None:
    own = replace(GATE, transport=Transport.UDP)
    old = Config(cameras=(YARD, own, PHONE))
    slower = diff(old, replace(old, rtsp=RtspDefaults(read_timeout_s=3.0)))
    assert (slower.changed, slower.adjusted, slower.settings) == ((), ("yard", "gate"), ("rtsp.read_timeout",))
    other = diff(old, replace(old, rtsp=RtspDefaults(transport=Transport.AUTO)))
    assert (other.changed, other.adjusted) == (("yard",), ())
    own_client = replace(GATE, client=RtspClient.OWN)
    old = Config(cameras=(YARD, own_client, PHONE))
    libav = diff(old, replace(old, rtsp=RtspDefaults(client=RtspClient.LIBAV)))
    assert (libav.changed, libav.adjusted, libav.settings) == (("yard",), (), ("rtsp.client",))
    pinned = diff(old, replace(old, cameras=(replace(YARD, trust=CameraTrust("ab" * 32)), own_client, PHONE)))
    assert pinned.changed == ("yard",)


def test_every_key_but_the_data_folder_is_applied_and_named_as_it_is_written() -> None:
    new = Config(site="Shed", listen=Listen(http=HostPort("::", 80)), hls=Hls(part_s=0.5), data_dir=Path("/elsewhere"))
    found = diff(Config(), new)
    assert found.settings == ("site", "listen.http", "hls.part")
    assert found.restart_needed == ("data_dir",)
    sections = {field.name for field in fields(Config)} - {"cameras", "warnings"}
    assert sections - APPLIED == {"data_dir"}, "a section that a reload forgets"
    running = applicable(Config(), new)
    assert (running.site, running.data_dir) == ("Shed", Config().data_dir)
    assert diff(running, new).restart_needed == ("data_dir",), "the next reload says it again"
