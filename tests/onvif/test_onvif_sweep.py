"""A subnet swept on the loopback interface: cameras, web servers, and nothing."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import cli
from gateway.onvif import report
from gateway.onvif.sweep import MAX_HOSTS, bar, hosts_of, sweep
from gateway.onvif.wsdiscovery import Device


async def silence(timeout_s, *, found_on, unicast):
    return []


def swept(hosts, ports, probe=silence, **more):
    return asyncio.run(sweep(hosts, ports=ports, probe=probe, **more))


@pytest.mark.quirk(6)
def test_camera_that_no_probe_reaches_is_found_by_its_port_and_says_who_it_is(camera):
    camera.auth = "none"
    steps = []
    found = swept(["127.0.0.1", "127.0.0.2"], [camera.port, 1], progress=lambda done, total: steps.append((done, total)))
    (device,) = found.devices
    assert device.address == camera.address
    told = found.told[device.service]
    assert (told.manufacturer, told.model, told.needs_password) == ("ACME", "C1234", False)
    assert steps[-1] == (4, 4)


def test_camera_that_wants_a_password_is_found_without_trying_one(camera):
    found = swept(["127.0.0.1"], [camera.port])
    assert [one.needs_password for one in found.told.values()] == [True]
    assert camera.attempts() == 0


def test_web_server_and_closed_port_are_no_cameras(camera):
    camera.not_found = True
    assert swept(["127.0.0.1"], [camera.port, 1]).devices == ()


def test_answer_to_a_probe_and_open_port_are_one_device(camera):
    async def answers(timeout_s, *, found_on, unicast):
        xaddr = f"http://127.0.0.1:{camera.port}/onvif/device_service"
        return [Device("urn:uuid:1", camera.address, (xaddr,), name="Gate")]

    found = swept(["127.0.0.1"], [camera.port], answers)
    assert [(device.endpoint, device.name) for device in found.devices] == [("urn:uuid:1", "Gate")]
    assert len(found.told) == 1


@pytest.mark.parametrize("text", ["192.168.1.0/33", "camera.lan", "", "10.0.0.0/8", "fe80::/64"])
def test_what_is_no_subnet_or_too_large_is_wrong_input(text, capsys):
    with pytest.raises(ValueError):
        hosts_of(text)
    assert cli.main(["discover", "--subnet", text]) == cli.WRONG_INPUT
    assert "gateway: " in capsys.readouterr().err


def test_addresses_of_a_subnet():
    assert len(hosts_of("192.168.1.0/24")) == 254
    assert hosts_of("192.168.1.7/32") == ("192.168.1.7",)
    assert hosts_of("192.168.1.9/30") == ("192.168.1.9", "192.168.1.10")


@given(st.text(max_size=30))
def test_any_text_is_a_subnet_or_wrong_input(text):
    try:
        assert len(hosts_of(text)) <= MAX_HOSTS
    except ValueError as error:
        assert str(error)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_bar_has_one_length(done, total):
    assert len(bar(min(done, total), total)) == len(bar(0, 1))


def test_command_prints_what_a_script_needs(camera, capsys, monkeypatch):
    camera.auth = "none"
    monkeypatch.setattr(sweep, "__kwdefaults__", {**sweep.__kwdefaults__, "ports": (camera.port,)})
    assert cli.main(["discover", "--subnet", "127.0.0.1/32", "--timeout", "0.2", "--json"]) == cli.OK
    (device,) = (one for one in json.loads(capsys.readouterr().out) if one["address"] == camera.address)
    assert (device["manufacturer"], device["model"], device["needs_password"]) == ("ACME", "C1234", False)


def test_table_shows_what_devices_told_of_themselves(camera):
    found = swept(["127.0.0.1"], [camera.port])
    text = report.table(found.devices, found.told)
    assert text.splitlines()[0].split()[:4] == ["ADDRESS", "MANUFACTURER", "MODEL", "PASSWORD"]
    assert "needed" in text
