"""Groups, views of the wall, and the sites that may frame a player."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.addresses import web_origin
from gateway.config.diff import ConfigDiff, diff
from gateway.config.load import load
from gateway.config.model import Config, View, WallLayout
from gateway.errors import ConfigError

CAMERAS = """
cameras:
  gate: {rtsp: rtsp://192.168.1.2/live, group: Outside}
  yard: {rtsp: rtsp://192.168.1.3/live}
"""


def read(folder: Path, text: str) -> Config:
    (folder / "config.yaml").write_text(CAMERAS + text, encoding="utf-8")
    return load(folder / "config.yaml", {})


def findings(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return caught.value.findings


def test_views_and_groups_are_read_in_order(tmp_path: Path) -> None:
    config = read(tmp_path, "views:\n  b: {cameras: [yard, gate], layout: 1+5}\n  a: {name: Tor, cameras: [gate]}\n")
    assert config.views == (
        View("b", "b", ("yard", "gate"), WallLayout.ONE_AND_FIVE),
        View("a", "Tor", ("gate",), None),
    )
    assert [camera.group for camera in config.cameras] == ["Outside", None]


@pytest.mark.parametrize("layout", [layout.value for layout in WallLayout])
def test_every_layout_can_be_written_without_quotes(tmp_path: Path, layout: str) -> None:
    """`1` is a number to YAML, and `1+5` looks like one."""
    assert read(tmp_path, f"views:\n  a: {{cameras: [gate], layout: {layout}}}\n").views[0].layout == WallLayout(layout)


def test_a_camera_that_does_not_exist_is_named_with_its_line_and_the_nearest_id(tmp_path: Path) -> None:
    found = findings(tmp_path, "views:\n  a:\n    cameras: [gate, yrad]\n")
    assert found == ['config.yaml:7: views.a.cameras[1]: there is no such camera, did you mean "yard"?']


def test_a_camera_of_a_drop_in_is_known(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "more.yaml").write_text("cameras:\n  roof: {rtsp: rtsp://192.168.1.4/live}\n")
    assert read(tmp_path, "views:\n  a: {cameras: [roof]}\n").views[0].cameras == ("roof",)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ("{cameras: []}", "names no camera"),
        ("{}", "is missing"),
        ("{cameras: [gate, gate]}", "names a camera twice"),
        ("{cameras: [gate], layout: 7x7}", "must be auto, 1, 2x2"),
        ("{camera: [gate]}", 'did you mean "cameras"'),
    ],
)
def test_mistakes_in_a_view(tmp_path: Path, view: str, message: str) -> None:
    assert any(message in finding for finding in findings(tmp_path, f"views:\n  a: {view}\n"))


def test_a_changed_view_touches_no_camera_and_needs_no_restart(tmp_path: Path) -> None:
    found = diff(read(tmp_path, ""), read(tmp_path, "views:\n  a: {cameras: [gate]}\nwatch: {embed: ['*']}\n"))
    assert found == ConfigDiff(settings=("watch.embed", "views"))


@pytest.mark.parametrize("site", ["*", "https://portal.example", "http://10.0.0.1:8080", "https://*.example.org"])
def test_sites_that_may_embed(site: str) -> None:
    assert web_origin(site) == site


@pytest.mark.parametrize(
    "text",
    ["portal.example", "https://portal.example/path", "https://a.example; script-src *", "https://", "https://*",
     "ftp://a.example", "'self'", "https://user@a.example", "https://a.example b.example", "https://a.*.example"],
)  # fmt: skip
def test_nothing_else_gets_into_the_policy(text: str) -> None:
    with pytest.raises(ValueError, match="must be a site"):
        web_origin(text)
