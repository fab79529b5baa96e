"""`gateway probe` against a simulated camera, and what an administrator does to it."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from gateway import cli
from gateway.config.model import Camera, Publish, RtspDefaults, Secret
from gateway.device.attendant import learn
from gateway.device.probe import as_json, as_text, probe
from gateway.errors import GatewayError, TimedOut
from gateway.onvif import administration
from gateway.simulator import camera as virtual
from gateway.sources.measure import Measured

SLOW_GOP = Measured("h265", 640, 360, 25.0, 5e5, 10.0, 250, "", "", 13.0)


def test_everything_about_a_camera(simulated):
    simulated.camera.clock_offset_s = -100.0
    asked = []

    def measure(name, url, settings):
        asked.append((name, url, settings.username))
        return SLOW_GOP

    found = probe(simulated.config, RtspDefaults(), measure=measure)
    assert asked == [("yard main", f"rtsp://127.0.0.1:{simulated.camera.rtsp_port}/main", "admin")]
    assert [piece.key for piece in found.advice] == ["keyframes", "h265_main", "no_sub", "clock_slow"]
    text = as_text(found)
    assert "Camera Gateway Virtual Camera, firmware 1.0" in text
    assert "keyframe every 10.0 s (250 pictures)" in text
    assert "clock -10" in text
    data = json.loads(as_json(found))
    assert data["camera"]["description"]["model"] == "Virtual Camera"
    assert data["streams"][0]["measured"]["gop"] == 250
    assert data["advice"][0]["key"] == "keyframes"
    assert "camera-demo" not in text + as_json(found)


def test_streams_are_really_watched(simulated, monkeypatch):
    monkeypatch.setattr("gateway.sources.measure.WATCH_S", 0.5)
    (stream,) = probe(simulated.config, RtspDefaults()).streams
    assert (stream.measured.codec, stream.measured.width, stream.measured.gop) == ("h264", 640, 5)
    assert stream.measured.fps > 5


def test_stream_that_cannot_be_watched_is_said(simulated):
    def measure(name, url, settings):
        raise TimedOut("rtsp://u:secret@10.0.0.9/x has sent nothing for 5 s")

    found = probe(simulated.config, RtspDefaults(), measure=measure)
    assert "has sent nothing for 5 s" in as_text(found)
    assert "secret" not in as_text(found) + as_json(found)


def test_camera_given_by_its_streams_is_only_watched():
    camera = Camera("yard", "Yard", rtsp="rtsp://10.0.0.9/main", sub="rtsp://10.0.0.9/sub")
    found = probe(camera, RtspDefaults(), measure=lambda name, url, settings: SLOW_GOP)
    assert [stream.role for stream in found.streams] == ["main", "sub"]
    assert found.facts is None
    with pytest.raises(GatewayError, match="sends to the gateway"):
        probe(Camera("phone", "Phone", publish=Publish(Secret("k"))), RtspDefaults())


def test_command_asks_a_camera_that_is_not_configured(simulated, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cli, "configure", lambda verbose: None)
    monkeypatch.chdir(tmp_path)
    options = ["--username", "admin", "--password", "camera-demo", "--no-watch", "--json"]
    assert cli.main(["probe", simulated.config.address, *options]) == 0
    assert json.loads(capsys.readouterr().out)["streams"][0]["measured"] is None
    wrong = ["--username", "admin", "--password", "wrong", "--no-watch"]
    assert cli.main(["probe", simulated.config.address, *wrong]) == 1
    assert "refused the user name or password" in capsys.readouterr().err


def test_clock_is_set_and_the_zone_stays(simulated):
    simulated.camera.clock_offset_s = 3600.0
    with simulated.link().open() as connection:
        before = administration.read_clock(connection.client, time.time())
        assert before.offset_s == pytest.approx(3600, abs=2)
        administration.set_clock(connection.client, replace(before, zone="CST-8"), time.time())
        assert administration.read_clock(connection.client, time.time()).offset_s == pytest.approx(0, abs=2)
        assert learn(connection.client, None).description.model, "what follows is signed with the new time"
    assert simulated.camera.clock_offset_s == pytest.approx(0, abs=2)


def test_reboot_takes_the_camera_away_and_brings_it_back(simulated, monkeypatch, until):
    monkeypatch.setattr(virtual, "REBOOT_S", 0.2)
    with simulated.link().open() as connection:
        assert administration.reboot(connection.client) == "Rebooting now"
    until(lambda: simulated.camera.faults.dark)
    until(lambda: not simulated.camera.faults.dark)
    with simulated.link().open() as connection:
        assert learn(connection.client, None).description.model == "Virtual Camera"
